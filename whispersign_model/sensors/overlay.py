# SPDX-License-Identifier: MIT
"""Draw hands onto pictures."""

import cv2
import numpy as np

from whispersign_model.arrays import AnyFloats
from whispersign_model.sensors.detector import Image
from whispersign_model.skeleton import BONES, HANDS

COLOURS = {"left": (60, 160, 255), "right": (255, 140, 60)}  # BGR
JOINT_COLOUR = (250, 250, 250)
SHIFT = 3  # number of fractional bits in OpenCV's pixel coordinates


Landmarks = dict[str, AnyFloats | None]  # pixels (21, 2) of each hand, by side


def draw_hands(pixels: Image, hands: Landmarks) -> Image:
    """Return a copy of a picture with the hands drawn in."""
    picture = pixels.copy()
    width = max(1, round(picture.shape[0] / 360))
    for side in HANDS:
        joints = hands.get(side)
        if joints is None:
            continue
        points = [_fixed(point) for point in joints]
        for first, second in BONES:
            cv2.line(picture, points[first], points[second], COLOURS[side], width + 1, cv2.LINE_AA,
                     SHIFT)  # fmt: skip
        for point in points:
            cv2.circle(picture, point, (width + 1) << SHIFT, JOINT_COLOUR, -1, cv2.LINE_AA, SHIFT)
    return picture


def _fixed(point: AnyFloats) -> tuple[int, int]:
    """Convert a point to OpenCV's fixed-point coordinates, clipped to their range."""
    x, y = (round(float(v) * (1 << SHIFT)) for v in np.clip(point, -30_000, 30_000))
    return x, y
