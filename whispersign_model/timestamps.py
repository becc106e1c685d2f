# SPDX-License-Identifier: MIT
"""Time: stamps are integer nanoseconds, and a clock that jumps begins another stream."""

NANOSECONDS = 1_000_000_000  # per second
CLOCK_JUMP_BACK = NANOSECONDS  # further back, a stamp is a clock jump and not a late frame
CLOCK_JUMP_AHEAD = 5 * NANOSECONDS  # further ahead, a stamp is a clock jump and not a pause


def seconds(nanoseconds: float) -> float:
    """Return a difference of stamps in seconds."""
    return nanoseconds / NANOSECONDS


def is_clock_jump(elapsed: int) -> bool:
    """Return whether two successive stamps, ``elapsed`` nanoseconds apart, span a clock jump."""
    return not -CLOCK_JUMP_BACK <= elapsed <= CLOCK_JUMP_AHEAD
