# SPDX-License-Identifier: MIT
"""State machine that turns signs into commands: events in, actions out.

The robot moves only while fresh evidence from one known sensor allows it. In every other state, it
stops. The machine has no clock and sends nothing. The caller passes the time with each event and
carries out the returned actions in order.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from whispersign_model.timestamps import CLOCK_JUMP_BACK, NANOSECONDS, is_clock_jump
from whispersign_ros.commands.evidence import Evidence, Now, RecognizerReport
from whispersign_ros.commands.schema import BASE_TIMEOUT, Action, Command, Commands, Publish
from whispersign_ros.commands.sign_order import RecognizedSign, SignOrder

STOP_RATE = 10.0  # stop messages per second
STOP_DURATION = 3.0  # seconds for which they are repeated, unless a command supersedes them


@dataclass(frozen=True)
class State:
    """The visible state of the machine.

    Attributes:
        armed: signs have an effect.
        active: the command that moves the robot, "" without one.
        last_gloss: the last final gloss, or the last partial one that triggered a stop.
        last_command: the last command carried out.
        ignored: why the last gloss had no effect, "" if it had one.
        stopped: cause of the last stop.
        lost: why no command can be carried out now, "" while the evidence is fresh.
    """

    armed: bool
    active: str = ""
    last_gloss: str = ""
    last_command: str = ""
    ignored: str = ""
    stopped: str = ""
    lost: str = ""


@dataclass
class _Repetition:
    """Messages to repeat; times are of the monotonic clock."""

    messages: Sequence[Publish]
    period: int
    due: int
    until: int | None

    def take(self, now: int) -> Sequence[Publish]:
        """Return the messages if they are due, and schedule the next ones."""
        if now < self.due:
            return ()
        late = now - self.due >= self.period
        self.due = self.period + (now if late else self.due)
        return self.messages


@dataclass
class _Active(_Repetition):
    command: Command


class CommandMachine:
    """Decides which actions to carry out and when.

    Times of signs (order, sequences, cooldowns, age) are capture times. Times without signs (rates,
    durations) come from the monotonic clock, so a robot stops even while ``/clock`` stands still.
    The first event after a clock jump stops the robot, disarms it and forgets all signs.

    Args:
        commands: content of the commands file.
        evidence: what a command needs before it starts and as long as it lasts.
        max_age: maximum seconds from the end of a sign to its command; not used for recordings.
    """

    def __init__(self, commands: Commands, evidence: Evidence, max_age: float) -> None:
        self._commands = commands
        self._stop = commands.stop
        self._arming = commands.arming
        self._evidence = evidence
        self._order = SignOrder(_nanoseconds(max_age) if evidence.live else None)
        self._longest = max(len(command.pattern) for command in commands.commands)
        moving = commands.moved
        self._stop_messages = [each for each in self._stop.publish or () if each.topic in moving]
        self._active: _Active | None = None
        self._stopping: _Repetition | None = None
        self._armed_until = 0
        self._offset: int | None = None  # of the clock from the monotonic one
        self._glosses: Sequence[str] | None = None
        self.state = State(armed=self._arming is None, lost=evidence.lost(Now(None, 0)))
        self._forget_signs()

    def _forget_signs(self) -> None:
        self._signs: list[RecognizedSign] = []
        self._done: dict[str, int] = {}  # command: end of the sign that last triggered it
        self._stop_sign_until: int | None = None  # end of the last stop sign

    def on_features(self, stamp: int, now: Now) -> list[Action]:
        """Process the arrival of features with their capture time."""
        actions = self._observe(now)
        newest = self._evidence.newest
        if not self._evidence.live and newest is not None and stamp < newest - CLOCK_JUMP_BACK:
            actions += self.reset("the recording starts again", now)
            self._order.restart(stamp)
        self._evidence.on_features(stamp, now)
        return actions

    def on_conflict(self, conflict: str, now: Now) -> list[Action]:
        """Process which nodes send features at the same time, "" if one does."""
        self._evidence.on_conflict(conflict)
        return self._check_evidence(now)

    def on_report(self, report: RecognizerReport, now: Now) -> list[Action]:
        """Process a report of the recognizer."""
        actions = self._observe(now)
        interrupted = self._evidence.on_report(report, now)
        if interrupted and self._active and self._evidence.live:
            return actions + self.stop("the stream of hands was interrupted", now)
        return actions + self._check_evidence(now)

    def on_vocabulary(
        self, model_id: str, glosses: Sequence[str], lacking: str, now: Now
    ) -> list[Action]:
        """Process a vocabulary; another one than before stops, disarms and forgets all signs.

        Args:
            model_id: its model.
            glosses: all its glosses.
            lacking: which glosses of the commands file it lacks, "" for none.
            now: the time.
        """
        actions = self._observe(now)
        known = (self._evidence.model_id, self._glosses)
        if self._glosses is not None and known != (model_id, glosses):
            actions += self.reset("the vocabulary has changed", now)
        self._glosses = glosses
        self._evidence.on_vocabulary(model_id, lacking)
        return actions

    def on_final(self, sign: RecognizedSign, now: Now) -> list[Action]:
        """Process a final gloss."""
        actions = self._observe(now)
        self._show(last_gloss=sign.gloss, ignored="")
        if sign.gloss in self._stop.gloss:
            return actions + self._on_stop_sign(sign, now)
        reason = self._rejection(sign, now)
        if reason:
            self._show(ignored=reason)
            return actions
        if self._arming and sign.gloss == self._arming.gloss:
            self._signs.clear()
            self._arm(now)
            return actions
        return actions + self._follow(sign, now)

    def on_partial(self, sign: RecognizedSign, now: Now) -> list[Action]:
        """Process a partial gloss; only a stop sign has an effect."""
        actions = self._observe(now)
        if sign.gloss in self._stop.gloss:
            self._show(last_gloss=sign.gloss, ignored="")
            actions += self._on_stop_sign(sign, now)
        return actions

    def tick(self, now: Now) -> list[Action]:
        """Carry out due actions; call it more often than the highest publish rate."""
        actions = self._observe(now)
        if self._stopping:
            actions += self._stopping.take(now.steady)
            if self._stopping.until is not None and now.steady >= self._stopping.until:
                self._stopping = None
        active = self._active
        if active is None:
            return actions
        if active.until is not None and now.steady >= active.until:
            self._end_active()
            self._show(stopped=f"the end of {active.command.name}")
            return actions + self._begin_stop(now)
        return actions + list(active.take(now.steady))

    def stop(self, cause: str, now: Now) -> list[Action]:
        """End the active command, carry out the stop entry, and ignore signs made until now."""
        return self._stop_at(self._present(now), cause, now)

    def reset(self, cause: str, now: Now) -> list[Action]:
        """Stop the active command, forget all signs, and disarm."""
        actions = self.stop(cause, now) if self._active else []
        self._forget_signs()
        self._order.ignore_until(self._present(now))
        self._show(armed=self._arming is None)
        return actions

    def _stop_at(
        self, stamp: int | None, cause: str, now: Now, disarms: bool = True
    ) -> list[Action]:
        """Stop, and ignore signs that begin before a capture time."""
        self._end_active()
        self._signs.clear()
        self._order.ignore_until(stamp)
        armed = self.state.armed and not (self._arming and disarms)
        self._show(armed=armed, stopped=cause)
        return self._begin_stop(now)

    def _observe(self, now: Now) -> list[Action]:
        """End what time alone has ended before an event: evidence, arming, a clock that was set."""
        if now.clock is not None:
            last, self._offset = self._offset, now.clock - now.steady
            if last is not None and is_clock_jump(self._offset - last):
                actions = self.reset("the clock was set", now)
                self._order.restart(self._present(now))
                return actions
        return [*self._expire_arming(now), *self._check_evidence(now)]

    def _check_evidence(self, now: Now) -> list[Action]:
        """Stop the active command if there is no evidence for it."""
        lost = self._evidence.lost(now)
        self._show(lost=lost)
        return self.stop(lost, now) if lost and self._active else []

    def _present(self, now: Now) -> int | None:
        """Return the capture time of this moment; None if it is unknown."""
        return now.clock if self._evidence.live else self._evidence.newest

    def _on_stop_sign(self, sign: RecognizedSign, now: Now) -> list[Action]:
        """Stop once per sign, although its final gloss follows partial ones."""
        if sign.confidence < self._stop.confidence:  # NaN is no reason to go on
            self._show(ignored=_too_unsure(sign, self._stop.confidence))
            return []
        until, present = self._stop_sign_until, self._present(now)
        known = until is not None and sign.start < until and not self._active
        end = None if present is None else min(sign.end, present)
        if end is not None:
            self._stop_sign_until = max(end, end if until is None else until)
        return [] if known else self._stop_at(end, sign.gloss, now, self._stop.disarms)

    def _rejection(self, sign: RecognizedSign, now: Now) -> str:
        """Return why a sign other than a stop is ignored, "" if it is accepted."""
        if sign.source != self._evidence.source:
            return f"{sign.gloss} was sent by another process than the recognizer's"
        if sign.model_id != self._evidence.model_id:
            return f"{sign.gloss} was recognized by another model, {sign.model_id or 'unnamed'}"
        if fault := self._order.admit(sign, self._present(now)):
            return fault
        if lost := self._evidence.lost(now):
            return f"{sign.gloss} is ignored: {lost}"
        if self._arming and sign.gloss == self._arming.gloss:
            sure = sign.confidence >= self._arming.confidence
            return "" if sure else _too_unsure(sign, self._arming.confidence)
        return "" if self.state.armed else f"not armed when {sign.gloss} was signed"

    def _follow(self, sign: RecognizedSign, now: Now) -> list[Action]:
        """Append a sign, and begin the longest command that the signs complete."""
        self._signs = [*self._signs, sign][-self._longest :]
        ending = [each for each in self._commands.commands if self._ends_with(each.pattern)]
        reason = "" if ending else f"{sign.gloss} completes no command"
        for command in sorted(ending, key=lambda each: -len(each.pattern)):
            signs = self._signs[-len(command.pattern) :]
            objection = self._unmet_condition(command, signs)
            if not objection:
                if len(signs) > 1:
                    self._signs.clear()
                self._done[command.name] = sign.end
                return self._begin(command, now)
            reason = reason or objection
        self._show(ignored=reason)
        return []

    def _ends_with(self, pattern: Sequence[str]) -> bool:
        return tuple(sign.gloss for sign in self._signs[-len(pattern) :]) == tuple(pattern)

    def _unmet_condition(self, command: Command, signs: Sequence[RecognizedSign]) -> str:
        """Return why a command does not start although its signs match, "" if it does."""
        for sign in signs:
            if not sign.confidence >= command.confidence:
                return _too_unsure(sign, command.confidence)
        if len(signs) > 1 and signs[-1].end - signs[0].start > _nanoseconds(command.within):
            return f"{command.name} took longer than {command.within:g} s"
        cooldown, done = self._commands.cooldown(command), self._done.get(command.name)
        if done is not None and signs[-1].end - done < _nanoseconds(cooldown):
            return f"{command.name} came less than {cooldown:g} s after the last time"
        return ""

    def _begin(self, command: Command, now: Now) -> list[Action]:
        """Begin a command; first stop the active one if its topics differ."""
        actions: list[Action] = []
        moved, active = self._commands.moved_by(command), self._active
        if active and not self._commands.moved_by(active.command) <= moved:
            self._show(stopped=f"{command.name} instead of {active.command.name}")
            actions += self._begin_stop(now)
        self._end_active()
        if moved:
            self._active = self._activate(command, now.steady)
            self._supersede_stop(moved)
            self._show(active=command.name)
        self._show(last_command=command.name)
        self._arm(now)
        return actions + command.actions

    def _activate(self, command: Command, now: int) -> _Active:
        if command.mode == "once":  # a motion that a service began lasts until a stop
            lasts = _nanoseconds(self._stop.base_timeout or BASE_TIMEOUT)
            until = now + lasts if self._commands.moved_by(command) & command.topics else None
            return _Active([], lasts, now, until, command)
        period = _nanoseconds(1 / command.publish_rate)
        until = now + _nanoseconds(command.duration) if command.duration else None
        return _Active(command.publish or [], period, now + period, until, command)

    def _begin_stop(self, now: Now) -> list[Action]:
        """Return the stop entry's actions; its messages for moving parts will be repeated."""
        period, until = _nanoseconds(1 / STOP_RATE), now.steady + _nanoseconds(STOP_DURATION)
        self._stopping = _Repetition(self._stop_messages, period, now.steady + period, until)
        return self._stop.actions

    def _supersede_stop(self, topics: set[str]) -> None:
        """Repeat stop messages no longer on the topics of a command that begins."""
        if self._stopping:
            left = [each for each in self._stopping.messages if each.topic not in topics]
            self._stopping.messages = left

    def _arm(self, now: Now) -> None:
        if self._arming:
            self._armed_until = now.steady + _nanoseconds(self._arming.timeout)
            self._show(armed=True)

    def _expire_arming(self, now: Now) -> list[Action]:
        """Disarm when no sign arrives for too long, and stop the active command."""
        if not self._arming or not self.state.armed or now.steady < self._armed_until:
            return []
        actions = self.stop("nothing signed for too long", now) if self._active else []
        self._signs.clear()
        self._show(armed=False)
        return actions

    def _end_active(self) -> None:
        self._active = None
        self._show(active="")

    def _show(self, **changes: str | bool) -> None:
        self.state = replace(self.state, **changes)  # type: ignore[arg-type]


def _nanoseconds(seconds: float) -> int:
    return round(seconds * NANOSECONDS)


def _too_unsure(sign: RecognizedSign, wanted: float) -> str:
    return f"{sign.gloss} is unsure: {sign.confidence:.2f}, at least {wanted:.2f} is needed"
