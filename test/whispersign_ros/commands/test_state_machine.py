# SPDX-License-Identifier: MIT
"""The rules of commands, with the time passed in."""

from __future__ import annotations

import math

import pytest

from whispersign_ros.commands.schema import Commands
from whispersign_ros.commands.state_machine import CommandMachine, RecognizedSign

SECOND = 1_000_000_000
TWIST = "geometry_msgs/msg/Twist"
HANDS, RECOGNIZER = "/hands/features", "/recognition_node"


def publish(topic="cmd_vel"):
    return {"topic": topic, "type": TWIST}


def command(gloss, **more):
    return {"gloss": gloss, "publish": publish(), **more}


GO = command("GO", mode="hold", publish_rate=10.0)
LEFT = command("LEFT", mode="repeat", duration=1.0, publish_rate=5.0)
LAMP = command("ON", publish=publish("lamp"))
TWICE = {"sequence": ["TURN", "TURN"], "within": 4.0, "publish": publish()}
ARMING = {"gloss": "HELLO", "timeout": 20.0}
DOCK = {"service": "dock", "type": "std_srvs/srv/Trigger"}


class Bench:
    """A machine, and signs that follow one another once a second."""

    def __init__(self, *commands, arming=None, max_age=0.0, inputs=None, **stop):
        content = {
            "stop": {"gloss": "STOP", "publish": publish(), **stop},
            "arming": arming,
            "commands": list(commands),
        }
        self.commands = Commands.model_validate(content)
        watched = {HANDS: 1.0, RECOGNIZER: 3.0} if inputs is None else inputs
        self.machine = CommandMachine(self.commands, watched, max_age)
        self.names = {id(a): "stop" for a in self.commands.stop.actions}
        for each in self.commands.commands:
            self.names |= {id(action): each.name for action in each.actions}
        self.time = 100.0
        self.stamp = 5000.0  # of another clock altogether

    def named(self, actions):
        return [self.names[id(action)] for action in actions]

    def now(self):
        return round(self.time * SECOND)

    def beat(self, *names):
        for name in names or (HANDS, RECOGNIZER):
            self.machine.feed(name, self.now())

    def sign(self, gloss, confidence=0.9, after=1.0, length=0.5):
        self.stamp += after
        start, end = self.stamp - length, self.stamp
        return RecognizedSign(gloss, confidence, round(start * SECOND), round(end * SECOND))

    def final(self, gloss, confidence=0.9, after=1.0, age=0.0, beat=True, **more):
        self.time += after
        if beat:
            self.beat()
        sign = self.sign(gloss, confidence, after, **more)
        return self.named(self.machine.on_final(sign, self.now(), age))

    def partial(self, gloss, confidence=0.9, after=0.2):
        self.time += after
        self.beat()
        sign = self.sign(gloss, confidence, after)
        return self.named(self.machine.on_partial(sign, self.now()))

    def tick(self, seconds, beat=(HANDS, RECOGNIZER)):
        """Let time pass, 20 ms at a time; return what was done."""
        done = []
        for _ in range(round(seconds / 0.02)):
            self.time += 0.02
            if beat:
                self.beat(*beat)
            done += self.named(self.machine.tick(self.now()))
        return done

    @property
    def state(self):
        return self.machine.state


def test_a_one_shot_is_done_once():
    bench = Bench(LAMP)
    assert bench.final("ON") == ["ON"]
    assert bench.tick(2.0) == []
    assert (bench.state.last_command, bench.state.active) == ("ON", "")


def test_a_hold_goes_on_at_its_rate_until_a_stop():
    bench = Bench(GO)
    assert bench.final("GO") == ["GO"]
    assert bench.state.active == "GO"
    assert bench.tick(10.0) == ["GO"] * 100
    assert bench.final("STOP") == ["stop"]
    assert bench.tick(2.0) == []
    assert (bench.state.active, bench.state.stopped) == ("", "STOP")


def test_a_hold_that_was_held_up_does_not_catch_up():
    bench = Bench(GO)
    bench.final("GO")
    bench.time += 0.9
    assert bench.tick(0.2) == ["GO"] * 2


def test_a_repetition_ends_with_the_stop_action_and_stays_armed():
    bench = Bench(LEFT, arming=ARMING)
    bench.final("HELLO")
    assert bench.final("LEFT") == ["LEFT"]
    assert bench.tick(3.0) == ["LEFT"] * 4 + ["stop"]
    assert bench.state.armed
    assert bench.final("LEFT") == ["LEFT"]


def test_a_command_takes_the_place_of_another_on_the_same_topic():
    bench = Bench(GO, LEFT)
    bench.final("GO")
    assert bench.final("LEFT") == ["LEFT"]
    assert bench.tick(0.9) == ["LEFT"] * 4


