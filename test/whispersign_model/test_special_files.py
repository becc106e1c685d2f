# SPDX-License-Identifier: MIT
"""FIFOs, devices, sockets and folders in place of files: every reader refuses them at once."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from whispersign_model.bundled import bundled
from whispersign_model.datasets.archive import read_archive
from whispersign_model.datasets.dataset import Dataset
from whispersign_model.errors import WhisperSignError
from whispersign_model.network.checkpoint import METADATA, WEIGHTS, read_metadata
from whispersign_model.recordings.bags.bag import read_bag, write_bag
from whispersign_model.recordings.labels import find_labels, read_table
from whispersign_model.runtime.loading import EXPORTED, load_backend
from whispersign_model.sensors.detector import find_bundle
from whispersign_model.sensors.intrinsics import read_calibration
from whispersign_model.sensors.picture_files import open_file
from whispersign_model.training.resume import read_resume
from whispersign_model.training.run_logger import LOG, RunLogger

Read = Callable[[Path], Any]


def make_socket(path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch, socket.socket(socket.AF_UNIX) as made:
        patch.chdir(path.parent)  # a socket's path is at most 107 characters long
        made.bind(path.name)


KINDS: dict[str, Callable[[Path], Any]] = {
    "FIFO": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "folder": Path.mkdir,
    "socket": make_socket,
}


@pytest.fixture(params=KINDS)
def make(request) -> Callable[[Path], Path]:
    """Return a function that puts something odd in the place of a file."""

    def place(path: Path) -> Path:
        path.unlink(missing_ok=True)
        KINDS[request.param](path)
        return path

    return place


def refuse(read: Read, path: Path, subject: Path) -> None:
    """Check that reading ends in one line that says what the file is."""
    with pytest.raises(WhisperSignError) as caught:
        read(path)
    message = str(caught.value)
    assert str(subject) in message
    assert "\n" not in message
    odd = ("it is a FIFO, a device or a socket", "Is a directory", "is not a file")
    assert any(words in message for words in odd)


FILES: dict[str, Read] = {
    "archive.npz": read_archive,
    "bag.db3": read_bag,
    "bag.db3.zst": read_bag,
    "bag.mcap": read_bag,
    "bag.mcap.zstd": read_bag,
    "camera.yaml": read_calibration,
    "hand_landmarker.task": lambda path: find_bundle(str(path)),
    "labels.csv": read_table,
    "last.ckpt": lambda path: read_resume(path, path.parent),
    LOG: lambda path: RunLogger(path.parent, writes=True, append=True),
    "model.onnx": load_backend,
    "model.safetensors": load_backend,
    "video.mp4": lambda path: open_file(path, 30.0).open(),
}


@pytest.mark.parametrize("name", FILES)
def test_one_file(tmp_path, make, name):
    path = make(tmp_path / name)
    if path.is_dir() and FILES[name] in (read_bag, load_backend, FILES["video.mp4"]):
        pytest.skip("this reader also reads folders")
    refuse(FILES[name], path, path)


@pytest.mark.parametrize(
    ("name", "read"),
    [
        (WEIGHTS, read_metadata),
        (METADATA, read_metadata),
        (METADATA, lambda folder: read_metadata(folder / WEIGHTS)),
        (METADATA, load_backend),
        (EXPORTED, load_backend),
        (EXPORTED, lambda folder: load_backend(folder / EXPORTED)),
        ("model.rescore.onnx", load_backend),
    ],
)
def test_beside_a_checkpoint(tmp_path, make, name, read):
    shutil.copytree(bundled(), tmp_path / "network")
    refuse(read, tmp_path / "network", make(tmp_path / "network" / name))


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
@pytest.mark.parametrize("metadata", [True, False])
def test_in_a_bag(tmp_path, make_recording, make, storage, metadata):
    write_bag(tmp_path / "bag", make_recording(3), storage)
    (file,) = tmp_path.glob("bag/bag.*")
    path = make(tmp_path / "bag" / "metadata.yaml" if metadata else file)
    refuse(read_bag, tmp_path / "bag", path)


@pytest.mark.parametrize("name", ["bag.csv", "labels.csv"])
def test_labels_beside_a_bag(tmp_path, make_recording, make, name):
    write_bag(tmp_path / "bag", make_recording(3))
    path = make(tmp_path / name)
    refuse(lambda bag: find_labels([bag], None), tmp_path / "bag", path)


@pytest.mark.parametrize("name", ["features", "labels", "manifest.json", "vocabulary.json"])
def test_in_a_dataset(dataset, make, name):
    path = dataset / name
    if not path.suffix:
        path = min((dataset / "train" / name).glob("*.npy"))

    def read(folder: Path) -> None:
        for examples in Dataset.open(folder).splits.values():
            for example in examples:
                example.features()

    refuse(read, dataset, make(path))
