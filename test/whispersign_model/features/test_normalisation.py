# SPDX-License-Identifier: MIT
"""Normalisation: free of hand size and place, robust to lost frames, zero where absent."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whispersign_model.errors import RecipeError
from whispersign_model.features.normalisation import Normaliser, fit_scaling
from whispersign_model.features.recipe import Recipe
from whispersign_model.features.velocity import assemble
from whispersign_model.skeleton import (
    CONFIDENCE,
    JOINTS,
    LEFT,
    MIDDLE_MCP,
    POSITION,
    RIGHT,
    VELOCITY,
    WRIST,
)

WRISTS = [LEFT.start + WRIST, RIGHT.start + WRIST]
KNUCKLES = [LEFT.start + MIDDLE_MCP, RIGHT.start + MIDDLE_MCP]
OTHERS = [joint for joint in range(JOINTS) if joint not in WRISTS]
Frames = np.ndarray


@pytest.fixture(scope="module")
def frames_of(make: Callable, steady: Callable) -> Callable[..., Frames]:
    def frames(count: int, tracked: np.ndarray | None = None) -> Frames:
        recording = make(steady(count, 60), tracked)
        return assemble(recording.positions, recording.confidence)

    return frames


def recipe(**fields: object) -> Recipe:
    return Recipe(**{"location": "sensor", "scaling": "none", **fields})


def lengths(frames: Frames) -> np.ndarray:
    bones = frames[:, KNUCKLES, POSITION] - frames[:, WRISTS, POSITION]
    return np.linalg.norm(bones.astype(np.float64), axis=-1)


def test_each_value_is_what_the_formula_says(frames_of: Callable) -> None:
    frames = frames_of(30).astype(np.float64)
    features = Normaliser(recipe())(frames_of(30))
    assert features.dtype == np.float32
    for row in (0, 7, 29):
        length = lengths(frames)[: row + 1].mean()
        for hand, wrist in ((LEFT, WRISTS[0]), (RIGHT, WRISTS[1])):
            expected = (frames[row, hand, :6] - frames[row, wrist, :6]) / length
            expected[WRIST] = frames[row, wrist, :6] / length
            np.testing.assert_allclose(features[row, hand, :6], expected, atol=1e-5)
    np.testing.assert_array_equal(features[..., CONFIDENCE], frames_of(30)[..., CONFIDENCE])


@pytest.mark.parametrize("location", ["sensor", "entry"])
def test_the_size_of_the_hands_does_not_matter(frames_of: Callable, location: str) -> None:
    frames = frames_of(60)
    larger = frames.copy()
    larger[..., :6] *= 2
    one, other = (Normaliser(recipe(location=location))(f) for f in (frames, larger))
    np.testing.assert_allclose(one, other, atol=1e-5)
    assert np.abs(one[:, OTHERS, POSITION]).max() > 0.5


def test_the_place_of_the_hands_only_moves_the_wrists(frames_of: Callable) -> None:
    frames = frames_of(30)
    moved = frames.copy()
    moved[..., POSITION] += np.array([0.5, -0.25, 1], np.float32)
    here, there = Normaliser(recipe())(frames), Normaliser(recipe())(moved)
    np.testing.assert_allclose(here[:, OTHERS], there[:, OTHERS], atol=1e-4)
    assert np.abs(here[:, WRISTS] - there[:, WRISTS]).max() > 5
    here, there = (Normaliser(recipe(location="entry"))(f) for f in (frames, moved))
    np.testing.assert_allclose(here, there, atol=1e-4)


def test_losing_nine_frames_in_ten_does_not_change_the_scale(frames_of: Callable) -> None:
    tracked = np.random.default_rng(0).random((300, 2)) < 0.1
    tracked[0] = True
    full, lossy = (
        Normaliser(recipe())(frames_of(300)),
        Normaliser(recipe())(frames_of(300, tracked)),
    )
    seen = np.repeat(tracked, JOINTS // 2, axis=1)
    ratio = np.linalg.norm(lossy[..., POSITION], axis=-1)[seen]
    ratio /= np.linalg.norm(full[..., POSITION], axis=-1)[seen]
    assert 0.8 < ratio.min() <= ratio.max() < 1.2
    assert 0.9 < ratio[len(ratio) // 2 :].min() <= ratio[len(ratio) // 2 :].max() < 1.1
    assert not lossy[~seen].any()


def test_hands_without_a_length_do_not_count(frames_of: Callable) -> None:
    frames = frames_of(60)
    broken = frames.copy()
    broken[10:40, RIGHT, POSITION] = broken[10:40, RIGHT.start : RIGHT.start + 1, POSITION]
    broken[5:20, KNUCKLES[0], CONFIDENCE] = 0
    broken[5:20, KNUCKLES[0], :6] = 0
    whole, partly = Normaliser(recipe())(frames), Normaliser(recipe())(broken)
    np.testing.assert_allclose(
        partly[45:, :, POSITION], whole[45:, :, POSITION], rtol=0.06, atol=0.01
    )
    assert np.isfinite(partly).all()
    nothing = np.zeros_like(frames)
    nothing[..., CONFIDENCE] = 1
    assert not Normaliser(recipe())(nothing)[..., :CONFIDENCE].any()


def test_the_scale_forgets_with_a_horizon_of_ten_seconds(frames_of: Callable) -> None:
    frames = np.tile(frames_of(100), (14, 1, 1))
    frames[500:900, LEFT, CONFIDENCE] = 0
    frames[700:, :, :6] *= 1.3
    features = Normaliser(recipe())(frames)
    mean, count = 0.0, 0.0
    for row, both in enumerate(lengths(frames) * (frames[:, WRISTS, CONFIDENCE] > 0)):
        seen = both[both > 0]
        count = min(count + len(seen), 600)
        mean += (seen.sum() - len(seen) * mean) / count
        wrist = frames[row, WRISTS[1], POSITION] / mean
        np.testing.assert_allclose(features[row, WRISTS[1], POSITION], wrist, rtol=1e-5)


def test_an_entry_is_the_first_wrist_since_both_hands_were_away(frames_of: Callable) -> None:
    tracked = np.ones((200, 2), dtype=bool)
    tracked[:10] = False
    tracked[10:20, 1] = False  # the left hand enters first
    tracked[60:89] = False  # 29 frames, under half a second: the same origin
    tracked[120:150] = False  # 30 frames: a new one, between both wrists
    tracked[160:195, 0] = False  # one hand is still there
    frames = frames_of(200, tracked)
    features = Normaliser(recipe(location="entry"))(frames)
    assert not features[10, WRISTS[0], POSITION].any()
    plain = Normaliser(recipe(location="sensor"))(frames)
    scale = frames[:, WRISTS, :1] / np.where(plain[:, WRISTS, :1] == 0, 1, plain[:, WRISTS, :1])
    shift = frames[:, WRISTS, POSITION] - features[:, WRISTS, POSITION] * scale
    first = frames[10, WRISTS[0], POSITION]
    second = frames[150, WRISTS, POSITION].mean(axis=0)
    for rows, origin in ((slice(10, 120), first), (slice(150, 200), second)):
        seen = tracked[rows]
        np.testing.assert_allclose(shift[rows][seen], np.tile(origin, (seen.sum(), 1)), atol=1e-5)
    np.testing.assert_array_equal(
        features[:, OTHERS], Normaliser(recipe(location="sensor"))(frames)[:, OTHERS]
    )


@pytest.mark.parametrize("size", [0.5, 0.8, 1.25, 2.0])
@pytest.mark.parametrize("location", ["sensor", "entry"])
def test_the_next_visitor_is_measured_anew(frames_of: Callable, size: float, location: str) -> None:
    visitors = frames_of(1500)
    visitors[800:831] = 0  # away for longer than half a second
    visitors[831:, :, :6] *= size
    features = Normaliser(recipe(location=location))(visitors)
    fresh = Normaliser(recipe(location=location))(visitors[831:])
    np.testing.assert_allclose(features[831:], fresh, rtol=1e-4, atol=1e-5)
    briefly = visitors.copy()
    briefly[800:831] = visitors[799]
    briefly[800:830] = 0  # not away for long enough to be another person
    changed = Normaliser(recipe(location=location))(briefly)
    assert np.abs(changed[835:850, KNUCKLES] - fresh[4:19, KNUCKLES]).max() > 0.01


@pytest.mark.parametrize("size", [0.5, 2.0])
def test_hands_that_do_not_fit_are_measured_anew(frames_of: Callable, size: float) -> None:
    hand = np.tile(frames_of(1), (900, 1, 1))
    hand[300:, :, :6] *= size
    features = Normaliser(recipe())(hand)
    relative = np.linalg.norm(features[:, KNUCKLES, POSITION], axis=-1)
    np.testing.assert_allclose(relative[300:328].mean(axis=1), size, rtol=0.12)
    np.testing.assert_allclose(relative[329:].mean(axis=1), 1, rtol=1e-5)
    hand[310:, :, :6] /= size  # a moment's error of the tracker
    brief = Normaliser(recipe())(hand)
    knuckles = np.linalg.norm(brief[311:, KNUCKLES, POSITION], axis=-1).mean(axis=1)
    np.testing.assert_allclose(knuckles, 1, rtol=0.05)


def test_what_is_not_tracked_is_zero_with_any_scaling(frames_of: Callable) -> None:
    tracked = np.ones((40, 2), dtype=bool)
    tracked[:20, 0] = tracked[30:, 1] = False
    frames = frames_of(40, tracked)
    frames[5, 30, CONFIDENCE] = 0  # masked, its position still there
    frames[35, WRISTS[0], CONFIDENCE] = 0  # a hand without its wrist
    offset, scale = [3.0] * 6 + [0.0], [0.5] * 6 + [1.0]
    features = Normaliser(recipe(scaling="standard", offset=offset, scale=scale))(frames)
    assert not features[:20, LEFT].any()
    assert not features[30:, RIGHT].any()
    assert not features[5, 30].any()
    assert not features[35, LEFT].any()
    assert features[25, :, :6].all()


def test_scaling_takes_values_by_feature_or_by_joint(frames_of: Callable) -> None:
    frames = frames_of(20)
    plain = Normaliser(recipe())(frames)
    offset = np.arange(JOINTS * 7).reshape(JOINTS, 7) / 100.0
    scale = 1 + offset
    offset[:, 6], scale[:, 6] = 0, 1
    for o, s in ((offset, scale), (offset[3], scale[3])):
        fitted = recipe(scaling="standard", offset=o.tolist(), scale=s.tolist())
        np.testing.assert_allclose(Normaliser(fitted)(frames), (plain - o) / s, atol=1e-5)


def test_the_hands_are_not_mixed_up(frames_of: Callable) -> None:
    frames = frames_of(10)
    changed = frames.copy()
    changed[:, RIGHT, :6] = changed[:, RIGHT, :6][..., [1, 2, 0, 4, 5, 3]]  # as long as before
    one, other = Normaliser(recipe())(frames), Normaliser(recipe())(changed)
    np.testing.assert_allclose(one[:, LEFT], other[:, LEFT], atol=1e-6)
    assert (one[1:, RIGHT, :6] != other[1:, RIGHT, :6]).mean() > 0.9


def test_the_wrist_keeps_its_own_velocity_and_the_others_move_against_it(
    frames_of: Callable,
) -> None:
    frames = frames_of(20)
    frames[..., VELOCITY] = [0.4, 0.0, 0.0]
    features = Normaliser(recipe())(frames)
    assert not features[:, OTHERS, VELOCITY].any()
    assert (features[:, WRISTS, VELOCITY][..., 0] > 3).all()


@given(seed=st.integers(0, 2**32 - 1), location=st.sampled_from(["sensor", "entry"]))
@settings(max_examples=40, deadline=None)
def test_any_split_gives_the_same(
    messy: Callable, cuts: Callable, seed: int, location: str
) -> None:
    rng = np.random.default_rng(seed)
    recording = messy(seed)
    repeats = int(rng.choice([1, 1, 1, 15]))  # beyond the horizon, too
    frames = np.tile(assemble(recording.positions, recording.confidence), (repeats, 1, 1))
    restarts = rng.random(len(frames)) < 0.01
    restarts[:1] = True
    whole = Normaliser(recipe(location=location))(frames, restarts)
    normaliser = Normaliser(recipe(location=location))
    parts = [normaliser(frames[c], restarts[c]) for c in cuts(len(frames), seed)]
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-6, atol=1e-6)
    assert np.isfinite(whole).all()
    begins = [*np.flatnonzero(restarts).tolist(), len(frames)]
    for first, last in pairwise(begins):
        alone = normaliser.whole(frames[first:last])
        np.testing.assert_allclose(alone, whole[first:last], rtol=1e-6, atol=1e-6)


def test_standard_scaling_gives_mean_zero_and_spread_one(frames_of: Callable) -> None:
    tracked = np.ones((300, 2), dtype=bool)
    tracked[:200, 0] = False
    examples = [frames_of(300, tracked), frames_of(120) * np.float32(1.2)]
    fitted = fit_scaling(recipe(scaling="standard"), iter(examples))
    features = np.concatenate([Normaliser(fitted)(example) for example in examples])
    for joint in (WRISTS[0], 5, WRISTS[1], 41):
        seen = features[features[:, joint, CONFIDENCE] > 0, joint, :6]
        np.testing.assert_allclose(seen.mean(axis=0), 0, atol=1e-3)
        spread = seen.std(axis=0)
        assert (spread < 1.001).all()
    wrist = features[features[:, WRISTS[1], CONFIDENCE] > 0, WRISTS[1], :6]
    np.testing.assert_allclose(wrist.std(axis=0), 1, atol=1e-3)
    assert fitted.id != recipe(scaling="standard").id
    assert fit_scaling(fitted, iter(examples)) == fitted  # fitted values do not fit on themselves


def test_minmax_scaling_fills_minus_one_to_one(frames_of: Callable) -> None:
    examples = [frames_of(200)]
    fitted = fit_scaling(recipe(scaling="minmax"), examples)
    features = Normaliser(fitted)(examples[0])[..., :6]
    assert np.abs(features).max() < 1.001
    wrists = features[:, WRISTS]
    np.testing.assert_allclose(wrists.min(axis=0), -1, atol=1e-3)
    np.testing.assert_allclose(wrists.max(axis=0), 1, atol=1e-3)


def test_joints_that_hardly_move_or_are_never_seen_are_not_magnified(frames_of: Callable) -> None:
    tracked = np.tile([False, True], (100, 1))
    frames = frames_of(100, tracked)
    for scaling in ("standard", "minmax"):
        fitted = fit_scaling(recipe(scaling=scaling), [frames])
        offset, scale = np.array(fitted.offset), np.array(fitted.scale)
        assert not offset[LEFT].any()
        assert (scale[RIGHT, :6] >= 0.099 * scale[LEFT.start, :6]).all()
        features = Normaliser(fitted)(frames_of(100))
        assert np.abs(features).max() < 50
    still = np.tile(frames[:1], (50, 1, 1))
    still[..., VELOCITY] = 0
    values = np.array(fit_scaling(recipe(scaling="standard"), [still]).scale)
    assert (values == 1).all()


def test_motion_scaling_keeps_hand_lengths_and_triples_velocities(frames_of: Callable) -> None:
    frames = frames_of(50)
    plain = Normaliser(recipe())(frames)
    features = Normaliser(fit_scaling(recipe(scaling="motion"), [frames]))(frames)
    np.testing.assert_array_equal(features[..., POSITION], plain[..., POSITION])
    np.testing.assert_allclose(features[..., VELOCITY], 3 * plain[..., VELOCITY], rtol=1e-6)
    np.testing.assert_array_equal(features[..., CONFIDENCE], plain[..., CONFIDENCE])


def test_without_scaling_the_recipe_stays_as_it_is(frames_of: Callable) -> None:
    assert fit_scaling(recipe(), [frames_of(5)]) == recipe()


def test_a_training_set_that_cannot_be_fitted_is_refused(frames_of: Callable) -> None:
    frames = frames_of(5)
    with pytest.raises(RecipeError, match="no hand is tracked"):
        fit_scaling(recipe(scaling="standard"), [np.zeros_like(frames)])
    with pytest.raises(RecipeError, match="no hand is tracked"):
        fit_scaling(recipe(scaling="standard"), [])
    frames[2, 30, 0] = np.nan
    with pytest.raises(RecipeError, match="NaN"):
        fit_scaling(recipe(scaling="standard"), [frames])


def test_no_frames_give_no_features(frames_of: Callable) -> None:
    assert Normaliser(recipe())(frames_of(3)[:0]).shape == (0, JOINTS, 7)
