# SPDX-License-Identifier: MIT
from dataclasses import replace

import numpy as np
import pytest

from whispersign_model.skeleton import LEFT, RIGHT
from whispersign_model.synthesis.hand import HandGeometry
from whispersign_model.synthesis.hand_trajectory import HandTrajectory, SignAnimator
from whispersign_model.synthesis.lexicon import default_lexicon
from whispersign_model.synthesis.performance import Performance
from whispersign_model.synthesis.sensor import ACQUISITION, SENSORS, SensorModel, in_view
from whispersign_model.synthesis.style import SignerStyle
from whispersign_model.timestamps import NANOSECONDS

IDEAL = SensorModel.ideal(60.0)


def performance(seconds: float = 20.0, location: str = "neutral") -> Performance:
    animator = SignAnimator(default_lexicon(), SignerStyle())
    trajectory = animator.posture("flat", "forward", "up", location, round(seconds * 200) + 1)
    return Performance((trajectory, trajectory), HandGeometry.adult(), ())


def observe(sensor: SensorModel, seed: int = 0, seconds: float = 20.0, start: int = 0):
    return sensor.observe(performance(seconds), start, np.random.default_rng(seed))


def test_an_ideal_sensor_gives_the_truth_at_its_rate() -> None:
    shown = performance()
    stamps, positions, confidence = IDEAL.observe(shown, 7, np.random.default_rng(0))
    assert len(stamps) == 1201
    np.testing.assert_allclose((stamps - 7) / NANOSECONDS, np.arange(1201) / 60, atol=1e-9)
    truth = shown.joints(np.arange(1201) / 60).reshape(-1, 42, 3)
    np.testing.assert_allclose(positions, truth, atol=1e-6)
    assert (confidence == 1).all()


def test_rate_jitter_and_lost_frames() -> None:
    stamps, *_ = observe(replace(IDEAL, rate=100.0, jitter=0.1))
    gaps = np.diff(stamps) / NANOSECONDS
    assert gaps.mean() == pytest.approx(0.01, rel=0.01)
    assert gaps.std() == pytest.approx(0.0014, rel=0.15)
    assert gaps.min() > 0
    stamps, *_ = observe(replace(IDEAL, lost_frames=0.2))
    assert len(stamps) == pytest.approx(0.8 * 1201, rel=0.06)


def test_noise_has_the_stated_size_and_is_deeper_along_z() -> None:
    truth = observe(IDEAL)[1]
    seen = observe(replace(IDEAL, noise=0.002, depth_noise=3.0))[1]
    spread = (seen - truth)[:, 1].std(axis=0)  # left thumb CMC
    # White noise of the joint, and the slow error of the hand that has 0.8 of it.
    expected = 0.002 * np.hypot(1.0, 0.8)
    np.testing.assert_allclose(spread, expected * np.array([1, 1, 3]), rtol=0.2)


def test_confidence_falls_where_noise_rises() -> None:
    truth = observe(IDEAL, seconds=60.0)[1]
    sensor = replace(IDEAL, noise=0.002, bursts=0.5)
    _, seen, confidence = observe(sensor, seconds=60.0)
    error = np.linalg.norm(seen - truth, axis=-1)[:, RIGHT]
    sure = confidence[:, RIGHT]
    low, high = np.quantile(sure, [0.05, 0.95])
    assert error[sure <= low].mean() > 2 * error[sure >= high].mean()
    assert 0 < sure.min() < 0.6 < 0.9 < sure.max() <= 1
    quiet = observe(replace(IDEAL, noise=0.0001))[2]
    loud = observe(replace(IDEAL, noise=0.01))[2]
    assert loud.max() < quiet.min()


def test_a_dropped_hand_is_absent_with_zeros() -> None:
    _, positions, confidence = observe(replace(IDEAL, dropouts=0.5, dropout_length=0.2))
    for hand in (LEFT, RIGHT):
        lost = confidence[:, hand].max(axis=1) == 0
        assert 0.02 < lost.mean() < 0.3
        assert (positions[lost, hand] == 0).all()
        assert (confidence[~lost, hand] > 0).all()


def test_spikes_are_single_wild_frames() -> None:
    truth = observe(IDEAL)[1]
    seen = observe(replace(IDEAL, spikes=0.5, spike_size=0.1))[1]
    wild = np.linalg.norm(seen - truth, axis=-1)[:, RIGHT].max(axis=1) > 0.02
    assert 4 <= wild.sum() <= 25
    assert not (wild[1:] & wild[:-1]).all()


def test_hands_below_the_field_of_view_are_not_tracked() -> None:
    bounded = SensorModel.ideal(60.0, bounded=True)
    _, _, confidence = bounded.observe(performance(1.0, "lap"), 0, np.random.default_rng(0))
    assert (confidence == 0).all()
    _, _, confidence = bounded.observe(performance(1.0, "high"), 0, np.random.default_rng(0))
    assert (confidence > 0).all()
    assert not in_view(np.array([[0.0, -0.1, 0.0], [0.9, 0.2, 0.0], [0.0, 0.9, 0.0]])).any()


def test_a_hand_that_comes_into_view_is_tracked_a_moment_later() -> None:
    animator = SignAnimator(default_lexicon(), SignerStyle())
    away, there = (animator.posture("flat", "forward", "up", p, 200) for p in ("lap", "high"))
    trajectory = HandTrajectory.joined([away, there, away])
    shown = Performance((trajectory, trajectory), HandGeometry.adult(), ())
    stamps, _, confidence = SensorModel.ideal(200.0, bounded=True).observe(
        shown, 0, np.random.default_rng(0)
    )
    seen = stamps[confidence[:, 0] > 0] / NANOSECONDS
    assert seen[0] == pytest.approx(1.0 + ACQUISITION, abs=0.011)
    assert seen[-1] == pytest.approx(2.0, abs=0.011)


@pytest.mark.parametrize("name", SENSORS)
def test_named_sensors_depend_on_the_seed_alone(name: str) -> None:
    sensor = SensorModel.named(name, 50.0)
    assert sensor.name == name
    assert sensor.rate == 50.0
    for first, second in zip(observe(sensor, 3), observe(sensor, 3)):
        np.testing.assert_array_equal(first, second)
    if name != "ideal":
        assert not np.array_equal(observe(sensor, 3)[0], observe(sensor, 4)[0])


def test_stamps_start_at_the_given_time() -> None:
    stamps, *_ = observe(SensorModel(), start=5 * NANOSECONDS)
    assert 5 * NANOSECONDS <= stamps[0] < 5.02 * NANOSECONDS
    assert (np.diff(stamps) > 0).all()
