# SPDX-License-Identifier: MIT
"""Scenarios, their outcomes, and the recovery check for a fault in a running graph."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reliability.live import BrokenError, LiveGraph
from whispersign_model.evaluation.metrics import GlossErrors
from whispersign_ros.graph.monitor import GraphTimeoutError, TimedGloss

WITHIN = 2.0  # seconds after recovery within which a sign must be recognized
LAST_GLOSSES = 5.0  # further seconds allowed for the final glosses


@dataclass(frozen=True)
class Outcome:
    """The outcome of a fault.

    Attributes:
        happened: the graph's reaction, in words.
        again: seconds from recovery to the first gloss of a sign started after it; None if not
            measured.
        lost: the losses, in words.
    """

    happened: str
    again: float | None
    lost: str


@dataclass(frozen=True)
class Scenario:
    """One fault.

    Attributes:
        name: the fault, in words.
        promise: the promise, in words.
        play: runs the scenario on the running graph or its own; raises ``BrokenError`` if a promise
            is broken.
    """

    name: str
    promise: str
    play: Callable[..., Outcome]


def survive(graph: LiveGraph, fault: Callable[[], str], all_kept: bool = False) -> Outcome:
    """Cause a fault in the middle of a sign, and check that the graph recognizes signs again.

    Args:
        graph: a healthy graph.
        fault: causes the fault, returns when its cause is over, and says what happened.
        all_kept: signs made during the fault must be recognized too.

    Raises:
        BrokenError: a sign before or after the fault is lost, or recovery takes too long.
    """
    since = time.monotonic()
    graph.mid_sign()
    begin = time.monotonic()
    happened = fault()
    end = time.monotonic()
    again = graph.again()
    if again > WITHIN:
        raise BrokenError(f"{happened}; recovered only after {again:.1f} s")
    wait_for_finals(graph, end)
    lost = graph.unrecognised(since)
    meanwhile = [sign for sign in lost if began(sign) < end and sign.arrival > begin]
    soon = [sign for sign in lost if end <= began(sign) < end + WITHIN]
    elsewhere = [sign.gloss for sign in lost if sign not in meanwhile + soon]
    if elsewhere:
        raise BrokenError(f"{happened}; lost before or after it: {' '.join(elsewhere)}")
    made = [s for s in graph.source().signed if s.arrival > begin and began(s) < end]
    if all_kept and meanwhile:
        raise BrokenError(f"{happened}; {len(meanwhile)} of {len(made)} signs lost")
    return Outcome(happened, again, "nothing" if all_kept else of(len(meanwhile), len(made)))


def wait_for_finals(graph: LiveGraph, since: float) -> None:
    """Wait until a sign started since then has a final gloss, or for ``LAST_GLOSSES``."""

    def one() -> bool:
        begun = [sign for sign in graph.source().signed if began(sign) > since]
        return bool(begun) and not graph.unrecognised(since)

    try:
        graph.until(one, "final glosses", LAST_GLOSSES)
    except GraphTimeoutError:
        return  # the caller counts the missing glosses


def began(sign: TimedGloss) -> float:
    """Return the start of a feed's sign, ``time.monotonic()``; ``arrival`` is its end."""
    return sign.arrival - (sign.end - sign.start) / 1e9


def of(lost: int, made: int) -> str:
    """Describe how many signs were lost."""
    return f"{lost} of {made} signs during the fault" if made else "the current sign"


def new_drops(graph: LiveGraph, before: dict[str, dict[str, int]], node: str, cause: str) -> int:
    """Return the increase of a node's loss counter."""
    now = graph.drops().get(node, {}).get(cause, 0)
    return now - before.get(node, {}).get(cause, 0)


def right_share(signed: Sequence[TimedGloss], recognised: Sequence[TimedGloss]) -> float:
    """Return the gloss accuracy: 1 - (substitutions + deletions + insertions) / signs.

    Args:
        signed: at least one sign.
        recognised: final glosses from the same time.
    """
    reference = [sign.gloss for sign in sorted(signed, key=lambda sign: sign.start)]
    hypothesis = [sign.gloss for sign in sorted(recognised, key=lambda sign: sign.start)]
    errors = GlossErrors()
    errors.add(reference, hypothesis)
    return 1 - errors.wer
