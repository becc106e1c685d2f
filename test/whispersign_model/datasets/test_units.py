# SPDX-License-Identifier: MIT
"""Units: times that are no seconds and positions that are no meters are named, others pass."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from whispersign_model.cli.main import main
from whispersign_model.datasets.archive import read_archive
from whispersign_model.datasets.units import position_fault, time_fault
from whispersign_model.errors import ArchiveError

LENGTHS = (20, 30, 10)  # frames of the archive's sequences


def times(rate=30.0, factor=1.0, start=0.0, dtype=np.float64):
    """Return times of the archive's sequences, each from ``start``."""
    own = [np.arange(frames) / rate + start for frames in LENGTHS]
    return (np.concatenate(own) * factor).astype(dtype)


def numbers(step=1.0):
    return np.concatenate([np.arange(frames) * step for frames in LENGTHS])


def hands(size=0.09, center=(0.1, 0.2, 0.3), flat=False):
    """Return positions of hands of this size; the first ones are absent."""
    generator = np.random.default_rng(0)
    shape = generator.normal(0, 1, (42, 3))
    for root in (0, 21):
        shape[root + 9] = shape[root] + [0.6, 0.8, 0]
    xyz = shape * size + np.array(center) + generator.normal(0, size, (60, 1, 3))
    if flat:
        xyz[..., 2] = 0
    xyz[:5] = np.nan
    return xyz.astype(np.float32)


@pytest.mark.parametrize(
    ("t", "fault"),
    [
        (times(factor=1e3), "key 't' rises by 33.33 .* milliseconds; give seconds: divide by 1000"),
        (times(rate=115, factor=1e3), "key 't' rises by 8.696 .* milliseconds"),
        (np.round(times(factor=1e3)).astype(np.int64), "key 't' rises by 33 .* milliseconds"),
        (times(factor=1e3, start=1.7e9), "milliseconds"),
        (times(factor=1e6), "microseconds"),
        (times(factor=1e9), "nanoseconds; give seconds: divide by 1000000000"),
        (times(factor=1e9, start=1.7e9), "nanoseconds"),
        (times(factor=1e9, dtype=np.int64), "nanoseconds"),
        (times(factor=1 / 60), "minutes"),
        (times(factor=1 / 3600), "hours"),
        (numbers(), "key 't' rises by 1 .* frame numbers; give seconds: divide by the frame rate"),
        (numbers() + 1, "frame numbers"),
        (np.arange(60.0), "frame numbers"),
        (np.arange(60), "frame numbers"),
        (numbers(2), "frame numbers"),
        (np.zeros(60), "key 't' is 0 at every frame of sequence 0; give the capture time"),
        (np.zeros(60, int), "key 't' is 0 at every frame of sequence 0"),
        (np.full(60, 7.5), "key 't' is 7.5 at every frame of sequence 0"),
        (np.where(np.arange(60) < 20, times(), 0), "is 0 at every frame of sequence 1"),
        (-times(), "key 't' never rises in sequence 0"),
        (np.where(np.arange(60) < 20, 1000, 1) * times(), "milliseconds in sequence 0"),
        (times(start=1.7e9, dtype=np.float32), "is too large for float32, .*store float64"),
        (times(rate=15, start=2e6, dtype=np.float32), "is too large for float32"),
        (
            np.concatenate([np.linspace(0, 1, frames) for frames in LENGTHS]),
            "shares of the sequence; give seconds: multiply by the duration",
        ),
    ],
)
def test_times_in_another_unit(archive, t, fault):
    path = archive(t=t)
    with pytest.raises(ArchiveError, match=fault) as caught:
        read_archive(path)
    assert str(caught.value).startswith(f"{path}: key 't' ")


@pytest.mark.parametrize(
    "t",
    [
        times(),
        times(rate=5),
        times(rate=500),
        times(start=1.7e9),
        times(start=-3),
        times(start=1e4, dtype=np.float32),
        np.where(numbers() % 7, times(), times()[0]),  # repeated and stepping back
        np.where(numbers() > 6, times() + 30, times()),  # a jump
    ],
)
def test_times_that_are_seconds(archive, t):
    assert len(read_archive(archive(t=t))) == 3


@pytest.mark.parametrize(
    ("xyz", "fault"),
    [
        (hands(90, (640, 360, 0), flat=True) % 1280, "pixels; divide by the image height, .*meta"),
        (hands(90, (600, 500, 0)), "pixels|millimeters"),
        (hands(90, (0, 200, 150)), "millimeters; give meters: divide by 1000"),
        (hands(90, (-300, 200, 600)), "millimeters"),
        (hands(9, (0, 20, 15)), "centimeters; give meters: divide by 100"),
        (np.nan_to_num(hands()), "holds a hand whose joints are all at 0, in frame 0; write NaN"),
    ],
)
def test_positions_in_another_unit(archive, xyz, fault):
    with pytest.raises(ArchiveError, match=f"key 'xyz' .*({fault})"):
        read_archive(archive(xyz=xyz))


@pytest.mark.parametrize(
    "xyz",
    [
        hands(),
        hands(0.4, (0.5, 0.5, 0)),  # image heights, close to the camera
        hands(0.05),
        hands(0.09, (0, 0, 1.5)),
        np.full((60, 42, 3), np.nan, np.float32),
        np.full((60, 42, 3), np.inf, np.float32),
        np.where(np.arange(60)[:, None, None] == 9, 1e30, hands()).astype(np.float32),
    ],
)
def test_positions_in_meters_or_image_heights(archive, xyz):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(read_archive(archive(xyz=xyz))) == 3


def test_nothing_to_judge():
    assert time_fault(np.zeros(0), np.array([0])) is None
    assert time_fault(np.zeros(2), np.array([0, 1, 2])) is None
    assert position_fault(np.zeros((0, 42, 3))) is None


@pytest.mark.parametrize("target", ["--out", "--dataset"])
@pytest.mark.parametrize(
    "changes", [{"t": times(factor=1e3)}, {"t": np.zeros(60)}, {"xyz": hands(90)}]
)
def test_import_ends_with_one_line_and_writes_nothing(archive, tmp_path, capfd, changes, target):
    path = archive(**changes)
    assert main(["import", str(path), target, str(tmp_path / "out")]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith(f"whispersign: error: {path}: key '")
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()
