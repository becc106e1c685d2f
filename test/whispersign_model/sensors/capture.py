# SPDX-License-Identifier: MIT
"""A stand-in for OpenCV's capture."""

from __future__ import annotations

import cv2
import numpy as np


class Capture:
    """A stand-in for OpenCV's capture that returns given stamps, in milliseconds."""

    def __init__(self, stamps, rate=0.0, shape=(48, 64, 3)):
        self.stamps, self.rate, self.shape, self.now = list(stamps), rate, shape, 0.0
        self.settings = {}

    def isOpened(self):  # noqa: N802
        return True

    def set(self, key, value):
        self.settings[key] = value

    def get(self, key):
        return {cv2.CAP_PROP_POS_MSEC: self.now, cv2.CAP_PROP_FPS: self.rate}.get(key, 0.0)

    def read(self):
        if not self.stamps:
            return False, None
        self.now = self.stamps.pop(0)
        return True, np.zeros(self.shape, np.uint8)

    def release(self):
        pass
