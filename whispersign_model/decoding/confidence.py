# SPDX-License-Identifier: MIT
"""Confidence calibration: scale confidences to match the share of glosses that are right."""

import math
from typing import Annotated

from pydantic import Field

from whispersign_model.configuration import StrictModel

MARGIN = 1e-3  # confidences are clamped to [MARGIN, 1 - MARGIN]


class ConfidenceScale(StrictModel):
    """Logistic scaling (Platt 1999) with an offset per gloss; the default changes nothing.

    A gloss that the network often inserts has a negative offset. One threshold on the scaled
    confidence therefore acts as a different raw threshold for each gloss.

    Attributes:
        slope: factor on the raw log-odds.
        offset: offset added to the log-odds of every gloss.
        glosses: additional offset for individual glosses, by name.
    """

    slope: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    offset: float = Field(default=0.0, allow_inf_nan=False)
    glosses: dict[str, Annotated[float, Field(allow_inf_nan=False)]] = Field(default={})

    def __call__(self, gloss: str, confidence: float) -> float:
        """Return the scaled confidence of a gloss, in [0, 1]."""
        if self == ConfidenceScale():
            return confidence
        odds = self.slope * log_odds(confidence) + self.offset + self.glosses.get(gloss, 0.0)
        return 1 / (1 + math.exp(-odds)) if odds > 0 else math.exp(odds) / (1 + math.exp(odds))


def log_odds(confidence: float) -> float:
    """Return the log-odds of a confidence, which is first clamped to [MARGIN, 1 - MARGIN]."""
    bounded = min(max(confidence, MARGIN), 1 - MARGIN)
    return math.log(bounded / (1 - bounded))
