# SPDX-License-Identifier: MIT
"""Evaluation figures: a confusion matrix of glosses, and a reliability diagram."""

import io
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from whispersign_model.errors import ConfigError
from whispersign_model.evaluation.calibration import Reliability
from whispersign_model.evaluation.metrics import MISSED, NOT_SIGNED
from whispersign_model.recordings.atomic import replace_file

SHOWN = 30  # largest number of glosses in a confusion figure
NAME = 20  # longest gloss label, in letters
CELL = 0.32  # inches

Pairs = Mapping[tuple[str | None, str | None], int]


def confusion_figure(pairs: Pairs, shown: int = SHOWN) -> Figure:
    """Draw a confusion matrix of signed and recognized glosses.

    Rows are signed glosses and columns are recognized glosses. The last row holds insertions, and
    the last column holds deletions. Correct glosses are shaded blue by their share of the signed
    ones; errors are shaded red by their count. For a large vocabulary, only the glosses with the
    most errors are drawn, and the title says how many were left out.

    Args:
        pairs: count of each (signed, recognized) pair in the alignment, e.g. ``pairs`` of
            :class:`~whispersign_model.evaluation.metrics.GlossErrors`. None marks an
            insertion or deletion.
        shown: maximum number of glosses to draw, at least 1.

    Returns:
        a figure with its own canvas, which needs no display and is not registered with pyplot.
    """
    names, total = _most_confused(pairs, shown)
    counts = np.zeros((len(names) + 1, len(names) + 1), int)
    place: dict[str | None, int] = {name: index for index, name in enumerate(names)}
    place[None] = len(names)
    for (signed, heard), count in pairs.items():
        if signed in place and heard in place:
            counts[place[signed], place[heard]] += count
    signed_counts = Counter[str | None]()
    for (signed, _), count in pairs.items():
        signed_counts[signed] += count
    errors = sum(count for (signed, heard), count in pairs.items() if signed != heard)
    drawn = int(counts.sum() - np.trace(counts))
    title = f"errors: {errors}"
    if total > len(names):
        title += f"; not drawn: {total - len(names)} of {total} glosses, errors {errors - drawn}"
    return _draw(counts, names, [signed_counts[name] for name in names], title)


def reliability_figure(measured: Mapping[str, Reliability]) -> Figure:
    """Draw a reliability diagram and a histogram of the confidences.

    Args:
        measured: reliability by name, such as before and after calibration.

    Returns:
        a figure with its own canvas, as from :func:`confusion_figure`.
    """
    figure = Figure(figsize=(5, 5.5), layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    above.plot([0, 1], [0, 1], color="0.6", linestyle=":", label="honest")
    width = 0.8 / max(1, len(measured))
    for number, (name, each) in enumerate(measured.items()):
        filled = [part for part in each.bins if part.glosses]
        label = f"{name}: calibration error {each.error:.3f}, Brier {each.brier:.3f}"
        confidence = [part.confidence for part in filled]
        above.plot(confidence, [part.accuracy for part in filled], marker="o", label=label)
        span = 1 / len(each.bins)
        left = [part.low + span * (0.1 + number * width) for part in each.bins]
        below.bar(left, [part.glosses for part in each.bins], span * width, align="edge")
    above.set(ylabel="share of correct glosses", xlim=(0, 1), ylim=(0, 1.02))
    above.legend(loc="lower right", fontsize=8)
    below.set(xlabel="confidence", ylabel="recognised glosses")
    return figure


def write_figure(path: Path, figure: Figure, dpi: float = 100) -> None:
    """Write a figure to an image file atomically; the file's suffix sets the format.

    Raises:
        ConfigError: matplotlib does not support the format, or the file cannot be written.
    """
    content = io.BytesIO()
    try:
        figure.savefig(content, format=path.suffix.lstrip(".") or None, dpi=dpi)
    except ValueError as error:
        raise ConfigError(path, f"is not a picture format ({error})", "end it in .png") from None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, content.getvalue())
    except OSError as error:
        raise ConfigError(path, f"cannot be written ({error.strerror or error})") from error


def _most_confused(pairs: Pairs, shown: int) -> tuple[list[str], int]:
    """Return the names with the most errors, sorted, and the total number of names."""
    wrong = Counter[str]()
    for (signed, heard), count in pairs.items():
        for name in {signed, heard} - {None}:
            assert name is not None
            wrong[name] += count * (signed != heard)
    ranked = sorted(wrong, key=lambda name: (-wrong[name], name))
    return sorted(ranked[:shown]), len(ranked)


def _draw(
    counts: np.ndarray[tuple[int, int], np.dtype[np.int_]],
    names: list[str],
    signed: list[int],
    title: str,
) -> Figure:
    size = 2.5 + CELL * len(counts)
    figure = Figure(figsize=(max(5.0, size), max(4.0, size)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    right, wrong = np.zeros(counts.shape), counts.astype(float)
    np.fill_diagonal(wrong, 0)
    right[range(len(names)), range(len(names))] = np.diag(counts)[:-1] / np.maximum(signed, 1)
    shade = wrong / max(wrong.max(), 1)
    picture = np.ones((*counts.shape, 3))
    picture -= right[..., None] * np.array([0.75, 0.45, 0.1])  # fade to blue
    picture -= shade[..., None] * np.array([0.1, 0.65, 0.7])  # fade to red
    axes.imshow(picture)
    for row, column in zip(*np.nonzero(counts)):
        dark = right[row, column] > 0.5 or shade[row, column] > 0.5
        colour = "white" if dark else "black"
        axes.text(
            column, row, str(counts[row, column]), ha="center", va="center", color=colour, size=7
        )
    short = [name if len(name) <= NAME else name[: NAME - 1] + "…" for name in names]
    places = range(len(counts))
    axes.set_xticks(places, [*short, MISSED], rotation=90, size=8, parse_math=False)
    axes.set_yticks(places, [*short, NOT_SIGNED], size=8, parse_math=False)
    axes.set(xlabel="recognised", ylabel="signed")
    axes.set_title(title, size=9)
    return figure
