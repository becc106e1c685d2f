# SPDX-License-Identifier: MIT
"""The whole path: any split, whole or live, gives the same features; bad frames do no harm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whispersign_model.bundled import takes
from whispersign_model.errors import RecipeError
from whispersign_model.features.normalisation import Normaliser
from whispersign_model.features.preprocessor import BLOCK, FeatureBlock, Preprocessor
from whispersign_model.features.recipe import Recipe, Smoothing
from whispersign_model.features.smoothing import Smoother
from whispersign_model.recordings.recording import Coordinates, Recording, tracked_frames
from whispersign_model.skeleton import CONFIDENCE, JOINTS, LEFT, POSITION, RIGHT, VELOCITY

SECOND = 1_000_000_000
MS = 1_000_000
UNSMOOTHED = Smoothing(kind="none")
FITTED = {"offset": [0.1] * 6 + [0.0], "scale": [2.0] * 6 + [1.0]}
RECIPES = [
    Recipe(smoothing=UNSMOOTHED, location="sensor", scaling="none"),
    Recipe(smoothing=UNSMOOTHED, max_speed=None, max_gap=0.25, **FITTED),
    Recipe(smoothing=Smoothing(kind="one_euro"), max_speed=5.0, location="entry", **FITTED),
    Recipe(smoothing=Smoothing(kind="moving_average"), rate=50.0, scaling="none"),
]
Make = Callable[..., Recording]


def in_pieces(
    preprocessor: Preprocessor, recording: Recording, pieces: list[slice]
) -> FeatureBlock:
    blocks = [
        preprocessor.push_frames(
            recording.stamps[p], recording.positions[p], recording.confidence[p]
        )
        for p in pieces
    ]
    return FeatureBlock.join([*blocks, preprocessor.flush()])


def frame_by_frame(preprocessor: Preprocessor, recording: Recording) -> FeatureBlock:
    blocks = [
        preprocessor.push(stamp, positions, confidence)
        for stamp, positions, confidence in zip(
            recording.stamps.tolist(), recording.positions, recording.confidence
        )
    ]
    return FeatureBlock.join([*blocks, preprocessor.flush()])


def assert_same(one: FeatureBlock, other: FeatureBlock, tolerance: float = 1e-6) -> None:
    np.testing.assert_array_equal(one.stamps, other.stamps)
    np.testing.assert_array_equal(one.restarts, other.restarts)
    np.testing.assert_allclose(one.frames, other.frames, rtol=1e-6, atol=tolerance)


@given(seed=st.integers(0, 2**32 - 1), recipe=st.sampled_from(RECIPES))
@settings(max_examples=80, deadline=None)
def test_any_split_gives_the_same_features(
    messy: Callable, cuts: Callable, seed: int, recipe: Recipe
) -> None:
    recording = messy(seed)
    whole = Preprocessor(recipe)
    features = whole.process(recording)
    split = Preprocessor(recipe)
    assert_same(in_pieces(split, recording, cuts(len(recording), seed)), features)
    live = Preprocessor(recipe)
    assert_same(frame_by_frame(live, recording), features)
    for other in (split, live):
        for counter in ("out_of_order", "jumps", "implausible", "not_finite"):
            assert getattr(other, counter) == getattr(whole, counter)
    assert np.isfinite(features.frames).all()
    assert features.frames.dtype == np.float32
    absent = features.frames[..., CONFIDENCE] == 0
    assert not features.frames[absent].any()
    assert (features.frames[..., CONFIDENCE] <= 1).all()
    assert features.restarts[:1].all()
    assert features.restarts.sum() == whole.jumps + bool(len(recording))
    steps = np.diff(features.stamps)[~features.restarts[1:]]
    assert (np.abs(steps - SECOND / recipe.rate) <= 1).all()


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_dataset_and_the_normaliser_give_what_process_gives(
    messy: Callable, recipe: Recipe
) -> None:
    for seed in range(20):
        recording = messy(seed)
        preprocessor = Preprocessor(recipe)
        metres = preprocessor.resample(recording)
        normalised = Normaliser(recipe)(metres.frames, metres.restarts)
        features = FeatureBlock(metres.stamps, normalised, metres.restarts)
        assert_same(features, preprocessor.process(recording))


def test_a_recording_longer_than_a_block_is_one_stream(make: Make, steady: Callable) -> None:
    recording = make(steady(BLOCK + 200, 120))
    preprocessor = Preprocessor(RECIPES[0])
    features = preprocessor.process(recording)
    assert np.flatnonzero(features.restarts).tolist() == [0]
    assert len(features) == (BLOCK + 199) // 2 + 1
    assert_same(frame_by_frame(preprocessor, recording), features)


@pytest.mark.parametrize(
    ("name", "coordinates"),
    [
        (takes("thai"), "metric_sensor"),
        (takes("german"), "image_normalised"),
        ("sfinge3d.npz", "metric_sensor"),
    ],
    ids=["thai", "german", "sfinge3d"],
)
def test_real_recordings_live_as_offline(
    shared_data: Callable, name: str | Path, coordinates: str
) -> None:
    with np.load(shared_data(name)) as archive:
        xyz, seconds, edges = (archive[key] for key in ("xyz", "t", "ptr"))
    for smoothing in (UNSMOOTHED, Smoothing()):
        recipe = Recipe(smoothing=smoothing, coordinates=coordinates, location="entry")
        for index in range(0, len(edges) - 1, len(edges) // 4):
            rows = slice(edges[index], edges[index + 1])
            stamps = np.round(seconds[rows].astype(np.float64) * SECOND).astype(np.int64)
            positions, confidence, _ = tracked_frames(xyz[rows])
            recording = Recording(stamps, positions, confidence, coordinates=Coordinates.UNKNOWN)
            preprocessor = Preprocessor(recipe)
            features = preprocessor.process(recording)
            assert_same(frame_by_frame(preprocessor, recording), features)
            assert len(features) >= (stamps[-1] - stamps[0]) * 60 // SECOND
            check_magnitudes(preprocessor.resample(recording).frames, features.frames)


def check_magnitudes(metres: np.ndarray, features: np.ndarray) -> None:
    """Hands of a few centimetres to decimetres, fingers of a few hand lengths, human speeds."""
    assert np.isfinite(features).all()
    wrists, rest = features[:, [0, 21]], np.delete(features, [0, 21], axis=1)
    seen = rest[..., CONFIDENCE] > 0
    assert seen.mean() > 0.2
    reach = np.linalg.norm(rest[..., POSITION], axis=-1)[seen]
    assert 0.8 < np.median(reach) < 2.5
    assert np.percentile(reach, 99) < 5
    assert np.abs(wrists[..., POSITION]).max() < 40
    speed = np.linalg.norm(metres[:, [0, 21], VELOCITY], axis=-1)
    moving = speed[speed > 0]
    assert np.median(moving) < 3
    assert np.percentile(moving, 90) > 0.01  # a sign may be held for most of a take
    assert speed.max() < 20  # of max_speed 10, where the curve swings wide


def test_left_stays_left_and_right_stays_right(make: Make, steady: Callable) -> None:
    recording = make(steady(60, 60))
    frames = Preprocessor(RECIPES[0]).resample(recording).frames
    np.testing.assert_array_equal(frames[..., POSITION], recording.positions)
    tracked = np.tile([True, False], (60, 1))
    features = Preprocessor(RECIPES[0]).process(make(steady(60, 60), tracked)).frames
    assert features[:, LEFT].any(axis=(1, 2)).all()
    assert not features[:, RIGHT].any()


@pytest.mark.parametrize("frames", [0, 1, 2, 3])
@pytest.mark.parametrize("recipe", RECIPES)
def test_few_frames_are_legal(make: Make, steady: Callable, frames: int, recipe: Recipe) -> None:
    features = Preprocessor(recipe).process(make(steady(frames, recipe.rate)))
    assert len(features) == frames
    assert features.frames.shape == (frames, JOINTS, 7)
    assert (features.frames[..., CONFIDENCE] == 0.75).all()


def test_a_time_jump_gives_out_what_is_pending_and_begins_a_stream(
    make: Make, steady: Callable
) -> None:
    early = make(steady(41, 115))
    late = make(steady(26, 115) + 20 * SECOND)
    joined = Recording(
        *(
            np.concatenate([getattr(late, name), getattr(early, name)])
            for name in ("stamps", "positions", "confidence")
        )
    )
    preprocessor = Preprocessor(RECIPES[2])
    features = preprocessor.process(joined)
    assert np.flatnonzero(features.restarts).tolist() == [0, 14]
    assert len(features) == 14 + 21
    assert preprocessor.jumps == 1
    alone = Preprocessor(RECIPES[2]).process(early)
    np.testing.assert_array_equal(features.frames[14:], alone.frames)
    np.testing.assert_array_equal(features.stamps[14:], alone.stamps)


def test_after_a_flush_the_next_frame_begins_a_stream(make: Make, steady: Callable) -> None:
    recording = make(steady(40, 120))
    preprocessor = Preprocessor(RECIPES[2])
    first = frame_by_frame(preprocessor, recording)
    again = frame_by_frame(preprocessor, recording)
    assert_same(first, again)
    assert again.restarts[0]
    assert preprocessor.jumps == preprocessor.out_of_order == 0
    assert len(preprocessor.flush()) == 0


def test_a_reset_forgets_what_is_pending(make: Make, steady: Callable) -> None:
    recording = make(steady(40, 115))
    preprocessor = Preprocessor(RECIPES[2])
    given_out = preprocessor.push_frames(
        recording.stamps, recording.positions, recording.confidence
    )
    assert len(given_out) < 39 * 60 // 115 + 1
    preprocessor.reset()
    assert len(preprocessor.flush()) == 0
    assert_same(
        frame_by_frame(preprocessor, recording), Preprocessor(RECIPES[2]).process(recording)
    )


def test_stamps_a_few_microseconds_apart_do_not_make_speed(make: Make, steady: Callable) -> None:
    stamps = steady(60, 60)
    stamps[1::2] = stamps[::2] + 10_000
    recording = make(stamps)
    noise = np.random.default_rng(0).normal(0, 0.003, recording.positions.shape)
    shaken = replace(recording, positions=(recording.positions + noise).astype(np.float32))
    preprocessor = Preprocessor(RECIPES[0])
    speed = np.linalg.norm(preprocessor.resample(shaken).frames[..., VELOCITY], axis=-1)
    assert speed.max() < 3
    assert preprocessor.out_of_order == 30
    stamps[1::2] = stamps[::2] + 1_100_000  # just far enough apart to be two frames
    shaken = replace(shaken, stamps=stamps)
    speed = np.linalg.norm(preprocessor.resample(shaken).frames[..., VELOCITY], axis=-1)
    assert speed.max() < 3
    assert preprocessor.out_of_order == 30


def test_a_wild_position_makes_no_wild_speed(make: Make, steady: Callable) -> None:
    recording = make(steady(200, 115))
    positions = recording.positions.copy()
    positions[50, RIGHT] += 2.5
    positions[100:115, RIGHT] += [0, 1.5, 0]
    wild = replace(recording, positions=positions)
    preprocessor = Preprocessor(RECIPES[0])
    frames = preprocessor.resample(wild).frames
    assert np.linalg.norm(frames[..., VELOCITY], axis=-1).max() < 20
    assert preprocessor.implausible > 1
    calm = preprocessor.resample(recording).frames
    np.testing.assert_array_equal(frames[:, LEFT], calm[:, LEFT])


def test_frames_that_are_not_finite_are_counted_and_harmless(make: Make, steady: Callable) -> None:
    recording = make(steady(30, 60))
    preprocessor = Preprocessor(RECIPES[2])
    blocks = []
    for row, stamp in enumerate(recording.stamps.tolist()):
        positions, confidence = recording.positions[row].copy(), recording.confidence[row].copy()
        if row == 9:
            positions[3], positions[25, 1] = np.nan, -np.inf
        if row == 15:
            positions[:] = np.nan
            confidence[:] = np.nan
        blocks.append(preprocessor.push(stamp, positions, confidence))
    features = FeatureBlock.join([*blocks, preprocessor.flush()]).frames
    assert preprocessor.not_finite == 2
    assert np.isfinite(features).all()
    assert not features[9, [3, 25]].any()
    assert features[9, [4, 26], :6].all()


@pytest.mark.parametrize("size", [1e2, 1e3, 1e20, 1e37])
def test_a_storm_of_giant_hands_leaves_no_trace(make: Make, steady: Callable, size: float) -> None:
    """Neither the running hand length nor a filter may remember them."""
    recording = make(steady(240, 60))
    storm = slice(0, 60)
    positions, confidence = recording.positions.copy(), recording.confidence.copy()
    positions[storm] *= np.float32(size)
    confidence[storm] = 0
    recipe = Recipe(smoothing=Smoothing(kind="one_euro"))
    absent = Preprocessor(recipe).process(replace(recording, confidence=confidence))
    smoother, preprocessor = Smoother(recipe.smoothing), Preprocessor(recipe)
    blocks = []
    for stamp, xyz, each in zip(recording.stamps.tolist(), positions, recording.confidence):
        clean, kept, _ = tracked_frames(xyz, each)
        smooth = smoother.push(stamp, clean, kept)
        blocks.append(preprocessor.push(stamp, smooth, kept, recipe.smoothing.name))
    blocks.append(preprocessor.flush())
    live = FeatureBlock.join(blocks)
    assert np.isfinite(live.frames).all()
    np.testing.assert_allclose(live.frames[90:], absent.frames[90:], atol=0.02)


def test_hands_that_cannot_be_hands_are_absent(make: Make, steady: Callable) -> None:
    recording = make(steady(30, 60))
    positions, confidence = recording.positions.copy(), recording.confidence.copy()
    positions[:, LEFT] = positions[:, :1]  # all joints in one place
    confidence[:, RIGHT.start] = 0
    features = Preprocessor(RECIPES[1]).process(Recording(recording.stamps, positions, confidence))
    assert len(features) == 30
    assert not features.frames.any()


def test_frames_from_a_smoothing_node_are_not_smoothed_again(make: Make, steady: Callable) -> None:
    recipe = Recipe(smoothing=Smoothing(kind="one_euro"))
    recording = make(steady(90, 120))
    noise = np.random.default_rng(0).normal(0, 0.002, recording.positions.shape)
    raw = replace(recording, positions=(recording.positions + noise).astype(np.float32))
    smoothed = Smoother(recipe.smoothing).smooth(raw)
    expected = Preprocessor(recipe).process(raw)
    assert_same(Preprocessor(recipe).process(smoothed), expected)
    preprocessor = Preprocessor(recipe)
    pushed = [
        preprocessor.push(stamp, positions, confidence, smoothed.smoothing)
        for stamp, positions, confidence in zip(
            smoothed.stamps.tolist(), smoothed.positions, smoothed.confidence
        )
    ]
    assert_same(FeatureBlock.join([*pushed, preprocessor.flush()]), expected)
    assert np.abs(Preprocessor(RECIPES[0]).process(raw).frames - expected.frames).max() > 0.01


def test_frames_of_another_kind_are_refused(make: Make, steady: Callable) -> None:
    image = make(steady(3, 60), name="clip", coordinates=Coordinates.IMAGE_NORMALISED)
    with pytest.raises(RecipeError, match="clip: coordinates are image_normalised"):
        Preprocessor(RECIPES[0]).process(image)
    smoothed = make(steady(3, 60), name="clip", smoothing="moving_average(9)")
    with pytest.raises(RecipeError, match=r"clip: smoothed by moving_average\(9\)"):
        Preprocessor(RECIPES[3]).process(smoothed)
    frame = smoothed.positions[0], smoothed.confidence[0]
    with pytest.raises(RecipeError, match=r"hands: smoothed by moving_average\(9\)"):
        Preprocessor(RECIPES[3]).push(0, *frame, "moving_average(9)")


def test_another_filter_in_front_begins_a_new_stream(make: Make, steady: Callable) -> None:
    recording = make(steady(10, 60))
    preprocessor = Preprocessor(RECIPES[2])
    name = RECIPES[2].smoothing.name
    frames = list(zip(recording.stamps.tolist(), recording.positions, recording.confidence))
    blocks = [
        preprocessor.push(*frame, name if row < 5 else "") for row, frame in enumerate(frames)
    ]
    features = FeatureBlock.join([*blocks, preprocessor.flush()])
    assert np.flatnonzero(features.restarts).tolist() == [0, 5]


def test_the_look_ahead_is_stated() -> None:
    assert Preprocessor(Recipe()).look_ahead == pytest.approx(0.6)
    assert Preprocessor(Recipe(max_gap=0.4)).look_ahead == pytest.approx(0.8)
