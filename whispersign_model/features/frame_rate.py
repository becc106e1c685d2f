# SPDX-License-Identifier: MIT
"""The frame rate of a stream by its capture times, and streams too slow to be recognized."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from whispersign_model.arrays import Ints
from whispersign_model.features.streams import REPEATED
from whispersign_model.timestamps import NANOSECONDS, is_clock_jump

MIN_FRAME_RATE = 8.0  # frames per second; signs are not recognized in a slower stream
RECOVERED = 1.1 * MIN_FRAME_RATE  # from which a slow stream counts as recovered
SPAN = 5 * NANOSECONDS  # a rate is measured over this time and this many frame periods, at least
MIN_PERIODS = 5
NAMED = 10  # slow recordings that a text lists by name
REMEDY = (
    f"at least {MIN_FRAME_RATE:g} are needed: give the camera more light or a smaller picture, and "
    "the computer less other work"
)
GAP, GAP_PERIODS = NANOSECONDS // 2, 3.0  # a longer period is a gap: nanoseconds, mean periods


class FrameRateMonitor:
    """Measures the frame rate of a stream, and notices once when it becomes too low.

    Only capture times count, so a stream that is played slowly or arrives late is not slow. Gaps,
    clock jumps, and late or repeated frames do not count.

    Attributes:
        rate: frames per second of the last ``SPAN``; 0 before the first one has passed.
        lowest: the lowest rate so far; 0 before.
    """

    def __init__(self) -> None:
        self.rate = self.lowest = 0.0
        self._last: int | None = None
        self._periods: list[int] = []
        self._elapsed = 0  # their sum
        self._noticed = False

    @property
    def fault(self) -> str:
        """Why no sign is recognized at the last rate and what helps, or ""."""
        return slow_text(self.rate) if _is_slow(self.rate) else ""

    def push(self, stamp: int) -> bool:
        """Process the capture time of a frame, in nanoseconds.

        Returns:
            True if the stream has become too slow, for the first time or since it recovered.
        """
        period = 0 if self._last is None else stamp - self._last
        if self._last is not None and not is_clock_jump(period):
            if period < REPEATED:
                return False
            self._periods.append(period)
            self._elapsed += period
        self._last = stamp
        return self._elapsed >= SPAN and len(self._periods) >= MIN_PERIODS and self._measure()

    def finish(self) -> None:
        """End the stream; if it was too short for a measurement, take what there is."""
        if not self.rate and len(self._periods) >= MIN_PERIODS:
            self._measure()

    def _measure(self) -> bool:
        """Measure the rate, and start again; return whether it has become too low."""
        periods = np.array(self._periods)
        self._periods, self._elapsed = [], 0
        kept = periods[periods <= max(GAP, GAP_PERIODS * float(periods.mean()))]
        self.rate = NANOSECONDS / float(kept.mean())
        self.lowest = min(self.lowest or self.rate, self.rate)
        before, slow = self._noticed, _is_slow(self.rate)
        self._noticed = slow or (before and self.rate < RECOVERED)
        return slow and not before


def _is_slow(rate: float) -> bool:
    return 0 < round(rate, 1) < MIN_FRAME_RATE


def slow_text(rate: float) -> str:
    """Return why no sign is recognized at a rate, and what to do about it."""
    return f"{rate:.1f} frames per second are too few to recognize signs; {REMEDY}"


def slow_rate(stamps: Ints) -> float:
    """Return the lowest frame rate of a recording if it is too low, or 0.

    Args:
        stamps: ``(T,)`` capture times in nanoseconds, in order of arrival.
    """
    monitor = FrameRateMonitor()
    for stamp in stamps.tolist():
        monitor.push(stamp)
    monitor.finish()
    return monitor.lowest if _is_slow(monitor.lowest) else 0.0


def describe_slow(rates: Mapping[str, float]) -> str:
    """Return one line that names the recordings whose ``slow_rate`` is not 0; "" for none."""
    slow = {name: rate for name, rate in rates.items() if rate}
    names = ", ".join(f"{name} ({rate:.1f})" for name, rate in list(slow.items())[:NAMED])
    more = f" and {len(slow) - NAMED} more" if len(slow) > NAMED else ""
    return f"too few frames per second to recognize signs: {names}{more}; {REMEDY}" if slow else ""
