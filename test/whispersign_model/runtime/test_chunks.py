# SPDX-License-Identifier: MIT
"""Frames to patches to chunks: nothing is lost, doubled or reordered, however it is cut."""

import numpy as np
import pytest

from whispersign_model.runtime.chunks import ChunkStream, whole_patches


def step(patches, state):
    """Give each patch's sum of first numbers, the number of patches before it, and the chunk's."""
    rows = [
        [patch[:, 0, 0].sum(), state + index, len(patches)] for index, patch in enumerate(patches)
    ]
    return np.array(rows, np.float32), state + len(patches)


def stream(chunk):
    return ChunkStream(step, 0, 4, chunk, 3)


def frames(count):
    data = np.zeros((count, 42, 7), np.float32)
    data[:, 0, 0] = np.arange(1, count + 1)
    return data


def expected(count, chunk):
    filled = [min(number, count) for number in range(1, -(-count // 4) * 4 + 1)]
    sums = [sum(filled[first : first + 4]) for first in range(0, len(filled), 4)]
    sizes = [min(chunk, len(sums) - index // chunk * chunk) for index in range(len(sums))]
    return np.array([sums, range(len(sums)), sizes], np.float32).T.reshape(-1, 3)


@pytest.mark.parametrize("chunk", [1, 2, 3])
@pytest.mark.parametrize("cuts", [[], [1, 2, 3], [4, 11, 12, 29], list(range(1, 30))])
@pytest.mark.parametrize("count", [0, 1, 4, 13, 30])
def test_rows_do_not_depend_on_the_cuts(count, cuts, chunk):
    growing = stream(chunk)
    parts = np.split(frames(count), [cut for cut in cuts if cut < count])
    rows = np.concatenate([growing.push(part) for part in parts])
    assert len(rows) == count // (4 * chunk) * chunk
    rows = np.concatenate([rows, growing.peek(frames(0))])
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows, expected(count, chunk))


def test_a_look_changes_nothing():
    growing = stream(2)
    first = growing.push(frames(21))
    look = growing.peek(frames(24)[21:])
    np.testing.assert_array_equal(np.concatenate([first, look]), expected(24, 2))
    rest = growing.push(frames(24)[21:])
    np.testing.assert_array_equal(np.concatenate([first, rest]), expected(24, 2))


def test_pushed_frames_may_be_overwritten():
    growing, buffer = stream(1), frames(3)
    growing.push(buffer)
    buffer[:] = 9
    np.testing.assert_array_equal(growing.push(frames(4)[3:]), expected(4, 1))


def test_reset_begins_another_clip():
    growing = stream(2)
    growing.push(frames(11))
    growing.reset()
    np.testing.assert_array_equal(growing.push(frames(8)), expected(8, 2))


def test_whole_patches_repeat_the_last_frame():
    assert whole_patches(frames(5), 4)[:, 0, 0].tolist() == [1, 2, 3, 4, 5, 5, 5, 5]
    assert len(whole_patches(frames(8), 4)) == 8
