# SPDX-License-Identifier: MIT
"""Build markers of hands and glosses for RViz and Foxglove."""

from dataclasses import dataclass

import numpy as np
from geometry_msgs.msg import Point
from numpy.typing import NDArray
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker

from whispersign_model.recordings.recording import Coordinates
from whispersign_model.skeleton import BONES, HANDS, LEFT, RIGHT

NAMESPACES = (*HANDS, "gloss", "partial")
BONES_ID, JOINTS_ID = 0, 1  # marker ids in a hand's namespace
BONE_COLOURS = {"left": (0.76, 0.34, 0.10), "right": (0.11, 0.50, 0.47)}
GLOSS_COLOUR, PARTIAL_COLOUR = (1.0, 1.0, 1.0), (0.6, 0.6, 0.6)
SIDES = dict(zip(HANDS, (LEFT, RIGHT)))
FOLLOWING = 0.05  # share of its distance to the hands that the text moves per frame

Points = NDArray[np.float32]  # (N, 3)


@dataclass(frozen=True)
class Sizes:
    """Sizes of the markers, in the unit of the coordinates.

    Attributes:
        joint: diameter of a joint.
        bone: line width of a bone.
        text: height of a capital letter.
        above: height of the gloss above the middle of the hands.
    """

    joint: float
    bone: float
    text: float
    above: float


METRIC = Sizes(joint=0.012, bone=0.005, text=0.04, above=0.25)
IMAGE = Sizes(joint=0.02, bone=0.008, text=0.06, above=0.4)  # in image heights


def sizes(coordinates: int) -> Sizes:
    """Return the marker sizes for a kind of coordinates."""
    return IMAGE if coordinates == Coordinates.IMAGE_NORMALISED else METRIC


def upright(positions: Points, coordinates: int) -> Points:
    """Return positions with y up and z toward the viewer; image coordinates have both reversed."""
    if coordinates == Coordinates.IMAGE_NORMALISED:
        return positions * np.array([1, -1, -1], np.float32)
    return positions


def hand_markers(
    side: str, header: Header, positions: Points, confidence: NDArray[np.float32], size: Sizes
) -> list[Marker]:
    """Return markers of a hand's bones and joints, or markers that delete them if it is absent.

    Args:
        side: ``left`` or ``right``, the markers' namespace.
        header: header of the frame.
        positions: ``(21, 3)``, y up.
        confidence: ``(21,)``; a joint with confidence 0 is not drawn.
        size: marker sizes.
    """
    tracked = confidence > 0
    if not tracked.any():
        return [_marker(header, side, each, Marker.DELETE) for each in (BONES_ID, JOINTS_ID)]
    points = _points(positions)
    bones = _marker(header, side, BONES_ID)
    bones.type = Marker.LINE_LIST
    bones.scale.x = size.bone
    bones.color = _colour(BONE_COLOURS[side])
    bones.points = [
        points[end] for bone in BONES if tracked[bone[0]] and tracked[bone[1]] for end in bone
    ]
    joints = _marker(header, side, JOINTS_ID)
    joints.type = Marker.SPHERE_LIST
    joints.scale.x = joints.scale.y = joints.scale.z = size.joint
    joints.color = _colour((1.0, 1.0, 1.0))  # Foxglove hides transparent markers
    joints.points = [point for point, seen in zip(points, tracked) if seen]
    joints.colors = [_colour((1 - c, c, 0.0)) for c in confidence[tracked].tolist()]
    return [bones, joints]


def text_marker(namespace: str, header: Header, text: str, place: Points, size: Sizes) -> Marker:
    """Return a text marker at a place ``(3,)``, or if the text is empty, one that deletes it."""
    if not text:
        return _marker(header, namespace, 0, Marker.DELETE)
    marker = _marker(header, namespace, 0)
    marker.type = Marker.TEXT_VIEW_FACING
    marker.text = text
    marker.scale.z = size.text
    marker.color = _colour(GLOSS_COLOUR if namespace == "gloss" else PARTIAL_COLOUR)
    marker.pose.position = _points(place[None])[0]
    return marker


def clearing(header: Header) -> list[Marker]:
    """Return markers that delete all markers of this module."""
    hands = [
        _marker(header, side, each, Marker.DELETE)
        for side in HANDS
        for each in (BONES_ID, JOINTS_ID)
    ]
    return hands + [_marker(header, name, 0, Marker.DELETE) for name in NAMESPACES[len(HANDS) :]]


class Anchor:
    """Place of the text, which slowly follows the hands so that it stays readable."""

    def __init__(self) -> None:
        self._middle: Points | None = None

    def follow(self, positions: Points, confidence: NDArray[np.float32]) -> Points:
        """Process joints ``(42, 3)``, y up; return the smoothed center of the hands ``(3,)``."""
        tracked = confidence > 0
        if tracked.any():
            middle = positions[tracked].mean(axis=0)
            last = middle if self._middle is None else self._middle
            self._middle = last + FOLLOWING * (middle - last)
        return np.zeros(3, np.float32) if self._middle is None else self._middle


def _marker(header: Header, namespace: str, number: int, action: int = Marker.ADD) -> Marker:
    marker = Marker(header=header, ns=namespace, id=number, action=action)
    marker.pose.orientation.w = 1.0
    return marker


def _points(positions: Points) -> list[Point]:
    return [Point(x=x, y=y, z=z) for x, y, z in positions.tolist()]


def _colour(shares: tuple[float, float, float]) -> ColorRGBA:
    red, green, blue = shares
    return ColorRGBA(r=red, g=green, b=blue, a=1.0)
