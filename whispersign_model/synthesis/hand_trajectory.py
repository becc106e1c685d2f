# SPDX-License-Identifier: MIT
"""Animate the stroke of one sign as trajectories of both hands.

All coordinates here are in *dominant space*: the sensor frame, mirrored if necessary, in which the
dominant hand is a right hand. The trajectory of the other hand is computed in the mirror image of
that space, where it is a right hand, too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from whispersign_model.arrays import Doubles
from whispersign_model.synthesis.hand import clamp
from whispersign_model.synthesis.lexicon import (
    ABSOLUTE,
    DIRECTIONS,
    BaseHand,
    Lexicon,
    Movement,
    Sign,
)
from whispersign_model.synthesis.style import SignerStyle, Variation

GRID = 200.0  # Hz; rate at which movements are computed before a sensor samples them
NEUTRAL = np.array([0.10, 0.25, 0.02])  # meters; the point about which locations are scaled
RAMP = 0.25  # share of a repeated stroke spent accelerating, and also decelerating
WIGGLE = np.deg2rad(18.0)
WRIST_AXES = {
    "none": (0.0, 0.0, 0.0),
    "twist": (0.0, 0.0, 1.0),
    "nod": (1.0, 0.0, 0.0),
    "wave": (0.0, 1.0, 0.0),
}


@dataclass(frozen=True)
class HandTrajectory:
    """One hand's movement on the grid, in dominant space.

    Attributes:
        wrist: ``(N, 3)`` wrist positions in meters.
        rotation: ``N`` rotations from the hand frame to the sensor frame.
        angles: ``(N, 5, 4)`` joint angles in radians.
    """

    wrist: Doubles
    rotation: Rotation
    angles: Doubles

    def __len__(self) -> int:
        return len(self.wrist)

    @classmethod
    def joined(cls, parts: list[HandTrajectory]) -> HandTrajectory:
        """Concatenate trajectories."""
        return cls(
            np.concatenate([part.wrist for part in parts]),
            Rotation.concatenate([part.rotation for part in parts]),
            np.concatenate([part.angles for part in parts]),
        )

    def first(self, count: int) -> HandTrajectory:
        """Return the first ``count`` samples."""
        return HandTrajectory(self.wrist[:count], self.rotation[:count], self.angles[:count])

    def held(self, last: int, count: int) -> HandTrajectory:
        """Return ``count`` copies of sample ``last``: -1 is the end, 0 the beginning."""
        return HandTrajectory(
            np.repeat(self.wrist[last][None], count, axis=0),
            self.rotation[np.full(count, last)],
            np.repeat(self.angles[last][None], count, axis=0),
        )


def minimum_jerk(phase: Doubles) -> Doubles:
    """Return the progress (0 to 1) of a minimum-jerk movement (Flash and Hogan 1985)."""
    return np.asarray(phase**3 * (10 - 15 * phase + 6 * phase**2))


def even_pace(phase: Doubles) -> Doubles:
    """Return steady progress (0 to 1) with ramps of length ``RAMP``, for repeated movements."""
    ramp = np.clip(np.minimum(phase, 1 - phase) / RAMP, 0, 1)
    # The integral of a smoothstep ramp, mirrored about the middle of the stroke.
    rising = RAMP * (ramp**3 - ramp**4 / 2) + np.clip(np.minimum(phase, 1 - phase) - RAMP, 0, None)
    progress = np.where(phase <= 0.5, rising, (1 - RAMP) - rising)
    return np.asarray(progress / (1 - RAMP))


class SignAnimator:
    """Turns the signs of a lexicon into hand trajectories of one signer."""

    def __init__(self, lexicon: Lexicon, style: SignerStyle) -> None:
        self.lexicon = lexicon
        self.style = style
        self._relaxed = lexicon.handshapes["relaxed"].radians()

    def animate(
        self, sign: Sign, variation: Variation
    ) -> tuple[HandTrajectory, HandTrajectory | None]:
        """Return the trajectory of the dominant hand and, in two-handed signs, of the other."""
        samples = max(round(sign.duration / (self.style.tempo * variation.tempo) * GRID), 8)
        phase = np.linspace(0.0, 1.0, samples)
        main = self._moving(sign, sign.movement, phase, variation, hand=0)
        if sign.other == "none":
            return main, None
        if isinstance(sign.other, BaseHand):
            return main, self._base(sign, sign.other, phase, variation)
        shift = 0.5 if sign.other == "alternate" else 0.0
        return main, self._moving(sign, sign.movement, phase, variation, hand=1, shift=shift)

    def posture(
        self, handshape: str, palm: str, fingers: str, location: str, samples: int
    ) -> HandTrajectory:
        """Return the trajectory of a still hand."""
        rotation = self._rotation(palm, fingers, np.zeros(3))
        wrist = self._wrist_at(self._point(location), rotation)
        angles = self._angles(handshape, np.zeros((5, 4)))
        return HandTrajectory(wrist, rotation, angles[None]).held(0, samples)

    def _moving(
        self,
        sign: Sign,
        movement: Movement,
        phase: Doubles,
        variation: Variation,
        hand: int,
        shift: float = 0.0,
    ) -> HandTrajectory:
        nominal = self._rotation(sign.palm, sign.fingers, variation.tilt[hand])
        point = self._point(sign.location) + variation.offset[hand]
        path = self._path(movement, phase, self.style.amplitude * variation.amplitude, shift)
        wrist = self._wrist_at(point, nominal) + path
        swing = np.deg2rad(movement.degrees) * _swing(phase, movement.repeats, shift)
        rotation = nominal * Rotation.from_rotvec(swing[:, None] * WRIST_AXES[movement.wrist])
        first, second = (
            self._angles(name, variation.fingers[hand])[None] for name in sign.handshapes
        )
        change = _there_and_back(phase, movement.repeats)[:, None, None]
        angles = first + change * (second - first)
        if movement.fingers == "wiggle":
            angles = angles + _wiggle(phase, movement.repeats)
        return HandTrajectory(wrist, rotation, clamp(angles))

    def _base(
        self, sign: Sign, base: BaseHand, phase: Doubles, variation: Variation
    ) -> HandTrajectory:
        rotation = self._rotation(base.palm, base.fingers, variation.tilt[1])
        wrist = self._wrist_at(self._point(base.location) + variation.offset[1], rotation)
        path = np.zeros((len(phase), 3))
        if base.follows:
            scale = self.style.amplitude * variation.amplitude
            path = self._path(sign.movement, phase, scale, 0.0)
        angles = self._angles(base.handshape, variation.fingers[1])
        still = HandTrajectory(wrist, rotation, angles[None]).held(0, len(phase))
        return replace(still, wrist=still.wrist + path)

    def _direction(self, word: str) -> Doubles:
        """Return a direction in dominant space; "left" and "right" are absolute."""
        vector = np.array(DIRECTIONS[word], dtype=np.float64)
        if word in ABSOLUTE and self.style.left_handed:
            vector = -vector
        return vector

    def _rotation(self, palm: str, fingers: str, tilt: Doubles) -> Rotation:
        """Return the rotation that orients palm and fingers and then tilts the hand."""
        normal, along = self._direction(palm), self._direction(fingers)
        matrix = np.stack([np.cross(normal, along), -normal, -along], axis=1)
        return Rotation.from_rotvec(self.style.tilt + tilt) * Rotation.from_matrix(matrix[None])

    def _point(self, location: str) -> Doubles:
        place = np.array(self.lexicon.locations[location])
        spread = NEUTRAL * [0, 1, 1]  # a location on the midline stays there
        scaled = spread + self.style.location_scale * (place - spread)
        return np.asarray(scaled + self.style.location_offset)

    def _wrist_at(self, palm_centre: Doubles, rotation: Rotation) -> Doubles:
        """Return the wrist position ``(1, 3)`` of a hand with this palm center and rotation."""
        return np.asarray(palm_centre - rotation.apply(self.style.geometry.palm_centre))

    def _angles(self, handshape: str, deviation: Doubles) -> Doubles:
        shape = self.lexicon.handshapes[handshape].radians()
        shape = shape + self.style.sloppiness * (self._relaxed - shape)
        return clamp(shape + self.style.finger_habit + deviation)

    def _path(self, movement: Movement, phase: Doubles, scale: float, shift: float) -> Doubles:
        """Return the wrist's displacement ``(N, 3)`` in meters from the sign's location."""
        along, size = self._direction(movement.direction), movement.size * scale
        once, even = minimum_jerk(phase), even_pace(phase)
        turns = 2 * np.pi * (movement.repeats * even + shift)
        aside = self._direction(movement.bulge)
        zero = np.zeros_like(phase)
        if movement.path == "straight":
            single = movement.repeats == 1
            forth, sideways = once - 0.5 if single else -np.cos(turns) / 2, zero
        elif movement.path == "arc":
            forth, sideways = once - 0.5, np.sin(np.pi * once) / 2
        elif movement.path == "zigzag":
            forth, sideways = once - 0.5, np.sin(2 * np.pi * movement.repeats * even) / 4
        elif movement.path == "tap":
            contact = (1 - np.cos(2 * np.pi * (movement.repeats * even + shift))) / 2
            forth, sideways = contact**2 - 1, zero
        elif movement.path == "circle":
            first = np.array([0.0, 1.0, 0.0] if abs(along[1]) < 0.5 else [0.0, 0.0, -1.0])
            second = np.cross(along, first)
            rim = np.cos(turns)[:, None] * first + np.sin(turns)[:, None] * second
            return np.asarray(rim * size / 2)
        else:
            forth, sideways = zero, zero
        return np.asarray(size * (forth[:, None] * along + sideways[:, None] * aside))


def _swing(phase: Doubles, repeats: int, shift: float) -> Doubles:
    """Return a wrist movement (-0.5 to 0.5), either one way or back and forth."""
    if repeats == 1:
        return minimum_jerk(phase) - 0.5
    return np.asarray(np.sin(2 * np.pi * (repeats * even_pace(phase) + shift)) / 2)


def _there_and_back(phase: Doubles, repeats: int) -> Doubles:
    """Return the weight of the second handshape: one way, or there and back ``repeats`` times."""
    if repeats == 1:
        return minimum_jerk(phase)
    return np.asarray((1 - np.cos(2 * np.pi * repeats * even_pace(phase))) / 2)


def _wiggle(phase: Doubles, repeats: int) -> Doubles:
    """Return additional MCP flexion ``(N, 5, 4)`` that wiggles one finger after the other."""
    added = np.zeros((len(phase), 5, 4))
    fade = np.sin(np.pi * phase)[:, None] ** 2
    lag = np.arange(1, 5) / 4.0
    added[:, 1:, 0] = WIGGLE * fade * np.sin(2 * np.pi * (repeats * phase[:, None] - lag))
    return added
