# SPDX-License-Identifier: MIT
"""The comparison of ways to read continuous signing, with networks whose answers are known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from whispersign_model.crossval.continuous import Live, Tally
from whispersign_model.decoding.result import RecognizedGloss, Result
from whispersign_model.recordings.recording import Segment
from whispersign_model.synthesis.signer import Signer
from whispersign_model.timestamps import NANOSECONDS


def gloss(name: str, start: float, end: float, stable: bool = False) -> RecognizedGloss:
    times = round(start * NANOSECONDS), round(end * NANOSECONDS)
    return RecognizedGloss(name, 1, *times, confidence=0.9, stable=stable)


def at(seconds: float) -> int:
    return round(seconds * NANOSECONDS)


@pytest.mark.parametrize(
    ("heard", "doubled", "kept"),
    [
        ("A B B C", 0, 1),
        ("A B C", 0, 0),
        ("A A B B C", 1, 1),
        ("A B B B C", 1, 1),
        ("A B B C D", 0, 1),
        ("A X B C", 0, 0),
    ],
)
def test_repeats_kept_and_glosses_doubled(heard: str, doubled: int, kept: int) -> None:
    tally = Tally()
    tally.add(["A", "B", "B", "C"], heard.split())
    report = tally.report()
    assert (report["doubled"], report["repeats_kept"], report["repeats"]) == (doubled, kept, 1)


def test_delays_count_from_the_true_end_and_overlap_with_the_true_span() -> None:
    recording = Signer(0).sign_sentence(["GO", "STOP"])
    signed = (Segment(("GO",), 0, at(1)), Segment(("STOP",), at(2), at(3)))
    recording = replace(recording, segments=signed)
    results = [
        Result(False, 0, (gloss("GO", 0, 1, stable=True),), at(1.25)),
        Result(False, 0, (gloss("GO", 0, 1, stable=True), gloss("HELLO", 2, 3)), at(2.5)),
        Result(True, 0, (gloss("GO", 0.5, 1), gloss("STOP", 2, 3)), at(3.5)),
    ]
    live = Live()
    live.add(recording, results)
    assert live.delays == [0.5]
    assert live.first_seen == [0.25, -0.5]
    assert live.overlaps == [0.5, 1.0]
    assert (live.stable, live.revised) == (1, 0)
    wrong = [results[0], Result(True, 0, (gloss("STOP", 0, 1),), at(2))]
    live.add(recording, wrong)
    assert (live.stable, live.revised) == (2, 1)
    assert live.delays == [0.5]  # nothing is told of a sentence that was not recognised
