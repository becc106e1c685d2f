# SPDX-License-Identifier: MIT
"""Find the same recording under several names, also if one copy is a part of the other."""

from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from whispersign_model.arrays import AnyFloats
from whispersign_model.datasets.splits import SPLITS
from whispersign_model.recordings.recording import Recording
from whispersign_model.recordings.spelling import quoted
from whispersign_model.skeleton import JOINTS

Hashes = NDArray[np.uint64]

BLOCK = 256  # frames that are hashed at once
SHARED = 0.5  # share of the smaller recording that the other one must hold
NAMED = 3  # pairs that a warning names


class Fingerprint(NamedTuple):
    """A recording's name and the hashes of its frames, sorted, each once."""

    name: str
    hashes: Hashes


def fingerprint(name: str, recording: Recording) -> Fingerprint:
    """Return the hashes of the positions in frames with a tracked hand; stamps do not matter."""
    hashes = []
    for first in range(0, len(recording), BLOCK):
        tracked = recording.confidence[first : first + BLOCK].any(axis=1)
        positions = recording.positions[first : first + BLOCK][tracked]
        hashes.append(_hashes(positions.reshape(len(positions), 3 * JOINTS)))
    return Fingerprint(name, np.unique(np.concatenate([_hashes(np.zeros((0, 1))), *hashes])))


def _hashes(rows: AnyFloats) -> Hashes:
    """Return a hash of each row."""
    bits = np.ascontiguousarray(rows + np.float32(0)).view(np.uint32).astype(np.uint64)
    factors = np.random.default_rng(0).integers(1, 2**63, bits.shape[1], np.uint64) | np.uint64(1)
    mixed: Hashes = (bits * factors).sum(axis=1, dtype=np.uint64)
    return mixed


def shared_recordings(prints: Sequence[Fingerprint], splits: Sequence[str]) -> list[str]:
    """Warn about recordings that are in two splits under different names.

    Args:
        prints: the fingerprints of all recordings.
        splits: the split of each.
    """
    if not prints:
        return []
    owners = np.repeat(np.arange(len(prints)), [len(each.hashes) for each in prints])
    hashes = np.concatenate([each.hashes for each in prints])
    order = np.argsort(hashes, kind="stable")
    shared: Counter[tuple[int, int]] = Counter()
    changes = np.flatnonzero(hashes[order[1:]] != hashes[order[:-1]]) + 1
    bounds = np.array([0, *changes.tolist(), len(hashes)])
    several = np.flatnonzero(np.diff(bounds) > 1)
    for start, end in zip(bounds[several].tolist(), bounds[several + 1].tolist()):
        first: dict[str, int] = {}  # of several copies in a split, the first stands for all
        for owner in owners[order[start:end]].tolist():
            first.setdefault(splits[owner], owner)
        shared.update(combinations([first[split] for split in SPLITS if split in first], 2))
    pairs: dict[str, list[str]] = {}
    for (one, other), count in sorted(shared.items()):
        if count >= SHARED * min(len(prints[one].hashes), len(prints[other].hashes)):
            names = quoted((prints[one].name, prints[other].name))
            pairs.setdefault(f"{splits[one]} and {splits[other]}", []).append(names)
    return [
        f"{both} hold the same {'recording' if len(found) == 1 else 'recordings'}: "
        + ", ".join(found[:NAMED])
        + (f" and {len(found) - NAMED} more" if len(found) > NAMED else "")
        for both, found in pairs.items()
    ]
