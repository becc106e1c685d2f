# SPDX-License-Identifier: MIT
"""Pictures of every kind, as detectors want them."""

from __future__ import annotations

import numpy as np
import pytest

from whispersign_model.errors import SensorError
from whispersign_model.sensors.frame_source import in_colour, require_usable


@pytest.mark.parametrize("shape", [(47, 63), (47, 63, 1), (47, 63, 3), (47, 63, 4)])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_images_of_every_kind_are_in_colour(shape, kind):
    full = 255 if kind is np.uint8 else 65535
    pixels = in_colour(np.full(shape, full, kind))
    assert (pixels.shape, pixels.dtype, pixels.min()) == ((47, 63, 3), np.uint8, 255)


@pytest.mark.parametrize(
    "shape", [(0, 4, 3), (4, 0, 3), (4, 4, 2), (4, 4), (1, 32767, 3), (32767, 1, 3)]
)
def test_pictures_that_would_end_the_process_are_refused(shape):
    with pytest.raises(SensorError, match=r"folder: a picture of .* cannot be used"):
        require_usable(np.zeros(shape, np.uint8), "folder")
    require_usable(np.zeros((1, 32766, 3), np.uint8), "folder")
