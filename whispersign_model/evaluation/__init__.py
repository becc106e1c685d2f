# SPDX-License-Identifier: MIT
"""Evaluation: word error rates, calibration, detection in streams, reports and figures."""
