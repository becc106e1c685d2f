# SPDX-License-Identifier: MIT
"""Calibration: figures by hand, and a fit that finds what confidences are worth."""

from __future__ import annotations

import math

import numpy as np
import pytest

from whispersign_model.decoding.confidence import ConfidenceScale
from whispersign_model.errors import DatasetError
from whispersign_model.evaluation.calibration import (
    Emission,
    Fit,
    emissions,
    fit_confidence,
    reliability,
)
from whispersign_model.evaluation.evaluate import Reading


def boasting(count: int, seed: int, flattered: float = 0.0) -> list[Emission]:
    """Emissions of a network whose odds are twice too far from even, and worse of gloss B."""
    generator = np.random.default_rng(seed)
    found = []
    for index in range(count):
        gloss = "AB"[index % 2]
        odds = generator.normal(1.0, 1.0)
        honest = 1 / (1 + math.exp(-(odds - flattered * (gloss == "B"))))
        said = 1 / (1 + math.exp(-2 * odds))
        found.append(Emission(gloss, said, bool(generator.random() < honest)))
    return found


def test_an_emission_is_right_where_the_alignment_pairs_it_with_itself() -> None:
    reading = Reading("x", "", tuple("ABC"), tuple("AXCD"), (0.9, 0.8, 0.7, 0.6))
    assert emissions([reading]) == [
        ("A", 0.9, True),
        ("X", 0.8, False),
        ("C", 0.7, True),
        ("D", 0.6, False),
    ]


def test_reliability_by_hand() -> None:
    found = [Emission("A", 0.92, True), Emission("A", 0.98, False), Emission("A", 1.0, True)]
    found.append(Emission("B", 0.1, False))
    measured = reliability(found)
    last = measured.bins[-1]
    assert (last.low, last.high, last.glosses) == (0.9, 1.0, 3)
    assert (last.confidence, last.accuracy) == pytest.approx((2.9 / 3, 2 / 3))
    assert measured.bins[1].glosses == 1
    assert measured.error == pytest.approx((3 * (2.9 - 2) / 3 + 0.1) / 4)
    assert measured.brier == pytest.approx((0.08**2 + 0.98**2 + 0 + 0.1**2) / 4)
    assert math.isnan(reliability([]).error)


def test_a_fit_makes_confidences_honest_on_other_data() -> None:
    scale = fit_confidence(boasting(2000, seed=0))
    assert scale.slope == pytest.approx(0.5, abs=0.08)
    assert scale.offset == pytest.approx(0.0, abs=0.25)
    other = boasting(2000, seed=1)
    assert reliability(other).error > 0.05
    assert reliability(other, scale).error < 0.03


def test_a_gloss_that_is_often_wrong_is_believed_less() -> None:
    scale = fit_confidence(boasting(2000, seed=0, flattered=2.0))
    assert scale.glosses["B"] - scale.glosses["A"] == pytest.approx(-2, abs=0.4)
    assert scale("B", 0.9) < scale("A", 0.9)


def test_always_wrong_confidences_still_increase_and_no_results_are_refused() -> None:
    never = fit_confidence([Emission("A", 0.1, True), Emission("A", 0.99, False)] * 50)
    assert never.slope > 0
    with pytest.raises(DatasetError, match="no gloss was recognized"):
        fit_confidence([])


@pytest.mark.parametrize(("results", "steepest"), [(1, 0.5), (40, 0.5), (60, 0.75), (79, 0.9875)])
def test_few_results_widen_and_never_sharpen(results: int, steepest: float) -> None:
    """However right a handful of results is, it does not say that the next one will be."""
    always = fit_confidence([Emission("A", 0.9, True)] * results)
    assert always.slope == pytest.approx(steepest, abs=1e-3)
    assert always.offset <= 0
    assert all(offset <= 0 for offset in always.glosses.values())
    assert 0.5 < always("A", 0.9) < 0.9
    assert always("A", 0.1) >= 0.1
    wrong = fit_confidence([Emission("A", 0.9, False)] * results)
    assert wrong("A", 0.9) < always("A", 0.9)


def test_enough_results_may_sharpen() -> None:
    assert fit_confidence([Emission("A", 0.9, True)] * 80)("A", 0.9) > 0.95


def test_a_fit_says_how_many_results_are_missing() -> None:
    assert str(Fit(ConfidenceScale(slope=1.5, offset=-0.25), 80)) == "slope 1.50, offset -0.25"
    few = str(Fit(ConfidenceScale(slope=0.5), 7))
    assert few.startswith("slope 0.50, offset +0.00; lowered, because 7 results are too few")
    assert "80 are needed" in few


def test_the_fit_is_no_more_than_the_data_say() -> None:
    honest = [Emission("A", 0.75, index % 4 > 0) for index in range(400)]
    assert fit_confidence(honest)("A", 0.75) == pytest.approx(0.75, abs=0.01)
    assert ConfidenceScale()("A", 0.75) == 0.75
