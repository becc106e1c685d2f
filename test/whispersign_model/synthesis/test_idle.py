# SPDX-License-Identifier: MIT
import numpy as np
import pytest

from whispersign_model.errors import ConfigError
from whispersign_model.recordings.recording import Segment
from whispersign_model.skeleton import LEFT, RIGHT
from whispersign_model.synthesis.hand import clamp
from whispersign_model.synthesis.hand_trajectory import GRID, SignAnimator
from whispersign_model.synthesis.idle import IDLE_KINDS, idle_trajectories
from whispersign_model.synthesis.lexicon import default_lexicon
from whispersign_model.synthesis.sensor import SensorModel
from whispersign_model.synthesis.signer import Signer
from whispersign_model.synthesis.style import SignerStyle

ANIMATOR = SignAnimator(default_lexicon(), SignerStyle())


def trajectories(kind: str, seed: int = 0):
    return idle_trajectories(kind, 3.0, ANIMATOR, np.random.default_rng(seed))


@pytest.mark.parametrize("kind", IDLE_KINDS)
def test_idle_movements_are_labelled_as_nothing_and_keep_to_the_limits(kind: str) -> None:
    recording = Signer(1).idle(kind, 3.0, start=10**18)
    assert recording.segments == (Segment((), *recording.stamps[[0, -1]].tolist()),)
    assert (recording.confidence[:, LEFT] > 0).any()
    assert (recording.confidence[:, RIGHT] > 0).any()
    for trajectory in trajectories(kind):
        assert len(trajectory) == 3 * GRID
        np.testing.assert_array_equal(trajectory.angles, clamp(trajectory.angles))


def test_rest_is_still_scratching_moves_fingers_and_random_moves_all() -> None:
    rest, scratch, wild = (trajectories(kind)[0] for kind in IDLE_KINDS)
    assert np.ptp(rest.wrist, axis=0).max() == np.ptp(rest.angles, axis=0).max() == 0
    assert np.ptp(scratch.wrist, axis=0).max() == 0
    assert np.ptp(scratch.angles, axis=0).max() > np.deg2rad(30)
    assert np.ptp(wild.wrist, axis=0).max() > 0.1
    assert np.ptp(wild.rotation.as_quat(), axis=0).max() > 0.5
    assert np.abs(np.diff(wild.wrist, axis=0)).max() * GRID < 1.6


def test_random_movement_comes_from_the_seed() -> None:
    np.testing.assert_array_equal(
        trajectories("random", 4)[0].wrist, trajectories("random", 4)[0].wrist
    )
    assert not np.allclose(trajectories("random", 4)[0].wrist, trajectories("random", 5)[0].wrist)
    first, second = Signer(1, sensor=SensorModel.ideal()), Signer(1, sensor=SensorModel.ideal())
    np.testing.assert_array_equal(
        first.idle("random", 2.0).positions, second.idle("random", 2.0).positions
    )


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"juggle.*rest, scratch, random"):
        trajectories("juggle")
