# SPDX-License-Identifier: MIT
"""Render a signer's shaded hands against a plain background, as pictures or a video."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from whispersign_model.arrays import AnyFloats, Doubles, Floats
from whispersign_model.errors import RecordingError
from whispersign_model.recordings.atomic import whole_file
from whispersign_model.recordings.recording import Recording
from whispersign_model.skeleton import HANDS, LEFT, RIGHT
from whispersign_model.synthesis.camera import Camera
from whispersign_model.synthesis.hand_shapes import NAIL, SKIN, hand_shapes_of
from whispersign_model.synthesis.raster import Canvas, Paint, to_screen
from whispersign_model.synthesis.vectors import normalise
from whispersign_model.timestamps import NANOSECONDS

Image = NDArray[np.uint8]  # (H, W, 3), BGR

TO_SCREEN = np.array([-1.0, -1.0, 1.0])  # from directions in the sensor frame to screen space
LIGHT = normalise([0.45, -0.65, -0.62])  # screen space; above and beside the camera
AMBIENT = 0.5
PALM_TINT = np.array([1.06, 1.02, 1.06])  # color of the palm, relative to the sides of the fingers
BACK_TINT = np.array([0.86, 0.90, 0.93])
CREASE_SHADE = 0.82
CREASE_OF_BACK = 0.35  # strength of the folds on the back of a finger, relative to the front
BLUR = 1.0  # pixels of lens blur
SHADOW_REACH = 7  # pixels at 480 rows; width of the shadow of a closer finger
SHADOW_DEPTH = 14.0  # screen units at 480 rows; depth difference with the darkest shadow
SHADOW_SHADE = 0.8
VIDEO_RATE = 30.0


@dataclass(frozen=True)
class Look:
    """The colors of a signer and the room as (blue, green, red), each 0 to 255."""

    skin: tuple[float, float, float] = (140.0, 172.0, 224.0)
    sleeve: tuple[float, float, float] = (72.0, 54.0, 46.0)
    wall: tuple[float, float, float] = (60.0, 54.0, 50.0)
    shirt: tuple[float, float, float] = (58.0, 46.0, 38.0)

    @classmethod
    def of_signer(cls, seed: int) -> Look:
        """Return the colors of the signer with this seed.

        Skin ranges from light to brown. Clothes and wall are dark, because detectors find drawn
        hands best against a dark background.
        """
        rng = np.random.default_rng([seed, 3])
        light, brown = np.array([150.0, 182.0, 232.0]), np.array([78.0, 108.0, 160.0])
        skin = light + float(rng.uniform(0, 1)) * (brown - light)
        clothes = rng.uniform(30, 60) + rng.uniform(-12, 12, size=3)
        wall = rng.uniform(35, 75) + rng.uniform(-8, 8, size=3)
        colours = [tuple(float(v) for v in c) for c in (skin, clothes * 1.15, wall, clothes)]
        return cls(*((c[0], c[1], c[2]) for c in colours))


class Renderer:
    """Draws frames of hands as a camera sees them.

    Args:
        camera: the view.
        look: the colors.
    """

    def __init__(self, camera: Camera | None = None, look: Look | None = None) -> None:
        self.camera = camera or Camera()
        self.look = look or Look()
        self._background = _background(self.camera, self.look)

    def draw(self, positions: AnyFloats, tracked: tuple[bool, bool]) -> Image:
        """Draw one frame.

        Args:
            positions: ``(42, 3)`` in meters, sensor frame.
            tracked: whether the left and the right hand are tracked.

        Returns:
            ``(height, width, 3)`` uint8, BGR.
        """
        canvas = Canvas.empty(self.camera)
        for name, joints, there in zip(HANDS, (positions[LEFT], positions[RIGHT]), tracked):
            if there:
                self._hand(canvas, np.asarray(joints, dtype=np.float64), name)
        return self._shade(canvas)

    def _hand(self, canvas: Canvas, joints: Doubles, name: str) -> None:
        shapes = hand_shapes_of(joints, name)
        placed = to_screen(self.camera, np.array(shapes.points), np.array(shapes.radii))
        if placed is None:
            return
        points, radii = placed
        for bone in shapes.bones:
            nail = NAIL if bone.nail else 0
            paint = Paint(bone.material, _on_screen(bone.back), float(bone.creased), nail)
            ends = (float(radii[bone.first]), float(radii[bone.second]))
            canvas.bone(points[bone.first], points[bone.second], ends, paint)
        palm = Paint(SKIN, _on_screen(shapes.back))
        for plate in shapes.plates:
            corners = list(plate.corners)
            tilts = plate.tilts * TO_SCREEN
            canvas.plate(points[corners], radii[corners], tilts, palm)

    def _shade(self, canvas: Canvas) -> Image:
        drawn = canvas.material > 0
        picture = self._background.copy()
        if drawn.any():
            normals = canvas.normals[drawn]
            facing = np.clip(-normals[:, 2], 0.0, 1.0)
            lit = np.clip(normals @ LIGHT.astype(np.float32), 0.0, 1.0)
            light = AMBIENT * (0.45 + 0.55 * facing) + (1 - AMBIENT) * lit
            palette = np.array(
                [
                    (0, 0, 0),
                    self.look.skin,
                    0.5 * np.array(self.look.skin) + 0.5 * np.array([215, 210, 245]),
                    0.62 * np.array(self.look.skin),
                    self.look.sleeve,
                ],
                dtype=np.float32,
            )
            back = np.clip(1.5 * canvas.back[drawn], -1, 1)[:, None]
            tint = 1 + np.where(back > 0, back * (BACK_TINT - 1), -back * (PALM_TINT - 1))
            folds = canvas.crease[drawn] * np.where(back[:, 0] > 0, CREASE_OF_BACK, 1.0)
            light = light * (1 - (1 - CREASE_SHADE) * folds)
            light = light * (1 - (1 - SHADOW_SHADE) * self._shadow(canvas)[drawn])
            colours = palette[canvas.material[drawn]] * tint * light[:, None] * 1.12
            picture[drawn] = np.clip(colours, 0, 255).astype(np.uint8)
        return np.asarray(cv2.GaussianBlur(picture, (0, 0), BLUR), dtype=np.uint8)

    def _shadow(self, canvas: Canvas) -> Floats:
        """Return the shadow ``(H, W)`` in [0, 1] that closer parts cast on those behind them."""
        scale = self.camera.height / 480.0
        reach = 2 * round(SHADOW_REACH * scale / 2) + 1
        depth = np.where(np.isfinite(canvas.depth), canvas.depth, np.float32(1e6))
        nearest = cv2.erode(depth, np.ones((reach, reach), dtype=np.uint8))
        behind = (depth - cv2.blur(nearest, (reach, reach))) / (SHADOW_DEPTH * scale)
        return np.asarray(np.clip(behind, 0.0, 1.0), dtype=np.float32)


def _on_screen(direction: ArrayLike) -> tuple[float, float, float]:
    """Convert a direction from the sensor frame to screen space."""
    x, y, z = (float(value) for value in np.asarray(direction) * TO_SCREEN)
    return (x, y, z)


def _background(camera: Camera, look: Look) -> Image:
    """Draw a wall that darkens toward the bottom, and the signer's shirt."""
    height, width = camera.height, camera.width
    fall = np.linspace(1.05, 0.85, height)[:, None, None]
    picture = np.clip(np.array(look.wall) * fall, 0, 255) * np.ones((1, width, 1))
    scale = height / 480.0
    centre = (width // 2, int(height + 60 * scale))
    axes = (int(190 * scale), int(470 * scale))
    image = np.ascontiguousarray(picture.astype(np.uint8))
    cv2.ellipse(image, centre, axes, 0, 0, 360, look.shirt, -1, cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 2.0 * scale), dtype=np.uint8)


