# SPDX-License-Identifier: MIT
"""State machine of a recording session; frames, time and commands drive it."""

from dataclasses import dataclass
from typing import Protocol

from whispersign_model.errors import WhisperSignError
from whispersign_model.features.frame_rate import MIN_FRAME_RATE
from whispersign_model.recordings.takes import Take
from whispersign_model.timestamps import NANOSECONDS, is_clock_jump
from whispersign_msgs.msg import Prompt
from whispersign_ros.node.stream_monitor import SequenceTracker
from whispersign_ros.recording.prompt_plan import PromptPlan, glosses_of

WAITING, COUNTDOWN, SIGNING = Prompt.WAITING, Prompt.COUNTDOWN, Prompt.SIGNING
KEPT, PAUSED, ENDED = Prompt.KEPT, Prompt.PAUSED, Prompt.ENDED
MIN_SIGN = NANOSECONDS // 10  # minimum time with hands in view in a take
NO_FRAMES = "no frames on {topic}; is the sensor connected?"
NO_HANDS = "no hands seen; show a hand to the sensor to continue"


@dataclass(frozen=True)
class Timing:
    """Durations in seconds.

    Attributes:
        countdown: time before each take.
        signing: maximum duration of a take per gloss.
        away: time without hands after which a take ends, once hands were seen; 0 disables this.
        rest: time after each take.
        silence: time without a frame after which the session waits for the sensor.
    """

    countdown: float
    signing: float
    away: float
    rest: float
    silence: float


@dataclass(frozen=True)
class PromptState:
    """Content of a prompt, except the time left."""

    phase: int
    take: Take | None
    next_gloss: str
    text: str
    done: int
    total: int


class Recorder(Protocol):
    """Stores the takes of a session; each method may raise WhisperSignError."""

    def begin(self, take: Take) -> None:
        """Start a take at the next frame."""

    def keep(self, start: int, end: int) -> None:
        """Store the take with a label between these capture times."""

    def abandon(self, start: int, end: int) -> None:
        """Drop the take between these capture times."""

    def discard(self, take: Take, start: int, end: int) -> None:
        """Mark a stored take as discarded."""


@dataclass
class _TakeWindow:
    """First and last capture times (ns) of all frames and of frames with hands; 0 if none."""

    first: int = 0
    last: int = 0
    seen_first: int = 0
    seen_last: int = 0
    frames: int = 0

    def add(self, stamp: int, hands: int) -> None:
        self.first = self.first or stamp
        self.last = max(self.last, stamp)
        self.frames += 1
        if hands:
            self.seen_first = self.seen_first or stamp
            self.seen_last = max(self.seen_last, stamp)

    def jumps(self, stamp: int) -> bool:
        return bool(self.frames) and is_clock_jump(stamp - self.last)


