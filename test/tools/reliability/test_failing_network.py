# SPDX-License-Identifier: MIT
"""The network of a fault computes NaN while asked to, and is refused for that."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from reliability.failing_network import NODE, SAID, _error, break_networks
from whispersign_model.bundled import bundled
from whispersign_model.errors import CheckpointError
from whispersign_model.runtime.onnx_backend import OnnxBackend
from whispersign_ros.graph.monitor import Report

FEATURES = np.random.default_rng(0).normal(0, 1, (16, 42, 7)).astype(np.float32)


def test_it_fails_while_the_file_is_there(tmp_path, monkeypatch):
    monkeypatch.setattr(OnnxBackend, "_run", OnnxBackend._run)
    break_networks(tmp_path / "failing")
    backend = OnnxBackend(bundled() / "model.onnx", "cpu")
    assert np.isfinite(backend.stream(4).push(FEATURES)).all()
    (tmp_path / "failing").touch()
    with pytest.raises(CheckpointError, match=SAID):
        backend.stream(4).push(FEATURES)
    (tmp_path / "failing").unlink()
    assert np.isfinite(backend.stream(4).push(FEATURES)).all()


@pytest.mark.parametrize(
    ("level", "message", "counts"), [(2, SAID, 1), (1, SAID, 0), (2, "another", 0)]
)
def test_only_an_error_of_the_network_counts(level, message, counts):
    report = Report(level, message, {}, 1.0)
    graph = SimpleNamespace(monitor=SimpleNamespace(reports={NODE: report}))
    assert _error(graph) == [1.0] * counts
