# SPDX-License-Identifier: MIT
"""Start, monitor and measure a running graph from outside."""
