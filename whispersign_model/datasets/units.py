# SPDX-License-Identifier: MIT
"""Recognize times that are not in seconds and positions that are not in meters.

Data in another unit can be read without an error, and no sign is recognized in it. The step from
frame to frame and the size of a hand show which unit is meant.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from whispersign_model.arrays import AnyFloats
from whispersign_model.recordings.recording import FARTHEST, Recording
from whispersign_model.skeleton import JOINTS, LEFT, MIDDLE_MCP, RIGHT, WRIST

FASTEST = 1000.0  # frames per second; higher rates mean another unit
SLOWEST = 1.0
LARGEST_HAND = 2.0  # meters or image heights from the wrist to the middle-finger MCP joint
LARGEST_IN_CENTIMETERS = 20.0
SAMPLE, FEW = 20_000, 500  # frames of an archive and of a recording that are looked at
_FRAMES, _STEPS = 3, 10  # least frames, and steps forward, to judge a single sequence
_TIMES = {"milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9}  # per second
_SECONDS = "give seconds"
_PRECISE = "count from the first frame, or store float64"


class UnitFault(NamedTuple):
    """What is wrong with a unit, and what to do about it."""

    fault: str
    remedy: str


@np.errstate(over="ignore", invalid="ignore")
def time_fault(times: AnyFloats, ptr: NDArray[np.integer]) -> UnitFault | None:
    """Return the fault of times that cannot be the seconds of frames, or None.

    Args:
        times: ``(T,)`` finite times, in the type in which they are stored.
        ptr: ``(N + 1,)``; sequence i has the times ``ptr[i]`` to ``ptr[i + 1]``.
    """
    sequences = list(_sequences(times.astype(np.float64), ptr))
    for number, own in sequences:
        if len(own) >= _FRAMES and (np.diff(own) <= 0).all():
            if coarse := _coarse(times, 0):
                return UnitFault(coarse, _PRECISE)
            constant = f"is {own[0]:g} at every frame of" if np.ptp(own) == 0 else "never rises in"
            fault = f"{constant} sequence {number}"
            return UnitFault(fault, "give the capture time of each frame in seconds")
    steps = {number: _steps(own) for number, own in sequences}
    medians = {number: float(np.median(own)) for number, own in steps.items() if len(own)}
    if not medians:
        return None
    overall = float(np.median(list(medians.values())))
    if coarse := _coarse(times, overall):
        return UnitFault(coarse, _PRECISE)
    if (overall < 1 / FASTEST or overall >= 1 / SLOWEST) and (unit := _time_unit(overall)):
        return unit
    for number, median in medians.items():
        if len(steps[number]) >= _STEPS and median >= 1 / SLOWEST and (unit := _time_unit(median)):
            return unit._replace(fault=f"{unit.fault} in sequence {number}")
    return _share_fault([own for _, own in sequences])


def _sequences(times: AnyFloats, ptr: NDArray[np.integer]) -> Iterator[tuple[int, AnyFloats]]:
    for number, (start, end) in enumerate(pairwise(ptr.tolist())):
        if end - start > 1:
            yield number, times[start:end]


def _steps(times: AnyFloats) -> AnyFloats:
    steps = np.diff(times)
    return steps[steps > 0]


def _coarse(times: AnyFloats, step: float) -> str:
    """Return the fault of times whose type cannot tell one frame from the next, or ""."""
    if not np.issubdtype(times.dtype, np.floating) or not len(times):
        return ""
    spacing = float(np.spacing(np.abs(times).max()))
    if spacing < 1 / FASTEST or step > 2 * spacing:
        return ""
    return f"is too large for {times.dtype}, whose steps are {spacing:g} there"


def _time_unit(step: float) -> UnitFault:
    """Return the fault of a median step from frame to frame that is not in seconds."""
    what = f"rises by {step:.4g} from frame to frame: it seems to be in"
    if step < 1 / FASTEST:
        minutes = step * 60 >= 1 / FASTEST
        return UnitFault(f"{what} {'minutes' if minutes else 'hours or days'}", _SECONDS)
    if step <= 4 and step == round(step):
        fault = f"rises by {step:.4g} from frame to frame: it seems to hold frame numbers"
        return UnitFault(fault, f"{_SECONDS}: divide by the frame rate")
    for unit, factor in _TIMES.items():
        if step / factor < 1 / SLOWEST:
            return UnitFault(f"{what} {unit}", f"{_SECONDS}: divide by {factor:.0f}")
    return UnitFault(f"rises by {step:.4g} from frame to frame", _SECONDS)


def _share_fault(sequences: list[AnyFloats]) -> UnitFault | None:
    """Return the fault of sequences of different lengths that all take exactly one second."""
    spans = np.array([own[-1] - own[0] for own in sequences])
    if len({len(own) for own in sequences}) > 2 and (np.abs(spans - 1) < 1e-5).all():
        fault = "rises by 1 in every sequence: it seems to hold shares of the sequence"
        return UnitFault(fault, f"{_SECONDS}: multiply by the duration")
    return None


@np.errstate(over="ignore", invalid="ignore")
def position_fault(xyz: AnyFloats) -> UnitFault | None:
    """Return the fault of positions that cannot be in meters or image heights, or None.

    Args:
        xyz: ``(T, 42, 3)``; NaN or infinity marks an absent joint.
    """
    rows = np.linspace(0, max(len(xyz) - 1, 0), min(len(xyz), SAMPLE)).astype(np.intp)
    hands = xyz[rows].astype(np.float64)
    hands[~np.isfinite(hands)] = np.nan
    for side in (LEFT, RIGHT):
        empty = np.flatnonzero((hands[:, side] == 0).all(axis=(1, 2)))
        if len(empty):
            fault = f"holds a hand whose joints are all at 0, in frame {rows[empty[0]]}"
            return UnitFault(fault, "write NaN for a hand that is absent")
    return _size_fault(hands)


def _size_fault(hands: AnyFloats) -> UnitFault | None:
    roots = hands[:, [WRIST, WRIST + JOINTS // 2]]
    knuckles = hands[:, [MIDDLE_MCP, MIDDLE_MCP + JOINTS // 2]]
    sizes = np.linalg.norm(knuckles - roots, axis=-1)
    sizes = sizes[np.isfinite(sizes)]
    size = float(np.median(sizes)) if len(sizes) else 0.0
    if size <= LARGEST_HAND:
        return None
    unit = "centimeters" if size <= LARGEST_IN_CENTIMETERS else _large_unit(roots, size)
    what = f"has a distance of {size:.4g} from wrist to middle finger: it seems to be in {unit}"
    if unit == "pixels":
        remedy = "divide by the image height, and set coordinates in 'meta' to image_normalised"
        return UnitFault(what, remedy)
    return UnitFault(what, f"give meters: divide by {100 if unit == 'centimeters' else 1000}")


def recording_fault(recording: Recording) -> str:
    """Return the fault of a recording without hands or in other units, or ""."""
    hands = recording.confidence[:, [WRIST, WRIST + JOINTS // 2]]
    if recording.untrackable and not hands.any():
        return f"every wrist is NaN or beyond {FARTHEST:g} m: are the positions in pixels?"
    if not recording.confidence.any():
        return "no hand is tracked in any frame"
    return unit_fault(recording)


def unit_fault(recording: Recording) -> str:
    """Return the fault of a recording whose stamps or positions are in another unit, or ""."""
    step = 1 / recording.frame_rate if recording.frame_rate else 0.0
    if len(recording) > _STEPS and step and not 1 / FASTEST <= step < 1 / SLOWEST:
        return f"wrong unit: its time {_time_unit(step).fault}"
    rows = np.linspace(0, len(recording) - 1, min(len(recording), FEW)).astype(np.intp)
    positions = recording.positions[rows]
    positions[recording.confidence[rows] == 0] = np.nan
    fault = _size_fault(positions)
    return f"wrong unit: a hand {fault.fault}" if fault else ""


def _large_unit(wrists: AnyFloats, size: float) -> str:
    """Tell pixels from millimeters: pixels are never negative, and a wrist has no depth there."""
    positive = float(np.nanpercentile(wrists[..., :2], 2)) >= 0
    depth = float(np.nanmedian(np.abs(wrists[..., 2])))
    return "pixels" if positive and depth < size / 10 else "millimeters"
