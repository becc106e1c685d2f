# SPDX-License-Identifier: MIT
"""Compute the commands that recordings should cause, by applying command_node's rules to labels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from whispersign_model.recordings.recording import Recording
from whispersign_model.timestamps import NANOSECONDS
from whispersign_ros.commands.evidence import Evidence, Now, RecognizerReport
from whispersign_ros.commands.schema import (
    TWIST_STAMPED,
    VELOCITY_TYPES,
    Command,
    Commands,
    Publish,
)
from whispersign_ros.commands.sign_order import RecognizedSign
from whispersign_ros.commands.state_machine import CommandMachine, State

APART = NANOSECONDS // 2  # minimum time without hands between two utterances
PAUSE = 2 * NANOSECONDS  # between two recordings; longer than the delay of final results
TICK = NANOSECONDS // 20
FOREVER = 10**6 * NANOSECONDS  # labels are evidence that is never lost


@dataclass(frozen=True)
class Event:
    """The start of a command, or a stop.

    Attributes:
        name: name of the command, or sign or cause of the stop.
        begins: True for a command, False for a stop.
    """

    name: str
    begins: bool

    def __str__(self) -> str:
        return self.name if self.begins or " " not in self.name else f"({self.name})"


def changes(before: State, after: State) -> Iterator[Event]:
    """Yield the events that a change of command_node's state implies.

    The end of a command by its duration or by another command is not an event. Whether it ends
    before the next sign depends on recognition latency.
    """
    ended = bool(before.active) and not after.active
    again = before.armed and not after.armed and after.last_gloss == after.stopped
    natural = after.stopped.startswith("the end of ") or " instead of " in after.stopped
    if (ended or again or after.stopped != before.stopped) and not natural:
        yield Event(after.stopped, begins=False)
    if after.active and after.active != before.active:
        yield Event(after.active, begins=True)
    elif after.last_command != before.last_command and not after.active:
        yield Event(after.last_command, begins=True)


def expected(commands: Commands, recordings: Sequence[Recording]) -> list[Event]:
    """Return the events that command_node should report when recordings are played in turn.

    Every label counts as recognized with full confidence. An utterance's glosses arrive when the
    hands leave the view. A stop takes effect at the end of its sign.
    """
    machine = CommandMachine(commands, Evidence(FOREVER, live=False), max_age=0.0)
    machine.on_vocabulary("", (), "", Now(0, 0))
    events: list[Event] = []
    last = machine.state

    def collect() -> None:
        nonlocal last
        events.extend(changes(last, machine.state))
        last = machine.state

    now = 0
    for recording in recordings:
        begin, shift = now, now - int(recording.stamps[0])
        for moment, sign, final in _arrivals(commands, recording, shift):
            for tick in range(begin, moment, TICK):
                _live(machine, tick)
                collect()
            begin = moment
            _live(machine, moment)
            (machine.on_final if final else machine.on_partial)(sign, Now(moment, moment))
            collect()
        now = max(begin, int(recording.stamps[-1]) + shift) + PAUSE
    return events


def _live(machine: CommandMachine, moment: int) -> None:
    """Let the machine see that everything up to this moment is recognized."""
    now = Now(moment, moment)
    machine.on_features(moment, now)
    machine.on_report(RecognizerReport(recognized_until=moment), now)
    machine.tick(now)


def _arrivals(
    commands: Commands, recording: Recording, shift: int
) -> list[tuple[int, RecognizedSign, bool]]:
    """Return the arrival times of gloss messages, each with its sign and whether it is final."""
    arrivals: list[tuple[int, RecognizedSign, bool]] = []
    for signs in _utterances(recording):
        end = signs[-1].end + APART
        for sign in signs:
            moved = RecognizedSign(
                sign.gloss, sign.confidence, sign.start + shift, sign.end + shift
            )
            if moved.gloss in commands.stop.gloss:
                arrivals.append((moved.end, moved, False))
            arrivals.append((end + shift, moved, True))
    return sorted(arrivals, key=lambda each: each[0])


def _utterances(recording: Recording) -> list[list[RecognizedSign]]:
    """Group labeled signs by utterance, during which the hands stay in view."""
    there = recording.stamps[recording.confidence.any(axis=1)]
    gaps = np.flatnonzero(np.diff(there) >= APART)
    ends = there[gaps]
    utterances: dict[int, list[RecognizedSign]] = {}
    for segment in sorted(recording.segments, key=lambda each: each.start):
        count = len(segment.glosses)
        edges = np.linspace(segment.start, segment.end, count + 1).astype(np.int64).tolist()
        for gloss, start, end in zip(segment.glosses, edges, edges[1:]):
            number = int(np.searchsorted(ends, start))
            utterances.setdefault(number, []).append(RecognizedSign(gloss, 1.0, start, end))
    return list(utterances.values())


def drives(command: Command) -> Publish | None:
    """Return a command's first message that moves a base, or None."""
    moving = [each for each in command.publish or () if each.type in VELOCITY_TYPES]
    return moving[0] if moving else None


def speeds(publish: Publish) -> tuple[float, float]:
    """Return a message's linear and angular velocity, m/s and rad/s."""
    twist = publish.message.get("twist", {}) if publish.type == TWIST_STAMPED else publish.message
    linear, angular = twist.get("linear", {}), twist.get("angular", {})
    return float(linear.get("x", 0.0)), float(angular.get("z", 0.0))
