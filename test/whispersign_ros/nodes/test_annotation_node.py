# SPDX-License-Identifier: MIT
"""``annotation_node`` in a graph: prompts, labels, bags, services, pictures."""

from __future__ import annotations

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rcl_interfaces.srv import GetParameters
from sensor_msgs.msg import Image
from std_srvs.srv import Trigger

from whispersign_model.errors import BagError, ConfigError
from whispersign_model.recordings.bags.bag import read_bag
from whispersign_model.recordings.takes import find_takes
from whispersign_model.synthesis.signer import Signer
from whispersign_model.timestamps import NANOSECONDS
from whispersign_msgs.msg import GlossAnnotation, HandFrame, Prompt
from whispersign_ros.conversions.messages import nanoseconds, read_frame
from whispersign_ros.node import qos
from whispersign_ros.nodes.annotation_node import AnnotationNode
from whispersign_ros.nodes.synthetic_node import SyntheticNode

from ..large_images import NUMBER, large_images

QUICK = {"countdown": 0.2, "rest": 0.1, "shuffle": False, "signer": "anna"}
SLOW = {**QUICK, "silence": 60.0, "signing": 60.0}  # only what the test does ends a take


class Session:
    """A node that records into a folder, its prompts and its annotations."""

    def __init__(self, graph, out, **parameters):
        self.graph, self.out = graph, out
        self.prompts = graph.listen(Prompt, "prompt", qos.STATE)
        self.labels = graph.listen(GlossAnnotation, "annotation", qos.ANNOTATION)
        self.ended = []
        self.node = graph.start(
            AnnotationNode, lambda: self.ended.append(True), out=str(out), **parameters
        )
        self.hands = None

    def wait_for_phase(self, phase):
        self.graph.until(lambda: self.prompts and self.prompts[-1].phase == phase)
        return self.prompts[-1]

    def send(self, message):
        self.hands = self.hands or self.graph.speak(HandFrame, "hands/raw", qos.HANDS)
        self.graph.send(self.hands, [message], self.node)

    def sign_half(self, signed):
        self.send(signed[0])
        self.wait_for_phase(Prompt.SIGNING)
        for message in signed[1:100]:
            self.send(message)

    def call(self, command):
        return self.graph.call(Trigger, f"annotation_node/{command}", Trigger.Request())


@pytest.fixture
def signed(messages):
    """Return a sign as messages: no hands, hands, no hands, on a sensor's clock of its own."""
    return messages(Signer(3).sign_sentence(["HELLO"], start=NANOSECONDS * 10**9, tail=1.0))


def test_the_made_up_person_signs_what_is_asked_for(graph, tmp_path):
    graph.start(SyntheticNode, lambda: None, prompted=True, seed=5)
    session = Session(graph, tmp_path, glosses=["NO", "HELLO|HOME"], takes=1, **QUICK)
    graph.until(lambda: session.ended)
    graph.until(lambda: len(session.labels) == 2)
    assert [list(label.glosses) for label in session.labels] == [["NO"], ["HELLO", "HOME"]]
    recording = read_bag(tmp_path / "NO_anna_take0")
    (segment,) = recording.segments
    assert segment.glosses == ("NO",)
    assert recording.source == recording.meta["sensor"] == "synthetic"
    inside = recording.between(segment.start, segment.end)
    assert inside.confidence[0].any()
    assert inside.confidence[-1].any()
    assert recording.stamps[0] < segment.start < segment.end < recording.stamps[-1]
    assert session.wait_for_phase(Prompt.ENDED).done == 2


def test_labels_are_capture_times_whatever_the_clock_says(graph, tmp_path, signed):
    session = Session(graph, tmp_path, glosses="HELLO", takes=1, away=0.5, **SLOW)
    session.send(signed[0])
    session.wait_for_phase(Prompt.SIGNING)
    for message in signed[1:]:
        session.send(message)
    session.wait_for_phase(Prompt.ENDED)
    (label,) = session.labels
    seen = [nanoseconds(m.header.stamp) for m in signed if read_frame(m).hands_tracked]
    assert (nanoseconds(label.start_time), nanoseconds(label.end_time)) == (seen[0], seen[-1])
    assert (label.signer, label.take, label.status) == ("anna", 0, GlossAnnotation.KEEP)
    recording = read_bag(tmp_path / "HELLO_anna_take0")
    assert recording.stamps[0] == nanoseconds(signed[0].header.stamp)  # of just before the take
    assert recording.segments[0].end == seen[-1]
    assert recording.meta["frame_id"] == "sensor"


