# SPDX-License-Identifier: MIT
"""``recognition_node`` alone."""

from __future__ import annotations

import copy
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.srv import ChangeState
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from whispersign_model.decoding.streaming import StreamingRecognizer, recognize_recording
from whispersign_model.errors import CheckpointError, ConfigError
from whispersign_model.features.preprocessor import Preprocessor
from whispersign_model.network.checkpoint import read_metadata
from whispersign_model.runtime.loading import load_backend
from whispersign_msgs.msg import Gloss, HandFeatures, Recipe, Vocabulary
from whispersign_ros.conversions.messages import features_message, nanoseconds, time_message
from whispersign_ros.node import qos
from whispersign_ros.nodes.recognition_node import RecognitionNode

NEVER = 60.0  # seconds of idle_timeout that do not pass during a test
LATCHED = QoSProfile(
    depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL, reliability=ReliabilityPolicy.RELIABLE
)


def _seen(message):
    times = nanoseconds(message.start_time), nanoseconds(message.end_time)
    return message.gloss, *times, pytest.approx(message.confidence, abs=1e-3)


@pytest.fixture(scope="session")
def steps(feature_messages):
    return feature_messages


@pytest.fixture(scope="session")
def offline(model, recipe, recording):
    """Return (gloss, start, end, confidence) of the final and partial results offline."""
    recognizer = StreamingRecognizer(
        load_backend(model, "cpu"), read_metadata(model).glosses, recipe=read_metadata(model).recipe
    )
    results = recognize_recording(recognizer, Preprocessor(recipe), recording)
    assert any(result.final for result in results)
    return {
        final: [
            (gloss.gloss, gloss.start, gloss.end, gloss.confidence)
            for result in results
            if result.final == final
            for gloss in result.glosses
        ]
        for final in (True, False)
    }


class Bench:
    """A node with something before and behind it."""

    def __init__(self, graph, model, **parameters):
        self.graph = graph
        parameters = {"max_age": 0.0, **parameters}  # the stamps are recorded
        self.node = graph.start(RecognitionNode, model=str(model), device="cpu", **parameters)
        self.glosses = graph.listen(Gloss, "gloss")
        self.partials = graph.listen(Gloss, "gloss_partial", qos.GLOSS_PARTIAL)
        self.publisher = graph.speak(HandFeatures, "hands/features")
        graph.heard_from("gloss")
        graph.heard_from("gloss_partial")

    def send(self, messages):
        self.graph.send(self.publisher, messages, self.node)
        self.graph.until(lambda: self.node._worker.at_rest)


def test_live_glosses_equal_offline_ones(graph, model, steps, offline):
    bench = Bench(graph, model, idle_timeout=0.3)
    bench.send(steps)
    graph.until(lambda: len(bench.glosses) >= len(offline[True]))
    assert [_seen(message) for message in bench.glosses] == offline[True]
    expected = iter(offline[False])  # best effort: some may be lost, none may be invented
    assert bench.partials
    assert all(_seen(message) in expected for message in bench.partials)
    assert all(message.final for message in bench.glosses)
    assert not any(message.final for message in bench.partials)
    first = bench.glosses[0]
    assert (first.language, first.model_id) == ("xx", read_metadata(model).model_id)
    assert first.header.frame_id == "sensor"
    assert nanoseconds(first.header.stamp) == nanoseconds(first.end_time)


