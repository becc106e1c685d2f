# SPDX-License-Identifier: MIT
"""What signs should make a robot do, as the rules of command_node have it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from whispersign_model.configuration import config_file
from whispersign_model.recordings.bags.bag import read_bag
from whispersign_model.recordings.recording import Recording, Segment
from whispersign_model.skeleton import JOINTS
from whispersign_model.timestamps import NANOSECONDS
from whispersign_ros.commands.commands_file import read_commands
from whispersign_ros.commands.state_machine import State
from whispersign_ros.demo.expected_commands import Event, changes, drives, expected, speeds
from whispersign_ros.node.assets import DEMO_BAG

RATE = 20  # frames per second


@pytest.fixture(scope="module")
def commands():
    return read_commands(config_file("commands.yaml")).commands


def _signed(*utterances, pause=2.0):
    """Return a recording: signs of 0.5 s, 0.2 s between them, no hands between utterances."""
    now, segments = 1000.0, []
    for utterance in utterances:
        now += pause
        for gloss in utterance.split():
            segments.append((gloss, now, now + 0.5))
            now += 0.7
    times = np.arange(1000.0, now + pause, 1 / RATE)
    there = np.zeros(len(times), bool)
    for _, start, end in segments:
        there |= (times > start - 0.15) & (times < end + 0.15)
    return Recording(
        stamps=np.rint(times * NANOSECONDS).astype(np.int64),
        positions=np.zeros((len(times), JOINTS, 3), np.float32),
        confidence=np.repeat(there[:, None], JOINTS, axis=1).astype(np.float32),
        segments=tuple(
            Segment((gloss,), round(start * NANOSECONDS), round(end * NANOSECONDS))
            for gloss, start, end in segments
        ),
    )


def _events(commands, *recordings):
    return [str(event) for event in expected(commands, recordings)]


def test_signs_apart_are_done_one_after_the_other(commands):
    signed = _signed("HELLO", "GO", "LEFT", "GO", "STOP")
    assert _events(commands, signed) == ["GO", "LEFT", "GO", "STOP"]


def test_nothing_is_done_before_the_arming_sign(commands):
    assert _events(commands, _signed("GO", "HELLO", "RIGHT")) == ["RIGHT"]


def test_a_stop_disarms(commands):
    signed = _signed("HELLO", "GO", "STOP", "GO", "HELLO", "GO", "STOP")
    assert _events(commands, signed) == ["GO", "STOP", "GO", "STOP"]
    assert _events(commands, _signed("HELLO", "STOP", "HELLO", "STOP")) == ["STOP", "STOP"]


def test_what_was_signed_before_a_stop_in_its_utterance_is_not_done(commands):
    assert _events(commands, _signed("HELLO GO STOP")) == ["STOP"]
    assert _events(commands, read_bag(DEMO_BAG)) == ["STOP"]


def test_sequences_and_repeats(commands):
    assert _events(commands, _signed("HELLO", "TURN AGAIN")) == ["TURN AGAIN"]
    assert _events(commands, _signed("HELLO", "COME")) == []
    assert _events(commands, _signed("HELLO", "COME COME")) == ["COME COME"]


def test_what_is_done_once_and_moves_nothing_is_told_too(commands):
    assert _events(commands, _signed("HELLO", "THANKS")) == ["THANKS"]


def test_arming_ends_after_a_while(commands):
    late = _signed("HELLO", "GO", "LEFT", pause=25.0)
    assert _events(commands, late) == []
    held = [_signed("HELLO", "GO"), _signed("LEFT", pause=25.0)]
    assert _events(commands, *held) == ["GO", "(nothing signed for too long)"]


def test_recordings_follow_one_another(commands):
    parts = [_signed("HELLO"), _signed("GO"), _signed("STOP")]
    assert _events(commands, *parts) == ["GO", "STOP"]


def test_glosses_of_one_label_share_its_time(commands):
    whole = _signed("HELLO", "TURN")
    last = whole.segments[-1]
    both = Segment(("TURN", "AGAIN"), last.start, last.end)
    joined = Recording(
        whole.stamps, whole.positions, whole.confidence, (*whole.segments[:-1], both)
    )
    assert _events(commands, joined) == ["TURN AGAIN"]


def test_what_ends_by_itself_is_no_event_and_silence_is():
    doing = State(armed=True, active="LEFT", last_command="LEFT", last_gloss="LEFT")
    over = State(armed=True, last_command="LEFT", last_gloss="LEFT", stopped="the end of LEFT")
    silent = State(armed=False, last_command="LEFT", last_gloss="LEFT", stopped="x is silent")
    assert list(changes(doing, over)) == []
    assert list(changes(doing, silent)) == [Event("x is silent", begins=False)]
    assert list(changes(over, replace(over, active="LEFT"))) == [Event("LEFT", begins=True)]
    lapsed = State(armed=False, last_command="LEFT", last_gloss="LEFT", stopped="STOP")
    armed = State(armed=True, last_command="LEFT", last_gloss="LEFT", stopped="STOP")
    assert list(changes(armed, lapsed)) == []


def test_speeds_are_those_of_either_type(commands, tmp_path):
    by_name = {command.name: command for command in commands.commands}
    assert speeds(drives(by_name["GO"])) == (0.2, 0.0)
    assert speeds(drives(by_name["RIGHT"])) == (0.0, -0.6)
    assert drives(by_name["THANKS"]) is None
    assert drives(by_name["CHARGE"]) is None
    stamped = tmp_path / "stamped.yaml"
    stamped.write_text(
        "stop: {gloss: STOP, publish: {topic: v, type: geometry_msgs/msg/TwistStamped}}\n"
        "commands:\n"
        "  - gloss: GO\n"
        "    publish: {topic: v, type: geometry_msgs/msg/TwistStamped, "
        "message: {twist: {linear: {x: 1}}}}\n"
    )
    (command,) = read_commands(stamped).commands.commands
    assert speeds(drives(command)) == (1.0, 0.0)
