# SPDX-License-Identifier: MIT
"""Idle movement: made for a recipe's sensor, and fitted to the hands of a take."""

import numpy as np
import pytest

from whispersign_model.datasets.dataset import Dataset
from whispersign_model.features.recipe import Recipe, SensorRecipe
from whispersign_model.skeleton import LEFT, RIGHT, WRIST
from whispersign_model.training_data.augmentation import Augmentation
from whispersign_model.training_data.background import fitted, idle_movement
from whispersign_model.training_data.loader import Clips
from whispersign_model.training_data.variations import hand_length

WRISTS = [LEFT.start + WRIST, RIGHT.start + WRIST]


@pytest.mark.parametrize(
    ("coordinates", "size"),
    [("metric_sensor", 0.09), ("image_normalised", 0.15), ("metric_hand_centred", 0.09)],
)
def test_idle_movement_is_in_the_coordinates_of_the_recipe(coordinates, size):
    motions = idle_movement(SensorRecipe(coordinates=coordinates))
    assert len(motions) > 60
    for positions, confidence in motions:
        assert positions.dtype == confidence.dtype == np.float32
        assert np.isfinite(positions).all()
        assert confidence[0].any()
        assert confidence[-1].any()
        assert hand_length(positions, confidence) == pytest.approx(size, rel=0.3)
        wrists = positions[:, WRISTS][confidence[:, WRISTS] > 0]
        if coordinates == "metric_hand_centred":
            assert np.abs(wrists).max() < 1e-3
        if coordinates == "image_normalised":
            assert (np.median(wrists, axis=0)[:2] > [0, 0.3]).all()
            assert (np.median(wrists, axis=0)[:2] < [1.33, 1.1]).all()


def test_a_movement_takes_the_size_and_the_place_of_the_hands_of_a_take():
    motion = idle_movement(SensorRecipe())[0]
    positions, confidence = motion
    like = positions * 2 + np.array([1, 2, 3], np.float32) * (confidence > 0)[..., None], confidence
    found, kept = fitted(motion, like)
    np.testing.assert_allclose(found, like[0], atol=1e-5)
    assert (kept == confidence).all()
    nobody = np.zeros_like(positions), np.zeros_like(confidence)
    assert not fitted(nobody, like)[0].any()
    assert np.isfinite(fitted(motion, nobody)[0]).all()


def test_clips_have_a_background_only_if_movement_is_rejected(dataset):
    examples = Dataset.open(dataset).split("train")
    assert not Clips(examples, Recipe(), 4, 0, Augmentation()).store.background
    assert Clips(examples, Recipe(), 4, 0, Augmentation(reject=0.1)).store.background
    stage = Clips(examples, Recipe(), 4, 0, Augmentation()).varied(Augmentation(reject=0.1), 0)
    assert stage.store.background
