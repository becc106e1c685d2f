# SPDX-License-Identifier: MIT
"""Evaluation: recognize the examples of a dataset as whole clips or as live streams."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, get_args

import numpy as np
import torch

from whispersign_model.datasets.dataset import Dataset, Example
from whispersign_model.decoding.result import Result
from whispersign_model.decoding.search import DecodingOptions, Method, decode
from whispersign_model.decoding.streaming import RecognizerOptions, StreamingRecognizer
from whispersign_model.errors import DatasetError
from whispersign_model.evaluation.detection import Detections, Found, detect
from whispersign_model.evaluation.metrics import GlossErrors
from whispersign_model.features.normalisation import Normaliser
from whispersign_model.features.recipe import require_same
from whispersign_model.network.checkpoint import CheckpointMetadata
from whispersign_model.network.masking import FULL
from whispersign_model.network.model import WhisperSignModel
from whispersign_model.recordings.recording import Segment
from whispersign_model.runtime.torch_backend import TorchBackend
from whispersign_model.timestamps import NANOSECONDS
from whispersign_model.training_data.augmentation import Augmentation
from whispersign_model.training_data.loader import Clips, loader

METHODS: tuple[Method, ...] = get_args(Method)
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Reading:
    """The signed glosses and the recognized glosses of a clip.

    Attributes:
        name, signer: name and signer of the clip; the signer is "" if unknown.
        signed, recognized: the glosses in order.
        confidences: confidence of each recognized gloss, in [0, 1].
        segments: time of each sign in nanoseconds from the first frame; () if unknown.
        found: recognized glosses with their times; offline, all become final at the end of the
            clip.
    """

    name: str
    signer: str
    signed: tuple[str, ...]
    recognized: tuple[str, ...]
    confidences: tuple[float, ...]
    segments: tuple[Segment, ...] = ()
    found: tuple[Found, ...] = ()


def check_fit(data: Dataset, metadata: CheckpointMetadata) -> None:
    """Reject a dataset that does not fit the network.

    Raises:
        RecipeError: the dataset was converted with another recipe.
        DatasetError: a gloss of the dataset is not in the network's vocabulary.
    """
    require_same(str(data.path), metadata.recipe.sensor_half(), data.recipe.sensor_half())
    unknown = [gloss for gloss in data.glosses if gloss not in metadata.glosses]
    if unknown:
        raise DatasetError(
            data.path,
            f"contains glosses that the network does not know: {', '.join(unknown[:5])}",
            "evaluate the network that was trained on them",
        )


@torch.inference_mode()
def read_offline(
    model: WhisperSignModel,
    metadata: CheckpointMetadata,
    examples: Sequence[Example],
    glosses: Sequence[str],
    *,
    options: DecodingOptions | None = None,
    advance: Progress = lambda done: None,
    methods: Sequence[Method] = METHODS,
    chunk: int = FULL,
    batch_size: int = 16,
    variation: Augmentation | None = None,
) -> dict[Method, list[Reading]]:
    """Recognize whole clips with several methods; each clip is encoded only once.

    Args:
        model: the network.
        metadata: metadata of the network's checkpoint.
        examples: the examples of one split.
        glosses: vocabulary of the dataset.
        options: options for the search.
        advance: function to call with the number of newly completed clips.
        methods: any of greedy, beam and rescore.
        chunk: number of patches per chunk, as in streaming; 0 encodes the whole clip at once.
        batch_size: number of clips encoded together.
        variation: what to recognize in place of each clip: a variation of it; None for the clip.

    Returns:
        readings by method, in the order of ``examples``, with uncalibrated confidences.
    """
    device = next(model.parameters()).device
    options = (options or DecodingOptions()).with_alpha(model.config.decoder.alpha)
    patch = model.config.frontend.patch_size
    clips = Clips(examples, metadata.recipe, patch, seed=0, augmentation=variation)
    known = {each.name: (each, extent) for each, extent in zip(examples, clips.store.extents)}
    step = patch * NANOSECONDS / metadata.recipe.rate
    found: dict[Method, dict[str, Reading]] = {method: {} for method in methods}
    for batch in loader(clips, batch_size, workers=0, seed=None):
        features, lengths = batch.features.to(device), batch.lengths.to(device)
        encoded = model(features, lengths, chunk)
        log_probs = encoded.log_probs.cpu().numpy()
        second_passes = model.second_passes(features, lengths, encoded)
        labels = [row[:n] for row, n in zip(batch.targets, batch.target_lengths.tolist())]
        rows = zip(batch.names, encoded.lengths.tolist(), second_passes)
        for row, (name, steps, second_pass) in enumerate(rows):
            example, extent = known[name]
            signed = _names(glosses, labels[row].tolist())
            first, over = extent.start / patch, round(extent.stop / patch * step)
            for method in methods:
                spans = decode(log_probs[row, :steps], method, options, second_pass).spans
                recognized = [(metadata.glosses[s.gloss_id - 1], s.confidence) for s in spans]
                places = [
                    (round((first + s.start) * step), round((first + s.end) * step)) for s in spans
                ]
                finds = tuple(Found(each[0], *at, over) for each, at in zip(recognized, places))
                found[method][name] = _reading(example, signed, recognized, finds)
        advance(len(batch.names))
    return {
        method: [readings[example.name] for example in examples]
        for method, readings in found.items()
    }


def read_live(
    model: WhisperSignModel,
    metadata: CheckpointMetadata,
    examples: Sequence[Example],
    glosses: Sequence[str],
    options: RecognizerOptions | None = None,
    advance: Progress = lambda done: None,
) -> list[Reading]:
    """Push each clip through the live recognizer frame by frame; see :func:`read_offline`.

    Returns:
        readings in the order of ``examples``, with calibrated confidences.
    """
    device = str(next(model.parameters()).device)
    rate = metadata.recipe.rate
    recognizer = StreamingRecognizer(
        TorchBackend(model, device), metadata.glosses, options, metadata.recipe, metadata.confidence
    )
    period = NANOSECONDS / rate
    readings = []
    for example in examples:
        frames = Normaliser(metadata.recipe)(example.features(), example.restart_mask())
        stamps = np.round(np.arange(len(frames)) * period).astype(np.int64)
        results: list[Result] = []
        for first, last in pairwise([*example.restarts, len(frames)]):
            results += recognizer.push(frames[first:last], stamps[first:last])
            results += recognizer.finish()
        final = [(gloss, r.stamp) for r in results if r.final for gloss in r.glosses]
        recognized = [(gloss.gloss, gloss.confidence) for gloss, _ in final]
        found = tuple(Found(gloss.gloss, gloss.start, gloss.end, at) for gloss, at in final)
        readings.append(
            _reading(example, _names(glosses, example.labels.tolist()), recognized, found)
        )
        advance(1)
    return readings


def _names(glosses: Sequence[str], ids: Sequence[int]) -> tuple[str, ...]:
    """Return the glosses with these ids, which start at 1."""
    return tuple(glosses[number - 1] for number in ids)


def _reading(
    example: Example,
    signed: tuple[str, ...],
    recognized: Sequence[tuple[str, float]],
    found: tuple[Found, ...],
) -> Reading:
    return Reading(
        name=example.name,
        signer=example.signer,
        signed=signed,
        recognized=tuple(gloss for gloss, _ in recognized),
        confidences=tuple(confidence for _, confidence in recognized),
        segments=tuple(segment for segment in example.segments if segment.glosses),
        found=found,
    )


def count_errors(readings: Sequence[Reading]) -> GlossErrors:
    """Count the errors over all readings."""
    errors = GlossErrors()
    for reading in readings:
        errors.add(reading.signed, reading.recognized)
    return errors


def by_signer(readings: Sequence[Reading]) -> dict[str, GlossErrors]:
    """Count the errors of each signer in alphabetical order; "" is the unknown signer."""
    signers = sorted({reading.signer for reading in readings})
    return {
        signer: count_errors([each for each in readings if each.signer == signer])
        for signer in signers
    }


def agreement(some: Sequence[Reading], others: Sequence[Reading]) -> float:
    """Return the share of clips that two methods recognize alike; NaN without clips."""
    same = [one.recognized == other.recognized for one, other in zip(some, others, strict=True)]
    return sum(same) / len(same) if same else float("nan")


def detections(readings: Sequence[Reading]) -> Detections | None:
    """Count the signs found at the right time; return None if the times are unknown."""
    timed = all(
        [each.glosses for each in reading.segments] == [(gloss,) for gloss in reading.signed]
        for reading in readings
    )
    return detect([(each.segments, each.found) for each in readings]) if timed else None


def clip_reports(readings: Sequence[Reading]) -> list[dict[str, Any]]:
    """Return the signed and recognized glosses of each clip as plain values for JSON."""
    return [
        {
            "name": reading.name,
            "signer": reading.signer,
            "signed": list(reading.signed),
            "recognized": list(reading.recognized),
            "confidences": [round(confidence, 4) for confidence in reading.confidences],
        }
        for reading in readings
    ]


def without_nan(figures: Any) -> Any:
    """Replace NaN, which JSON cannot represent, with None."""
    if isinstance(figures, Mapping):
        return {key: without_nan(value) for key, value in figures.items()}
    if isinstance(figures, (list, tuple)):
        return [without_nan(value) for value in figures]
    return None if isinstance(figures, float) and np.isnan(figures) else figures
