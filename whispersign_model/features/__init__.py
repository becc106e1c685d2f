# SPDX-License-Identifier: MIT
"""Features: the one path from sensor frames to the network's input, offline and live."""
