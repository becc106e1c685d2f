# SPDX-License-Identifier: MIT
"""``synthetic_node`` alone."""

from __future__ import annotations

import numpy as np
import pytest

from whispersign_model.errors import ConfigError
from whispersign_model.synthesis.signer import Signer
from whispersign_msgs.msg import GlossAnnotation, HandFrame, Prompt
from whispersign_ros.conversions.messages import nanoseconds, read_frame
from whispersign_ros.node import qos
from whispersign_ros.nodes.synthetic_node import Prompted, SyntheticNode

FAST = {"playback_speed": 50.0, "start_delay": 0.0}


class Bench:
    """A node that signs to its end, and what has been heard of it."""

    def __init__(self, graph, **parameters):
        self.frames = graph.listen(HandFrame, "hands/raw", 5000)
        self.labels = graph.listen(GlossAnnotation, "annotation")
        ended = []
        node = graph.start(SyntheticNode, lambda: ended.append(True), **{**FAST, **parameters})
        graph.until(lambda: ended and len(self.frames) >= node._player.sent)

    @property
    def glosses(self):
        return [gloss for label in self.labels for gloss in label.glosses]


def test_a_given_sentence_is_signed_again_and_again_in_one_stream(graph):
    bench = Bench(graph, glosses=["HELLO", "HOME"], sentences=2)
    graph.until(lambda: len(bench.labels) >= 4)
    assert bench.glosses == ["HELLO", "HOME", "HELLO", "HOME"]
    assert [message.sequence for message in bench.frames] == list(range(len(bench.frames)))
    stamps = [nanoseconds(message.header.stamp) for message in bench.frames]
    assert (np.diff(stamps) > 0).all()
    first, last = (nanoseconds(t) for t in (bench.labels[0].start_time, bench.labels[-1].end_time))
    assert stamps[0] < first < last < stamps[-1]
    assert {message.source for message in bench.frames} == {"synthetic"}
    takes = np.array_split([read_frame(message).positions for message in bench.frames], 2)
    assert not np.array_equal(takes[0][:100], takes[1][:100])


def test_random_sentences_depend_on_the_seed(graph):
    benches = [Bench(graph, sentences=2, sentence_length=2, seed=seed) for seed in (1, 1, 2)]
    graph.until(lambda: all(len(bench.labels) >= 4 for bench in benches))
    first, again, other = (bench.glosses[:4] for bench in benches)
    assert first == again != other


def test_rate_and_noise_of_the_sensor(graph):
    quiet = Bench(graph, glosses="HELLO", sentences=1, sensor="ideal", frame_rate=120.0)
    noisy = Bench(graph, glosses="HELLO", sentences=1, sensor="ideal", frame_rate=120.0, noise=0.01)
    stamps = [nanoseconds(message.header.stamp) for message in quiet.frames]
    assert np.median(np.diff(stamps)) == pytest.approx(1e9 / 120, rel=1e-3)
    difference = [
        read_frame(a).positions - read_frame(b).positions
        for a, b in zip(quiet.frames, noisy.frames)
    ]
    assert np.std(difference) == pytest.approx(0.01, rel=0.5)


def test_faults_at_the_start(graph):
    with pytest.raises(ConfigError, match=r"NOSUCH"):
        graph.start(SyntheticNode, lambda: None, glosses=["HELLO", "NOSUCH"])
    with pytest.raises(ConfigError, match=r"'sensor'.*'leap' or 'camera' or 'ideal'"):
        graph.start(SyntheticNode, lambda: None, sensor="kinect")


def prompt(gloss, take, phase=Prompt.SIGNING):
    return Prompt(phase=phase, gloss=gloss, take=take)


def test_who_follows_prompts_signs_each_take_once_and_not_before_it_is_time(graph):
    person = Prompted(graph.probe, Signer(2))
    recordings = person.recordings()

    def next_glosses(*heard):
        for message in heard:
            person._on_prompt(message)
        recording = next(recordings)()
        assert recording.segments == ()  # the session gives the labels
        return recording.name.partition("take")[2]

    assert next_glosses(prompt("NO", 0, Prompt.COUNTDOWN)) == "0_idle"
    assert next_glosses(prompt("NO", 0), prompt("NO", 0), prompt("NO", 0)) == "0_NO"
    assert next_glosses(prompt("NO", 0)) == "0_idle"
    assert next_glosses(prompt("NO", 0, Prompt.COUNTDOWN), prompt("NO", 0)) == "0_NO"  # once more
    assert next_glosses(prompt("NO|YES", 3)) == "3_NO_YES"


def test_a_sign_that_is_asked_for_comes_with_hands_and_then_they_are_away(graph):
    frames = graph.listen(HandFrame, "hands/raw", 5000)
    prompts = graph.probe.create_publisher(Prompt, "prompt", qos.STATE)
    graph.start(SyntheticNode, lambda: None, **{**FAST, "playback_speed": 5.0}, prompted=True)
    graph.until(lambda: len(frames) > 20)
    assert not any(read_frame(message).hands_tracked for message in frames)
    prompts.publish(prompt("HELLO", 0))
    graph.until(lambda: frames and read_frame(frames[-1]).hands_tracked)
    graph.until(lambda: not read_frame(frames[-1]).hands_tracked)
    assert [message.sequence for message in frames] == list(range(len(frames)))
