# SPDX-License-Identifier: MIT
"""The running graph seen from outside: start, watch and measure it."""
