# SPDX-License-Identifier: MIT
"""The scale of confidences: what it changes, and that by default it changes nothing."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from whispersign_model.decoding.confidence import MARGIN, ConfidenceScale, log_odds


@pytest.mark.parametrize("confidence", [0.0, 1e-9, 0.3, 0.9999, 1.0])
def test_by_default_nothing_changes(confidence: float) -> None:
    assert ConfidenceScale()("A", confidence) == confidence


def test_log_odds_are_scaled_and_shifted_for_all_and_for_one_gloss() -> None:
    scale = ConfidenceScale(slope=0.5, offset=1.0, glosses={"A": -3.0})
    assert log_odds(scale("B", 0.8)) == pytest.approx(0.5 * log_odds(0.8) + 1)
    assert log_odds(scale("A", 0.8)) == pytest.approx(0.5 * log_odds(0.8) - 2)


def test_order_is_kept_and_nothing_is_certain() -> None:
    scale = ConfidenceScale(slope=0.5, offset=1.0, glosses={"A": -900.0, "B": 900.0})
    values = [scale("C", number / 10) for number in range(11)]
    assert values == sorted(values)
    assert log_odds(1.0) == pytest.approx(-log_odds(0.0)) == pytest.approx(log_odds(1 - MARGIN))
    assert 0 <= scale("A", 0.0) <= scale("B", 1.0) <= 1


@pytest.mark.parametrize("values", [{"slope": 0}, {"offset": float("nan")}, {"surprise": 1}])
def test_a_scale_that_makes_no_sense_is_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        ConfidenceScale.model_validate(values)
