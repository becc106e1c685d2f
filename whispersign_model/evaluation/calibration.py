# SPDX-License-Identifier: MIT
"""Calibration: how often glosses of a confidence are right, and a scale that corrects it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.optimize import minimize

from whispersign_model.arrays import Doubles
from whispersign_model.datasets.dataset import Example
from whispersign_model.decoding.confidence import ConfidenceScale, log_odds
from whispersign_model.decoding.edit_distance import edits
from whispersign_model.errors import DatasetError
from whispersign_model.evaluation.evaluate import Reading, read_offline
from whispersign_model.network.checkpoint import read_metadata, update_metadata
from whispersign_model.network.model import WhisperSignModel

BINS = 10  # of equal width, in a reliability diagram
SLOPE_SPREAD, OFFSET_SPREAD, GLOSS_SPREAD = 1.0, 2.0, 1.0  # standard deviations of Gaussian priors
LEAST_SLOPE = 0.05  # keeps the order of confidences, even if wrong glosses are more confident


class Emission(NamedTuple):
    """One recognized gloss.

    Attributes:
        gloss: name of the gloss.
        confidence: confidence of the network.
        right: whether the alignment pairs it with the same gloss.
    """

    gloss: str
    confidence: float
    right: bool


@dataclass(frozen=True)
class Bin:
    """Recognized glosses of similar confidence.

    Attributes:
        low, high: range of confidence; only the last bin includes ``high``.
        glosses: number of glosses.
        confidence, accuracy: mean confidence and share of right glosses; 0 for an empty bin.
    """

    low: float
    high: float
    glosses: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Reliability:
    """Measures of how well confidences match accuracy.

    Attributes:
        error: expected calibration error: mean distance between confidence and accuracy over the
            bins, weighted by their counts (Guo et al. 2017); NaN without glosses.
        brier: mean squared distance between confidence and being right (1 or 0); NaN without
            glosses.
        bins: the ``BINS`` bins, in order of confidence.
    """

    error: float
    brier: float
    bins: tuple[Bin, ...]

    def report(self) -> dict[str, Any]:
        """Return all figures as plain values, for JSON."""
        bins = [asdict(each) for each in self.bins]
        return {"expected_calibration_error": self.error, "brier": self.brier, "bins": bins}


def emissions(readings: Sequence[Reading]) -> list[Emission]:
    """Return every recognized gloss and whether the alignment finds it right."""
    found = []
    for reading in readings:
        for edit in edits(reading.signed, reading.recognized):
            if edit.hypothesis is not None:
                gloss = reading.recognized[edit.hypothesis]
                right = edit.reference is not None and reading.signed[edit.reference] == gloss
                found.append(Emission(gloss, reading.confidences[edit.hypothesis], right))
    return found


def reliability(found: Sequence[Emission], scale: ConfidenceScale | None = None) -> Reliability:
    """Compare confidences, scaled or raw, with the share of right glosses."""
    scale = scale or ConfidenceScale()
    confidence = np.array([scale(each.gloss, each.confidence) for each in found])
    right = np.array([each.right for each in found], float)
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    bins = []
    for number in range(BINS):
        inside = place == number
        count = int(inside.sum())
        means = [float(values[inside].mean()) if count else 0.0 for values in (confidence, right)]
        bins.append(Bin(number / BINS, (number + 1) / BINS, count, *means))
    if not found:
        return Reliability(float("nan"), float("nan"), tuple(bins))
    distances = sum(each.glosses * abs(each.confidence - each.accuracy) for each in bins)
    brier = float(np.square(confidence - right).mean())
    return Reliability(distances / len(found), brier, tuple(bins))


def fit_confidence(found: Sequence[Emission]) -> ConfidenceScale:
    """Fit the scale that makes confidences match how often glosses are right.

    Logistic regression on the log-odds with an offset for each gloss. Gaussian priors draw the
    slope to 1 and all offsets to 0, so that few data change little and glosses that are always
    right do not become certain.

    Raises:
        DatasetError: no gloss was recognized.
    """
    if not found:
        raise DatasetError(
            "confidence", "no gloss was recognised to fit it on", "train longer or on more data"
        )
    names = sorted({each.gloss for each in found})
    gloss = np.searchsorted(names, [each.gloss for each in found])
    odds = np.array([log_odds(each.confidence) for each in found])
    right = np.array([each.right for each in found], float)
    start = np.concatenate([[1.0], np.zeros(1 + len(names))])
    spread = np.full(len(start), GLOSS_SPREAD)
    spread[:2] = SLOPE_SPREAD, OFFSET_SPREAD

    def loss(values: Doubles) -> tuple[float, Doubles]:
        scaled = values[0] * odds + values[1] + values[2:][gloss]
        away = (values - start) / spread
        residual = np.exp(-np.logaddexp(0, -scaled)) - right
        per_gloss = np.bincount(gloss, residual, len(names))
        slope = np.concatenate([[residual @ odds, residual.sum()], per_gloss]) + away / spread
        return float((np.logaddexp(0, scaled) - right * scaled).sum() + away @ away / 2), slope

    bounds = [(LEAST_SLOPE, None)] + [(None, None)] * (len(start) - 1)
    best = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    offsets = {name: round(float(value), 4) for name, value in zip(names, best[2:])}
    return ConfidenceScale(
        slope=round(float(best[0]), 4), offset=round(float(best[1]), 4), glosses=offsets
    )


def calibrate(
    checkpoint: Path,
    examples: Sequence[Example],
    glosses: Sequence[str],
    device: torch.device | str = "cpu",
) -> ConfidenceScale:
    """Fit the confidences of a checkpoint to held-out examples and write them into it.

    Args:
        checkpoint: its ``model.json`` is replaced, its weights stay.
        examples: examples to recognize, of a validation split.
        glosses: the dataset's vocabulary.
        device: device of the network.

    Returns:
        the fitted scale.

    Raises:
        CheckpointError: the checkpoint cannot be read or written.
        DatasetError: no gloss was recognized.
    """
    model, metadata = WhisperSignModel.load_checkpoint(checkpoint)
    readings = read_offline(model.to(device), metadata, examples, glosses, methods=("rescore",))
    scale = fit_confidence(emissions(readings["rescore"]))
    update_metadata(checkpoint, read_metadata(checkpoint).model_copy(update={"confidence": scale}))
    return scale
