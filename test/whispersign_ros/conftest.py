# SPDX-License-Identifier: MIT
"""An isolated ROS graph per test, a random network, and a signed sentence."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import rclpy
from rcl_interfaces.srv import SetParameters
from rclpy.client import Client
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions

from whispersign_model.features.preprocessor import Preprocessor
from whispersign_model.features.recipe import Recipe
from whispersign_model.network.checkpoint import CheckpointMetadata, write_checkpoint
from whispersign_model.network.config import DecoderConfig, ModelConfig
from whispersign_model.recordings.bags.bag import write_bag
from whispersign_model.recordings.recording import Recording
from whispersign_model.synthesis.signer import Signer
from whispersign_msgs.msg import HandFeatures, HandFrame
from whispersign_ros.conversions.messages import features_message, frame_message

# Seconds until a wait for a condition fails; mutants set less.
BOUND = float(os.environ.get("WHISPERSIGN_TEST_BOUND", "300"))
CHUNK = 30  # number of messages that fit in every queue
GLOSSES = ("HELLO", "YES", "NO", "HOME")
START = 1_700_000_000_123_456_789  # stamp of the sentence's first frame, nanoseconds


class Graph:
    """Nodes under test, and a probe node that publishes and subscribes."""

    def __init__(self) -> None:
        rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
        self.executor = SingleThreadedExecutor()
        self.probe = self.add(Node("probe"))
        self.clients: dict[str, Client] = {}

    def add(self, node: Node) -> Any:
        self.executor.add_node(node)
        return node

    def start(self, node_type: Callable[..., Node], /, *arguments: Any, **parameters: Any) -> Any:
        """Create a node with these parameters, and return it."""
        overrides = [Parameter(name, value=value) for name, value in parameters.items()]
        return self.add(node_type(*arguments, parameter_overrides=overrides))

    def listen(self, message_type: type, topic: str, profile: Any = 1000) -> list[Any]:
        """Subscribe to a topic, and return a list that collects its messages."""
        heard: list[Any] = []
        self.probe.create_subscription(message_type, topic, heard.append, profile)
        return heard

    def speak(self, message_type: type, topic: str, profile: Any = 1000) -> Any:
        """Return a publisher once it has a subscriber."""
        publisher = self.probe.create_publisher(message_type, topic, profile)
        self.until(lambda: publisher.get_subscription_count() > 0)
        return publisher

    def send(self, publisher: Any, messages: Sequence[Any], node: Any) -> None:
        """Publish messages, a few at a time, and wait until the node has received them."""
        for first in range(0, len(messages), CHUNK):
            chunk = messages[first : first + CHUNK]
            target = node.diagnostics.received + len(chunk)
            for message in chunk:
                publisher.publish(message)
            self.until(lambda target=target: node.diagnostics.received >= target)

    def set_parameter(self, node: Node, name: str, value: Any) -> Any:
        """Set a parameter as ``ros2 param set`` does, and return the result."""
        service = f"{node.get_fully_qualified_name()}/set_parameters"
        parameters = [Parameter(name, value=value).to_parameter_msg()]
        request = SetParameters.Request(parameters=parameters)
        return self.call(SetParameters, service, request).results[0]

    def call(self, service_type: type, service: str, request: Any) -> Any:
        """Call a service, with one client for all calls, and return the response."""
        if service not in self.clients:
            self.clients[service] = self.probe.create_client(service_type, service)
            self.until(self.clients[service].service_is_ready)
        client = self.clients[service]
        future = client.call_async(request)
        self.until(future.done)
        return future.result()

    def heard_from(self, topic: str) -> None:
        """Wait until a topic that the probe subscribes to has a publisher."""
        self.until(lambda: self.probe.count_publishers(topic) > 0)

    def until(self, condition: Callable[[], object]) -> None:
        """Spin the nodes until a condition holds."""
        deadline = time.monotonic() + BOUND
        while not condition():
            assert time.monotonic() < deadline, "the condition never came true"
            self.executor.spin_once(timeout_sec=0.05)

    def close(self) -> None:
        for node in self.executor.get_nodes():
            node.destroy_node()
        self.executor.shutdown()
        rclpy.shutdown()


@pytest.fixture
def graph() -> Iterator[Graph]:
    graph = Graph()
    yield graph
    graph.close()


def frame_messages(recording: Recording, smoothing: str = "") -> list[HandFrame]:
    """Return a recording as messages with ``sequence`` from 0."""
    return [
        frame_message(
            stamp,
            index,
            recording.positions[index],
            recording.confidence[index],
            frame_id="sensor",
            coordinates=recording.coordinates,
            source="test",
            smoothing=smoothing or recording.smoothing,
        )
        for index, stamp in enumerate(recording.stamps.tolist())
    ]


@pytest.fixture(scope="session")
def messages() -> Callable[..., list[HandFrame]]:
    return frame_messages


def random_model(path: Path, recipe: Recipe, seed: int = 0) -> Path:
    """Write a checkpoint with random weights, which recognizes glosses in any input."""
    import torch  # takes a second, and most tests here do not need it

    from whispersign_model.network.model import WhisperSignModel

    torch.manual_seed(seed)
    config = ModelConfig(decoder=DecoderConfig(vocab_size=len(GLOSSES) + 1))
    metadata = CheckpointMetadata(
        name="random", config=config, glosses=GLOSSES, language="xx", recipe=recipe
    )
    write_checkpoint(path, WhisperSignModel(config).state_dict(), metadata)
    return path


@pytest.fixture(scope="session", name="random_model")
def random_model_fixture() -> Callable[..., Path]:
    return random_model


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    """Return a recipe with scaling, so that tests notice if scaling is missing."""
    return Recipe(
        offset=(0.1, -0.2, 0.3, 0.0, 0.0, 0.0, 0.0), scale=(0.5, 0.6, 0.7, 2.0, 3.0, 4.0, 1.0)
    )


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory, recipe: Recipe) -> Path:
    return random_model(tmp_path_factory.mktemp("model") / "model", recipe)


@pytest.fixture(scope="session")
def other_model(tmp_path_factory: pytest.TempPathFactory, recipe: Recipe) -> Path:
    """Return a checkpoint with another recipe."""
    other = recipe.changed(location="sensor")
    return random_model(tmp_path_factory.mktemp("other") / "model", other, seed=1)


@pytest.fixture(scope="session")
def recording() -> Recording:
    """Return a short two-handed sentence as a noisy sensor records it, with jitter and losses."""
    return Signer(3).sign_sentence(["HELLO", "HOME"], start=START, tail=0.9)


@pytest.fixture(scope="session")
def feature_messages(recording: Recording, recipe: Recipe) -> list[HandFeatures]:
    """Return the sentence's features as messages."""
    block = Preprocessor(recipe).process(recording)
    return [
        features_message(stamp, index, frame, frame_id="sensor", recipe_id=recipe.id)
        for index, (stamp, frame) in enumerate(zip(block.stamps.tolist(), block.frames))
    ]


@pytest.fixture(scope="session")
def bag(tmp_path_factory: pytest.TempPathFactory, recording: Recording) -> Path:
    path = tmp_path_factory.mktemp("bags") / "sentence"
    write_bag(path, recording)
    return path
