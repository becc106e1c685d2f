# SPDX-License-Identifier: MIT
"""Situations in a room: what they change in a recording, and what they leave as it is."""

from dataclasses import replace

import numpy as np
import pytest

from whispersign_model.benchmarks import situations
from whispersign_model.recordings.recording import Coordinates
from whispersign_model.skeleton import JOINTS, LEFT, MIDDLE_MCP, RIGHT, WRIST

SECOND = 1_000_000_000


def test_a_motionless_hand_keeps_a_posture_with_noise_on_tracked_joints_alone(signing):
    sign, generator = signing(), np.random.default_rng(0)
    hand = situations.motionless(sign, 20, 10.0, 0.001, generator)
    assert hand.duration == pytest.approx(10, abs=0.01)
    assert hand.frame_rate == pytest.approx(60, abs=0.01)
    assert hand.stamps[0] == sign.stamps[20]
    assert hand.segments == ()
    noise = (hand.positions - sign.positions[20])[:, RIGHT]
    assert noise.std() == pytest.approx(0.001, rel=0.02)
    assert not hand.positions[:, LEFT].any()
    exact = situations.motionless(sign, 20, 1.0, 0.0, generator)
    assert (exact.positions == sign.positions[20]).all()


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_a_held_sign_stops_for_that_time_and_then_goes_on(signing, share):
    sign = signing()
    held = situations.held(sign, share, 2.0, 0.0, np.random.default_rng(0))
    frame = situations.posture(sign, share)
    count = len(held) - len(sign)
    assert count == 100
    assert held.duration == pytest.approx(sign.duration + 2)
    assert (np.diff(held.stamps) == np.diff(sign.stamps)[0]).all()
    assert (held.positions[frame : frame + count + 1] == sign.positions[frame]).all()
    rest = np.delete(held.positions, np.arange(frame + 1, frame + 1 + count), axis=0)
    assert (rest == sign.positions).all()
    (segment,) = held.segments
    assert segment.start == sign.segments[0].start
    later = 2 * SECOND if share < 1 else 0
    assert segment.end == sign.segments[0].end + later


def test_a_hand_that_comes_stops_after_its_share_of_the_sign(signing):
    sign = signing()
    hand, stop = situations.comes_to_rest(sign, 0.2, 3.0, 0.0, np.random.default_rng(0))
    assert stop == sign.stamps[16]  # 5 frames without a hand, and a fifth of 55
    assert hand.stamps[0] == sign.stamps[5]
    assert hand.stamps[-1] - stop == pytest.approx(3 * SECOND, abs=SECOND / 50)
    assert (hand.positions[hand.stamps >= stop] == sign.positions[16]).all()
    assert (np.diff(hand.stamps) > 0).all()
    assert hand.segments == ()


def test_a_visitor_comes_after_a_gap_with_times_in_order(signing):
    first, second = signing(), signing(40)
    both = situations.followed_by(situations.scaled(first, 0.5), second, 0.7)
    assert (np.diff(both.stamps) > 0).all()
    assert (both.positions[: len(first)] == first.positions / 2).all()
    assert (both.positions[-len(second) :] == second.positions).all()
    gap = both.confidence[len(first) : -len(second)]
    assert len(gap) == 42
    assert not gap.any()
    assert both.segments[1].end == both.stamps[-1]
    none = situations.followed_by(first, second, 0.0)
    assert len(none) == len(first) + len(second)


def test_a_slower_sensor_delivers_frames_of_the_recording_at_its_rate(signing):
    sign = signing(500)
    slow = situations.at_rate(sign, 10.0, 0.0, np.random.default_rng(3))
    assert len(slow) == pytest.approx(100, abs=1)
    assert slow.frame_rate == pytest.approx(10, rel=0.01)
    rows = np.searchsorted(sign.stamps, slow.stamps)
    assert (sign.stamps[rows] == slow.stamps).all()
    assert (sign.positions[rows] == slow.positions).all()
    lossy = situations.at_rate(sign, 50.0, 0.2, np.random.default_rng(3))
    assert len(lossy) == pytest.approx(400, abs=30)


def test_a_camera_sees_the_signers_right_on_the_left_and_up_as_smaller_y(signing):
    sign = replace(signing(), source="leap")
    seen = situations.as_camera_sees(sign, np.random.default_rng(0))
    assert seen.coordinates is Coordinates.IMAGE_NORMALISED
    assert seen.frame_rate == pytest.approx(30, rel=0.35)  # of 50 frames a second, some
    tracked = seen.positions[seen.confidence[:, RIGHT.start] > 0][:, RIGHT]
    assert (np.diff(tracked[:, WRIST, 0]) < 0).all()
    hand = tracked[:, MIDDLE_MCP] - tracked[:, WRIST]
    np.testing.assert_allclose(hand, np.tile([0, -0.09 * 1.7, 0], (len(hand), 1)), atol=1e-6)
    assert np.median(tracked[:, WRIST], axis=0) == pytest.approx([0.64, 0.72, 0], abs=0.02)
    assert not seen.positions[seen.confidence == 0].any()


def test_hands_are_moved_to_a_place_by_the_middle_of_their_wrists(signing):
    place = np.array([1.0, 2.0, 3.0], np.float32)
    moved = situations.moved_to(signing(), place)
    np.testing.assert_allclose(situations.median_wrist([moved]), place, atol=1e-6)
    assert not moved.positions[moved.confidence == 0].any()


def test_a_hand_stops_before_a_sign_unless_it_already_has_a_posture_that_is_one(signing):
    sign, none = signing(), situations.held_postures([])
    assert situations.stops_before_sign(sign, 0.2, none)
    assert not situations.stops_before_sign(sign, 1.0, none)
    still = replace(sign, positions=np.tile(sign.positions[20], (len(sign), 1, 1)))
    assert not situations.stops_before_sign(still, 0.2, none)
    assert not situations.stops_before_sign(sign, 0.2, situations.held_postures([still]))


def test_a_recording_without_hands_has_no_posture(signing):
    empty = replace(signing(), confidence=np.zeros((60, JOINTS), np.float32))
    with pytest.raises(ValueError, match="go has no frame with a hand"):
        situations.posture(empty, 0.5)
