# SPDX-License-Identifier: MIT
"""Code shared by all nodes: lifecycle, parameters, QoS, diagnostics and discovery."""
