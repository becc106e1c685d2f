# SPDX-License-Identifier: MIT
"""Forward kinematics of a 21-joint hand in MediaPipe order, with anatomical joint limits.

The *hand frame* is that of a right hand that lies palm down and points away from its owner: x
toward the little finger, y out of the back of the hand, -z along the middle metacarpal, and the
origin at the wrist. A left hand is the mirror image (x negated) of a right hand.

Angles are ``(..., 5, 4)`` radians for thumb, index, middle, ring and pinky. The thumb has
opposition (CMC, out of the palm's plane), abduction (CMC, away from the index finger), MCP flexion
and IP flexion. The other fingers have MCP flexion, MCP abduction (away from the middle finger; for
the middle finger, toward the ring finger), PIP flexion and DIP flexion.

The adult bone lengths are rounded medians of real Leap Motion tracks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from scipy.spatial.transform import Rotation

from whispersign_model.arrays import AnyFloats, Doubles
from whispersign_model.errors import ConfigError
from whispersign_model.skeleton import FINGERS, JOINTS_PER_HAND, WRIST

MIRROR = np.array([-1.0, 1.0, 1.0])  # factors that mirror a hand's positions

# Degrees: [lowest, highest] of each angle, in the order of the module docstring.
LIMITS_DEGREES = np.array(
    [
        [[-5, 75], [-40, 60], [-10, 60], [-20, 85]],  # thumb
        [[-25, 95], [-15, 25], [0, 115], [-5, 85]],  # index
        [[-25, 95], [-15, 15], [0, 115], [-5, 85]],  # middle
        [[-25, 95], [-15, 20], [0, 115], [-5, 85]],  # ring
        [[-25, 95], [-15, 30], [0, 115], [-5, 85]],  # pinky
    ],
    dtype=np.float64,
)
LIMITS = np.deg2rad(LIMITS_DEGREES)
# A bent finger can hardly be spread: this share of abduction remains at 90 degrees of MCP flexion.
SPREAD_WHEN_BENT = 0.2
FINGER_SPREAD_SIGN = np.array([-1.0, 1.0, 1.0, 1.0])  # index abducts toward -x
THUMB_YAW = np.deg2rad(12.0)  # first metacarpal at zero abduction, from the index finger
THUMB_TWIST = np.deg2rad(20.0)  # angle of the thumb's flexion plane out of the palm's plane

# Meters, hand frame: the first joint of each finger (thumb: CMC), relative to the wrist.
ADULT_ROOTS = np.array(
    [
        [-0.0230, -0.0100, -0.0180],
        [-0.0210, -0.0010, -0.0915],
        [0.0000, 0.0000, -0.0910],
        [0.0190, -0.0010, -0.0835],
        [0.0360, -0.0040, -0.0735],
    ]
)
# Meters: lengths of the three bones beyond the first joint of each finger.
ADULT_BONES = np.array(
    [
        [0.0450, 0.0320, 0.0230],
        [0.0395, 0.0225, 0.0180],
        [0.0440, 0.0262, 0.0190],
        [0.0410, 0.0256, 0.0190],
        [0.0325, 0.0182, 0.0170],
    ]
)
PALM_CENTRE = np.array([0.004, -0.002, -0.055])  # meters; an adult's palm center in the hand frame


@dataclass(frozen=True)
class HandGeometry:
    """The bone lengths of one person's hands.

    Attributes:
        roots: ``(5, 3)`` first joint of each finger in meters, hand frame.
        bones: ``(5, 3)`` lengths in meters of the three bones of each finger.
        size: overall size, relative to the standard adult hand.
    """

    roots: Doubles
    bones: Doubles
    size: float = 1.0

    @classmethod
    def adult(cls) -> HandGeometry:
        """Return the standard adult hand, which measures 0.091 m from wrist to middle MCP."""
        return cls(ADULT_ROOTS.copy(), ADULT_BONES.copy())

    @classmethod
    def varied(cls, rng: Generator) -> HandGeometry:
        """Draw a hand, with standard deviations of 8 % in overall size and 4 % in each bone."""
        size = float(np.clip(rng.normal(1.0, 0.08), 0.82, 1.2))
        palm = np.clip(rng.normal(1.0, 0.03, size=(1, 3)), 0.9, 1.1)
        bones = np.clip(rng.normal(1.0, 0.04, size=(5, 3)), 0.88, 1.12)
        return cls(ADULT_ROOTS * size * palm, ADULT_BONES * size * bones, size)

    @property
    def palm_centre(self) -> Doubles:
        """The center of the palm in meters, hand frame."""
        return np.asarray(PALM_CENTRE * self.size)


def clamp(angles: Doubles) -> Doubles:
    """Clip angles ``(..., 5, 4)`` in radians to the joint limits."""
    clamped = np.clip(angles, LIMITS[..., 0], LIMITS[..., 1])
    allowed = _abduction_limits(clamped[..., 1:, 0])
    clamped[..., 1:, 1] = np.clip(clamped[..., 1:, 1], allowed[..., 0], allowed[..., 1])
    return np.asarray(clamped)


def check_limits(angles: Doubles, name: str) -> None:
    """Reject a posture ``(5, 4)`` in radians that exceeds the joint limits.

    Raises:
        ConfigError: an angle exceeds its limits; the message names the posture, finger and angle.
    """
    excess = np.abs(clamp(angles) - angles)
    if excess.max() > 1e-9:
        finger, angle = np.unravel_index(int(excess.argmax()), excess.shape)
        low, high = LIMITS_DEGREES[finger, angle]
        raise ConfigError(
            name,
            f"{tuple(FINGERS)[finger]} angle {angle} is "
            f"{np.rad2deg(angles[finger, angle]):.0f} degrees, outside {low:.0f} to {high:.0f}"
            " (less where the finger is bent)",
            "choose an angle within the joint limits",
        )


def _abduction_limits(flexion: Doubles) -> Doubles:
    """Return the abduction limits ``(..., 4, 2)`` of the fingers at MCP flexion ``(..., 4)``."""
    bent = np.clip(flexion / np.deg2rad(90.0), 0.0, 1.0)
    share = 1.0 - (1.0 - SPREAD_WHEN_BENT) * bent
    return np.asarray(LIMITS[1:, 1] * share[..., None])


def joints_in_hand_frame(geometry: HandGeometry, angles: Doubles) -> Doubles:
    """Return joint positions ``(T, 21, 3)`` in meters, hand frame, for angles ``(T, 5, 4)``."""
    joints = np.zeros((len(angles), JOINTS_PER_HAND, 3))
    directions = np.concatenate(
        [_thumb_directions(angles[:, :1]), _finger_directions(angles[:, 1:])], axis=1
    )
    chains = np.cumsum(directions * geometry.bones[..., None], axis=2)  # (T, 5, 3 bones, 3)
    for finger, chain in enumerate(FINGERS.values()):
        joints[:, chain[0]] = geometry.roots[finger]
        joints[:, chain[1:]] = geometry.roots[finger] + chains[:, finger]
    return joints


def _finger_directions(angles: Doubles) -> Doubles:
    """Return bone directions ``(T, 4, 3, 3)`` of the four fingers: planar chains turned by yaw."""
    flexion = np.cumsum(angles[..., [0, 2, 3]], axis=-1)
    yaw = (FINGER_SPREAD_SIGN * angles[..., 1])[..., None]
    return np.stack(
        [np.sin(yaw) * np.cos(flexion), -np.sin(flexion), -np.cos(yaw) * np.cos(flexion)], axis=-1
    )


def _thumb_directions(angles: Doubles) -> Doubles:
    """Return bone directions ``(T, 1, 3, 3)`` of the thumb: CMC aims it, MCP and IP bend it."""
    opposition = angles[..., 0]
    yaw = THUMB_YAW + angles[..., 1]
    zero = np.zeros_like(yaw)
    along = np.stack(
        [-np.sin(yaw) * np.cos(opposition), -np.sin(opposition), -np.cos(yaw) * np.cos(opposition)],
        axis=-1,
    )
    palmar = np.stack(
        [np.sin(yaw) * np.sin(opposition), -np.cos(opposition), np.cos(yaw) * np.sin(opposition)],
        axis=-1,
    )
    inwards = np.stack([np.cos(yaw), zero, -np.sin(yaw)], axis=-1)
    bend = np.cos(THUMB_TWIST) * inwards + np.sin(THUMB_TWIST) * palmar
    flexion = np.cumsum(np.stack([zero, angles[..., 2], angles[..., 3]], axis=-1), axis=-1)
    return np.asarray(
        np.cos(flexion)[..., None] * along[..., None, :]
        + np.sin(flexion)[..., None] * bend[..., None, :]
    )


def joint_positions(
    geometry: HandGeometry, angles: Doubles, rotations: Rotation, wrists: Doubles
) -> Doubles:
    """Return joint positions ``(T, 21, 3)`` in meters of a right hand in the sensor frame.

    Args:
        geometry: bone lengths of the hand.
        angles: ``(T, 5, 4)`` joint angles in radians.
        rotations: ``T`` rotations from the hand frame to the sensor frame.
        wrists: ``(T, 3)`` wrist positions in meters.
    """
    local = joints_in_hand_frame(geometry, angles)
    joints = np.einsum("tij,tkj->tki", rotations.as_matrix(), local) + wrists[:, None]
    joints[:, WRIST] = wrists
    return np.asarray(joints)


def mirrored(joints: AnyFloats) -> Doubles:
    """Mirror joints ``(..., 3)``: a right hand becomes a left hand, and vice versa."""
    return np.asarray(joints * MIRROR)
