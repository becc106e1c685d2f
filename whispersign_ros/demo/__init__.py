# SPDX-License-Identifier: MIT
"""The demos: glosses from a bundled recording, and a simulated robot driven by them."""
