# SPDX-License-Identifier: MIT
"""Features: the single path from sensor frames to network input, offline and live."""
