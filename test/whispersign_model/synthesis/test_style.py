# SPDX-License-Identifier: MIT
from dataclasses import fields, replace

import numpy as np
import pytest

from whispersign_model.skeleton import LEFT, RIGHT
from whispersign_model.synthesis.hand import HandGeometry, clamp
from whispersign_model.synthesis.hand_trajectory import SignAnimator
from whispersign_model.synthesis.lexicon import default_lexicon
from whispersign_model.synthesis.sensor import SensorModel
from whispersign_model.synthesis.signer import Signer
from whispersign_model.synthesis.style import SignerStyle, Variation

STANDARD = SignerStyle()
IDEAL = SensorModel.ideal(100.0)
LARGE = HandGeometry(1.1 * STANDARD.geometry.roots, 1.1 * STANDARD.geometry.bones, 1.1)
OTHER_HABITS = {
    "geometry": LARGE,
    "left_handed": True,
    "tempo": 1.2,
    "amplitude": 1.2,
    "location_offset": np.array([0.02, 0.0, 0.0]),
    "location_scale": 1.1,
    "tilt": np.array([0.1, 0.0, 0.0]),
    "sloppiness": 0.2,
    "finger_habit": np.full((5, 4), 0.05),
    "coarticulation": 0.04,
    "hold": 0.2,
    "curvature": 0.2,
    "ready_hand": True,
}


def joints(style: SignerStyle) -> np.ndarray:
    """Two signs of this signer, 150 moments of both hands."""
    signer = Signer(0, style, sensor=IDEAL, naturalness=0.5)
    positions = signer.sign_sentence(["STOP", "THANKS"]).positions
    return positions[np.linspace(0, len(positions) - 1, 150).round().astype(int)]


def test_every_habit_is_known_here() -> None:
    assert set(OTHER_HABITS) == {field.name for field in fields(SignerStyle)}


@pytest.mark.parametrize("habit", OTHER_HABITS)
def test_every_habit_shows(habit: str) -> None:
    changed = joints(replace(STANDARD, **{habit: OTHER_HABITS[habit]}))
    assert np.abs(changed - joints(STANDARD)).max() > 0.004


@pytest.mark.parametrize("habit", OTHER_HABITS)
def test_people_differ_in_every_habit(habit: str) -> None:
    drawn = [getattr(SignerStyle.drawn(np.random.default_rng(n), 0.5), habit) for n in range(12)]
    if habit == "geometry":
        drawn = [geometry.bones for geometry in drawn]
    assert any(np.any(value != drawn[0]) for value in drawn[1:])


def test_offsets_and_hand_sizes_do_what_they_say() -> None:
    plain = joints(STANDARD)
    moved = joints(replace(STANDARD, location_offset=np.array([0.02, 0.0, 0.0])))
    np.testing.assert_allclose((moved - plain)[75, RIGHT], [[0.02, 0, 0]] * 21, atol=1e-3)
    np.testing.assert_allclose((moved - plain)[75, LEFT], [[-0.02, 0, 0]] * 21, atol=1e-3)
    large = HandGeometry(
        *(1.1 * part for part in (STANDARD.geometry.roots, STANDARD.geometry.bones))
    )
    grown = joints(replace(STANDARD, geometry=large))[75, RIGHT]
    length = np.linalg.norm(grown[8] - grown[5])
    assert length == pytest.approx(
        1.1 * np.linalg.norm(plain[75, 26 + 3] - plain[75, 26]), rel=0.02
    )


def test_a_held_sign_lasts_longer() -> None:
    def gap(hold: float) -> float:
        signer = Signer(0, replace(STANDARD, hold=hold), sensor=IDEAL, naturalness=0)
        first, second = signer.sign_sentence(["STOP", "YES"]).segments
        return (second.start - first.end) / 1e9

    assert gap(0.3) - gap(0.1) == pytest.approx(0.2, abs=0.01)


def test_strokes_of_odd_hands_keep_to_the_joint_limits() -> None:
    lexicon = default_lexicon()
    stiff = replace(STANDARD, finger_habit=np.full((5, 4), -0.4))
    for gloss in ("WAIT", "YES", "ON"):
        trajectory, _ = SignAnimator(lexicon, stiff).animate(lexicon.sign(gloss), Variation.none())
        np.testing.assert_array_equal(trajectory.angles, clamp(trajectory.angles))


def test_a_production_is_habit_plus_chance() -> None:
    def offsets(habit_seed: int, gloss: str) -> np.ndarray:
        rng = np.random.default_rng(9)
        takes = [Variation.drawn(habit_seed, gloss, rng, 1.0).offset for _ in range(200)]
        return np.array(takes)

    stop, again, go, other = (
        offsets(1, "STOP"),
        offsets(1, "STOP"),
        offsets(1, "GO"),
        offsets(2, "STOP"),
    )
    np.testing.assert_array_equal(stop, again)
    assert stop.std(axis=0).min() > 0.003  # every take is different
    for unlike in (go, other):  # and lies about this signer's own form of this sign
        assert np.abs(stop.mean(axis=0) - unlike.mean(axis=0)).max() > 0.004


def test_nothing_varies_without_naturalness() -> None:
    exact = Variation.drawn(1, "STOP", np.random.default_rng(0), 0.0)
    none = Variation.none()
    assert (exact.tempo, exact.amplitude) == (none.tempo, none.amplitude)
    for name in ("offset", "tilt", "fingers"):
        np.testing.assert_array_equal(getattr(exact, name), getattr(none, name))


def test_two_signers_see_different_noise() -> None:
    signers = [Signer(seed, STANDARD, naturalness=0.0) for seed in (1, 2)]
    truths = [Signer(s.seed, STANDARD, sensor=IDEAL, naturalness=0.0) for s in signers]
    first, second = (truth.sign_sentence(["STOP"]).positions for truth in truths)
    np.testing.assert_array_equal(first, second)
    first, second = (signer.sign_sentence(["STOP"]).positions for signer in signers)
    frames = min(len(first), len(second))
    assert not np.array_equal(first[:frames], second[:frames])
