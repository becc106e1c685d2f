# SPDX-License-Identifier: MIT
"""The whole graph, in one process and in many, against the offline path."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import yaml
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node

from whispersign_model.decoding.streaming import StreamingRecognizer, recognize_recording
from whispersign_model.features.preprocessor import Preprocessor
from whispersign_model.network.checkpoint import read_metadata
from whispersign_model.recordings.bags.bag import read_bag, write_bag
from whispersign_model.runtime.loading import load_backend
from whispersign_model.synthesis.signer import Signer
from whispersign_msgs.msg import Gloss, HandFeatures, HandFrame
from whispersign_ros.conversions.messages import nanoseconds, read_features
from whispersign_ros.node.entry_points import PLAYBACK

SLOW = pytest.mark.slow
GRAPH = ["smoothing_node", "preprocessing_node", "recognition_node"]
READY = "ready"  # a node that listens once the test hears everybody: replay waits for it too
SPEED = 2.0  # times as fast as recorded: a listener may be held up for a second
APART = 3600 * 10**9  # nanoseconds between the two recordings


@pytest.fixture(scope="session")
def bags(tmp_path_factory, recording):
    """Return a folder with two recordings, the second of another signer."""
    folder = tmp_path_factory.mktemp("played")
    write_bag(folder / "take_1", recording)
    other = Signer(8).sign_sentence(["NO", "YES"], start=int(recording.stamps[0]) + APART)
    write_bag(folder / "take_2", other)
    return folder


@pytest.fixture(scope="session")
def offline(bags, model, recipe):
    """Return each recording's features, and what is recognised in them, offline."""
    recognizer = StreamingRecognizer(
        load_backend(model, "cpu"), read_metadata(model).glosses, recipe=read_metadata(model).recipe
    )
    blocks, glosses = [], []
    for path in sorted(bags.iterdir()):
        recording = read_bag(path)
        blocks.append(Preprocessor(recipe).process(recording))
        for result in recognize_recording(recognizer, Preprocessor(recipe), recording):
            if result.final:
                glosses += [(gloss.gloss, gloss.start, gloss.end) for gloss in result.glosses]
    assert len(glosses) > 10
    return blocks, glosses


def _parameters(bags, model):
    return {
        "replay_node": {
            "bag": str(bags),
            "restamp": False,
            "playback_speed": SPEED,
            "wait_for": [*GRAPH, READY],
            "wait_timeout": 600.0,
        },
        "smoothing_node": {"model": str(model), **PLAYBACK},
        "preprocessing_node": {"model": str(model), **PLAYBACK},
        "recognition_node": {"model": str(model), "device": "cpu", **PLAYBACK},
    }


@pytest.fixture(
    params=["pipeline", *(pytest.param(each, marks=SLOW) for each in ("processes", "namespace"))]
)
def played(request, graph, bags, model, tmp_path, offline):
    """Play both bags through the live graph; return the features and glosses that were heard."""
    space = "/robot" if request.param == "namespace" else ""
    features = graph.listen(HandFeatures, f"{space}/hands/features")
    glosses = graph.listen(Gloss, f"{space}/gloss")
    parameters = _parameters(bags, model)
    file = tmp_path / "parameters.yaml"
    file.write_text(
        yaml.safe_dump({f"/**/{k}": {"ros__parameters": v} for k, v in parameters.items()})
    )
    executables = list(parameters) if request.param == "processes" else ["pipeline"]
    processes = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "whispersign_ros.nodes", executable),
                *("--ros-args", "--params-file", str(file), "-r", f"__ns:={space or '/'}"),
            ]
        )
        for executable in executables
    ]
    steps = sum(len(block) for block in offline[0])
    try:
        graph.heard_from(f"{space}/hands/features")
        graph.heard_from(f"{space}/gloss")
        ready = graph.add(Node(READY))
        ready.create_subscription(HandFrame, f"{space}/hands/raw", lambda message: None, 10)
        graph.until(
            lambda: (
                (len(features) >= steps and len(glosses) >= len(offline[1]))
                or any(process.poll() for process in processes)
            )
        )
        assert processes[0].wait() == 0  # the pipeline, or the replay: they end by themselves
        for process in processes[1:]:
            assert process.poll() is None
            process.terminate()
            assert process.wait() == 0
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return features, glosses


