# SPDX-License-Identifier: MIT
"""Draw docs/figures/architecture.svg: the layers of the network with their output shapes."""

import sys
from pathlib import Path
from typing import NamedTuple

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

WIDTH, HEIGHT = 6.4, 0.62  # of a box, in drawing units


class Step(NamedTuple):
    """One box: operation, details, and output shape."""

    name: str
    detail: str
    shape: str


INPUT = Step("features", "60 Hz, normalized; any padding", "(B, T, 42, 7)")
FRONTEND = (
    Step("patches", "P = 4 frames; the last frame fills the last patch", "(B, T', P, 42, 7)"),
    Step("part embedding", "left hand mirrored; one linear map a part", "(B, T', 8, d/8)"),
    Step("ConvSPE", "depthwise over 5 patches of the past, pointwise", "(B, T', 8, d/8)"),
    Step("BatchNorm, SpatialDropout1D", "over tracked hands only", "(B, T', 8, d/8)"),
)
ENCODER = (
    Step("S-MHSA", "8 parts of both hands, within a step", "map (B, T', heads, 8, 8)"),
    Step("T-MHSA", "over time: relative positions, chunk mask", "(B, T', d)"),
    Step("feed-forward", "GELU, 2 groups of channels", "(B, T', d)"),
)
CTC = Step("CTC head", "blank or gloss; which gloss", "(B, T', V)")
SEARCH = Step("prefix beam search", "n-best, summed over paths", "n sequences")
RESCORE = Step("attention decoder", "causal Transformer, scores the n-best", "n scores")
RESULT = Step("glosses", "with time spans and confidences", "per clip")


def box(axes: Axes, x: float, y: float, step: Step, colour: str) -> None:
    """Draw one step centered at ``(x, y)``."""
    corner = (x - WIDTH / 2, y - HEIGHT / 2)
    axes.add_patch(
        FancyBboxPatch(corner, WIDTH, HEIGHT, "round,pad=0.02,rounding_size=0.12", facecolor=colour)
    )
    axes.text(x - WIDTH / 2 + 0.15, y + 0.12, step.name, weight="bold", va="center")
    axes.text(x - WIDTH / 2 + 0.15, y - 0.15, step.detail, size=7, va="center")
    axes.text(x + WIDTH / 2 - 0.15, y + 0.12, step.shape, size=8, va="center", ha="right")


def frame(axes: Axes, x: float, top: float, bottom: float, title: str) -> None:
    """Draw a frame around several steps, with a title at its upper edge."""
    corner = (x - WIDTH / 2 - 0.25, bottom - 0.45)
    size = (WIDTH + 0.5, top - bottom + 1.15)
    axes.add_patch(
        FancyBboxPatch(
            corner, *size, "round,pad=0.02,rounding_size=0.2", fill=False, linestyle="--"
        )
    )
    axes.text(x, top + 0.5, title, ha="center", va="center", style="italic")


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Draw an arrow that shows the data flow."""
    axes.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": "black"})


def column(axes: Axes, x: float, top: float, steps: tuple[Step, ...], colour: str) -> float:
    """Draw steps in a column, joined by arrows; return the center of the last step."""
    y = top
    for number, step in enumerate(steps):
        if number:
            arrow(axes, (x, y + 0.85 - HEIGHT / 2), (x, y + HEIGHT / 2))
        box(axes, x, y, step, colour)
        y -= 0.85
    return y + 0.85


def draw(path: Path) -> None:
    """Write the figure."""
    matplotlib.rcParams.update({"font.size": 9, "svg.fonttype": "none", "svg.hashsalt": "figure"})
    figure, axes = pyplot.subplots(figsize=(10.4, 5.6))
    left, right = 3.6, 11.2
    box(axes, left, 9.0, INPUT, "#eeeeee")
    last = column(axes, left, 7.3, FRONTEND, "#d9e8f6")
    frame(axes, left, 7.3, last, "frontend")
    arrow(axes, (left, 9.0 - HEIGHT / 2), (left, 7.3 + HEIGHT / 2))
    below = column(axes, left, last - 1.75, ENCODER, "#dff0d8")
    frame(axes, left, last - 1.75, below, "encoder: N blocks; pre-norm, residual, dropout")
    arrow(axes, (left, last - HEIGHT / 2), (left, last - 1.75 + HEIGHT / 2))
    passes = (CTC, SEARCH, RESCORE, RESULT)
    end = column(axes, right, 6.2, passes, "#fbe7c6")
    frame(axes, right, 6.2, end, "two-pass decoder")
    turn = left + WIDTH / 2 + 0.6
    axes.plot((left + WIDTH / 2 + 0.02, turn, turn), (below, below, 6.2), color="black", lw=0.9)
    arrow(axes, (turn, 6.2), (right - WIDTH / 2, 6.2))
    arrow(axes, (turn, 6.2 - 2 * 0.85), (right - WIDTH / 2, 6.2 - 2 * 0.85))
    axes.text(turn + 0.08, below + 0.15, "states (B, T', d)", size=8)
    axes.set_xlim(0, 14.8)
    axes.set_ylim(below - 0.6, 9.5)
    axes.axis("off")
    figure.savefig(path, bbox_inches="tight", metadata={"Date": None})


if __name__ == "__main__":
    draw(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/figures/architecture.svg"))
