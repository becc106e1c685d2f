# SPDX-License-Identifier: MIT
"""Play recordings in real time."""