def test_a_command_elsewhere_stops_what_is_held_first():
    bench = Bench(GO, LAMP)
    bench.final("GO")
    assert bench.final("ON") == ["stop", "ON"]
    assert bench.tick(1.0) == []
    assert bench.state.stopped == "ON instead of GO"


@pytest.mark.parametrize(("confidence", "done"), [(0.8, ["ON"]), (0.79, []), (math.nan, [])])
def test_a_command_needs_its_confidence(confidence, done):
    bench = Bench(LAMP)
    assert bench.final("ON", confidence) == done
    assert bool(bench.state.ignored) == (not done)


def test_partial_glosses_are_never_acted_upon():
    bench = Bench(GO, LAMP, TWICE, arming=ARMING)
    assert bench.partial("HELLO") == []
    assert not bench.state.armed
    bench.final("HELLO")
    for gloss in ("GO", "ON", "TURN", "TURN"):
        assert bench.partial(gloss) == []
    assert bench.state.active == bench.state.last_command == ""


@pytest.mark.parametrize("way", ["final", "partial"])
def test_a_stop_works_at_the_lowest_confidence_and_disarmed(way):
    bench = Bench(GO, arming=ARMING)
    assert getattr(bench, way)("STOP", 0.29) == []
    assert getattr(bench, way)("STOP", 0.3) == ["stop"]
    assert not bench.state.armed


def test_a_stop_is_carried_out_while_it_is_still_signed_and_only_once():
    bench = Bench(GO, call=DOCK)
    bench.final("GO")
    assert bench.partial("STOP") == ["stop", "stop"]  # a message and a call
    assert bench.partial("STOP") == []
    assert bench.final("STOP", after=0.2) == []
    assert bench.final("STOP") == ["stop", "stop"]


def test_a_stop_that_is_seen_again_ends_what_has_begun_since():
    bench = Bench(GO)
    bench.partial("STOP")
    bench.final("GO")
    bench.stamp -= 1.0
    assert bench.partial("STOP") == ["stop"]


def test_what_was_signed_before_a_stop_is_not_done_after_it():
    bench = Bench(GO)
    bench.partial("STOP", after=2.0)
    bench.stamp -= 1.5
    assert bench.final("GO", after=0.0) == []
    assert bench.state.ignored == "GO was signed before the stop"
    assert bench.final("GO", after=3.0) == ["GO"]


@pytest.mark.parametrize("disarms", [True, False])
def test_a_stop_disarms_where_it_is_to(disarms):
    bench = Bench(GO, arming=ARMING, disarms=disarms)
    bench.final("HELLO")
    bench.final("STOP")
    assert bench.final("GO") == ([] if disarms else ["GO"])


def test_nothing_is_done_before_the_arming_sign():
    bench = Bench(GO, arming=ARMING)
    assert bench.final("GO") == []
    assert bench.state.ignored == "not armed when GO was signed"
    assert bench.final("HELLO", 0.79) == []
    assert not bench.state.armed
    bench.final("HELLO")
    assert bench.state.armed
    assert bench.final("GO") == ["GO"]


def test_signs_before_the_arming_sign_are_no_part_of_a_sequence():
    bench = Bench(TWICE, arming=ARMING)
    bench.final("HELLO")
    bench.final("TURN")
    bench.final("HELLO")
    assert bench.final("TURN") == []


def test_arming_times_out_and_ends_what_is_held():
    bench = Bench(GO, LAMP, arming=ARMING)
    bench.final("HELLO")
    bench.tick(15.0)
    assert bench.final("GO") == ["GO"]  # and restarts the timer
    assert bench.tick(19.9) == ["GO"] * 199
    assert bench.tick(1.0)[-1] == "stop"
    assert not bench.state.armed
    assert bench.state.stopped == "nothing signed for too long"
    bench.final("HELLO")
    assert bench.final("ON", after=20.0) == []
    assert not bench.state.armed


def test_the_arming_sign_prolongs_what_is_held():
    bench = Bench(GO, arming=ARMING)
    bench.final("HELLO")
    bench.final("GO")
    bench.tick(15.0)
    assert bench.final("HELLO") == []
    assert "stop" not in bench.tick(15.0)


def test_repeats_must_follow_one_another():
    bench = Bench(command("COME", repeats=2), LAMP)
    assert bench.final("COME") == []
    assert bench.state.ignored == "COME completes no command"
    assert bench.final("COME") == ["COME COME"]
    assert bench.final("COME") == []  # the first of two again
    bench.final("ON")
    assert bench.final("COME") == []
    assert bench.final("COME") == ["COME COME"]


