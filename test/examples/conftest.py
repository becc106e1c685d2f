# SPDX-License-Identifier: MIT
"""A domain of one's own for what the examples start."""

from __future__ import annotations

import os

from whispersign_ros.node.discovery import isolate

isolate(os.environ)
