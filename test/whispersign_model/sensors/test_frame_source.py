# SPDX-License-Identifier: MIT
"""Pictures of every kind, as detectors want them."""

from __future__ import annotations

import numpy as np
import pytest

from whispersign_model.sensors.frame_source import in_colour


@pytest.mark.parametrize("shape", [(47, 63), (47, 63, 1), (47, 63, 3), (47, 63, 4)])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_images_of_every_kind_are_in_colour(shape, kind):
    full = 255 if kind is np.uint8 else 65535
    pixels = in_colour(np.full(shape, full, kind))
    assert (pixels.shape, pixels.dtype, pixels.min()) == ((47, 63, 3), np.uint8, 255)
