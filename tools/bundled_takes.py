# SPDX-License-Identifier: MIT
"""Write the recordings that travel with the package, from archives of whole data sets.

    PYTHONPATH=. python tools/bundled_takes.py DATA

``DATA`` holds ``dgs30_mediapipe.npz`` and ``tsl_leap.npz``. From each, the tool takes the first
``TAKES`` test recordings of every sign, in the order of the archive, whether or not a network
recognizes them. Test recordings are those that the ``import`` command in the network's model card
puts into "test". The first recordings of all signs come first, then the second ones. Positions are
rounded to multiples of ``GRID``, which compress well.
"""

import argparse
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whispersign_model.bundled import takes
from whispersign_model.datasets.splits import TEST
from whispersign_model.skeleton import JOINTS_PER_HAND

Arrays = dict[str, NDArray[Any]]

TAKES = 2  # recordings of each sign
GRID = 2**-12  # meters or image heights; positions move by at most half of it, 0.12 mm


class Source(NamedTuple):
    """An archive, and what the package says about it.

    Attributes:
        archive: file name.
        test: returns the indices of the test recordings.
        meta: what the archive's own metadata lack.
    """

    archive: str
    test: Callable[[Mapping[str, NDArray[Any]]], NDArray[np.intp]]
    meta: dict[str, str]


SOURCES = {
    "german": Source(
        "dgs30_mediapipe.npz",
        lambda arrays: np.arange(0, len(arrays["sid"]), 5),
        {"language": "gsg", "coordinates": "image_normalised"},
    ),
    "thai": Source(
        "tsl_leap.npz",
        lambda arrays: np.flatnonzero(arrays["subject"] == "round6"),
        {"language": "tsq", "coordinates": "metric_sensor"},
    ),
}


def choose(arrays: Mapping[str, NDArray[Any]], test: NDArray[np.intp]) -> list[int]:
    """Return the indices of the first ``TAKES`` test recordings of each sign, take by take."""
    signs = [test[arrays["lab"][test] == sign] for sign in range(len(arrays["classes"]))]
    return [int(found[take]) for take in range(TAKES) for found in signs if take < len(found)]


def make(source: Source, folder: Path) -> Arrays:
    """Return the arrays of the chosen recordings, in the format of recording archives.

    Args:
        source: archive of single signs, one label each.
        folder: folder of the archive.
    """
    with np.load(folder / source.archive, allow_pickle=False) as archive:
        arrays = {key: archive[key] for key in archive.files}
    chosen = choose(arrays, source.test(arrays))
    spans = [slice(*arrays["ptr"][index : index + 2]) for index in chosen]
    xyz = np.concatenate([arrays["xyz"][span] for span in spans])
    count = len(chosen)
    seg = arrays["seg"][np.isin(arrays["seg"][:, 0], chosen)]
    seg[:, 0] = [chosen.index(sequence) for sequence in seg[:, 0]]
    facts = json.loads(str(arrays["meta"])) | source.meta | {"split": TEST, "choice": _choice()}
    names = arrays["classes"][arrays["lab"][chosen]]
    sid = [str(sid) for sid in arrays["sid"][chosen]]
    return {
        # Frames vary fastest, because a joint's consecutive positions are alike.
        "xyz": np.asfortranarray(rounded(xyz)),
        "t": np.concatenate([arrays["t"][span] for span in spans]),
        "ptr": np.cumsum([0, *(span.stop - span.start for span in spans)]),
        "lab": arrays["lab"][chosen],
        "lptr": np.arange(count + 1),
        "classes": arrays["classes"],
        "subject": arrays["subject"][chosen],
        "split": np.full(count, TEST),
        "sid": np.array([each if "/" in each else f"{n}/{each}" for n, each in zip(names, sid)]),
        "seg": seg,
        "meta": np.array(json.dumps(facts)),
    }


def rounded(xyz: NDArray[np.float32]) -> NDArray[np.float32]:
    """Round positions ``(T, 42, 3)`` to multiples of ``GRID``.

    A failed detection can be a hand whose joints are all within 1e-37 of 0. It stays as it is,
    because readers refuse a hand at exactly 0.
    """
    hands = xyz.reshape(len(xyz), 2, JOINTS_PER_HAND, 3)
    near = np.round(hands / np.float32(GRID)) * np.float32(GRID)  # exact: GRID is a power of 2
    collapsed = (near == 0).all(axis=(2, 3), keepdims=True)
    return np.where(collapsed, hands, near).reshape(xyz.shape)


def _choice() -> str:
    return (
        f"the first {TAKES} test recordings of each sign, recognized or not; positions rounded to "
        f"multiples of {GRID}; never train a network on them"
    )


def write(path: Path, arrays: Arrays) -> None:
    """Write an archive whose bytes depend on the arrays only."""
    with zipfile.ZipFile(path, "w") as archive:
        for key, array in arrays.items():
            member = zipfile.ZipInfo(f"{key}.npy")
            member.compress_type = zipfile.ZIP_BZIP2
            with archive.open(member, "w") as stream:
                np.lib.format.write_array(stream, array, allow_pickle=False)


def main() -> None:
    """Write both files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path, help="folder of the archives")
    arguments = parser.parse_args()
    for name, source in SOURCES.items():
        arrays = make(source, arguments.data)
        path = takes(name)
        path.parent.mkdir(exist_ok=True)
        write(path, arrays)
        frames, size = len(arrays["t"]), path.stat().st_size
        print(f"{path}: {len(arrays['sid'])} recordings, {frames} frames, {size} bytes")


if __name__ == "__main__":
    main()
