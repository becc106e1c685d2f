# SPDX-License-Identifier: MIT
"""Calibration: compare confidences with accuracy, and fit a scale that makes them agree."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.optimize import minimize

from whispersign_model.arrays import Doubles
from whispersign_model.datasets.dataset import Example
from whispersign_model.datasets.short_clips import split_short
from whispersign_model.decoding.confidence import ConfidenceScale, log_odds
from whispersign_model.decoding.edit_distance import edits
from whispersign_model.errors import DatasetError
from whispersign_model.evaluation.evaluate import Reading, read_offline
from whispersign_model.network.checkpoint import read_metadata, update_metadata
from whispersign_model.network.model import WhisperSignModel
from whispersign_model.training_data.augmentation import Augmentation

BINS = 10  # number of equal-width bins in a reliability diagram
SLOPE_SPREAD, OFFSET_SPREAD, GLOSS_SPREAD = 1.0, 2.0, 1.0  # standard deviations of the priors
LEAST_SLOPE = 0.05  # keeps the scale increasing, even if wrong glosses are more confident
ENOUGH = 80  # number of results from which a scale may sharpen confidences
WIDEST = 0.5  # largest slope if there are hardly any results
VARIED = Augmentation()  # the same clips as other people, at other speeds and elsewhere
REJECTED = Augmentation(reject=1.0)  # movement that is not a sign, made from the same clips


class Emission(NamedTuple):
    """One recognized gloss.

    Attributes:
        gloss: name of the recognized gloss.
        confidence: confidence that the network reports.
        right: whether the alignment pairs it with the same signed gloss.
    """

    gloss: str
    confidence: float
    right: bool


class Fit(NamedTuple):
    """A fitted scale.

    Attributes:
        scale: the scale.
        results: number of recognized glosses that it was fitted to.
    """

    scale: ConfidenceScale
    results: int

    def __str__(self) -> str:
        fitted = f"slope {self.scale.slope:.2f}, offset {self.scale.offset:+.2f}"
        if self.results >= ENOUGH:
            return fitted
        return (
            f"{fitted}; lowered, because {self.results} results are too few to raise them "
            f"({ENOUGH} are needed): hold out more recordings for validation"
        )


@dataclass(frozen=True)
class Bin:
    """The recognized glosses within one range of confidence.

    Attributes:
        low, high: bounds of the range; only the last bin includes ``high``.
        glosses: number of glosses.
        confidence, accuracy: mean confidence and share of correct glosses; 0 for an empty bin.
    """

    low: float
    high: float
    glosses: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Reliability:
    """Measures of how well the confidences match the accuracy.

    Attributes:
        error: expected calibration error (Guo et al. 2017): the mean distance between confidence
            and accuracy over the bins, weighted by count; NaN without glosses.
        brier: Brier score: the mean squared distance between confidence and correctness (1 or 0);
            NaN without glosses.
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
    """Return each recognized gloss and whether the alignment counts it as correct."""
    found = []
    for reading in readings:
        for edit in edits(reading.signed, reading.recognized):
            if edit.hypothesis is not None:
                gloss = reading.recognized[edit.hypothesis]
                right = edit.reference is not None and reading.signed[edit.reference] == gloss
                found.append(Emission(gloss, reading.confidences[edit.hypothesis], right))
    return found


def reliability(found: Sequence[Emission], scale: ConfidenceScale | None = None) -> Reliability:
    """Compare the confidences, scaled or raw, with the share of correct glosses."""
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
    """Fit a scale that makes confidences match the share of correct glosses.

    This is a logistic regression on the log-odds with an offset for each gloss. Gaussian priors
    pull the slope toward 1 and all offsets toward 0. A few examples therefore change little, and a
    gloss that is always correct does not reach certainty. Fewer than ``ENOUGH`` results never raise
    a confidence above one half: the slope is then at most ``WIDEST`` to 1, by their number, and no
    offset is above 0.

    Raises:
        DatasetError: no gloss was recognized.
    """
    if not found:
        raise DatasetError(
            "confidence", "no gloss was recognized for fitting it", "train longer or on more data"
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

    few = len(found) < ENOUGH
    steepest = max(WIDEST, len(found) / ENOUGH) if few else None
    bounds = [(LEAST_SLOPE, steepest)] + [(None, 0.0 if few else None)] * (len(start) - 1)
    start[0] = min(start[0], steepest or start[0])
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
) -> Fit:
    """Fit a confidence scale for a checkpoint to held-out examples, and store it there.

    The scale is fitted to the examples, to a variation of each, and to as many clips of movement
    that is no sign, made from them. Confidences then hold for streams in which people do not only
    sign.

    Args:
        checkpoint: the checkpoint; its ``model.json`` is replaced, its weights stay unchanged.
        examples: examples from a validation split.
        glosses: vocabulary of the dataset.
        device: device that runs the network.

    Returns:
        the fitted scale, and the number of results that it was fitted to.

    Raises:
        CheckpointError: the checkpoint cannot be read or written.
        DatasetError: no gloss was recognized.
    """
    model, metadata = WhisperSignModel.load_checkpoint(checkpoint)
    model = model.to(device)
    variable, _ = split_short(examples, metadata.config.frontend.patch_size)
    found: list[Emission] = []
    for clips, variation in ((examples, None), (variable, VARIED), (variable, REJECTED)):
        read = read_offline(
            model, metadata, clips, glosses, methods=("rescore",), variation=variation
        )
        found += emissions(read["rescore"])
    scale = fit_confidence(found)
    update_metadata(checkpoint, read_metadata(checkpoint).model_copy(update={"confidence": scale}))
    return Fit(scale, len(found))