def test_live_equals_offline(played, offline, recipe):
    features, glosses = played
    blocks, expected = offline
    assert [message.sequence for message in features] == [
        step for block in blocks for step in range(len(block))
    ]
    stamps, frames = zip(*map(read_features, features))
    assert list(stamps) == [stamp for block in blocks for stamp in block.stamps.tolist()]
    np.testing.assert_allclose(frames, np.concatenate([b.frames for b in blocks]), atol=1e-4)
    heard = [(g.gloss, nanoseconds(g.start_time), nanoseconds(g.end_time)) for g in glosses]
    assert heard == expected


@pytest.mark.slow
def test_a_neighbour_that_is_killed_does_no_harm(graph, bags, model):
    """After kill -9 of preprocessing its successor carries on; nobody else has noticed."""
    glosses = graph.listen(Gloss, "gloss")
    reports = graph.listen(DiagnosticArray, "/diagnostics")
    parameters = _parameters(bags / "take_1", model)
    parameters["replay_node"] |= {"loop": True, "restamp": True, "wait_for": GRAPH}
    processes = {}

    def start(executable):
        words = []
        for name, value in parameters[executable].items():
            text = str(value).lower() if isinstance(value, bool) else value
            words += ["-p", f"{name}:={text}"]
        processes[executable] = subprocess.Popen(
            [sys.executable, "-m", "whispersign_ros.nodes", executable, "--ros-args", *words]
        )

    try:
        for executable in parameters:
            start(executable)
        graph.until(lambda: glosses)
        processes["preprocessing_node"].kill()
        processes["preprocessing_node"].wait()
        reports.clear()
        # The recogniser finishes what it had begun, and its report says that nothing comes in.
        graph.until(
            lambda: any(
                "recognition_node" in status.name and "no input" in status.message
                for report in reports
                for status in report.status
            )
        )
        glosses.clear()
        start("preprocessing_node")
        graph.until(lambda: glosses)
        assert [name for name, process in processes.items() if process.poll() is not None] == []
    finally:
        for process in processes.values():
            process.kill()
            process.wait()


@pytest.mark.slow
def test_two_robots_beside_each_other_do_not_hear_each_other(graph, bags, model):
    recognizer = StreamingRecognizer(
        load_backend(model, "cpu"), read_metadata(model).glosses, recipe=read_metadata(model).recipe
    )
    preprocessor = Preprocessor(read_metadata(model).recipe)
    robots = {"robot1": bags / "take_1", "robot2": bags / "take_2"}
    heard = {robot: graph.listen(Gloss, f"/{robot}/gloss") for robot in robots}
    processes = []
    for robot, bag in robots.items():
        values = {
            "bag": bag,
            "model": model,
            "restamp": "false",
            "playback_speed": SPEED,
            "device": "cpu",
        }
        words = [word for name, value in values.items() for word in ("-p", f"{name}:={value}")]
        command = [sys.executable, "-m", "whispersign_ros.nodes", "pipeline", "--ros-args", *words]
        waits = ["-p", f"wait_for:=[{READY}]", "-p", "wait_timeout:=600.0"]
        processes.append(subprocess.Popen([*command, *waits, "-r", f"__ns:=/{robot}"]))
    try:
        for robot in robots:
            graph.heard_from(f"/{robot}/gloss")
        ready = graph.add(Node(READY))
        for robot in robots:
            topic = f"/{robot}/hands/raw"
            ready.create_subscription(HandFrame, topic, lambda message: None, 10)
        graph.until(lambda: all(process.poll() == 0 for process in processes))
    finally:
        for process in processes:
            process.kill()
            process.wait()
    for robot, bag in robots.items():
        results = recognize_recording(recognizer, preprocessor, read_bag(bag))
        expected = [gloss.gloss for result in results if result.final for gloss in result.glosses]
        assert [message.gloss for message in heard[robot]] == expected
