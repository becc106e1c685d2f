# SPDX-License-Identifier: MIT
"""End padding: frames without hands that mark the end of a clip.

To locate a sign in time, the network needs a clear boundary after it. Without one, CTC spreads a
small probability over all steps, and all likely paths are blank.
"""

import numpy as np

from whispersign_model.arrays import Floats

END_PADDING = 8  # two patches of frames without hands; 0.13 s at 60 Hz


def with_end_padding(frames: Floats) -> Floats:
    """Append ``END_PADDING`` frames without hands to normalized features ``(T, 42, 7)``."""
    return np.pad(frames, ((0, END_PADDING), (0, 0), (0, 0)))
