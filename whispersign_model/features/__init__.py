# SPDX-License-Identifier: MIT
"""Features: the one path from sensor frames to what the network reads, offline and live."""
