# SPDX-License-Identifier: MIT
"""Drawn sequences of events against one rule, which is written here without the machine's code.

The robot moves only while fresh evidence from one known sensor allows it. In every other state, it
stops.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from whispersign_ros.commands.evidence import Evidence, Now, RecognizerReport
from whispersign_ros.commands.schema import Commands
from whispersign_ros.commands.sign_order import RecognizedSign
from whispersign_ros.commands.state_machine import CommandMachine

SECOND = 1_000_000_000
TICK = 0.05  # seconds
LIMIT, MAX_AGE, BASE = 0.5, 5.0, 0.5  # seconds
RATE = 10.0  # messages per second
GLOSSES = ("HELLO", "STOP", "GO", "LEFT", "COME", "THANKS")
CMD_VEL = {"topic": "cmd_vel", "type": "geometry_msgs/msg/Twist"}
DRIVE = {**CMD_VEL, "message": {"linear": {"x": 0.2}}}
MOVES = {
    "gloss": "GO", "mode": "hold", "publish_rate": RATE, "publish": DRIVE
}, {"gloss": "LEFT", "publish": DRIVE}, {
    "gloss": "COME", "repeats": 2, "mode": "repeat", "duration": 1.0, "publish": DRIVE
}  # fmt: skip
SOURCE = b"recognizer"
THANKS = {"gloss": "THANKS", "publish": {"topic": "speech", "type": "std_msgs/msg/String"}}


def nanoseconds(seconds: float) -> int:
    """Convert a time to a stamp of whole milliseconds, which rounding cannot make advance."""
    return round(seconds * 1000) * (SECOND // 1000)


TIMES = {"late", "early"}  # faults of all stamps


@dataclass(frozen=True)
class Told:
    """A gloss message that may be delivered any number of times, and what the rule needs of it."""

    sign: RecognizedSign
    made: float  # true time of its end, seconds
    steps: int  # clock steps before it was made


class World:
    """A robot, its person, and all that can go wrong between them; judges each message sent."""

    def __init__(self, arming: bool, numbered: bool) -> None:
        content = {
            "stop": {"gloss": "STOP", "publish": CMD_VEL},
            "arming": {"gloss": "HELLO", "timeout": 20.0} if arming else None,
            "commands": [*MOVES, THANKS],
        }
        self.commands = Commands.model_validate(content)
        self.stops = {id(action) for action in self.commands.stop.actions}
        self.speech = {id(action) for action in self.commands.commands[-1].actions}
        self.machine = CommandMachine(self.commands, Evidence(round(LIMIT * SECOND)), MAX_AGE)
        self.arming = arming
        self.source = SOURCE if numbered else None
        self.time, self.offset, self.steps = 50.0, 1e6, 0
        self.faults: set[str] = set()
        self.model, self.known, self.stream = "m", GLOSSES, 0
        self.told: list[Told] = []
        self.last_seen = self.last_recognized = -math.inf  # when evidence last advanced
        self.seen = self.recognized = 0  # its stamps
        self.last_move = -math.inf  # when the last motion was sent
        self.moving = False  # whether the last message on cmd_vel was a motion
        self.started: set[Told] = set()  # those that have begun a motion or armed
        self.barrier = -math.inf  # signs must be made after it
        self.armed = not arming
        self.announce("m", GLOSSES)
        self.beat()

    @property
    def now(self) -> Now:
        clock = nanoseconds(self.time + self.offset)
        return Now(None if "unknown" in self.faults else clock, round(self.time * SECOND))

    def stamp(self, behind: float) -> int:
        late = 0.8 * ("late" in self.faults) - 0.8 * ("early" in self.faults)
        return nanoseconds(self.time + self.offset - behind - late)

    # What happens.

    def beat(self) -> None:
        faults, now = self.faults, self.now
        self.judge(self.machine.on_conflict("two" if "two" in faults else "", now))
        if "features" not in faults:
            self.judge(self.machine.on_features(self.stamp(0.05), now))
        if "reports" not in faults:
            until = None if "recognized" in faults else self.stamp(0.1)
            report = RecognizerReport(
                "slow" if "slow" in faults else "",
                "else" if "model" in faults else self.model,
                until,
                self.stream,
                self.source,
            )
            self.judge(self.machine.on_report(report, now))
        newest = self.stamp(0.05)  # of a clock that may stand still
        if faults.isdisjoint({"features", "two"} | TIMES) and newest != self.seen:
            self.seen, self.last_seen = newest, self.time
        reports = faults.isdisjoint({"reports", "recognized", "slow", "model"} | TIMES)
        if reports and newest != self.recognized:
            self.recognized, self.last_recognized = newest, self.time

    def wait(self, seconds: float) -> None:
        for _ in range(round(seconds / TICK)):
            self.time += TICK
            self.offset -= TICK * ("frozen" in self.faults)
            self.beat()
            self.judge(self.machine.tick(self.now))
            quiet = self.time - self.last_move
            assert not (self.moving and quiet > max(BASE, 1 / RATE) + 2 * TICK), "no stop was sent"

    def sign(self, gloss: str, behind: float, confidence: float, deliver: bool) -> None:
        """Make a sign of 0.5 s, or of a frame; its final gloss comes ``behind`` seconds later."""
        self.wait(0.5)
        end = nanoseconds(self.time + self.offset)
        number = (len(self.told) + 1, 0) if self.source else (0, 0)
        start = end - SECOND // 2
        sign = RecognizedSign(gloss, confidence, start, end, self.model, self.source, number)
        self.told.append(Told(sign, self.time, self.steps))
        self.wait(behind)
        if deliver:
            self.deliver(self.told[-1], final=True)

    def late(self, event: str) -> None:
        """Make a sign whose gloss arrives only after something else has happened."""
        other = "n" if self.model == "m" else "m"
        if event == "old model":  # which has not noticed yet that another one is announced
            old = self.model
            self.announce(other, GLOSSES)
            self.wait(0.1)
            self.sign("GO", 0.0, 0.9, deliver=False)
            self.told[-1] = replace(self.told[-1], sign=replace(self.told[-1].sign, model_id=old))
        else:
            self.sign("GO", 0.0, 0.9, deliver=False)
        told = self.told[-1]
        if event == "another process":
            told = self.told[-1] = replace(told, sign=replace(told.sign, source=b"other"))
        elif event == "STOP":
            self.sign("STOP", 0.1, 0.9, deliver=True)
        elif event == "model":
            self.announce(other, GLOSSES)
            self.wait(0.1)
        elif event == "features":
            self.faults.add(event)
            self.wait(0.8)
            self.faults.clear()
            self.wait(0.2)
        self.deliver(told, final=True)

    def deliver(self, told: Told, final: bool, ahead: float = 0.0, shifted: float = 0.0) -> None:
        """Deliver a gloss, perhaps with a stamp of the future, or shifted by a moment."""
        sign, moved = told.sign, round((ahead + shifted) * SECOND)
        if moved:
            sign = replace(sign, start=sign.start + moved, end=sign.end + moved)
        stops = sign.gloss == "STOP" and not sign.confidence < 0.3
        act = self.machine.on_final if final else self.machine.on_partial
        actions = act(sign, self.now)
        if stops:
            stopped = any(id(action) in self.stops for action in actions)
            assert stopped or not self.moving
            self.barrier = max(self.barrier, min(told.made + ahead, self.time))
            self.armed = not self.arming or (self.armed and not stopped)
        self.judge(actions, told if final and not ahead else None)

    def announce(self, model: str, known: tuple[str, ...]) -> None:
        if (model, known) != (self.model, self.known):
            self.barrier, self.armed = max(self.barrier, self.time), not self.arming
        changed = (model, known) != (self.model, self.known)
        self.model, self.known = model, known
        lacking = "" if set(known) >= set(GLOSSES) else "a gloss is missing"
        self.judge(self.machine.on_vocabulary(model, known, lacking, self.now))
        assert not (changed and self.moving), "a motion goes on under another vocabulary"

    def step(self, seconds: float) -> None:
        self.offset += seconds
        self.steps += 1
        self.armed = not self.arming
        self.judge(self.machine.tick(self.now))

    def interrupt(self) -> None:
        self.stream += 1
        moved = self.moving
        self.beat()
        assert "reports" in self.faults or not (moved and self.moving), "moves on another stream"

    def drive(self) -> None:
        """Let the robot move, if it does not."""
        for gloss in ("HELLO", "GO"):
            if not self.moving:
                self.sign(gloss, 0.1, 0.9, deliver=True)

    def recover(self) -> None:
        """Whatever happened: when all is well again, a new sign drives."""
        self.faults.clear()
        self.announce("m", GLOSSES)
        self.wait(1.0)
        if self.arming:
            self.sign("HELLO", 0.1, 0.9, True)
        self.sign("GO", 0.1, 0.9, True)
        assert self.moving, self.machine.state
        self.sign("STOP", 0.1, 0.9, True)
        assert not self.moving, self.machine.state

    # The rule.

    def judge(self, actions: list, told: Told | None = None) -> None:
        for action in actions:
            if id(action) in self.stops:
                self.moving = False
            elif id(action) not in self.speech:
                self.move(told)
        if self.machine.state.armed and not self.armed:
            assert told is not None, "armed without a sign"
            assert told.sign.gloss == "HELLO", "armed by another sign"
            self.admissible(told, arms=True)
            self.armed = True

    def move(self, told: Told | None) -> None:
        oldest = min(self.last_seen, self.last_recognized)
        assert self.time - oldest <= LIMIT + TICK, "a motion without fresh evidence"
        assert self.faults.isdisjoint({"two", "slow", "model", "unknown"}), (
            f"in spite of {self.faults}"
        )
        assert set(self.known) >= set(GLOSSES), "a motion with a vocabulary that lacks a gloss"
        if told is None:
            assert self.moving, "a motion that no sign began"
        else:
            self.admissible(told)
        self.moving, self.last_move = True, self.time

    def admissible(self, told: Told, arms: bool = False) -> None:
        """A sign that has an effect is new, of now, and of the model in use."""
        assert told not in self.started, "one sign has counted twice"
        self.started.add(told)
        assert told.made - 0.5 >= self.barrier - 1e-6, "a sign from before the stop"
        assert told.steps == self.steps, "a sign from before the clock was set"
        assert self.time - told.made <= MAX_AGE + TICK, "an old sign"
        assert told.sign.model_id == self.model, "a sign of another model"
        assert told.sign.source == self.source, "a sign of another process"
        assert self.armed or arms, "a motion without the arming sign"


FAULTS = (
    "features", "reports", "recognized", "late", "early", "slow", "model", "two", "frozen",
    "unknown",
)  # fmt: skip
SIGNS = st.sampled_from(("GO", "GO", "GO", "LEFT", "STOP", "STOP", "HELLO", "HELLO", "THANKS"))
CONFIDENCES = st.sampled_from((0.9, 0.9, 0.9, 0.5, math.nan))
INDEX = st.integers(0, 30)
FAULT = st.tuples(
    st.just("fault"), st.sampled_from(FAULTS), st.sampled_from((0.2, 0.8, 2.0)), st.booleans()
)
DRIVES = (
    ("HELLO", "GO"), ("HELLO", "LEFT"), ("HELLO", "COME", "COME"), ("HELLO", "GO", "THANKS"),
    ("GO", "LEFT"), ("GO", "STOP"),
)  # fmt: skip
LATER = ("STOP", "model", "old model", "another process", "features")
DRIVE = st.tuples(st.just("signs"), st.sampled_from(DRIVES), st.sampled_from((0.1, 0.1, 0.7)))
EVENTS = st.one_of(
    DRIVE, DRIVE, FAULT, FAULT,
    st.tuples(
        st.just("sign"), SIGNS, st.sampled_from((0.1, 0.1, 1.0, 6.0)), CONFIDENCES,
        st.sampled_from((True, True, True, False)),
    ),
    st.tuples(st.just("late"), st.sampled_from(LATER)),
    st.tuples(st.just("again"), INDEX, st.sampled_from((0.0, 0.016)), st.sampled_from((0.0, 60.0))),
    st.tuples(st.just("stop"), CONFIDENCES),
    st.tuples(st.just("partial"), INDEX, st.sampled_from((0.0, 3600.0))),
    st.tuples(st.just("step"), st.sampled_from((-3600.0, -2.0, 6.0, 3600.0))),
    st.tuples(st.just("model"), st.sampled_from("mn"), st.sampled_from((GLOSSES, GLOSSES[:-1]))),
    st.tuples(st.just("interrupt")),
    st.tuples(st.just("wait"), st.sampled_from((0.2, 0.7, 1.5))),
)  # fmt: skip


def play(arming: bool, numbered: bool, events: list[tuple]) -> None:
    """Let the events happen in a world that judges them."""
    world = World(arming, numbered)
    for kind, *given_ in events:
        if kind in ("fault", "step", "model", "interrupt", "stop"):
            world.drive()
        if kind == "sign":
            world.sign(*given_)
        elif kind == "again" and world.told:
            index, later, ahead = given_
            world.deliver(world.told[index % len(world.told)], True, ahead, later)
        elif kind == "partial" and world.told:
            world.deliver(world.told[given_[0] % len(world.told)], False, ahead=given_[1])
        elif kind == "signs":
            for gloss in given_[0]:
                world.sign(gloss, given_[1], 0.9, True)
        elif kind == "fault":
            world.faults.add(given_[0])
            world.wait(given_[1])
            if given_[2]:
                world.sign("GO", 0.1, 0.9, deliver=True)
            world.faults.clear()
        elif kind == "stop":
            world.sign("STOP", 0.1, given_[0], deliver=True)
        elif kind == "late":
            world.late(*given_)
        elif kind == "step" and numbered:  # stamps alone cannot tell two time scales apart
            world.step(*given_)
        elif kind == "model":
            world.announce(*given_)
            world.sign("GO", 0.1, 0.9, deliver=True)
            world.announce(given_[0], GLOSSES)
        elif kind == "interrupt":
            world.interrupt()
        elif kind == "wait":
            world.wait(*given_)
    world.wait(1.0)
    world.recover()


def draw(examples: int) -> None:
    """Play as many drawn sequences."""

    @settings(
        max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck),
        derandomize=True, database=None,
    )  # fmt: skip
    @given(st.booleans(), st.booleans(), st.lists(EVENTS, min_size=1, max_size=12))
    def drawn(arming: bool, numbered: bool, events: list[tuple]) -> None:
        play(arming, numbered, events)

    drawn()


def test_500_drawn_sequences_break_no_rule():
    draw(500)


@pytest.mark.slow
def test_10000_drawn_sequences_break_no_rule():
    draw(10_000)
