# SPDX-License-Identifier: MIT
"""A page of plots that shows each kind of variation beside the original clip."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from whispersign_model.evaluation.figures import write_figure
from whispersign_model.skeleton import JOINTS_PER_HAND, WRIST
from whispersign_model.training_data.augmentation import Augmentation
from whispersign_model.training_data.clip_store import ClipStore
from whispersign_model.training_data.composition import PlacedSign, compose, draw_composition
from whispersign_model.training_data.variations import Motion
from whispersign_model.visualization.drawing import draw_bones

OFF = Augmentation().changed(
    **dict.fromkeys(
        ("rotation", "scale", "stretch", "shift", "hand_shift", "speed", "warp", "crop"), 0.0
    ),
    **dict.fromkeys(("noise", "finger_mask", "frame_mask"), 0.0),
)
SHOWN: tuple[tuple[str, dict[str, Any]], ...] = (
    ("rotation 10°", {"rotation": 10}),
    ("scale 0.2", {"scale": 0.2}),
    ("stretch 0.15", {"stretch": 0.15}),
    ("shear 0.15", {"shear": 0.15}),
    ("shift 0.3", {"shift": 0.3}),
    ("hand_shift 0.3", {"hand_shift": 0.3}),
    ("hand_shape_jitter 0.15", {"hand_shape_jitter": 0.15}),
    ("trajectory_scale 0.6", {"trajectory_scale": 0.6}),
    ("pose_scale 0.6", {"pose_scale": 0.6}),
    ("noise 0.03", {"noise": 0.03}),
    ("mirror", {"mirror": 1}),
    ("swap_hands", {"swap_hands": 1}),
    ("speed [0.5, 1.5]", {"speed": (0.5, 1.5)}),
    ("warp 0.2", {"warp": 0.2}),
    ("jitter 0.02 s", {"jitter": 0.02}),
    ("crop 0.2", {"crop": 0.2}),
    ("camera of 12 frames/s", {"camera": 1, "camera_rate": 12}),
    ("joint_mask 0.2", {"joint_mask": 0.2}),
    ("finger_mask", {"finger_mask": 1}),
    ("frame_mask 0.4 s", {"frame_mask": 1, "mask_length": 0.4}),
    ("hand_drop", {"hand_drop": 1}),
)
STREAMS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("sentence", {"sentence": 1, "sentence_signs": 4}),
    (
        "sentence with distractor segments",
        {"sentence": 1, "sentence_signs": 4, "distractor_segments": 0.7},
    ),
    ("sentence with pauses (idle)", {"sentence": 1, "sentence_signs": 4, "idle": 0.7}),
    ("window of 2 s from it", {"sentence": 1, "sentence_signs": 4, "idle": 0.7}),
)
COLUMNS = 3
BEFORE, AFTER = "0.65", ("tab:blue", "tab:red")  # colors of the clip and of both varied hands
HEIGHT, DEPTH = 1, 2  # axis indices: curves show y; poses are seen along z
MOMENT = 0.5  # position of the drawn pose within the clip


class _Example(NamedTuple):
    title: str
    before: Motion | None
    after: Motion


def write_page(
    path: Path, store: ClipStore, take: int, glosses: Sequence[str], rate: float, seed: int = 0
) -> None:
    """Draw the page and write it to a picture file atomically.

    Args:
        path: path of the picture; its suffix sets the format.
        store: isolated signs.
        take: number of the take to show.
        glosses: the vocabulary.
        rate: frames per second.
        seed: seed of the variations.

    Raises:
        ConfigError: matplotlib does not support the format, or the file cannot be written.
    """
    write_figure(path, draw_page(store, take, glosses, rate, seed), dpi=90)


def draw_page(
    store: ClipStore, take: int, glosses: Sequence[str], rate: float, seed: int = 0
) -> Figure:
    """Draw all variations of a take, and sentences that start with it."""
    singles = [_single(store, take, rate, title, fields, seed) for title, fields in SHOWN]
    streams = [
        _stream(store, take, glosses, rate, title, fields, seed) for title, fields in STREAMS
    ]
    rows = -(-len(singles) // COLUMNS)
    figure = Figure(figsize=(15, 2.3 * (rows + len(streams))), layout="constrained")
    grid = figure.add_gridspec(rows + len(streams), 2 * COLUMNS, width_ratios=[1, 1.6] * COLUMNS)
    for number, example in enumerate(singles):
        row, column = divmod(number, COLUMNS)
        _draw_pose(figure.add_subplot(grid[row, 2 * column]), example)
        _draw_curves(figure.add_subplot(grid[row, 2 * column + 1]), example, rate)
    for number, example in enumerate(streams):
        _draw_curves(figure.add_subplot(grid[rows + number, :]), example, rate)
    figure.suptitle(
        f"{store.examples[take].name}: the clip (gray) and its variations (left hand blue, right "
        "hand red); pose in the middle, height of wrist and index tip over seconds"
    )
    return figure


def _single(
    store: ClipStore, take: int, rate: float, title: str, fields: dict[str, Any], seed: int
) -> _Example:
    motion = store.motion(take)
    varied = OFF.changed(**fields)(*motion, rate, np.random.default_rng([seed, len(title)]))
    return _Example(title, motion, varied)


def _stream(
    store: ClipStore,
    take: int,
    glosses: Sequence[str],
    rate: float,
    title: str,
    fields: dict[str, Any],
    seed: int,
) -> _Example:
    """Compose some sentences and return the most varied one, or a window of it."""
    window = {"window": 1, "window_seconds": 2.0} if title.startswith("window") else {}
    augmentation = OFF.changed(**fields)

    def variety(candidate: int) -> tuple[int, int]:
        drawn = np.random.default_rng(candidate)
        parts = draw_composition(augmentation, store, take, rate, drawn).parts
        numbers = [part.take for part in parts if isinstance(part, PlacedSign) and part.labelled]
        return len({int(store.examples[number].labels[0]) for number in numbers}), len(parts)

    best = max(range(seed, seed + 20), key=variety)
    generator = np.random.default_rng(best)
    plan = draw_composition(augmentation.changed(**window), store, take, rate, generator)
    clip = compose(plan, store, rate, 4, generator)
    names = " ".join(glosses[label - 1] for label in clip.labels.tolist())
    return _Example(f"{title}: {names}", None, (clip.positions, clip.confidence))


def _draw_pose(axes: Axes, example: _Example) -> None:
    """Draw the hands in the middle of the clip, seen along z."""
    motions = [(example.before, (BEFORE, BEFORE), 2.5), (example.after, AFTER, 1.2)]
    for motion, colours, width in motions:
        if motion is not None:
            positions, confidence = motion
            at = round(MOMENT * (len(positions) - 1))
            draw_bones(axes, positions[at, :, :DEPTH], confidence[at] > 0, colours, width)
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_xticks([])
    axes.set_yticks([])


def _draw_curves(axes: Axes, example: _Example, rate: float) -> None:
    """Draw the height of wrists and index fingertips over time, with gaps where untracked."""
    for motion, colours, width in (
        (example.before, (BEFORE, BEFORE), 2.5),
        (example.after, AFTER, 1.2),
    ):
        if motion is None:
            continue
        positions, confidence = motion
        seconds = np.arange(len(positions)) / rate
        for hand, colour in enumerate(colours):
            for joint, style in ((WRIST, "-"), (8, ":")):
                number = hand * JOINTS_PER_HAND + joint
                height = np.where(confidence[:, number] > 0, positions[:, number, HEIGHT], np.nan)
                axes.plot(seconds, height, style, color=colour, linewidth=width)
    axes.set_title(example.title, fontsize=9)
    axes.tick_params(labelsize=7)