def test_prompts_tell_everything_and_late_listeners_get_the_last(graph, tmp_path, signed):
    session = Session(graph, tmp_path, glosses="HELLO,HOME", takes=2, **{**SLOW, "countdown": 1.0})
    waiting = session.wait_for_phase(Prompt.WAITING)
    assert "no frames on /hands/raw" in waiting.text
    session.send(signed[0])
    graph.until(lambda: sum(p.phase == Prompt.COUNTDOWN for p in session.prompts) > 2)
    counting = [p for p in session.prompts if p.phase == Prompt.COUNTDOWN]
    assert counting[0].seconds_left > counting[2].seconds_left > 0
    now = counting[0]
    assert (now.gloss, now.take, now.next_gloss, now.signer) == ("HELLO", 0, "HOME", "anna")
    assert (now.done, now.total) == (0, 4)
    late = graph.listen(Prompt, "prompt", qos.STATE)
    graph.until(lambda: late)


def test_services_lead_the_session(graph, tmp_path, signed):
    session = Session(graph, tmp_path, glosses="HELLO,HOME", takes=1, **{**SLOW, "rest": 60.0})
    refused = session.call("discard")
    assert (refused.success, "no take" in refused.message) == (False, True)
    session.send(signed[0])
    session.wait_for_phase(Prompt.SIGNING)
    assert session.call("pause").message == "paused"
    session.wait_for_phase(Prompt.PAUSED)
    session.call("pause")
    session.wait_for_phase(Prompt.SIGNING)
    for message in signed[1:]:
        session.send(message)
    session.wait_for_phase(Prompt.KEPT)
    assert session.call("discard").success
    graph.until(lambda: session.labels[-1].status == GlossAnnotation.DISCARD)
    kept = session.labels[-2]
    assert kept.status == GlossAnnotation.KEEP
    assert session.labels[-1].start_time == kept.start_time
    assert [take.kept for take in find_takes(tmp_path)] == [False]
    assert read_bag(tmp_path / "HELLO_anna_take0").segments == ()
    session.call("next")
    assert session.wait_for_phase(Prompt.COUNTDOWN).gloss == "HOME"
    assert session.call("next").message == "next is HELLO"
    assert session.call("stop").success
    graph.until(lambda: session.ended)


def test_the_end_of_the_node_discards_the_take_for_other_recorders(graph, tmp_path, signed):
    session = Session(graph, tmp_path, glosses="HELLO", takes=1, **SLOW)
    session.sign_half(signed)
    graph.executor.remove_node(session.node)
    session.node.destroy_node()
    graph.until(lambda: session.labels and session.prompts[-1].phase == Prompt.ENDED)
    assert session.labels[0].status == GlossAnnotation.DISCARD
    assert find_takes(tmp_path) == []


def test_parameters_can_be_asked_for(graph, tmp_path):
    Session(graph, tmp_path, glosses="HELLO", **QUICK)
    request = GetParameters.Request(names=["signer"])
    answer = graph.call(GetParameters, "annotation_node/get_parameters", request)
    assert answer.values[0].string_value == "anna"


def test_a_take_that_is_left_is_discarded_for_other_recorders(graph, tmp_path, signed):
    session = Session(graph, tmp_path, glosses="HELLO", takes=1, **SLOW)
    session.sign_half(signed)
    session.call("repeat")
    graph.until(lambda: session.labels)
    (label,) = session.labels
    assert label.status == GlossAnnotation.DISCARD
    assert nanoseconds(label.start_time) == nanoseconds(signed[1].header.stamp)
    assert nanoseconds(label.end_time) == nanoseconds(signed[99].header.stamp)
    assert find_takes(tmp_path) == []


