# SPDX-License-Identifier: MIT
"""What all nodes share: lifecycle, parameters, QoS, diagnostics and discovery."""