def test_a_sequence_that_steps_back_finishes_the_utterance(graph, model, steps, offline):
    bench = Bench(graph, model, idle_timeout=NEVER)
    tracked = [m for m in steps if m.left_tracked or m.right_tracked]
    middle = tracked[: len(tracked) // 2]  # the stream breaks off while hands are there
    bench.send(middle)
    assert bench.glosses == []
    bench.send(steps[:1])
    graph.until(lambda: bench.glosses)
    assert {message.utterance_id for message in bench.glosses} == {0}
    assert nanoseconds(bench.glosses[-1].end_time) <= nanoseconds(middle[-1].header.stamp)


def test_silence_finishes_the_utterance(graph, model, steps, monkeypatch):
    bench = Bench(graph, model, idle_timeout=0.3)
    logged = []
    monkeypatch.setattr(bench.node.get_logger(), "debug", logged.append)
    tracked = [m for m in steps if m.left_tracked or m.right_tracked]
    bench.send(tracked[: len(tracked) // 2])
    graph.until(lambda: bench.glosses)
    graph.until(lambda: bench.node.at_rest)
    utterance = bench.glosses[-1].utterance_id
    assert logged[-1] == f"utterance {utterance} is final: end of stream"


def test_the_vocabulary_reaches_late_subscribers(graph, model):
    node = graph.start(RecognitionNode, model=str(model), device="cpu")
    graph.until(lambda: node.count_publishers("vocabulary"))
    heard = graph.listen(Vocabulary, "vocabulary", LATCHED)
    graph.until(lambda: heard)
    metadata = read_metadata(model)
    assert tuple(heard[0].glosses) == metadata.glosses
    assert (heard[0].language, heard[0].model_id) == ("xx", metadata.model_id)


def test_features_of_another_recipe_are_refused(graph, other_model, steps, offline):
    bench = Bench(graph, other_model, idle_timeout=0.2)
    bench.send(steps)
    graph.until(lambda: bench.node.at_rest)
    assert bench.glosses == bench.partials == []
    assert bench.node.diagnostics.drops == {"refused": len(steps)}
    assert steps[0].recipe_id in bench.node.diagnostics.refusal
    assert read_metadata(other_model).recipe.id in bench.node.diagnostics.refusal


def test_refused_steps_are_not_missed(graph, model, steps):
    bench = Bench(graph, model)
    sent = copy.deepcopy(steps[:30])
    for step in sent[1::3]:
        step.recipe_id = "another"
    bench.send(sent)
    assert bench.node.diagnostics.drops == {"refused": 10}


def test_bad_steps_are_dropped_and_counted(graph, model, steps, offline, recipe):
    bench = Bench(graph, model, idle_timeout=0.3)
    nan = np.full((42, 7), np.nan, np.float32)
    between = (nanoseconds(steps[99].header.stamp) + nanoseconds(steps[100].header.stamp)) // 2
    sent = [(nanoseconds(step.header.stamp), np.reshape(step.features, (42, 7))) for step in steps]
    sent[100:100] = [(between, nan), sent[50]]
    bench.send(
        [
            features_message(stamp, number, frame, frame_id="sensor", recipe_id=recipe.id)
            for number, (stamp, frame) in enumerate(sent)
        ]
    )
    graph.until(lambda: len(bench.glosses) >= len(offline[True]))
    assert [_seen(message) for message in bench.glosses] == offline[True]
    assert bench.node.diagnostics.drops == {"steps_not_finite": 1, "steps_out_of_order": 1}


def test_another_model_goes_on_without_a_restart(graph, model, other_model, steps, offline):
    bench = Bench(graph, other_model, idle_timeout=NEVER)
    vocabularies = graph.listen(Vocabulary, "vocabulary", LATCHED)
    recipes = graph.listen(Recipe, "recipe", LATCHED)
    other, this = read_metadata(other_model), read_metadata(model)
    as_other = [_of_recipe(message, other.recipe.id) for message in steps]
    tracked = [message for message in as_other if message.left_tracked or message.right_tracked]
    bench.send(tracked[: len(tracked) // 2])
    assert bench.glosses == []
    assert graph.set_parameter(bench.node, "model", str(model)).successful
    # What was being signed is closed with the model before.
    graph.until(lambda: bench.glosses and len(bench.glosses) >= bench.glosses[0].utterance_length)
    assert {message.model_id for message in bench.glosses} == {other.model_id}
    closed = len(bench.glosses)
    bench.send(tracked[len(tracked) // 2 :][:3])  # the nodes before have not followed yet
    assert bench.node.diagnostics.refusal == ""
    bench.send([*steps, *steps[:1]])
    graph.until(lambda: len(bench.glosses) - closed >= len(offline[True]))
    assert [_seen(message) for message in bench.glosses[closed:]] == offline[True]
    assert {message.model_id for message in bench.glosses[closed:]} == {this.model_id}
    ids = [message.utterance_id for message in bench.glosses]
    assert ids == sorted(ids)
    assert ids[closed] > ids[closed - 1]
    graph.until(lambda: len(recipes) == len(vocabularies) == 2)
    assert [message.model_id for message in vocabularies] == [other.model_id, this.model_id]
    assert [message.recipe_id for message in recipes] == [other.recipe.id, this.recipe.id]
    assert type(this.recipe).from_json(recipes[1].json) == this.recipe
    assert bench.node.diagnostics.drops == {"steps_of_previous_model": 3}


def test_features_of_previous_model_are_refused_in_the_end(
    graph, model, other_model, steps, monkeypatch
):
    monkeypatch.setattr("whispersign_ros.node.recipe_sync.GRACE_TIME", 0.0)
    bench = Bench(graph, model, idle_timeout=NEVER)
    assert graph.set_parameter(bench.node, "model", str(other_model)).successful
    bench.send(steps[:3])
    assert bench.node.diagnostics.drops == {"refused": 3}


def test_a_model_that_cannot_be_used_leaves_the_one_before(graph, model, steps, offline, tmp_path):
    bench = Bench(graph, model, idle_timeout=0.3)
    answer = graph.set_parameter(bench.node, "model", str(tmp_path / "missing"))
    assert not answer.successful
    assert answer.reason.startswith(f"{tmp_path}/missing: does not exist; ")
    assert "; allowed: string" in answer.reason
    answer = graph.set_parameter(bench.node, "threads", 2)
    assert not answer.successful
    assert bench.node.get_parameter("model").value == bench.node.values["model"] == str(model)
    bench.send(steps)
    graph.until(lambda: len(bench.glosses) >= len(offline[True]))
    assert [_seen(message) for message in bench.glosses] == offline[True]


def test_a_model_may_be_changed_in_every_state(graph, model, other_model):
    node = graph.start(RecognitionNode, model=str(other_model), device="cpu", autostart=False)
    vocabularies = graph.listen(Vocabulary, "vocabulary", LATCHED)
    assert graph.set_parameter(node, "model", str(model)).successful
    assert vocabularies == []
    assert _change_state(graph, "configure")
    assert graph.set_parameter(node, "model", str(other_model)).successful
    assert _change_state(graph, "activate")
    graph.until(lambda: len(vocabularies) == 2)
    expected = [read_metadata(path).model_id for path in (model, other_model)]
    assert [message.model_id for message in vocabularies] == expected


def _of_recipe(message, recipe_id):
    frame = np.reshape(message.features, (42, 7))
    stamp = nanoseconds(message.header.stamp)
    return features_message(stamp, message.sequence, frame, frame_id="sensor", recipe_id=recipe_id)


def _change_state(graph, label):
    request = ChangeState.Request()
    request.transition.label = label
    return graph.call(ChangeState, "recognition_node/change_state", request).success


def test_a_manager_can_start_and_stop_it(graph, model, steps, offline):
    node = graph.start(
        RecognitionNode,
        model=str(model),
        device="cpu",
        autostart=False,
        idle_timeout=0.3,
        max_age=0.0,
    )
    glosses = graph.listen(Gloss, "gloss")
    assert node.count_subscribers("hands/features") == 0
    error, given = DiagnosticStatus.ERROR, set()
    assert node.condition() == (error, "unconfigured: recognition is off")
    for _ in range(2):
        assert _change_state(graph, "configure")
        assert node._worker is None
        assert node.condition() == (error, "inactive: recognition is off")
        assert _change_state(graph, "activate")
        assert node.condition() is None
        publisher = graph.speak(HandFeatures, "hands/features")
        graph.heard_from("gloss")
        graph.send(publisher, steps, node)
        graph.until(lambda: len(glosses) >= len(offline[True]))
        assert [_seen(message) for message in glosses] == offline[True]
        assert not given & {message.utterance_id for message in glosses}
        given |= {message.utterance_id for message in glosses}
        glosses.clear()
        assert _change_state(graph, "deactivate")
        assert node._worker is None
        assert not any(thread.name == "recognition" for thread in threading.enumerate())
        graph.until(lambda: node.count_subscribers("hands/features") == 0)
        assert _change_state(graph, "cleanup")
        graph.probe.destroy_publisher(publisher)


def test_a_transition_that_fails_can_be_tried_again(graph, model, tmp_path):
    path = tmp_path / "model"
    node = graph.start(RecognitionNode, model=str(path), device="cpu", autostart=False)
    assert not _change_state(graph, "configure")
    path.symlink_to(model)
    assert _change_state(graph, "configure")
    path.unlink()
    assert not _change_state(graph, "activate")
    path.symlink_to(model)
    assert _change_state(graph, "activate")
    assert node._worker is not None


def _shown(node):
    return node.diagnostics._values


def _live(message, node, age=0.0, sequence=None):
    """Return features as if they were captured so many seconds ago."""
    made = copy.deepcopy(message)
    made.header.stamp = time_message(node.get_clock().now().nanoseconds - round(age * 1e9))
    if sequence is not None:
        made.sequence = sequence
    return made


def test_old_features_are_skipped_and_a_new_stream_begins(graph, model, steps):
    bench = Bench(graph, model, idle_timeout=NEVER, max_age=30.0)
    bench.send([_live(steps[0], bench.node, 0.1)])
    stream = int(_shown(bench.node)["stream"])
    until = _shown(bench.node)["recognized_until"]
    bench.send([_live(step, bench.node, 40.0 - n / 60) for n, step in enumerate(steps[1:5])])
    assert _shown(bench.node)["recognized_until"] == until
    newest = _live(steps[7], bench.node)
    bench.send([_live(steps[6], bench.node), newest])  # the first of them came with older ones
    assert bench.node.diagnostics.drops == {"steps_too_old": 5}
    assert int(_shown(bench.node)["stream"]) == stream + 1
    assert int(_shown(bench.node)["recognized_until"]) == nanoseconds(newest.header.stamp)


def test_only_usable_steps_are_recognized(graph, model, steps):
    bench = Bench(graph, model, idle_timeout=NEVER)
    sent = copy.deepcopy(steps[:20])
    for step in sent[10:]:
        step.features = np.full(42 * 7, np.nan, np.float32)
    sent[18] = copy.deepcopy(steps[3])  # late
    sent[18].sequence = 18
    sent[19] = copy.deepcopy(steps[19])
    sent[19].recipe_id = "another"
    bench.send(sent)
    assert int(_shown(bench.node)["recognized_until"]) == nanoseconds(steps[9].header.stamp)
    assert set(bench.node.diagnostics.drops) == {
        "steps_not_finite",
        "steps_out_of_order",
        "refused",
    }


def test_a_gap_in_the_stamps_counts_as_another_stream(graph, model, steps):
    bench = Bench(graph, model, idle_timeout=NEVER)
    bench.send(steps[:10])
    stream = int(_shown(bench.node)["stream"])
    bench.send(steps[20:30])  # 10 lost: 0.17 s
    assert int(_shown(bench.node)["stream"]) == stream
    bench.send(steps[50:60])  # 20 lost: 0.33 s
    assert int(_shown(bench.node)["stream"]) == stream + 1


def test_features_of_two_sources_are_refused_and_the_utterance_is_discarded(graph, model, steps):
    bench = Bench(graph, model, idle_timeout=2.0)
    other = graph.probe.create_publisher(HandFeatures, "hands/features", 10)
    graph.until(lambda: other.get_subscription_count() > 0)
    tracked = [m for m in steps if m.left_tracked or m.right_tracked]
    middle = len(tracked) // 2
    bench.send(tracked[:middle])
    partials = len(bench.partials)
    assert partials
    until = _shown(bench.node)["recognized_until"]
    graph.send(other, tracked[middle : middle + 1], bench.node)
    bench.send(tracked[middle + 1 : middle + 20])
    graph.until(lambda: bench.node.at_rest)  # silence would close an utterance
    assert bench.glosses == []
    assert bench.node.diagnostics.drops == {"of_two_sources": 20}
    assert _shown(bench.node)["recognized_until"] == until


def test_diagnostics_are_frequent_and_name_the_model(graph, model, steps):
    bench = Bench(graph, model)
    bench.send(steps[:5])
    reports = graph.listen(DiagnosticArray, "/diagnostics")
    begin = time.monotonic()
    graph.until(lambda: len(reports) >= 10)
    assert time.monotonic() - begin < 5.0  # ten a second, but for a busy machine
    values = {pair.key: pair.value for pair in reports[-1].status[0].values}
    assert values["model"] == read_metadata(model).model_id
    assert int(values["recognized_until"]) == nanoseconds(steps[4].header.stamp)
    assert int(values["stream"]) == 1


def test_a_new_model_is_announced_after_the_last_gloss_of_the_old(graph, model, other_model, steps):
    bench = Bench(graph, model, idle_timeout=NEVER)
    order = []
    for name in ("_gloss", "_vocabulary", "_recipe"):
        publisher = getattr(bench.node, name)
        setattr(bench.node, name, _Recorder(publisher, name, order))
    tracked = [m for m in steps if m.left_tracked or m.right_tracked]
    bench.send(tracked[: len(tracked) // 2])
    open_gate = threading.Event()
    recognizer = bench.node._worker._recognition.recognizer
    finish = recognizer.finish
    recognizer.finish = lambda: open_gate.wait() and finish()
    assert graph.set_parameter(bench.node, "model", str(other_model)).successful
    this, other = read_metadata(model).model_id, read_metadata(other_model).model_id
    assert order == []  # the old utterance is not closed yet
    assert _shown(bench.node)["model"] == this
    open_gate.set()
    graph.until(lambda: len(order) >= 3 and order[-1] == ("_recipe", other))
    assert order[-2:] == [("_vocabulary", other), ("_recipe", other)]
    assert set(order[:-2]) == {("_gloss", this)}
    assert _shown(bench.node)["model"] == other


class _Recorder:
    """Passes messages on to a publisher and notes their order."""

    def __init__(self, publisher, name, order):
        self._publisher, self._name, self._order = publisher, name, order

    def publish(self, message):
        self._order.append((self._name, message.model_id))
        self._publisher.publish(message)


def test_a_change_cut_short_is_announced_with_the_next_activation(graph, model, other_model, steps):
    bench = Bench(graph, model, idle_timeout=NEVER)
    vocabularies = graph.listen(Vocabulary, "vocabulary", LATCHED)
    other = read_metadata(other_model).model_id
    recognizer = bench.node._worker._recognition.recognizer
    stopping = threading.Event()
    recognizer.finish = lambda: stopping.wait() and []
    bench.publisher.publish(steps[0])
    graph.until(lambda: bench.node._worker._busy)
    assert graph.set_parameter(bench.node, "model", str(other_model)).successful
    threading.Timer(0.3, stopping.set).start()
    assert _change_state(graph, "deactivate")
    assert _change_state(graph, "activate")
    graph.until(lambda: vocabularies and vocabularies[-1].model_id == other)


def test_a_name_of_5000_characters_is_answered(graph, model):
    bench = Bench(graph, model)
    answer = graph.set_parameter(bench.node, "model", "x" * 5000)
    assert not answer.successful
    assert "File name too long" in answer.reason
    assert len(answer.reason) < 500


def test_faults_at_the_start(graph, tmp_path, model, monkeypatch):
    with pytest.raises(CheckpointError, match=r"missing: does not exist"):
        graph.start(RecognitionNode, model=str(tmp_path / "missing"))
    with pytest.raises(ConfigError, match=r"'device'.*allowed: 'auto' or 'cpu' or 'cuda'"):
        graph.start(RecognitionNode, device="tpu")
    with pytest.raises(ConfigError, match=r"'threads'.*integer from 1 to 64"):
        graph.start(RecognitionNode, threads=0)
    monkeypatch.setattr("whispersign_model.runtime.loading.find_spec", lambda name: None)
    with pytest.raises(CheckpointError, match=r"holds no model\.onnx .* whispersign export"):
        graph.start(RecognitionNode, model=str(model))


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None  # importing it fails
import rclpy
from whispersign_ros.nodes.recognition_node import RecognitionNode
rclpy.init()
node = RecognitionNode()
print(node._worker is not None)
node.destroy_node()
rclpy.shutdown()
"""


def test_the_bundled_model_is_recognised_with_without_torch():
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "True"
