# SPDX-License-Identifier: MIT
"""Pictures that a file has lost: gaps between stamps, and FFmpeg's opinion of the file."""

from __future__ import annotations

import pytest

from whispersign_model.sensors.lost_pictures import find_loss, is_damaged

from .videos import cut_off, damage, lengthen_header, write_video

STEP = 40_000_000  # ns


def stamps(*numbers):
    return [number * STEP for number in numbers]


@pytest.mark.parametrize(
    ("found", "number", "end", "loss"),
    [
        (range(10), 10, 10, None),
        (range(10), 0, 0, None),
        ([0, 1, 2, 6, 7, 8], 0, 0, (3, 9, 0.08, 0.24, False)),
        ([0, 1, 2, 6, 7, 8], 9, 9, (3, 9, 0.08, 0.24, False)),
        ([0, 1, 2, 3], 10, 10, (6, 10, 0.12, 0.4, True)),
        ([0, 1, 2, 6, 7, 8], 12, 12, (6, 12, 0.08, 0.48, True)),
        ([5, 6, 7, 8], 0, 0, (5, 9, 0.0, 0.2, False)),
        ([0, 1, 2, 3, 6, 7, 8, 14, 15], 14, 16, (5, 14, 0.32, 0.56, False)),  # the largest gap
        ([0], 3, 3, (2, 3, 0.0, 0.12, True)),
    ],
)
def test_gaps_and_the_end(found, number, end, loss):
    known = find_loss(stamps(*found), STEP, number, end * STEP)
    if loss is None:
        assert known is None
    else:
        assert known is not None
        assert (known.pictures, known.total, known.start, known.end, known.at_end) == loss


def test_uneven_steps_within_half_an_interval_are_no_gaps():
    assert find_loss([0, 33, 67, 100, 133, 180], 33, 0, 0) is None


@pytest.mark.parametrize("suffix", [".webm", ".mkv", ".flv", ".mp4", ".ts", ".wmv", ".mpg"])
def test_what_ffmpeg_says(tmp_path, suffix):
    path = write_video(tmp_path / f"a{suffix}")
    assert not is_damaged(path, 1)
    assert is_damaged(damage(path), 200)


def test_a_header_beyond_the_pictures_is_no_damage(tmp_path):
    path = lengthen_header(write_video(tmp_path / "a.webm"), 9.0)
    assert not is_damaged(path, 1)
    assert is_damaged(cut_off(path), 1)
