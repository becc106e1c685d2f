# SPDX-License-Identifier: MIT
"""Time: stamps in integer nanoseconds, and the detection of clock jumps."""

NANOSECONDS = 1_000_000_000  # per second
CLOCK_JUMP_BACK = NANOSECONDS  # a stamp that goes back further is a clock jump, not a late frame
CLOCK_JUMP_AHEAD = 5 * NANOSECONDS  # a stamp that goes ahead further is a clock jump, not a pause


def seconds(nanoseconds: float) -> float:
    """Convert a difference of stamps to seconds."""
    return nanoseconds / NANOSECONDS


def is_clock_jump(elapsed: int) -> bool:
    """Return whether a step of ``elapsed`` nanoseconds between two stamps is a clock jump."""
    return not -CLOCK_JUMP_BACK <= elapsed <= CLOCK_JUMP_AHEAD
