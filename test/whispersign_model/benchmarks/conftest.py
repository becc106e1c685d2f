"""What the benchmarks' tests share: an archive of recordings that mean nothing."""

import json

import numpy as np
import pytest

FRAMES = 12  # of a recording


@pytest.fixture
def write_archive():
    """Return a function that writes an archive: the sign of each recording, and its signer."""

    def write(path, signs, signers):
        count = len(signs)
        classes = sorted(set(signs))
        positions = np.random.default_rng(0).normal(0.1, 0.02, (FRAMES * count, 42, 3))
        np.savez(
            path,
            xyz=positions.astype(np.float32),
            t=np.tile(np.arange(FRAMES) / 30, count),
            ptr=np.arange(count + 1) * FRAMES,
            lab=np.array([classes.index(sign) for sign in signs]),
            lptr=np.arange(count + 1),
            classes=np.array(classes),
            subject=np.array(signers),
            split=np.array([""] * count),
            sid=np.array([f"r{i}" for i in range(count)]),
            seg=np.zeros((0, 4), int),
            meta=np.array(json.dumps({"coordinates": "metric_sensor"})),
        )

    return write
