"""Takes are trimmed, checked, and kept."""

import numpy as np

from whispersign_model.training.takes import tracked_span


def test_utterance_extends_from_first_to_last_tracked_frame():
    frames = np.zeros((10, 42, 7), np.float32)
    assert tracked_span(frames) == slice(0, 10)
    frames[3, 5, 6] = frames[7, 30, 6] = 1
    assert tracked_span(frames) == slice(3, 8)
