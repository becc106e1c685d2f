"""Augmentation: plausible variations of a training clip in metres, before normalisation."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy.spatial.transform import Rotation

from whispersign_model.skeleton import HANDS, JOINTS_PER_HAND, LEFT, MIDDLE_MCP, RIGHT, WRIST

Probability = Annotated[float, Field(ge=0, le=1)]
Spread = Annotated[float, Field(ge=0)]
Array = NDArray[np.float32]


class Augmentation(BaseModel):
    """How far clips are varied; 0 switches a variation off.

    Attributes:
        rotation: standard deviation of the rotation about each axis, degrees.
        scale: standard deviation of the logarithm of the size; ``stretch`` the same for each axis.
        shift: standard deviation of the place of both hands together, in hand lengths.
        hand_shift: the same for each hand alone.
        speed: largest change of speed, as a factor (0.3: from 0.77 to 1.3 times as fast).
        warp: largest local deviation of time, as a share of the clip.
        crop: largest share of the clip cut from either end.
        noise: standard deviation of the noise on every joint, in hand lengths; positions only.
        finger_mask: probability that one finger of a hand is hidden in the whole clip.
        frame_mask: probability that up to ``mask_length`` seconds of a hand are hidden.
        hand_drop: probability that the hand which is tracked less is left out.
        mirror: probability that left and right are exchanged.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rotation: Spread = 10.0
    scale: Spread = 0.1
    stretch: Spread = 0.05
    shift: Spread = 0.3
    hand_shift: Spread = 0.1
    speed: Spread = 0.3
    warp: Annotated[float, Field(ge=0, lt=0.5)] = 0.05
    crop: Annotated[float, Field(ge=0, lt=0.5)] = 0.1
    noise: Spread = 0.01
    finger_mask: Probability = 0.1
    frame_mask: Probability = 0.2
    mask_length: Annotated[float, Field(gt=0, le=2)] = 0.15
    hand_drop: Probability = 0.0
    mirror: Probability = 0.0

    def __call__(
        self,
        positions: Array,
        confidence: Array,
        rate: float,
        generator: np.random.Generator,
        least_frames: int = 1,
    ) -> tuple[Array, Array]:
        """Vary one clip.

        Args:
            positions: ``(T, 42, 3)`` metres, 0 where not tracked.
            confidence: ``(T, 42)``.
            rate: frames a second.
            generator: the only source of chance.
            least_frames: time is not compressed below this many frames.

        Returns:
            positions ``(T', 42, 3)`` and confidence ``(T', 42)`` of the varied clip.
        """
        positions, confidence = self._vary_time(positions, confidence, generator, least_frames)
        positions = self._vary_space(positions, confidence, generator)
        confidence = self._hide(confidence, rate, generator)
        if generator.random() < self.mirror:
            positions, confidence = mirrored(positions, confidence)
        return np.where(confidence[..., None] > 0, positions, 0).astype(np.float32), confidence

    def _vary_time(
        self, positions: Array, confidence: Array, generator: np.random.Generator, least: int
    ) -> tuple[Array, Array]:
        """Crop, change speed and warp: the clip is read at other times."""
        frames = len(positions)
        first, last = generator.uniform(0, self.crop, 2) * (frames - 1)
        span = frames - 1 - first - last
        speed = np.exp(generator.uniform(-1, 1) * np.log1p(self.speed))
        count = max(least, round(span / speed) + 1)
        phase = np.linspace(0, 1, count)
        bend = generator.uniform(-self.warp, self.warp)
        times = first + span * (phase + bend * np.sin(np.pi * phase))
        return read_at(positions, confidence, times.clip(0, frames - 1))

    def _vary_space(
        self, positions: Array, confidence: Array, generator: np.random.Generator
    ) -> Array:
        """Rotate, stretch and shift the hands about their common centre; add noise."""
        tracked = confidence > 0
        if not tracked.any():
            return positions
        centre = positions[tracked].mean(axis=0)
        hand = hand_length(positions, confidence)
        angles = generator.normal(0, self.rotation, 3)
        size = generator.normal(0, self.scale) + generator.normal(0, self.stretch, 3)
        matrix = Rotation.from_euler("xyz", angles, degrees=True).as_matrix() * np.exp(size)
        moved = (positions - centre) @ matrix.T + centre
        moved += generator.normal(0, self.shift, 3) * hand
        for joints in (LEFT, RIGHT):
            moved[:, joints] += generator.normal(0, self.hand_shift, 3) * hand
        varied: Array = moved + generator.normal(0, self.noise, moved.shape) * hand
        return varied

    def _hide(self, confidence: Array, rate: float, generator: np.random.Generator) -> Array:
        """Hide a finger, a stretch of time, or the other hand."""
        confidence = confidence.copy()
        presence = [(confidence[:, joints] > 0).mean() for joints in (LEFT, RIGHT)]
        if min(presence) > 0 and generator.random() < self.hand_drop:
            confidence[:, (LEFT, RIGHT)[int(np.argmin(presence))]] = 0
        for hand in range(len(HANDS)):
            if generator.random() < self.finger_mask:
                finger = hand * JOINTS_PER_HAND + 1 + 4 * int(generator.integers(5))
                confidence[:, finger : finger + 4] = 0
            if generator.random() < self.frame_mask:
                length = int(generator.uniform(0, self.mask_length) * rate)
                start = int(generator.integers(max(1, len(confidence) - length)))
                confidence[start : start + length, (LEFT, RIGHT)[hand]] = 0
        return confidence


def read_at(
    positions: Array, confidence: Array, times: NDArray[np.floating]
) -> tuple[Array, Array]:
    """Read a clip at fractional frame numbers; between untracked joints the nearer one counts."""
    before = np.floor(times).astype(int)
    after = np.minimum(before + 1, len(positions) - 1)
    weight = (times - before).astype(np.float32)
    mean = positions[before] + weight[:, None, None] * (positions[after] - positions[before])
    both = (confidence[before] > 0) & (confidence[after] > 0)
    nearest = np.where(weight < 0.5, before, after)
    read = np.where(both[..., None], mean, positions[nearest])
    sure = np.where(
        both, np.minimum(confidence[before], confidence[after]), confidence[nearest]
    ).astype(np.float32)
    return read.astype(np.float32), sure


def mirrored(positions: Array, confidence: Array) -> tuple[Array, Array]:
    """Exchange left and right: hands change slots, x changes sign."""
    order = np.r_[RIGHT, LEFT]
    flip = np.array([-1, 1, 1], np.float32)
    return positions[:, order] * flip, confidence[:, order]


def hand_length(positions: Array, confidence: Array) -> float:
    """Mean distance from wrist to middle knuckle of tracked hands; the unit of shifts and noise."""
    lengths = []
    for start in (LEFT.start, RIGHT.start):
        tracked = (confidence[:, start + WRIST] > 0) & (confidence[:, start + MIDDLE_MCP] > 0)
        bone = positions[tracked, start + MIDDLE_MCP] - positions[tracked, start + WRIST]
        lengths.append(np.linalg.norm(bone, axis=-1))
    together = np.concatenate(lengths)
    return float(together.mean()) if len(together) else 0.0
