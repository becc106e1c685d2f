"""How a clip ends for the network: with a moment in which no hand is seen.

A network that is to say *when* a sign was made needs something to hold on to. Without it, CTC
settles on a little probability everywhere and a blank in all the likeliest paths.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ENDING = 8  # frames without a hand, two patches; 0.13 s at 60 Hz


def with_ending(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return normalised features ``(T, 42, 7)`` with ``ENDING`` frames without hands behind."""
    return np.pad(frames, ((0, ENDING), (0, 0), (0, 0)))
