# SPDX-License-Identifier: MIT
"""A conversion report as one HTML page: histograms, skeletons and skipped recordings."""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from whispersign_model.arrays import Floats
from whispersign_model.datasets.report import ConversionReport, ReportedExample
from whispersign_model.datasets.splits import SPLITS
from whispersign_model.errors import DatasetError
from whispersign_model.recordings.atomic import replace_file
from whispersign_model.skeleton import CONFIDENCE, POSITION
from whispersign_model.visualization.drawing import Viewport, draw_bones, seen

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BINS = 30
NAMED = 50  # largest number of bars that are labeled
SKELETONS = 6  # number of recordings to draw
MOMENTS = 5  # number of frames to draw per recording
LISTED = 200  # largest number of rows in a table
COLOURS = dict(zip(SPLITS, ("#3b6fb6", "#e8a33d", "#b5485d")))
TEMPLATE = "conversion_page.html"


def write_page(path: Path, dataset: Path, report: ConversionReport) -> None:
    """Write the page with its pictures embedded.

    Args:
        path: path of the HTML file; an existing file is replaced.
        dataset: folder of the converted dataset.
        report: report on its conversion.

    Raises:
        DatasetError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, _page(dataset, report).encode())
    except OSError as error:
        raise DatasetError(path, f"cannot be written ({error.strerror or error})") from error


def _page(dataset: Path, report: ConversionReport) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined  # not needed on a robot

    examples = report.examples
    environment = Environment(
        loader=PackageLoader("whispersign_model", "visualization"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(TEMPLATE).render(
        name=dataset.resolve().name,
        report=report,
        histograms=_picture((11, 3.2), lambda figure: _histograms(figure, examples)),
        glosses=_picture((11, 3.2), lambda figure: _bars(figure, _tokens(examples))),
        signers=_picture((11, 3.2), lambda figure: _bars(figure, _signers(examples))),
        skeletons=_skeletons(dataset, report),
        fewest_hands=sorted(examples, key=lambda each: each.tracked)[:10],
        reasons=Counter(reason for _, reason in report.left_out).most_common(),
        left_out=report.left_out[:LISTED],
    )


def _picture(size: tuple[float, float], draw: Callable[[Figure], None]) -> str:
    """Return a figure as a PNG image in base64."""
    from matplotlib.figure import Figure  # slow to import, and not needed on a robot

    figure = Figure(figsize=size, layout="constrained")
    draw(figure)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=100)
    return base64.b64encode(content.getvalue()).decode()


def _histograms(figure: Figure, examples: Sequence[ReportedExample]) -> None:
    measures: dict[str, Callable[[ReportedExample], float]] = {
        "seconds": lambda each: each.seconds,
        "frames per second, as recorded": lambda each: each.frame_rate,
        "% of the time with a hand": lambda each: 100 * each.tracked,
    }
    for axes, (title, measure) in zip(figure.subplots(1, len(measures)), measures.items()):
        values = [[measure(each) for each in examples if each.split == split] for split in SPLITS]
        axes.hist(values, BINS, stacked=True, color=COLOURS.values(), label=SPLITS)
        axes.set(xlabel=title, ylabel="recordings")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper right", ncols=len(SPLITS))


def _tokens(examples: Sequence[ReportedExample]) -> dict[str, Counter[str]]:
    """Return the number of times each gloss is signed in each split."""
    counts = {split: Counter[str]() for split in SPLITS}
    for example in examples:
        counts[example.split].update(example.glosses)
    return counts


def _signers(examples: Sequence[ReportedExample]) -> dict[str, Counter[str]]:
    counts = {split: Counter[str]() for split in SPLITS}
    for example in examples:
        counts[example.split][example.signer or "unknown"] += 1
    return counts


def _bars(figure: Figure, counts: dict[str, Counter[str]]) -> None:
    """Draw counts by name as bars, most frequent first, with the splits stacked."""
    total = sum(counts.values(), Counter[str]())
    names = [name for name, _ in total.most_common()]
    axes = figure.subplots()
    places, below = np.arange(len(names)), np.zeros(len(names))
    for split, own in counts.items():
        heights = np.array([own[name] for name in names], dtype=float)
        axes.bar(places, heights, 0.8, below, color=COLOURS[split], label=split)
        below += heights
    if len(names) <= NAMED:
        axes.set_xticks(places, [name[:20] for name in names], rotation=60, ha="right")
    else:
        axes.set_xlabel(f"{len(names)} of them, the most frequent first")
    axes.legend()


def _skeletons(dataset: Path, report: ConversionReport) -> str:
    chosen = _chosen(report.examples)
    flat = report.coordinates == "image_normalised"

    def draw(figure: Figure) -> None:
        grid = figure.subplots(len(chosen), MOMENTS, squeeze=False)
        for row, example in zip(grid, chosen):
            frames = np.load(
                dataset / example.split / "features" / f"{example.name}.npy",
                mmap_mode="r",
                allow_pickle=False,
            )
            tracked = np.flatnonzero((frames[..., CONFIDENCE] > 0).any(axis=1))
            picked = tracked[np.linspace(0, len(tracked) - 1, MOMENTS).astype(int)]
            draw_hands(row, frames[picked], flat)
            glosses = " ".join(example.glosses) or "nothing signed"
            row[0].set_title(f"{glosses[:40]}   ({example.name[:40]})", loc="left", fontsize=9)

    return _picture((11, 2.4 * len(chosen)), draw)


def _chosen(examples: Sequence[ReportedExample]) -> list[ReportedExample]:
    """Return a few examples of different glosses, evenly spread."""
    first: dict[tuple[str, ...], ReportedExample] = {}
    for example in examples:
        first.setdefault(example.glosses, example)
    ordered = [first[glosses] for glosses in sorted(first)]
    places = np.linspace(0, len(ordered) - 1, min(SKELETONS, len(ordered))).astype(int)
    return [ordered[place] for place in places.tolist()]


def draw_hands(row: Sequence[Axes], frames: Floats, flat: bool) -> None:
    """Draw frames ``(n, 42, 7)`` side by side on one scale; ``flat`` means image coordinates."""
    points = seen(frames[..., POSITION], flat)
    tracked = frames[..., CONFIDENCE] > 0
    window = Viewport.around(points, tracked)
    for axes, joints, there in zip(row, points, tracked):
        draw_bones(axes, joints, there)
        window.fit(axes)
