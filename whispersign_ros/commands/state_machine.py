# SPDX-License-Identifier: MIT
"""State machine that turns signs into commands; the caller supplies the time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from whispersign_model.timestamps import CLOCK_JUMP_BACK, NANOSECONDS
from whispersign_ros.commands.schema import Action, Command, Commands


@dataclass(frozen=True)
class RecognizedSign:
    """A recognized gloss.

    Attributes:
        gloss: its name.
        confidence: in [0, 1].
        start, end: capture times, nanoseconds.
    """

    gloss: str
    confidence: float
    start: int
    end: int


@dataclass(frozen=True)
class State:
    """The visible state of the machine.

    Attributes:
        armed: whether signs other than a stop have an effect.
        active: the held or repeated command, or "" if there is none.
        last_gloss: the last final gloss, or the last partial one that triggered a stop.
        last_command: the last command carried out.
        ignored: why the last gloss had no effect, or "" if it had an effect.
        stopped: cause of the last stop.
    """

    armed: bool
    active: str = ""
    last_gloss: str = ""
    last_command: str = ""
    ignored: str = ""
    stopped: str = ""


@dataclass
class _Active:
    command: Command
    period: int
    due: int
    until: int | None


class CommandMachine:
    """Decides which actions to carry out and when.

    Times between signs (sequences, cooldowns, signs before a stop) come from their stamps. Times
    without signs (rates, durations, timeouts) come from ``now``, nanoseconds of a monotonic clock,
    so a robot stops even while ``/clock`` stands still. Methods return the actions to carry out, in
    order.

    Args:
        commands: content of the commands file.
        inputs: the inputs that a held command needs, each with its timeout in seconds.
        max_age: maximum seconds from the end of a sign to its command; 0 disables the limit.
    """

    def __init__(
        self, commands: Commands, inputs: Mapping[str, float], max_age: float = 0.0
    ) -> None:
        self._commands = commands
        self._stop = commands.stop
        self._arming = commands.arming
        self._inputs = {name: _nanoseconds(timeout) for name, timeout in inputs.items()}
        self._max_age = max_age
        self._longest = max(len(command.pattern) for command in commands.commands)
        self._last_input: dict[str, int] = {}
        self._armed_until = 0
        self._active: _Active | None = None
        self.state = State(armed=self._arming is None)
        self._clear()

    def _clear(self) -> None:
        self._signs: list[RecognizedSign] = []
        self._done: dict[str, int] = {}  # command: end of the sign that last triggered it
        self._last_end: int | None = None
        self._stopped_until: int | None = None  # end of the last stop sign

    def feed(self, name: str, now: int) -> None:
        """Record that a message arrived on an input."""
        self._last_input[name] = now

    def on_final(self, sign: RecognizedSign, now: int, age: float = 0.0) -> list[Action]:
        """Process a final gloss that ended ``age`` seconds ago."""
        actions = self._expire_arming(now)
        if self._last_end is not None and sign.end < self._last_end - CLOCK_JUMP_BACK:
            actions += self.reset("a jump in time")
        self._last_end = max(sign.end, self._last_end or sign.end)
        self._show(last_gloss=sign.gloss, ignored="")
        if sign.gloss in self._stop.gloss:
            return actions + self._on_stop_sign(sign)
        reason = self._rejection(sign, age)
        if reason:
            self._show(ignored=reason)
            return actions
        if self._arming and sign.gloss == self._arming.gloss:
            self._signs.clear()
            self._arm(now)
            return actions
        return actions + self._follow(sign, now)

    def on_partial(self, sign: RecognizedSign, now: int) -> list[Action]:
        """Process a partial gloss; only a stop sign has an effect."""
        actions = self._expire_arming(now)
        if sign.gloss in self._stop.gloss:
            self._show(last_gloss=sign.gloss, ignored="")
            actions += self._on_stop_sign(sign)
        return actions

    def tick(self, now: int) -> list[Action]:
        """Carry out due actions; call it more often than the highest publish rate."""
        actions = self._expire_arming(now)
        active = self._active
        if active is None:
            return actions
        silent = self._silent(now)
        if silent:
            return actions + self.stop(f"{silent} is silent")
        if active.until is not None and now >= active.until:
            self._end_active()
            self._show(stopped=f"the end of {active.command.name}")
            self._arm(now)
            return actions + self._stop.actions
        if now >= active.due:
            late = now - active.due >= active.period
            active.due = active.period + (now if late else active.due)
            actions += active.command.publish or []
        return actions

    def stop(self, cause: str) -> list[Action]:
        """End the active command and carry out the stop entry, in any state."""
        self._end_active()
        self._signs.clear()
        armed = self.state.armed and not (self._arming and self._stop.disarms)
        self._show(armed=armed, stopped=cause)
        return self._stop.actions

    def reset(self, cause: str) -> list[Action]:
        """Stop the active command, forget all signs, and disarm."""
        actions = self.stop(cause) if self._active else []
        self._clear()
        self._show(armed=self._arming is None)
        return actions

    def _on_stop_sign(self, sign: RecognizedSign) -> list[Action]:
        """Stop once per sign, even if partial and final glosses both report it."""
        if not sign.confidence >= self._stop.confidence:
            self._show(ignored=_too_unsure(sign, self._stop.confidence))
            return []
        until = self._stopped_until
        known = until is not None and sign.start < until and not self._active
        self._stopped_until = max(sign.end, until or sign.end)
        return [] if known else self.stop(sign.gloss)

    def _rejection(self, sign: RecognizedSign, age: float) -> str:
        """Return why a sign other than a stop is ignored, or "" if it is accepted."""
        if self._stopped_until is not None and sign.start < self._stopped_until:
            return f"{sign.gloss} was signed before the stop"
        if self._max_age and age > self._max_age:
            return f"{sign.gloss} is {age:.1f} s old"
        if self._arming and sign.gloss == self._arming.gloss:
            sure = sign.confidence >= self._arming.confidence
            return "" if sure else _too_unsure(sign, self._arming.confidence)
        return "" if self.state.armed else f"not armed when {sign.gloss} was signed"

    def _follow(self, sign: RecognizedSign, now: int) -> list[Action]:
        """Append a sign, and start the longest command that is now complete."""
        self._signs = [*self._signs, sign][-self._longest :]
        ending = [each for each in self._commands.commands if self._ends_with(each.pattern)]
        reason = "" if ending else f"{sign.gloss} completes no command"
        for command in sorted(ending, key=lambda each: -len(each.pattern)):
            signs = self._signs[-len(command.pattern) :]
            objection = self._unmet_condition(command, signs, now)
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

    def _unmet_condition(self, command: Command, signs: Sequence[RecognizedSign], now: int) -> str:
        """Return why a command whose signs match cannot start, or "" if it can."""
        for sign in signs:
            if not sign.confidence >= command.confidence:
                return _too_unsure(sign, command.confidence)
        if any(later.end <= earlier.end for earlier, later in pairwise(signs)):
            return f"the signs of {command.name} were not in order"
        if len(signs) > 1 and signs[-1].end - signs[0].start > _nanoseconds(command.within):
            return f"{command.name} took longer than {command.within:g} s"
        done = self._done.get(command.name)
        if done is not None and signs[-1].end - done < _nanoseconds(command.cooldown):
            return f"{command.name} was repeated within its cooldown of {command.cooldown:g} s"
        silent = self._silent(now) if command.mode != "once" else ""
        return f"{silent} is silent, so {command.name} cannot run" if silent else ""

    def _begin(self, command: Command, now: int) -> list[Action]:
        """Start a command; first stop the active one if it uses other topics."""
        actions: list[Action] = []
        if self._active and not self._active.command.topics <= command.topics:
            self._show(stopped=f"{command.name} instead of {self._active.command.name}")
            actions += self._stop.actions
        self._end_active()
        if command.mode != "once":
            period = _nanoseconds(1 / command.publish_rate)
            until = now + _nanoseconds(command.duration) if command.duration else None
            self._active = _Active(command, period, now + period, until)
            self._show(active=command.name)
        self._show(last_command=command.name)
        self._arm(now)
        return actions + command.actions

    def _arm(self, now: int) -> None:
        if self._arming:
            self._armed_until = now + _nanoseconds(self._arming.timeout)
            self._show(armed=True)

    def _expire_arming(self, now: int) -> list[Action]:
        """Disarm and stop the active command if no sign was accepted for too long."""
        if not self._arming or not self.state.armed or now < self._armed_until:
            return []
        actions = self.stop("nothing signed for too long") if self._active else []
        self._signs.clear()
        self._show(armed=False)
        return actions

    def _silent(self, now: int) -> str:
        """Return the first input whose timeout has passed, or "" if there is none."""
        for name, timeout in self._inputs.items():
            last = self._last_input.get(name)
            if timeout and (last is None or now - last > timeout):
                return name
        return ""

    def _end_active(self) -> None:
        self._active = None
        self._show(active="")

    def _show(self, **changes: str | bool) -> None:
        self.state = replace(self.state, **changes)  # type: ignore[arg-type]


def _nanoseconds(seconds: float) -> int:
    return round(seconds * NANOSECONDS)


def _too_unsure(sign: RecognizedSign, wanted: float) -> str:
    return f"{sign.gloss} has confidence {sign.confidence:.2f}; at least {wanted:.2f} is required"
