# SPDX-License-Identifier: MIT
"""Confidence calibration: scaled, a gloss's confidence is the share of times it is right."""

import math

from pydantic import Field

from whispersign_model.configuration import StrictModel

MARGIN = 1e-3  # confidences are clamped to [MARGIN, 1 - MARGIN]


class ConfidenceScale(StrictModel):
    """Logistic (Platt 1999) scaling with an offset for each gloss; the default changes nothing.

    A gloss that is often recognized where it is not signed has a negative offset. So one threshold
    on the scaled confidence is a different raw threshold for each gloss.

    Attributes:
        slope: of the scaled log-odds over the raw ones.
        offset: added to the log-odds of every gloss.
        glosses: added to the log-odds of these glosses.
    """

    slope: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    offset: float = Field(default=0.0, allow_inf_nan=False)
    glosses: dict[str, float] = Field(default={})

    def __call__(self, gloss: str, confidence: float) -> float:
        """Return the scaled confidence of a gloss, in [0, 1]."""
        if self == ConfidenceScale():
            return confidence
        odds = self.slope * log_odds(confidence) + self.offset + self.glosses.get(gloss, 0.0)
        return 1 / (1 + math.exp(-odds)) if odds > 0 else math.exp(odds) / (1 + math.exp(odds))


def log_odds(confidence: float) -> float:
    """Return the log-odds of a confidence clamped by ``MARGIN``."""
    bounded = min(max(confidence, MARGIN), 1 - MARGIN)
    return math.log(bounded / (1 - bounded))
