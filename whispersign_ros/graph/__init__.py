# SPDX-License-Identifier: MIT
"""The running graph, seen from outside: start it, watch it, measure it."""
