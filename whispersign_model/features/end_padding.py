# SPDX-License-Identifier: MIT
"""End padding: frames without hands that close a clip.

A network that must locate a sign in time needs a clear boundary. Without it, CTC settles on a small
probability everywhere, and all likely paths are blank.
"""

import numpy as np

from whispersign_model.arrays import Floats

END_PADDING = 8  # two patches of frames without hands; 0.13 s at 60 Hz


def with_end_padding(frames: Floats) -> Floats:
    """Append ``END_PADDING`` frames without hands to normalized features ``(T, 42, 7)``."""
    return np.pad(frames, ((0, END_PADDING), (0, 0), (0, 0)))
