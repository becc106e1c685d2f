"""Evaluation: word error rate, calibration, detection in streams, reports and figures."""
