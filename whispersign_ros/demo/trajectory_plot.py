# SPDX-License-Identifier: MIT
"""Plot a robot's trajectory as a text map for the terminal or as an image."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from whispersign_model.errors import WhisperSignError, install_extra
from whispersign_ros.simulation.unicycle import Point, Pose

COLUMNS, ROWS = 60, 20  # maximum size of the map
CELL = 2.0  # ratio of a character's height to its width
FINEST = 0.01  # minimum meters per column
HEADINGS = ">^<v"  # from heading 0, counterclockwise
STEP = 0.25  # columns between two points drawn on the map
NEAR = 0.05  # meters; the names of marks closer than this would overlap
COLOURS = ("#c2571a", "#1b7f79")  # of the trajectory and of stops

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Mark:
    """A named point of the trajectory.

    Attributes:
        name: name of the event.
        pose: pose at the event.
        begins: True for a command, False for a stop.
    """

    name: str
    pose: Pose
    begins: bool


def text_map(trajectory: Sequence[Point], marks: Sequence[Mark]) -> list[str]:
    """Return the trajectory as the lines of a map to scale, with x to the right and y up.

    ``.`` is the trajectory, ``o`` is its start, and an arrow is the robot at its end. Digits number
    the marks from 1 to 9 and then start again. If marks coincide, the last one is visible.
    """
    places = np.array([(point.pose.x, point.pose.y) for point in trajectory])
    low, high = places.min(axis=0), places.max(axis=0)
    width = max(*((high - low) / (COLUMNS - 1, (ROWS - 1) * CELL)), FINEST)
    unit = np.array([width, width * CELL])
    columns, rows = (np.rint((high - low) / unit).astype(int) + 1).tolist()
    cells = [[" "] * columns for _ in range(rows)]

    def put(place: Floats, character: str) -> None:
        column, row = np.rint((place - low) / unit).astype(int)
        cells[rows - 1 - row][column] = character

    for before, after in pairwise(places):
        pieces = max(1, math.ceil(float(np.abs(after - before).max()) / width / STEP))
        for share in np.linspace(0, 1, pieces + 1):
            put(before + share * (after - before), ".")
    put(places[0], "o")
    for number, mark in enumerate(marks):
        put(np.array([mark.pose.x, mark.pose.y]), str(number % 9 + 1))
    quarter = round(trajectory[-1].pose.heading / (math.pi / 2)) % 4
    put(places[-1], HEADINGS[quarter])
    lines = ["".join(row).rstrip() for row in cells]
    return [
        *lines,
        f"a character is {width * 100:.0f} cm wide and {width * CELL * 100:.0f} cm high",
    ]


def draw(path: Path, trajectory: Sequence[Point], marks: Sequence[Mark], title: str) -> None:
    """Write an image of the trajectory with the names of its marks.

    Raises:
        WhisperSignError: matplotlib is missing, or the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise WhisperSignError(
            "--picture", "the Python package 'matplotlib' is missing", install_extra("train")
        ) from error
    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.add_subplot()
    places = np.array([(point.pose.x, point.pose.y) for point in trajectory])
    axes.plot(*places.T, color=COLOURS[0], linewidth=2)
    axes.plot(*places[0], "o", color="black")
    end = trajectory[-1].pose
    axes.plot(end.x, end.y, marker=(3, 0, math.degrees(end.heading) - 90), color="black", ms=14)
    for together in _by_place(marks):
        place = (together[0].pose.x, together[0].pose.y)
        colour = COLOURS[0 if together[0].begins else 1]
        axes.plot(*place, ".", color=colour, ms=9)
        names = ", ".join(mark.name for mark in together)
        axes.annotate(names, place, (8, 6), textcoords="offset points", color=colour)
    axes.set(aspect="equal", xlabel="ahead, m", ylabel="to the left, m", title=title)
    axes.margins(0.15)
    axes.grid(alpha=0.3)
    try:
        figure.savefig(path, dpi=120)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise WhisperSignError(path, f"cannot be written ({why})", "choose another name") from error


def _by_place(marks: Sequence[Mark]) -> list[list[Mark]]:
    """Group the marks whose names would overlap."""
    groups: list[list[Mark]] = []
    for mark in marks:
        last = groups[-1][0].pose if groups else None
        if last and math.hypot(last.x - mark.pose.x, last.y - mark.pose.y) < NEAR:
            groups[-1].append(mark)
        else:
            groups.append([mark])
    return groups
