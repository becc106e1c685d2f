# SPDX-License-Identifier: MIT
"""Time: stamps are integer nanoseconds, and a clock jump starts a new stream."""

NANOSECONDS = 1_000_000_000  # per second
CLOCK_JUMP_BACK = NANOSECONDS  # a stamp further back is a clock jump, not a late frame
CLOCK_JUMP_AHEAD = 5 * NANOSECONDS  # a stamp further ahead is a clock jump, not a pause


def seconds(nanoseconds: float) -> float:
    """Convert a difference of stamps to seconds."""
    return nanoseconds / NANOSECONDS


def is_clock_jump(elapsed: int) -> bool:
    """Return whether two successive stamps ``elapsed`` nanoseconds apart span a clock jump."""
    return not -CLOCK_JUMP_BACK <= elapsed <= CLOCK_JUMP_AHEAD
