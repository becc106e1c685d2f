# SPDX-License-Identifier: MIT
"""Hands and glosses as markers."""

from __future__ import annotations

import numpy as np
import pytest
from std_msgs.msg import Header
from visualization_msgs.msg import Marker

from whispersign_model.recordings.recording import Coordinates
from whispersign_model.skeleton import BONES, JOINTS_PER_HAND
from whispersign_ros.conversions.markers import (
    IMAGE,
    METRIC,
    Anchor,
    clearing,
    hand_markers,
    sizes,
    text_marker,
    upright,
)

HEADER = Header(frame_id="sensor")
POSITIONS = np.random.default_rng(0).normal(size=(JOINTS_PER_HAND, 3)).astype(np.float32)


def _places(marker):
    return [(point.x, point.y, point.z) for point in marker.points]


def test_a_hand_is_its_bones_and_its_joints():
    confidence = np.ones(JOINTS_PER_HAND, np.float32)
    bones, joints = hand_markers("left", HEADER, POSITIONS, confidence, METRIC)
    assert (bones.type, joints.type) == (Marker.LINE_LIST, Marker.SPHERE_LIST)
    assert {bones.action, joints.action} == {Marker.ADD}
    assert {bones.ns, joints.ns} == {"left"}
    assert bones.id != joints.id
    assert bones.header.frame_id == "sensor"
    np.testing.assert_allclose(_places(joints), POSITIONS)
    np.testing.assert_allclose(_places(bones), POSITIONS[np.array(BONES).ravel()])
    assert 0 < bones.scale.x < joints.scale.x == METRIC.joint
    assert bones.pose.orientation.w == 1.0


def test_hands_have_namespaces_and_colours_of_their_own():
    confidence = np.ones(JOINTS_PER_HAND, np.float32)
    left, right = (
        hand_markers(side, HEADER, POSITIONS, confidence, METRIC)[0] for side in ("left", "right")
    )
    assert (left.ns, right.ns) == ("left", "right")
    assert left.color != right.color


def test_joints_are_coloured_by_confidence_and_those_not_tracked_are_not_drawn():
    confidence = np.linspace(0, 1, JOINTS_PER_HAND).astype(np.float32)
    bones, joints = hand_markers("left", HEADER, POSITIONS, confidence, METRIC)
    np.testing.assert_allclose(_places(joints), POSITIONS[1:])
    assert len(joints.colors) == len(joints.points)
    greens = [colour.g for colour in joints.colors]
    assert greens == sorted(greens)
    assert joints.colors[-1].g == pytest.approx(1)
    assert joints.colors[0].r == pytest.approx(1 - 1 / (JOINTS_PER_HAND - 1))
    assert {colour.a for colour in joints.colors} == {1.0}
    assert len(bones.points) == 2 * sum(0 not in bone for bone in BONES)


def test_a_hand_that_is_gone_is_deleted():
    gone = hand_markers("right", HEADER, POSITIONS, np.zeros(JOINTS_PER_HAND, np.float32), METRIC)
    there = hand_markers("right", HEADER, POSITIONS, np.ones(JOINTS_PER_HAND, np.float32), METRIC)
    assert {marker.action for marker in gone} == {Marker.DELETE}
    assert [(m.ns, m.id) for m in gone] == [(m.ns, m.id) for m in there]


def test_text_is_written_at_its_place_and_deleted_where_there_is_none():
    place = np.array([1, 2, 3], np.float32)
    text = text_marker("gloss", HEADER, "HELLO", place, METRIC)
    assert (text.type, text.action) == (Marker.TEXT_VIEW_FACING, Marker.ADD)
    assert text.text == "HELLO"
    position = text.pose.position
    assert (position.x, position.y, position.z) == (1, 2, 3)
    assert text.scale.z == METRIC.text
    assert text.color != text_marker("partial", HEADER, "HELLO", place, METRIC).color
    assert text_marker("gloss", HEADER, "", place, METRIC).action == Marker.DELETE


def test_clearing_deletes_all_there_can_be():
    confidence = np.ones(JOINTS_PER_HAND, np.float32)
    drawn = [
        *hand_markers("left", HEADER, POSITIONS, confidence, METRIC),
        *hand_markers("right", HEADER, POSITIONS, confidence, METRIC),
        *(text_marker(name, HEADER, "A", POSITIONS[0], METRIC) for name in ("gloss", "partial")),
    ]
    cleared = clearing(HEADER)
    assert {marker.action for marker in cleared} == {Marker.DELETE}
    assert sorted((m.ns, m.id) for m in cleared) == sorted((m.ns, m.id) for m in drawn)


def test_pictures_are_turned_upright():
    turned = upright(POSITIONS, Coordinates.IMAGE_NORMALISED)
    np.testing.assert_array_equal(turned, POSITIONS * (1, -1, -1))
    np.testing.assert_array_equal(upright(POSITIONS, Coordinates.METRIC_SENSOR), POSITIONS)
    assert sizes(Coordinates.IMAGE_NORMALISED) == IMAGE
    assert sizes(Coordinates.METRIC_SENSOR) == METRIC


def test_text_follows_the_hands_slowly():
    anchor = Anchor()
    seen = np.ones(42, np.float32)
    none = np.zeros((42, 3), np.float32)
    np.testing.assert_array_equal(anchor.follow(none, np.zeros(42, np.float32)), 0)
    np.testing.assert_array_equal(anchor.follow(none + 1, seen), 1)
    moved = anchor.follow(none + 2, seen)
    assert (moved > 1).all()
    assert (moved < 1.2).all()
    np.testing.assert_array_equal(anchor.follow(none, np.zeros(42, np.float32)), moved)
