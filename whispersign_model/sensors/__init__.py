# SPDX-License-Identifier: MIT
"""Hand sensors: Leap Motion and cameras, and the code that turns readings into skeletons."""
