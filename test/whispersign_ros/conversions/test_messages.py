# SPDX-License-Identifier: MIT
"""Conversions between messages and arrays."""

from __future__ import annotations

import numpy as np

from whispersign_model.decoding.result import RecognizedGloss, Result
from whispersign_model.recordings.recording import Coordinates
from whispersign_model.skeleton import LEFT, RIGHT
from whispersign_msgs.msg import GlossAnnotation
from whispersign_ros.conversions.messages import (
    annotation_message,
    features_message,
    frame_message,
    gloss_messages,
    nanoseconds,
    read_features,
    read_frame,
    time_message,
)

STAMP = 1_700_000_000_000_000_001


def _frame(positions: np.ndarray, confidence: np.ndarray):
    return frame_message(
        STAMP,
        7,
        positions,
        confidence,
        frame_id="hands",
        coordinates=Coordinates.METRIC_SENSOR,
        source="leap",
    )


def test_times_are_exact_to_the_nanosecond():
    for stamp in (0, 1, STAMP, 2**31 * 10**9 - 1, -1):
        assert nanoseconds(time_message(stamp)) == stamp


def test_frame_keeps_every_joint_in_its_place():
    positions = np.arange(126, dtype=np.float32).reshape(42, 3)
    confidence = np.linspace(0.1, 1, 42, dtype=np.float32)
    message = _frame(positions, confidence)
    assert message.left_positions[0] == 0
    assert message.right_positions[0] == 63
    assert message.left_tracked
    assert message.right_tracked
    frame = read_frame(message)
    np.testing.assert_array_equal(frame.positions, positions)
    np.testing.assert_array_equal(frame.confidence, confidence)
    assert (frame.stamp, frame.sequence, frame.untrackable, frame.hands_tracked) == (STAMP, 7, 0, 2)


def test_frame_does_not_share_memory_with_its_arrays():
    positions = np.zeros((42, 3), np.float32)
    message = _frame(positions, np.ones(42, np.float32))
    positions[:] = 5
    assert not message.left_positions.any()


def test_a_hand_flagged_absent_is_not_tracked():
    message = _frame(np.ones((42, 3), np.float32), np.ones(42, np.float32))
    message.right_tracked = False
    frame = read_frame(message)
    assert frame.confidence[LEFT].all()
    assert not frame.confidence[RIGHT].any()
    assert not frame.positions[RIGHT].any()
    assert frame.hands_tracked == 1


def test_joints_that_are_not_finite_are_counted_and_not_tracked():
    positions = np.ones((42, 3), np.float32)
    positions[3, 1], positions[30, 0] = np.nan, np.inf
    frame = read_frame(_frame(positions, np.ones(42, np.float32)))
    assert frame.untrackable == 2
    assert np.isfinite(frame.positions).all()
    assert frame.confidence[[3, 30]].tolist() == [0, 0]
    assert frame.confidence.sum() == 40


def test_features_keep_every_value_in_its_place():
    features = np.arange(42 * 7, dtype=np.float32).reshape(42, 7)
    features[:, 6] = 0
    features[30, 6] = 1
    message = features_message(STAMP, 3, features, frame_id="hands", recipe_id="abc")
    assert (message.left_tracked, message.right_tracked) == (False, True)
    assert (message.sequence, message.recipe_id, message.header.frame_id) == (3, "abc", "hands")
    stamp, read = read_features(message)
    assert stamp == STAMP
    np.testing.assert_array_equal(read, features)


def test_one_gloss_message_for_each_gloss():
    glosses = (
        RecognizedGloss("YES", 2, STAMP, STAMP + 5, 0.75, (("NO", 0.25),)),
        RecognizedGloss("NO", 3, STAMP + 6, STAMP + 9, 1.0),
    )
    first, second = gloss_messages(Result(True, 11, glosses), "hands", "xx", "model@1")
    assert nanoseconds(first.start_time) == STAMP
    assert nanoseconds(first.end_time) == nanoseconds(first.header.stamp) == STAMP + 5
    assert (first.gloss, first.gloss_id, first.confidence) == ("YES", 2, 0.75)
    assert first.alternatives == ["NO"]
    assert list(first.alternative_confidences) == [0.25]
    assert (first.position, second.position) == (0, 1)
    assert (first.utterance_length, first.utterance_id, first.final) == (2, 11, True)
    assert (first.language, first.model_id, first.header.frame_id) == ("xx", "model@1", "hands")
    assert second.gloss == "NO"


def test_an_annotation_of_one_frame_does_not_mean_the_whole_recording():
    label = annotation_message(STAMP, STAMP, ["YES"], frame_id="hands", signer="ann")
    assert nanoseconds(label.end_time) > nanoseconds(label.start_time) == STAMP
    assert (label.glosses, label.signer, label.status) == (["YES"], "ann", GlossAnnotation.KEEP)
    discarded = annotation_message(0, 9, [], frame_id="hands", signer="", keep=False)
    assert discarded.status == GlossAnnotation.DISCARD
