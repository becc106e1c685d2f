# SPDX-License-Identifier: MIT
"""Draw hands with matplotlib: the tracked bones, on a common scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from whispersign_model.arrays import AnyFloats, Bools
from whispersign_model.skeleton import BONES, HANDS, JOINTS_PER_HAND

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TILT = np.deg2rad(30)  # viewpoint for metric hands: from the front, and this far above
HAND_COLOURS = dict(zip(HANDS, ("#c2571a", "#1b7f79")))
MARGIN = 1.1  # size of a viewport relative to its content
_ENDS = np.array(BONES)  # (23, 2)


def seen(positions: AnyFloats, flat: bool) -> AnyFloats:
    """Project joints ``(..., 3)`` onto the drawing plane, ``(..., 2)``.

    Args:
        positions: joint positions.
        flat: whether positions are image coordinates with y down. Otherwise, they are meters with y
            up, seen from the front and slightly from above.
    """
    across = positions[..., 0]
    up = np.cos(TILT) * positions[..., 1] - np.sin(TILT) * positions[..., 2]
    return np.stack([across, -positions[..., 1] if flat else up], axis=-1)


class Viewport(NamedTuple):
    """The visible square of the drawing plane."""

    middle: AnyFloats  # (2,)
    half_width: float

    @classmethod
    def around(cls, points: AnyFloats, tracked: Bools) -> Viewport:
        """Return the viewport of all tracked points among ``points (..., 2)``."""
        shown = points[tracked] if tracked.any() else np.zeros((1, 2))
        middle = (shown.min(axis=0) + shown.max(axis=0)) / 2
        return cls(middle, MARGIN / 2 * float(np.ptp(shown, axis=0).max()) or 1.0)

    def fit(self, axes: Axes) -> None:
        """Limit the axes to this viewport, and remove the ticks."""
        (x, y), half_width = self.middle.tolist(), self.half_width
        axes.set(
            xlim=(x - half_width, x + half_width),
            ylim=(y - half_width, y + half_width),
            aspect="equal",
            xticks=[],
            yticks=[],
        )


def draw_bones(
    axes: Axes,
    points: AnyFloats,
    tracked: Bools,
    colours: Sequence[str] = tuple(HAND_COLOURS.values()),
    width: float = 1.2,
) -> None:
    """Draw the bones whose ends are both tracked, as one line per hand.

    Args:
        axes: the axes to draw on.
        points: ``(42, 2)`` points in the drawing plane.
        tracked: ``(42,)``, True where a joint is tracked.
        colours: colors of the left and the right hand.
        width: width of the lines in points.
    """
    for side, colour in enumerate(colours):
        ends = side * JOINTS_PER_HAND + _ENDS
        ends = ends[tracked[ends].all(axis=1)]
        if len(ends):
            lines = np.full((len(ends), 3, 2), np.nan)  # a gap after each bone
            lines[:, :2] = points[ends]
            axes.plot(*lines.reshape(-1, 2).T, color=colour, linewidth=width)
