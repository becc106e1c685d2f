# SPDX-License-Identifier: MIT
"""Hand sensors: Leap Motion and cameras, and the conversion of their data to skeletons."""