def test_why_the_sensor_gives_nothing_is_shown(graph, tmp_path):
    session = Session(graph, tmp_path, glosses="HELLO", **QUICK)
    speaker = graph.speak(DiagnosticArray, "/diagnostics", qos.DIAGNOSTICS)
    statuses = [
        DiagnosticStatus(level=DiagnosticStatus.ERROR, name=name, message=message)
        for name, message in (("/leap_node", "no device"), ("/battery", "is low"))
    ]
    speaker.publish(DiagnosticArray(status=statuses))
    graph.until(lambda: session.prompts and session.prompts[-1].text == "leap_node: no device")


def test_pictures_are_recorded_beside_the_hands(graph, tmp_path, signed):
    session = Session(graph, tmp_path, glosses="HELLO", takes=1, images="camera/image", **SLOW)
    pictures = graph.speak(Image, "camera/image", 10)
    session.send(signed[0])
    session.wait_for_phase(Prompt.SIGNING)
    written = []
    take = session.node._recorder.take_bytes
    session.node._recorder.take_bytes = lambda *word: (written.append(word[0]), take(*word))
    pictures.publish(Image(width=2, height=1, encoding="mono8", step=2, data=[7, 9]))
    graph.until(lambda: "/camera/image" in written)
    for message in signed[1:]:
        session.send(message)
    session.wait_for_phase(Prompt.ENDED)
    from rosbags.highlevel import AnyReader

    with AnyReader([tmp_path / "HELLO_anna_take0"]) as reader:
        wanted = [c for c in reader.connections if c.topic == "/camera/image"]
        found = [reader.deserialize(data, c.msgtype) for c, _, data in reader.messages(wanted)]
    assert [picture.data.tolist() for picture in found] == [[7, 9]]
    assert len(read_bag(tmp_path / "HELLO_anna_take0"))  # reads as ever


def test_large_pictures_are_all_recorded(graph, tmp_path, signed):
    session = Session(graph, tmp_path, glosses="HELLO", takes=1, images="hands/image", **SLOW)
    session.send(signed[0])
    session.wait_for_phase(Prompt.SIGNING)
    written = []
    take = session.node._recorder.take_bytes
    session.node._recorder.take_bytes = lambda *word: (written.append(word[0]), take(*word))
    with large_images("hands/image"):
        graph.until(lambda: len(written) == NUMBER)


def test_a_disk_that_gets_full_pauses_and_nothing_kept_is_lost(
    graph, tmp_path, signed, monkeypatch
):
    from whispersign_model.recordings.takes import TakeWriter

    session = Session(graph, tmp_path, glosses="HELLO", takes=2, **SLOW)
    session.send(signed[0])
    session.wait_for_phase(Prompt.SIGNING)
    for message in signed[1:]:
        session.send(message)
    session.wait_for_phase(Prompt.SIGNING)
    monkeypatch.setattr(TakeWriter, "write", _full)
    session.send(signed[0])
    prompt = session.wait_for_phase(Prompt.PAUSED)
    assert "cannot be written (No space left on device)" in prompt.text
    assert "free disk space and continue; the take will be repeated" in prompt.text
    assert (prompt.done, prompt.gloss) == (1, "HELLO")
    monkeypatch.undo()
    session.call("pause")
    session.wait_for_phase(Prompt.SIGNING)
    for message in signed[1:]:
        session.send(message)
    session.wait_for_phase(Prompt.ENDED)
    assert [take.number for take in find_takes(tmp_path)] == [0, 1]


def _full(writer, *_):
    writer.drop()
    raise BagError(writer.path, "cannot be written (No space left on device)")


def test_faults_at_the_start(graph, tmp_path):
    with pytest.raises(ConfigError, match=r"glosses: no gloss is given"):
        graph.start(AnnotationNode, lambda: None, out=str(tmp_path))
    (tmp_path / "file").touch()
    with pytest.raises(BagError, match="file: cannot be written"):
        graph.start(AnnotationNode, lambda: None, out=str(tmp_path / "file"), glosses="A")
    graph.start(AnnotationNode, lambda: None, out=str(tmp_path / "out"), glosses="A")
    with pytest.raises(BagError, match="in use by another session"):
        graph.start(AnnotationNode, lambda: None, out=str(tmp_path / "out"), glosses="A")


def test_commas_in_a_list_of_glosses(graph, tmp_path):
    session = Session(graph, tmp_path, glosses=["HELLO,NO", "STOP"], **QUICK)
    assert session.node.plan.glosses == ("HELLO", "NO", "STOP")