def positions_at(
    recording: Recording, rate: float
) -> Iterator[tuple[float, Floats, tuple[bool, bool]]]:
    """Yield time in seconds, positions ``(42, 3)`` and tracked flags at a fixed rate.

    The time counts from the first frame. Each position comes from the frame nearest in time.
    """
    if not len(recording):
        return
    seconds = (recording.stamps - recording.stamps[0]) / NANOSECONDS
    for number in range(int(recording.duration * rate + 1e-6) + 1):
        frame = int(np.abs(seconds - number / rate).argmin())
        there = recording.confidence[frame].reshape(2, -1).max(axis=1) > 0
        yield number / rate, recording.positions[frame], (bool(there[0]), bool(there[1]))


def write_video(
    recording: Recording, path: Path, rate: float = VIDEO_RATE, renderer: Renderer | None = None
) -> int:
    """Render a recording to an MP4 file, written atomically; return the number of frames.

    Raises:
        RecordingError: there is nothing to render, or the file cannot be written.
    """
    if not len(recording):
        raise RecordingError(recording.name or "recording", "has no frames to render")
    renderer = renderer or Renderer()
    size = (renderer.camera.width, renderer.camera.height)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as beside:
        writer = cv2.VideoWriter(str(beside), cv2.VideoWriter.fourcc(*"mp4v"), rate, size)
        frames = 0
        for _, positions, tracked in positions_at(recording, rate):
            writer.write(renderer.draw(positions, tracked))
            frames += 1
        writer.release()
        if not beside.exists() or not beside.stat().st_size:
            raise RecordingError(path, "cannot be written as MP4", "install opencv with FFmpeg")
    return frames
