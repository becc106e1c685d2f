# SPDX-License-Identifier: MIT
"""Evaluation: word error rate, calibration, detection in streams, reports and figures."""