def test_the_same_sign_told_twice_is_no_repeat():
    bench = Bench(command("COME", repeats=2))
    bench.final("COME")
    assert bench.final("COME", after=0.0) == []
    assert "were not in order" in bench.state.ignored


def test_every_sign_of_a_sequence_needs_the_confidence():
    bench = Bench(TWICE)
    bench.final("TURN", 0.5)
    assert bench.final("TURN") == []
    assert bench.final("TURN") == ["TURN TURN"]


@pytest.mark.parametrize(("after", "done"), [(3.5, ["TURN TURN"]), (3.51, [])])
def test_a_sequence_must_be_signed_within_its_time(after, done):
    bench = Bench(TWICE)
    bench.final("TURN")
    assert bench.final("TURN", after=after) == done


def test_the_longest_command_counts_and_a_shorter_one_where_it_fails():
    both = {"sequence": ["GO", "ON"], "within": 4.0, "publish": publish()}
    bench = Bench(LAMP, both, command("GO"))
    assert bench.final("GO") == ["GO"]
    assert bench.final("ON") == ["GO ON"]
    assert bench.final("GO") == ["GO"]
    assert bench.final("ON", after=9.0) == ["ON"]


def test_a_cooldown_is_counted_between_the_ends_of_signs():
    bench = Bench(command("THANKS", cooldown=3.0))
    assert bench.final("THANKS") == ["THANKS"]
    bench.time += 100.0
    assert bench.final("THANKS", after=2.9) == []
    assert "3 s" in bench.state.ignored
    assert bench.final("THANKS", after=0.1) == ["THANKS"]


@pytest.mark.parametrize(
    ("heard", "silent", "patience"), [((RECOGNIZER,), HANDS, 1.0), ((HANDS,), RECOGNIZER, 3.0)]
)
def test_what_is_held_stops_when_an_input_falls_silent(heard, silent, patience):
    bench = Bench(GO, arming=ARMING)
    bench.final("HELLO")
    bench.final("GO")
    assert "stop" not in bench.tick(patience, beat=heard)
    assert bench.tick(0.02, beat=heard) == ["stop"]
    assert bench.tick(2.0, beat=heard) == []
    assert bench.state.stopped == f"{silent} is silent"
    assert not bench.state.armed


def test_nothing_that_goes_on_begins_without_input():
    bench = Bench(GO, LAMP)
    assert bench.final("GO", beat=False) == []
    assert bench.state.ignored == f"{HANDS} is silent, so GO cannot run"
    assert bench.final("ON", beat=False) == ["ON"]


def test_silence_is_allowed_where_the_time_is_zero():
    bench = Bench(GO, inputs={HANDS: 0.0})
    assert bench.final("GO", beat=False) == ["GO"]
    assert bench.tick(50.0, beat=()) == ["GO"] * 500


def test_a_sign_can_be_too_old_but_a_stop_cannot():
    bench = Bench(GO, max_age=5.0)
    assert bench.final("GO", age=5.1) == []
    assert bench.state.ignored == "GO is 5.1 s old"
    assert bench.final("GO", age=5.0) == ["GO"]
    assert bench.final("STOP", age=50.0) == ["stop"]


def test_stamps_that_jump_back_stop_disarm_and_forget():
    bench = Bench(GO, TWICE, command("THANKS", cooldown=9.0), arming=ARMING)
    for gloss in ("HELLO", "THANKS", "GO"):
        bench.final(gloss)
    bench.stamp -= 3.0
    assert bench.final("TURN") == ["stop"]
    assert bench.state.ignored == "not armed when TURN was signed"
    bench.final("HELLO")
    assert bench.final("THANKS") == ["THANKS"]  # the cool-down is forgotten


def test_a_late_gloss_is_no_jump_in_time():
    bench = Bench(GO, LAMP)
    bench.final("GO")
    bench.stamp -= 1.0
    assert bench.final("TURN", after=0.0) == []
    assert bench.state.active == "GO"


def test_a_stop_before_a_jump_hinders_nothing_after_it():
    bench = Bench(GO)
    bench.final("STOP")
    assert bench.named(bench.machine.reset("a jump in time")) == []
    bench.stamp -= 0.8
    assert bench.final("GO", after=0.0) == ["GO"]


def test_unknown_signs_do_nothing():
    bench = Bench(GO)
    bench.final("GO")
    assert bench.final("EAT") == []
    assert bench.state.ignored == "EAT completes no command"
    assert bench.state.active == "GO"


def test_leaving_stops_whatever_the_state():
    bench = Bench(GO)
    assert bench.named(bench.machine.stop("the node ends")) == ["stop"]
