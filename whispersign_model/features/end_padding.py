# SPDX-License-Identifier: MIT
"""How a clip ends for the network: with a moment in which no hand is seen.

A network that must locate a sign in time needs something to hold on to. Without it, CTC
settles on a little probability everywhere and a blank in all the likeliest paths.
"""

import numpy as np

from whispersign_model.arrays import Floats

END_PADDING = 8  # frames without a hand, two patches; 0.13 s at 60 Hz


def with_end_padding(frames: Floats) -> Floats:
    """Append ``END_PADDING`` frames without hands to normalised features ``(T, 42, 7)``."""
    return np.pad(frames, ((0, END_PADDING), (0, 0), (0, 0)))
