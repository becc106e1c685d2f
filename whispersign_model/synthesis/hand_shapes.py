# SPDX-License-Identifier: MIT
"""The rounded shapes around the joints of a hand, for rendering."""

from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise

import numpy as np

from whispersign_model.arrays import Doubles
from whispersign_model.skeleton import FINGERS, WRIST
from whispersign_model.synthesis.vectors import normalise

SKIN, NAIL, LINE, SLEEVE = 1, 2, 3, 4  # material indices; 0 is the background

# Half the thickness at each joint of an adult hand in meters.
RADII = np.array(
    [
        0.0185,
        *(0.0185, 0.0140, 0.0112, 0.0095),  # thumb, from CMC (the ball of the thumb) to tip
        *(0.0129, 0.0103, 0.0090, 0.0076),
        *(0.0132, 0.0108, 0.0093, 0.0078),
        *(0.0125, 0.0101, 0.0087, 0.0074),
        *(0.0114, 0.0090, 0.0078, 0.0067),
    ]
)
ADULT_PALM = 0.091  # meters from wrist to middle MCP of the hand that has these radii
KNUCKLES = [5, 9, 13, 17]
HEEL = 0.55  # spacing of the metacarpals at the wrist, relative to the MCP joints
HEEL_RADIUS = 0.0160  # meters
WEB = 0.38  # height of the skin between fingers, as a share of the first finger bone
WEB_RADIUS = 0.0070
TILTS = np.array([-0.5, -0.15, 0.15, 0.5])  # of the palm's surface, from radial to ulnar edge
# Palm lines as (across, along): 0 to 1 from index to little finger, and from wrist to MCP joints.
PALM_LINES = (
    ((1.0, 0.76), (0.62, 0.70), (0.28, 0.84), (0.20, 0.97)),
    ((0.0, 0.70), (0.40, 0.60), (0.85, 0.38)),
    ((0.0, 0.74), (0.26, 0.55), (0.36, 0.25), (0.30, 0.02)),
)
LINE_RADIUS = 0.0006
WRIST_HALF = 0.012  # meters from the wrist's center to each of its two bones
FOREARM = (0.10, 0.26)  # distances in meters from the wrist to the sleeve and to the elbow
FOREARM_RADII = (0.018, 0.022, 0.038)  # radii in meters at wrist, sleeve and elbow
ELBOW = (0.27, -0.12, 0.20)  # meters, sensor frame: usual position of the right elbow

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Bone:
    """A rounded cone between two points; ``back`` points out of the back of the hand."""

    first: int
    second: int
    material: int
    back: Vector = (0.0, 0.0, 0.0)
    creased: bool = False
    nail: bool = False


@dataclass(frozen=True)
class Plate:
    """A triangle of skin between three points, as thick as the points."""

    corners: tuple[int, int, int]
    tilts: Doubles  # (3, 3), added to the normals at the corners, for shading


@dataclass
class HandShapes:
    """Points ``(n, 3)`` with radii ``(n,)`` in meters, and the shapes between them."""

    points: list[Doubles] = field(default_factory=list)
    radii: list[float] = field(default_factory=list)
    bones: list[Bone] = field(default_factory=list)
    plates: list[Plate] = field(default_factory=list)
    back: Doubles = field(default_factory=lambda: np.zeros(3))

    def add(self, points: Doubles, radii: Doubles) -> list[int]:
        """Add points ``(n, 3)`` with radii ``(n,)``; return their indices."""
        begin = len(self.points)
        self.points.extend(points)
        self.radii.extend(float(radius) for radius in radii)
        return list(range(begin, begin + len(points)))

    def strip(self, one: list[int], other: list[int], tilts: Doubles) -> None:
        """Connect two rows of points with plates; ``tilts`` ``(n, 3)`` has one row per column."""
        for k in range(len(one) - 1):
            a, b = tilts[k], tilts[k + 1]
            self.plates.append(Plate((one[k], other[k], other[k + 1]), np.stack([a, a, b])))
            self.plates.append(Plate((one[k], other[k + 1], one[k + 1]), np.stack([a, b, b])))


def hand_shapes_of(joints: Doubles, hand: str) -> HandShapes:
    """Return the shapes of one hand and its forearm.

    Args:
        joints: ``(21, 3)`` meters, sensor frame.
        hand: "left" or "right".
    """
    size = float(np.linalg.norm(joints[9] - joints[WRIST])) / ADULT_PALM
    shapes = HandShapes(back=_back_of_hand(joints, hand))
    shapes.add(joints, RADII * size)
    across = normalise(joints[17] - joints[5])
    skin = partial(Bone, material=SKIN, back=_vector(shapes.back))
    _add_fingers(shapes, joints)
    _add_palm(shapes, joints, across, size, skin)
    _add_arm(shapes, joints, across, size, hand, skin)
    return shapes


