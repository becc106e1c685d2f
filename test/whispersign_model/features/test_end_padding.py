# SPDX-License-Identifier: MIT
"""The end of a clip: a moment without hands behind what there is."""

import numpy as np

from whispersign_model.features.end_padding import END_PADDING, with_end_padding


def test_frames_without_hands_follow_the_clip():
    frames = np.ones((5, 42, 7), np.float32)
    ended = with_end_padding(frames)
    assert ended.shape == (5 + END_PADDING, 42, 7)
    assert ended.dtype == np.float32
    assert np.array_equal(ended[:5], frames)
    assert not ended[5:].any()
