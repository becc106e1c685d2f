# SPDX-License-Identifier: MIT
"""Background: made-up idle movement, as people rest, scratch and move about between signs."""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from whispersign_model.features.preprocessor import Preprocessor
from whispersign_model.features.recipe import Recipe, SensorRecipe
from whispersign_model.recordings.recording import Coordinates, Recording, median_wrist
from whispersign_model.skeleton import CONFIDENCE, LEFT, POSITION, RIGHT, WRIST
from whispersign_model.synthesis.camera import image_heights
from whispersign_model.synthesis.corpus import CorpusOptions, synthesize_corpus
from whispersign_model.synthesis.lexicon import default_lexicon
from whispersign_model.synthesis.sensor import SensorModel
from whispersign_model.training_data.variations import Motion, hand_length

SEED, PEOPLE, MOVEMENTS = 40, 12, 6  # seed of all people, their number, and movements of each


@lru_cache(maxsize=4)
def idle_movement(recipe: SensorRecipe) -> tuple[Motion, ...]:
    """Return the idle movement of some made-up people, as a recipe's sensor records it.

    Args:
        recipe: gives frame rate, filter and coordinates.

    Returns:
        positions ``(T, 42, 3)`` and confidence ``(T, 42)`` of each movement.
    """
    options = CorpusOptions(
        seed=SEED,
        signers=PEOPLE,
        glosses=default_lexicon().glosses[:1],
        idle=MOVEMENTS,
        sensor=SensorModel.named("leap"),
    )
    preprocessor = Preprocessor(Recipe(**recipe.model_dump()))
    coordinates = Coordinates[recipe.coordinates.upper()]
    motions = []
    for recording in synthesize_corpus(options):
        frames = preprocessor.resample(_converted(recording, coordinates)).frames
        tracked = np.flatnonzero((frames[..., CONFIDENCE] > 0).any(axis=1))
        if len(tracked):
            frames = frames[tracked[0] : tracked[-1] + 1]
            motions.append((frames[..., POSITION].copy(), frames[..., CONFIDENCE].copy()))
    return tuple(motions)


def _converted(recording: Recording, coordinates: Coordinates) -> Recording:
    """Convert a recording in meters to other coordinates."""
    positions, seen = recording.positions, recording.confidence > 0
    if coordinates is Coordinates.IMAGE_NORMALISED:
        positions = image_heights(positions, recording.confidence)
    elif coordinates is Coordinates.METRIC_HAND_CENTRED:
        wrists = positions[:, (LEFT.start + WRIST, RIGHT.start + WRIST)]
        positions = (positions - np.repeat(wrists, 21, axis=1)) * seen[..., None]
    return replace(recording, positions=positions, coordinates=coordinates)


def fitted(motion: Motion, like: Motion) -> Motion:
    """Return a movement with the hand size and about the place of another one."""
    positions, confidence = motion
    size, other = hand_length(*motion), hand_length(*like)
    scale = np.float32(other / size if size and other else 1.0)
    shift = median_wrist([like]) - scale * median_wrist([motion])
    return (positions * scale + shift) * (confidence > 0)[..., None], confidence