def _add_fingers(shapes: HandShapes, joints: Doubles) -> None:
    thumb_back = normalise(shapes.back + 1.2 * normalise(joints[5] - joints[17]))
    for finger, chain in enumerate(FINGERS.values()):
        back = shapes.back if finger else thumb_back
        before = normalise(joints[chain[0]] - joints[WRIST])
        for first, second in pairwise(chain):
            direction = normalise(joints[second] - joints[first])
            back = _carried(back, before, direction)
            before = direction
            nail = second == chain[-1]
            shapes.bones.append(Bone(first, second, SKIN, _vector(back), creased=True, nail=nail))


def _add_palm(
    shapes: HandShapes, joints: Doubles, across: Doubles, size: float, skin: partial[Bone]
) -> None:
    knuckles = joints[KNUCKLES]
    heels = joints[WRIST] + HEEL * (knuckles - knuckles.mean(axis=0))
    heel = shapes.add(heels, np.full(4, HEEL_RADIUS * size))
    webs = knuckles + WEB * (joints[[6, 10, 14, 18]] - knuckles)
    web = shapes.add(webs, np.full(4, WEB_RADIUS * size))
    tilts = TILTS[:, None] * across
    shapes.bones += [skin(*ends) for ends in zip(heel, KNUCKLES)]
    shapes.bones.append(skin(heel[0], 1))
    shapes.strip(heel, KNUCKLES, tilts)
    shapes.strip(KNUCKLES, web, tilts * 0.5)
    level = np.zeros((3, 3))
    shapes.plates += [Plate((heel[0], 1, 2), level), Plate((heel[0], 2, 5), level)]
    for line in PALM_LINES:
        spots = np.array([_on_palm(heels, knuckles, *spot) for spot in line])
        thick = np.array([HEEL_RADIUS + along * (RADII[9] - HEEL_RADIUS) for _, along in line])
        spots = spots - (size * (thick - 0.5 * LINE_RADIUS))[:, None] * shapes.back
        numbers = shapes.add(spots, np.full(len(spots), LINE_RADIUS * size))
        shapes.bones += [Bone(*ends, material=LINE) for ends in pairwise(numbers)]


def _add_arm(
    shapes: HandShapes,
    joints: Doubles,
    across: Doubles,
    size: float,
    hand: str,
    skin: partial[Bone],
) -> None:
    side = -1.0 if hand == "left" else 1.0
    wrist = joints[WRIST]
    straight = normalise(wrist - joints[9])
    to_elbow = normalise(np.array(ELBOW) * [side, 1, 1] - wrist)
    direction = normalise(straight + 1.2 * to_elbow)
    half = WRIST_HALF * size * across
    sleeve, elbow = (wrist + length * direction for length in FOREARM)
    points = np.stack([wrist - half, wrist + half, sleeve - half, sleeve + half, sleeve, elbow])
    radii = np.repeat(FOREARM_RADII, 2) * size
    inner, outer, inner_sleeve, outer_sleeve, cuff, end = shapes.add(points, radii)
    shapes.bones += [skin(inner, inner_sleeve), skin(outer, outer_sleeve)]
    shapes.strip([inner, outer], [inner_sleeve, outer_sleeve], np.stack([-across, across]) * 0.4)
    shapes.bones.append(Bone(cuff, end, SLEEVE))


def _on_palm(heels: Doubles, knuckles: Doubles, across: float, along: float) -> Doubles:
    """Return a point in the middle plane of the palm; ``PALM_LINES`` describes the coordinates."""
    columns = np.linspace(0.0, 1.0, 4)
    low, high = (
        np.array([np.interp(across, columns, row[:, axis]) for axis in range(3)])
        for row in (heels, knuckles)
    )
    return np.asarray(low + along * (high - low))


def _back_of_hand(joints: Doubles, hand: str) -> Doubles:
    """Return the unit direction ``(3,)`` out of the back of the hand."""
    across = np.cross(joints[17] - joints[WRIST], joints[5] - joints[WRIST])
    return normalise(across if hand == "right" else -across)


def _carried(vector: Doubles, before: Doubles, after: Doubles) -> Doubles:
    """Rotate ``vector`` by the smallest rotation that turns ``before`` into ``after``."""
    middle = before + after
    size = float(middle @ middle)
    if size < 1e-9:
        return -vector
    turned = vector - 2 * (vector @ middle) / size * middle + 2 * (vector @ before) * after
    return normalise(turned - (turned @ after) * after)


def _vector(values: Doubles) -> Vector:
    return (float(values[0]), float(values[1]), float(values[2]))
