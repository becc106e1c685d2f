# SPDX-License-Identifier: MIT
"""The rules of commands, with the time passed in."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from whispersign_ros.commands.evidence import Evidence, Now, RecognizerReport
from whispersign_ros.commands.schema import Commands
from whispersign_ros.commands.sign_order import RecognizedSign
from whispersign_ros.commands.state_machine import STOP_DURATION, CommandMachine

SECOND = 1_000_000_000
TWIST = "geometry_msgs/msg/Twist"
EPOCH = 1_700_000_000.0  # seconds by which the clock leads the monotonic one
LIMIT = 0.5  # seconds
GLOSSES = ("HELLO", "STOP", "GO", "LEFT", "ON", "TURN", "COME", "THANKS")


def publish(topic="cmd_vel", kind=TWIST):
    return {"topic": topic, "type": kind}


def command(gloss, **more):
    drive = {**publish(), "message": {"linear": {"x": 0.2}}}
    return {"gloss": gloss, "publish": drive, **more}


GO = command("GO", mode="hold", publish_rate=10.0)
LEFT = command("LEFT", mode="repeat", duration=1.0, publish_rate=5.0)
LAMP = command("ON", publish=publish("lamp", "std_msgs/msg/Bool"))
TWICE = {"sequence": ["TURN", "TURN"], "within": 4.0, "call": {"service": "a", "type": "b/srv/C"}}
ARMING = {"gloss": "HELLO", "timeout": 20.0}
DOCK = {"service": "dock", "type": "std_srvs/srv/Trigger"}


class Bench:
    """A machine before a live graph, and signs that follow one another once a second."""

    def __init__(self, *commands, arming=None, max_age=5.0, live=True, **stop):
        content = {
            "stop": {"gloss": "STOP", "publish": publish(), **stop},
            "arming": arming,
            "commands": list(commands),
        }
        self.commands = Commands.model_validate(content)
        evidence = Evidence(round(LIMIT * SECOND), live)
        self.machine = CommandMachine(self.commands, evidence, max_age)
        self.names = {id(a): "stop" for a in self.commands.stop.actions}
        for each in self.commands.commands:
            self.names |= {id(action): each.name for action in each.actions}
        self.time = 100.0  # seconds, monotonic
        self.offset = EPOCH  # of the clock from it
        self.shift = 0.0  # of all stamps from the clock
        self.features = self.reports = self.recognized = True
        self.report = {"model_id": "m", "stream": 0}
        self.vocabulary("m")
        self.beat()

    def named(self, actions):
        return [self.names[id(action)] for action in actions]

    def stamp(self, seconds=0.0):
        return round((self.time + self.offset + self.shift - seconds) * SECOND)

    @property
    def now(self):
        return Now(round((self.time + self.offset) * SECOND), round(self.time * SECOND))

    def vocabulary(self, model_id, glosses=GLOSSES, lacking=""):
        return self.named(self.machine.on_vocabulary(model_id, glosses, lacking, self.now))

    def beat(self):
        """Be a graph that recognizes 0.1 s behind the sensor."""
        done = []
        if self.features:
            done += self.machine.on_features(self.stamp(0.05), self.now)
        if self.reports:
            until = self.stamp(0.1) if self.recognized else None
            report = RecognizerReport(recognized_until=until, **self.report)
            done += self.machine.on_report(report, self.now)
        return self.named(done)

    def sign(self, gloss, confidence=0.9, age=0.0, length=0.5, model_id="m"):
        end = self.stamp(age)
        return RecognizedSign(gloss, confidence, end - round(length * SECOND), end, model_id)

    def wait(self, seconds):
        """Let time pass, 20 ms at a time; return what was done."""
        done = []
        for _ in range(round(seconds / 0.02)):
            self.time += 0.02
            done += self.beat()
            done += self.named(self.machine.tick(self.now))
        return done

    def moves(self, seconds):
        """Let time pass; return what was done apart from stops."""
        return [name for name in self.wait(seconds) if name != "stop"]

    def final(self, gloss, confidence=0.9, after=1.0, **more):
        """Sign; return what the final gloss does."""
        self.wait(after)
        return self.deliver(self.sign(gloss, confidence, **more))

    def deliver(self, sign):
        return self.named(self.machine.on_final(sign, self.now))

    def partial(self, gloss, confidence=0.9, after=0.2, **more):
        self.wait(after)
        return self.named(self.machine.on_partial(self.sign(gloss, confidence, **more), self.now))

    @property
    def state(self):
        return self.machine.state


def test_what_moves_nothing_is_done_once():
    bench = Bench(LAMP)
    assert bench.final("ON") == ["ON"]
    assert bench.wait(2.0) == []
    assert (bench.state.last_command, bench.state.active) == ("ON", "")


def test_a_hold_goes_on_at_its_rate_until_a_stop():
    bench = Bench(GO)
    assert bench.final("GO") == ["GO"]
    assert bench.state.active == "GO"
    assert bench.wait(10.0) == ["GO"] * 100
    assert bench.final("STOP", after=0.02) == ["stop"]
    assert bench.moves(2.0) == []
    assert (bench.state.active, bench.state.stopped) == ("", "STOP")


def test_a_stop_is_repeated_for_a_while():
    bench = Bench(GO, publish=[publish(), publish("speech", "std_msgs/msg/String")], call=DOCK)
    bench.final("GO")
    assert bench.final("STOP") == ["stop"] * 3
    assert bench.wait(2.0) == ["stop"] * 20  # what moves nothing is not repeated
    assert bench.wait(STOP_DURATION) == ["stop"] * 10


def test_a_motion_ends_the_repetition_of_a_stop_on_its_topics_only():
    bench = Bench(
        GO,
        command("TURN", mode="hold", publish=publish("arm")),
        publish=[publish(), publish("arm")],
    )
    bench.final("STOP")
    assert bench.wait(1.0) == ["stop"] * 20
    assert bench.final("GO", after=0.02) == ["GO"]
    assert sorted(bench.wait(1.0)) == ["GO"] * 10 + ["stop"] * 10


def test_a_hold_that_was_held_up_does_not_catch_up():
    bench = Bench(GO)
    bench.final("GO")
    bench.time += 0.35
    assert bench.wait(0.2) == ["GO"] * 2


def test_a_repetition_ends_with_the_stop_action_and_stays_armed():
    bench = Bench(LEFT, arming=ARMING)
    bench.final("HELLO")
    assert bench.final("LEFT") == ["LEFT"]
    done = bench.wait(3.0)
    assert done[:5] == ["LEFT"] * 4 + ["stop"]
    assert set(done[5:]) == {"stop"}
    assert bench.state.armed
    assert bench.final("LEFT") == ["LEFT"]


def test_a_one_time_motion_ends_in_a_stop_when_the_base_would_stop():
    bench = Bench(command("GO"), base_timeout=0.3)
    assert bench.final("GO") == ["GO"]
    assert bench.state.active == "GO"
    assert bench.wait(0.28) == []
    assert bench.wait(0.02) == ["stop"]
    assert (bench.state.active, bench.state.stopped) == ("", "the end of GO")


def test_a_one_time_motion_in_the_place_of_a_held_one_ends_in_a_stop():
    bench = Bench(GO, command("LEFT"))
    bench.final("GO")
    assert bench.final("LEFT") == ["LEFT"]
    assert bench.wait(0.6)[0] == "stop"


def test_no_stop_follows_a_motion_that_the_robot_ends_itself():
    bench = Bench(command("GO", stops_itself=True))
    assert bench.final("GO") == ["GO"]
    assert bench.wait(2.0) == []


def test_a_command_takes_the_place_of_another_on_the_same_topic():
    bench = Bench(GO, LEFT)
    bench.final("GO")
    assert bench.final("LEFT") == ["LEFT"]
    assert bench.wait(0.9) == ["LEFT"] * 4


def test_a_command_elsewhere_stops_what_is_held_first():
    bench = Bench(GO, LAMP)
    bench.final("GO")
    assert bench.final("ON") == ["stop", "ON"]
    assert bench.moves(1.0) == []
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


@pytest.mark.parametrize("way", ["final", "partial"])
def test_a_stop_whose_confidence_is_no_number_stops(way):
    bench = Bench(GO)
    bench.final("GO")
    assert getattr(bench, way)("STOP", math.nan) == ["stop"]


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
    assert bench.partial("STOP", age=1.0) == ["stop"]


def test_a_stop_stamped_an_hour_ahead_blocks_nothing():
    bench = Bench(GO)
    assert bench.partial("STOP", age=-3600.0) == ["stop"]
    assert bench.final("GO") == ["GO"]
    assert bench.final("STOP") == ["stop"]


def test_what_was_signed_before_a_stop_is_not_done_after_it():
    bench = Bench(GO)
    bench.partial("STOP", after=2.0)
    assert bench.final("GO", after=0.0, age=1.5) == []
    assert bench.state.ignored == "GO was signed before the stop"
    assert bench.final("GO", after=3.0) == ["GO"]


def test_what_is_signed_right_after_a_stop_is_done():
    bench = Bench(GO)
    bench.wait(2.0)
    stop, go = bench.sign("STOP", age=0.6), bench.sign("GO")
    assert bench.deliver(stop) == ["stop"]
    assert bench.deliver(go) == ["GO"]


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
    bench.wait(15.0)
    assert bench.final("GO") == ["GO"]  # and restarts the timer
    assert bench.wait(19.9) == ["GO"] * 199
    assert bench.wait(0.2)[-1] == "stop"
    assert not bench.state.armed
    assert bench.state.stopped == "nothing signed for too long"
    bench.final("HELLO")
    assert bench.final("ON", after=20.0) == []
    assert not bench.state.armed


def test_the_arming_sign_prolongs_what_is_held():
    bench = Bench(GO, arming=ARMING)
    bench.final("HELLO")
    bench.final("GO")
    bench.wait(15.0)
    assert bench.final("HELLO") == []
    assert "stop" not in bench.wait(15.0)


def test_repeats_must_follow_one_another():
    bench = Bench(command("COME", repeats=2), LAMP)
    assert bench.final("COME") == []
    assert bench.state.ignored == "COME completes no command"
    assert bench.final("COME") == ["COME COME"]
    assert bench.final("COME") == []  # the first of two again
    bench.final("ON")
    assert bench.final("COME") == []
    assert bench.final("COME") == ["COME COME"]


@pytest.mark.parametrize("later", [0.0, 0.016, 0.3])
def test_the_same_sign_told_twice_is_no_repeat(later):
    bench = Bench(command("COME", repeats=2))
    bench.final("COME")
    assert bench.final("COME", after=0.0, age=-later if later < 0.1 else 0.0) == []
    assert bench.state.ignored == "COME was counted before"


def test_two_signs_that_touch_are_two():
    bench = Bench(command("COME", repeats=2))
    bench.final("COME")
    assert bench.final("COME", after=0.5) == ["COME COME"]


def test_every_sign_of_a_sequence_needs_the_confidence():
    bench = Bench(TWICE)
    bench.commands.commands[0].__dict__["confidence"] = 0.8
    bench.final("TURN", 0.5)
    assert bench.final("TURN") == []
    assert bench.final("TURN") == ["TURN TURN"]


@pytest.mark.parametrize(("after", "done"), [(3.5, ["TURN TURN"]), (3.52, [])])
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
    assert bench.final("THANKS", after=2.9) == []
    assert "3 s" in bench.state.ignored
    assert bench.final("THANKS", after=3.0, age=2.9) == []
    assert bench.final("THANKS", after=0.6) == ["THANKS"]


def test_a_sign_read_twice_triggers_once():
    bench = Bench(command("THANKS"))
    assert bench.final("THANKS") == ["THANKS"]
    assert bench.final("THANKS", after=0.98) == []
    assert bench.state.ignored == "THANKS came less than 1 s after the last time"
    assert bench.final("THANKS", after=0.04, length=0.02) == ["THANKS"]


def test_a_held_command_goes_on_while_its_sign_is_read_again():
    bench = Bench(GO)
    bench.final("GO")
    assert bench.final("GO", after=0.5) == []
    assert bench.wait(1.0) == ["GO"] * 10


def test_the_cooldown_of_one_command_does_not_delay_another():
    bench = Bench(GO, LEFT, TWICE)
    assert bench.final("GO") == ["GO"]
    assert bench.final("LEFT", after=0.5) == ["LEFT"]
    bench.final("TURN", after=0.5)
    assert bench.final("TURN", after=0.5) == ["TURN TURN"]


def test_a_stop_has_no_cooldown():
    bench = Bench(GO)
    bench.final("GO")
    assert [bench.final("STOP", after=0.2, length=0.1) for _ in range(3)] == [["stop"]] * 3
    assert bench.final("GO", after=0.2, length=0.1) == []  # read again after the stop
    assert bench.final("GO") == ["GO"]


@pytest.mark.parametrize(
    "actions",
    [
        {"publish": publish()},
        {"publish": publish("other_base")},
        {"publish": {**publish(), "message": {"linear": {"x": 0.0}, "angular": {"z": 0}}}},
        {"publish": [publish(), publish("brake", "std_msgs/msg/Bool")]},
        {"call": DOCK},
        {"publish": publish(), "call": DOCK},
    ],
)
def test_a_command_that_only_stops_has_no_cooldown(actions):
    brake = publish("brake", "std_msgs/msg/Bool")
    bench = Bench(GO, {"gloss": "TURN", **actions}, publish=[publish(), brake], call=DOCK)
    for _ in range(3):
        assert "TURN" in bench.final("TURN", after=0.3, length=0.1)


@pytest.mark.parametrize(
    "actions",
    [
        {"publish": {**publish(), "message": {"angular": {"z": 0.1}}}},
        {"publish": {**publish("brake", "std_msgs/msg/Bool"), "message": {"data": True}}},
        {"publish": publish(), "call": {**DOCK, "service": "undock"}},
    ],
)
def test_a_command_that_also_does_something_else_has_a_cooldown(actions):
    brake = publish("brake", "std_msgs/msg/Bool")
    bench = Bench({"gloss": "TURN", **actions}, publish=[publish(), brake], call=DOCK)
    assert "TURN" in bench.final("TURN")
    assert bench.final("TURN", after=0.3, length=0.1) == []


def _starve(bench, part):
    setattr(bench, part, False)


def _delay(bench):
    bench.shift = -0.6


LOSSES = {
    "hands/features have stopped": lambda bench: _starve(bench, "features"),
    "recognized frames have stopped": lambda bench: _starve(bench, "reports"),
    "recognized frames are missing": lambda bench: _starve(bench, "recognized"),
    "hands/features are more than 0.5 s old": _delay,
    "hands/features are ahead of the clock": lambda bench: setattr(bench, "shift", 0.5),
    "the recognizer reports: too slow": lambda bench: bench.report.update(fault="too slow"),
    "the recognizer and its vocabulary name different models": lambda bench: bench.report.update(
        model_id="other"
    ),
    "the stream of hands was interrupted": lambda bench: bench.report.update(stream=1),
    "two nodes send": lambda bench: bench.machine.on_conflict("two nodes send", bench.now),
}


@pytest.mark.parametrize("cause", LOSSES)
def test_what_is_held_stops_when_evidence_is_lost(cause):
    bench = Bench(GO, arming=ARMING)
    bench.final("HELLO")
    bench.final("GO")
    bench.wait(0.5)
    LOSSES[cause](bench)
    bench.wait(LIMIT + 0.1)
    assert bench.state.stopped == cause or bench.state.stopped.endswith("more than 0.5 s old")
    assert bench.moves(1.0) == []
    assert not bench.state.armed


@pytest.mark.parametrize("cause", [cause for cause in LOSSES if "interrupted" not in cause])
def test_nothing_begins_without_evidence(cause):
    bench = Bench(GO, LAMP)
    LOSSES[cause](bench)
    bench.wait(LIMIT + 0.1)
    bench.shift = 0.0
    assert bench.final("GO", after=0.0) == []
    assert bench.state.ignored == f"GO is ignored: {cause}"
    assert bench.final("ON", after=0.0, age=-0.6) == []
    assert bench.moves(1.0) == []


def test_a_pause_does_not_hide_that_evidence_was_missing():
    bench = Bench(GO)
    bench.final("GO")
    bench.time += 30.0
    done = bench.beat() + bench.named(bench.machine.tick(bench.now))
    assert done[0] == "stop"
    assert bench.moves(1.0) == []


def test_a_motion_that_a_service_began_stops_without_evidence_and_not_before():
    motor = {"service": "motor", "type": "std_srvs/srv/SetBool"}
    bench = Bench({"gloss": "GO", "call": {**motor, "request": {"data": True}}}, call=motor)
    assert bench.final("GO") == ["GO"]
    assert bench.wait(5.0) == []
    bench.features = False
    assert bench.wait(1.0)[:2] == ["stop", "stop"]


def test_a_stop_before_the_clock_has_a_time_blocks_nothing():
    bench = Bench(GO)
    bench.machine = CommandMachine(bench.commands, Evidence(SECOND // 2), 5.0)
    unknown = Now(None, round(bench.time * SECOND))
    bench.machine.on_vocabulary("m", GLOSSES, "", unknown)
    bench.machine.on_final(bench.sign("STOP"), unknown)
    bench.offset = 0.0  # the clock begins, long before that stamp
    bench.wait(1.0)
    assert bench.final("GO") == ["GO"]


def test_a_stop_before_the_first_frame_of_a_bag_blocks_nothing():
    bench = Bench(GO, live=False)
    bench.machine = CommandMachine(bench.commands, Evidence(SECOND // 2, live=False), 0.0)
    bench.machine.on_vocabulary("m", GLOSSES, "", bench.now)
    bench.machine.on_final(bench.sign("STOP"), bench.now)
    bench.shift = -1000.0
    bench.wait(1.0)
    assert bench.final("GO") == ["GO"]


def test_arming_ends_its_time_after_the_last_sign_even_if_a_repetition_ended_later():
    come = {"gloss": "COME", "mode": "repeat", "duration": 15.0, "publish": publish()}
    bench = Bench(come, arming=ARMING)
    bench.final("HELLO")
    assert bench.final("COME") == ["COME"]
    bench.wait(19.9)
    assert bench.state.armed
    bench.wait(0.2)
    assert not bench.state.armed


def test_without_evidence_the_arming_sign_is_required_again():
    bench = Bench(GO, arming=ARMING, disarms=False)
    bench.final("HELLO")
    bench.final("GO")
    bench.features = False
    bench.wait(1.0)
    assert not bench.state.armed


def test_recognized_frames_that_stand_still_are_no_evidence():
    bench = Bench(GO)
    bench.final("GO")
    bench.beat = lambda: bench.named(  # all is well, and nothing is recognized
        [
            *bench.machine.on_features(bench.stamp(), bench.now),
            *bench.machine.on_report(RecognizerReport("", "m", 5, 0), bench.now),
        ]
    )
    assert "stop" in bench.wait(0.1)
    assert bench.state.stopped == "recognized frames are more than 0.5 s old"


def test_what_was_being_signed_when_evidence_was_lost_is_not_done():
    bench = Bench(GO)
    bench.final("GO")
    bench.features = False
    bench.wait(0.7)
    bench.features = True
    assert bench.final("GO", after=0.2, age=0.0) == []
    assert bench.state.ignored == "GO was signed before the stop"
    assert bench.final("GO") == ["GO"]


def test_a_clock_that_stands_still_stops_what_is_held():
    bench = Bench(GO)
    bench.final("GO")
    stands = bench.now.clock
    bench.beat = lambda: []
    done = []
    for _ in range(40):
        bench.time += 0.02
        now = Now(stands, bench.now.steady)
        done += bench.named(bench.machine.on_features(stands, now))
        done += bench.named(bench.machine.tick(now))
    assert done.count("stop") >= 1
    assert bench.state.stopped.endswith("have stopped")


def test_no_command_without_a_clock():
    bench = Bench(GO)
    sign = bench.sign("GO")
    assert bench.named(bench.machine.on_final(sign, Now(None, bench.now.steady))) == []
    assert bench.state.ignored.startswith("the time is unknown")


def test_a_sign_can_be_too_old_but_a_stop_cannot():
    bench = Bench(GO, max_age=5.0)
    assert bench.final("GO", age=5.1) == []
    assert bench.state.ignored == "GO is 5.1 s old"
    assert bench.final("GO", age=5.0) == ["GO"]
    assert bench.final("STOP", age=50.0) == ["stop"]


def test_a_sign_from_the_future_is_ignored_and_blocks_nothing():
    bench = Bench(GO)
    assert bench.final("GO", age=-3600.0) == []
    assert bench.state.ignored == "GO has a stamp in the future"
    assert bench.final("GO") == ["GO"]


@pytest.mark.parametrize("later", [0.0, 1.5, 4.0, 20.0])
def test_a_sign_that_is_delivered_again_does_nothing(later):
    bench = Bench(GO, arming=ARMING, max_age=60.0)
    hello, go = bench.sign("HELLO", age=1.0), bench.sign("GO")
    bench.deliver(hello)
    assert bench.deliver(go) == ["GO"]
    bench.final("STOP")
    bench.wait(later)
    assert bench.deliver(hello) == []
    assert bench.deliver(go) == []
    assert not bench.state.armed
    assert bench.moves(1.0) == []


def test_a_sign_from_before_the_clock_was_set_does_not_count_when_its_time_comes_again():
    bench = Bench(GO)
    bench.report["source"] = b"recognizer"
    bench.wait(1.0)
    first = replace(bench.sign("GO"), source=b"recognizer", number=(1, 0))
    second = replace(bench.sign("GO"), source=b"recognizer", number=(2, 0))
    bench.deliver(second)
    bench.offset -= 2.0
    bench.wait(2.3)
    assert bench.state.lost == ""
    for sign in (first, second):
        assert bench.deliver(sign) == []
        assert bench.state.ignored == "GO was counted before"
    new = replace(bench.sign("GO"), source=b"recognizer", number=(3, 0))
    assert bench.deliver(new) == ["GO"]


@pytest.mark.parametrize("step", [-3600.0, -1.5, 5.5, 3600.0])
def test_a_clock_that_is_set_stops_disarms_and_forgets(step):
    bench = Bench(GO, command("THANKS", cooldown=9.0), arming=ARMING, max_age=60.0)
    for gloss in ("HELLO", "THANKS", "GO"):
        bench.final(gloss)
    go = bench.sign("GO", age=-0.1)
    bench.offset += step
    assert bench.wait(0.02)[0] == "stop"
    assert bench.state.stopped == "the clock was set"
    assert bench.deliver(go) == []
    assert not bench.state.armed
    bench.final("HELLO")
    assert bench.final("THANKS") == ["THANKS"]  # the cool-down is forgotten
    assert bench.final("GO") == ["GO"]


def test_a_late_gloss_is_no_jump_in_time():
    bench = Bench(GO, LAMP)
    bench.final("GO", after=2.0)
    assert bench.final("TURN", after=0.0, age=1.5) == []
    assert bench.state.active == "GO"


def test_a_vocabulary_that_changes_stops_what_is_held():
    bench = Bench(GO, arming=ARMING)
    bench.final("HELLO")
    bench.final("GO")
    assert bench.vocabulary("m") == []  # the same one again
    assert bench.vocabulary("other") == ["stop"]
    assert not bench.state.armed


def test_a_vocabulary_under_the_same_name_that_lacks_the_held_gloss_stops_it():
    bench = Bench(GO)
    bench.final("GO")
    assert bench.vocabulary("m", ("STOP",), "the model lacks GO") == ["stop"]
    assert bench.final("GO") == []
    assert bench.state.ignored == "GO is ignored: the model lacks GO"
    assert bench.final("STOP") == ["stop"]


def test_the_last_word_of_the_old_model_is_ignored():
    bench = Bench(GO)
    bench.wait(1.0)
    bench.vocabulary("other", (*GLOSSES, "NEW"))
    bench.report["model_id"] = "other"
    assert bench.final("GO") == []
    assert bench.state.ignored == "GO was recognized by another model, m"
    assert bench.final("GO", model_id="other") == ["GO"]


def test_a_gloss_of_another_process_is_ignored_unless_it_stops():
    bench = Bench(GO)
    bench.wait(1.0)
    sign = replace(bench.sign("GO"), source=b"another")
    assert bench.deliver(sign) == []
    assert bench.state.ignored == "GO was sent by another process than the recognizer's"
    assert bench.final("GO") == ["GO"]
    assert bench.deliver(replace(bench.sign("STOP"), source=b"another")) == ["stop"]


@pytest.mark.parametrize("other", [{"source": b"another"}, {"model_id": "other"}])
def test_a_gloss_of_another_process_or_model_does_not_number_the_signs(other):
    bench = Bench(GO)
    bench.report["source"] = b"recognizer"
    bench.wait(1.0)
    own = {"source": b"recognizer", "number": (1, 0)}
    stray = replace(bench.sign("GO"), **{**own, "number": (9, 0), **other})
    assert bench.deliver(stray) == []
    assert bench.deliver(replace(bench.sign("GO"), **own)) == ["GO"]


def test_two_processes_that_report_as_the_recognizer_stop_what_is_held():
    bench = Bench(GO)
    bench.final("GO")
    other = RecognizerReport("", "m", bench.stamp(), 0, source=b"another")
    assert bench.named(bench.machine.on_report(other, bench.now)) == ["stop"]
    assert bench.state.stopped == "two processes report as the recognizer"
    bench.wait(LIMIT + 0.1)
    assert bench.final("GO", after=0.6) == ["GO"]


def test_recordings_are_not_judged_by_age_but_must_go_on():
    bench = Bench(GO, live=False, max_age=5.0)
    bench.shift = -1e6
    bench.wait(40.0)
    assert bench.final("GO", age=30.0) == ["GO"]
    bench.features = False
    assert "stop" in bench.wait(0.6)
    assert bench.state.stopped == "hands/features have stopped"


def test_a_recording_that_starts_again_is_new():
    bench = Bench(GO, live=False)
    go = bench.sign("GO", age=-1.0)
    bench.wait(1.0)
    assert bench.deliver(go) == ["GO"]
    bench.shift -= 2.0
    assert bench.wait(0.02) == ["stop"]
    assert bench.state.stopped == "the recording starts again"
    assert bench.final("GO") == ["GO"]


def test_unknown_signs_do_nothing():
    bench = Bench(GO)
    bench.final("GO")
    assert bench.final("EAT") == []
    assert bench.state.ignored == "EAT completes no command"
    assert bench.state.active == "GO"


def test_leaving_stops_whatever_the_state():
    bench = Bench(GO)
    assert bench.named(bench.machine.stop("the node ends", bench.now)) == ["stop"]