class RecordingSession:
    """Guides a signer through a prompt plan.

    Attributes:
        trouble: the sensor's fault from its diagnostics, or "" if there is none.

    Args:
        plan: the takes to record.
        timing: durations of the phases.
        recorder: stores the takes.
        topic: topic of the frames, used in messages.
        now: monotonic time in seconds.
    """

    def __init__(
        self, plan: PromptPlan, timing: Timing, recorder: Recorder, topic: str, now: float
    ) -> None:
        self._plan = plan
        self._timing = timing
        self._recorder = recorder
        self._topic = topic
        self._window = _TakeWindow()
        self._sequence = SequenceTracker()
        self._last: tuple[Take, int, int] | None = None  # the last stored take
        self._last_frame = now  # its arrival time
        self._awaited = ""  # "frames" or "hands", while waiting
        self._deadline = 0.0
        self.trouble = ""
        self._shown = PromptState(WAITING, plan.current, plan.next_gloss, "", plan.done, plan.total)
        if plan.current is None:
            self._end(f"all {plan.total} takes are recorded")
        else:
            self._wait("frames", self._no_frames())

    @property
    def shown(self) -> PromptState:
        """The current prompt."""
        return self._shown

    @property
    def phase(self) -> int:
        """The current phase, one of the constants of ``Prompt``."""
        return self._shown.phase

    def seconds_left(self, now: float) -> float:
        """Return the seconds until the phase ends, or 0 if it has no time limit."""
        timed = self.phase in (COUNTDOWN, SIGNING, KEPT)
        return max(0.0, self._deadline - now) if timed else 0.0

    def frame(self, stamp: int, sequence: int, hands: int, now: float) -> None:
        """Process a frame that the recorder has already written."""
        restart = self._sequence.update(sequence)
        self._last_frame, self.trouble = now, ""
        if self.phase == WAITING:
            if self._awaited == "frames" or hands:
                self._count_down(now)
        elif self.phase == SIGNING:
            if restart or self._window.jumps(stamp):
                self._abandon()
                self._count_down(now, "the sensor restarted; repeat the sign")
                return
            self._window.add(stamp, hands)
            gone = stamp - self._window.seen_last if self._window.seen_last else 0
            if self._timing.away and gone >= self._timing.away * NANOSECONDS:
                self._finish(now)

    def tick(self, now: float) -> None:
        """Advance the time; call this many times per second."""
        timed = self.phase in (COUNTDOWN, SIGNING)
        if timed and now - self._last_frame > self._timing.silence:
            self._abandon()
            self._wait("frames", self._no_frames())
        elif self.phase == WAITING and self._awaited == "frames":
            self._show(WAITING, self._no_frames())
        elif now < self._deadline:
            return
        elif self.phase == COUNTDOWN:
            self._sign(now)
        elif self.phase == SIGNING:
            self._finish(now)
        elif self.phase == KEPT:
            self._advance(now)

    def repeat(self, now: float) -> str:
        """Repeat the current or last take; return a message for the signer.

        Raises:
            WhisperSignError: there is no take, or its bag cannot be written.
        """
        if self.phase == SIGNING:
            self._abandon()
        else:
            self._plan.discarded(self._discard_last(), now=True)
        self._resume(now)
        assert self._plan.current is not None
        return f"{self._plan.current.gloss} again"

    def discard(self, now: float) -> str:
        """Discard the current or last take, and move its gloss to the end.

        Raises:
            WhisperSignError: there is no take, or its bag cannot be written.
        """
        if self.phase == SIGNING:
            assert self._plan.current is not None
            gloss = self._plan.current.gloss
            self._abandon()
            self._plan.later()
            self._count_down(now)
        else:
            take = self._discard_last()
            gloss = take.gloss
            self._plan.discarded(take, now=False)
            self._show(self.phase, f"{gloss} discarded; it returns at the end")
        return f"{gloss} discarded; it returns at the end"

    def pause(self, now: float) -> str:
        """Pause or continue; return a message for the signer."""
        self._refuse_at_the_end()
        if self.phase == PAUSED:
            self._advance(now)
            return "continuing"
        self._abandon()
        self._show(PAUSED, "paused")
        return "paused"

    def skip(self, now: float) -> str:
        """Skip the take, or the rest period after a take; return a message for the signer."""
        self._refuse_at_the_end()
        if self.phase != KEPT:
            self._abandon()
            self._plan.skip()
        if self.phase in (WAITING, PAUSED) and self._plan.current is not None:
            self._show(self.phase, self._shown.text)
        else:
            self._advance(now)
        current = self._plan.current
        return f"next is {current.gloss}" if current else self._shown.text

    def stop(self) -> str:
        """End the session."""
        self._refuse_at_the_end()
        self._abandon()
        self._end("stopped")
        return "stopped"

    def fail(self, error: WhisperSignError) -> None:
        """Pause, because the current take could not be written."""
        self._window = _TakeWindow()
        self._show(PAUSED, f"{error}; free disk space and continue; the take will be repeated")

    def _refuse_at_the_end(self) -> None:
        if self.phase == ENDED:
            raise WhisperSignError("the session", "has ended")

    def _no_frames(self) -> str:
        return self.trouble or NO_FRAMES.format(topic=self._topic)

    def _count_down(self, now: float, text: str = "") -> None:
        self._deadline = now + self._timing.countdown
        self._show(COUNTDOWN, text)

    def _sign(self, now: float) -> None:
        take = self._plan.current
        assert take is not None
        self._window = _TakeWindow()
        try:
            self._recorder.begin(take)
        except WhisperSignError as error:
            self.fail(error)
            return
        self._deadline = now + self._timing.signing * len(glosses_of(take.gloss))
        self._show(SIGNING, "")

    def _finish(self, now: float) -> None:
        """End the take, and store it if it contains hands."""
        window, take = self._window, self._plan.current
        assert take is not None
        if window.seen_last - window.seen_first < MIN_SIGN:
            self._abandon()
            self._wait("hands", NO_HANDS)
            return
        start, end = window.seen_first, window.seen_last
        try:
            self._recorder.keep(start, end)
        except WhisperSignError as error:
            self.fail(error)
            return
        self._last = take, start, end
        self._plan.kept()
        self._deadline = now + self._timing.rest
        rate = window.frames / max((window.last - window.first) / NANOSECONDS, 1e-3)
        seconds = (end - start) / NANOSECONDS
        text = f"{seconds:.1f} s with hands, {rate:.0f} frames per second"
        few = round(rate) < MIN_FRAME_RATE
        self._show(KEPT, f"{text}, but {MIN_FRAME_RATE:g} are needed" if few else text)
        self._window = _TakeWindow()

    def _abandon(self) -> None:
        """Drop the current take, if there is one."""
        if self.phase == SIGNING:
            self._recorder.abandon(self._window.first, self._window.last)
            self._window = _TakeWindow()

    def _advance(self, now: float) -> None:
        if self._plan.current is not None:
            self._count_down(now)
        elif self._plan.missing:
            self._end("the end; some takes were skipped")
        else:
            self._end(f"all {self._plan.total} takes are recorded")

    def _resume(self, now: float) -> None:
        """Restart the countdown, unless the session waits or is paused."""
        if self.phase in (WAITING, PAUSED):
            self._show(self.phase, self._shown.text)
        else:
            self._count_down(now)

    def _discard_last(self) -> Take:
        self._refuse_at_the_end()
        if self._last is None:
            raise WhisperSignError("the session", "has no take to discard")
        take, start, end = self._last
        self._recorder.discard(take, start, end)
        self._last = None
        return take

    def _wait(self, awaited: str, text: str) -> None:
        self._awaited = awaited
        self._show(WAITING, text)

    def _end(self, text: str) -> None:
        self._show(ENDED, text)

    def _show(self, phase: int, text: str) -> None:
        plan, take, next_gloss = self._plan, self._plan.current, self._plan.next_gloss
        if phase == KEPT and self._last is not None:
            take, next_gloss = self._last[0], take.gloss if take else ""
        elif phase == ENDED:
            take, next_gloss = None, ""
        self._shown = PromptState(phase, take, next_gloss, text, plan.done, plan.total)
