# SPDX-License-Identifier: MIT
"""Files bundled for the demo: a small model and a short recording."""

from whispersign_model.bundled import ASSETS, bundled

DEMO_MODEL = bundled()
DEMO_BAG = ASSETS / "demo_bag"
