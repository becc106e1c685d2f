# SPDX-License-Identifier: MIT
"""Detection in streams: what counts as found, as false, and how late it was."""

from __future__ import annotations

import math

import pytest

from whispersign_model.evaluation.detection import Found, detect
from whispersign_model.evaluation.evaluate import Reading, detections
from whispersign_model.recordings.recording import Segment
from whispersign_model.timestamps import NANOSECONDS


def segment(gloss: str, start: float, end: float) -> Segment:
    return Segment((gloss,), round(start * NANOSECONDS), round(end * NANOSECONDS))


def found(gloss: str, start: float, end: float, given: float = 9.0) -> Found:
    return Found(gloss, *(round(time * NANOSECONDS) for time in (start, end, given)))


SIGNED = (segment("A", 1, 2), segment("A", 3, 4), segment("B", 5, 6))


def test_a_sign_is_found_by_its_gloss_at_its_place():
    finds = [found("A", 1.9, 2.5, 2.4), found("B", 3, 4), found("B", 6.5, 7)]
    counted = detect([(SIGNED, finds)])
    assert (counted.signed, counted.found, counted.false) == (3, 1, 2)
    assert counted.delays == (pytest.approx(0.4),)


def test_each_find_and_each_sign_counts_once():
    one_for_two = detect([(SIGNED[:2], [found("A", 1, 4)])])
    two_for_one = detect([(SIGNED[:1], [found("A", 1, 1.4), found("A", 1.5, 2)])])
    assert (one_for_two.found, one_for_two.false) == (1, 0)
    assert (two_for_one.found, two_for_one.false) == (1, 1)


def test_streams_are_counted_apart():
    counted = detect([(SIGNED[:1], []), ((), [found("A", 1, 2)])])
    assert (counted.signed, counted.found, counted.false) == (1, 0, 1)
    report = counted.report()
    assert (report["rate"], report["false_positives"]) == (0.0, 1.0)
    assert math.isnan(report["delay_median"])


def test_without_times_there_is_no_detection():
    reading = Reading("r", "", ("A", "B"), ("A",), (1.0,), found=(found("A", 1, 2),))
    whole = Segment(("A", "B"), 0, NANOSECONDS)
    assert detections([reading]) is None
    assert detections([Reading("r", "", ("A", "B"), (), (), segments=(whole,))]) is None
    timed = Reading("r", "", ("A",), ("A",), (1.0,), SIGNED[:1], (found("A", 1, 2),))
    counted = detections([timed])
    assert counted is not None
    assert counted.found == 1
