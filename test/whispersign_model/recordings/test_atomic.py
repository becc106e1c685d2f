# SPDX-License-Identifier: MIT
"""Folders and files appear whole or not at all; names are safe and unique."""

from __future__ import annotations

import errno
import os

import pytest

from whispersign_model.errors import BagError
from whispersign_model.recordings.atomic import (
    added_files,
    replace_file,
    safe_name,
    unique_name,
    whole_file,
    whole_folder,
)


def test_folder_appears_at_the_end(tmp_path):
    out = tmp_path / "deep" / "out"
    with whole_folder(out, BagError) as folder:
        (folder / "file").write_text("x")
        assert not out.exists()
    assert (out / "file").read_text() == "x"
    assert [path.name for path in out.parent.iterdir()] == ["out"]


@pytest.mark.parametrize("fault", [KeyboardInterrupt(), ValueError()])
def test_nothing_stays_after_a_fault(tmp_path, fault):
    def fill():
        with whole_folder(tmp_path / "deep" / "out", BagError) as folder:
            (folder / "file").write_text("x")
            raise fault

    with pytest.raises(type(fault)):
        fill()
    assert list(tmp_path.iterdir()) == []


def test_full_disk_is_one_line_and_leaves_nothing(tmp_path):
    def fill():
        with whole_folder(tmp_path / "out", BagError):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(BagError, match="out: cannot be written \\(No space left on device\\)"):
        fill()
    assert list(tmp_path.iterdir()) == []


def test_existing_folder_is_replaced_only_on_demand(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "old").touch()
    with pytest.raises(BagError, match="exists already"), whole_folder(out, BagError):
        pass
    with whole_folder(out, BagError, replace=True) as folder:
        (folder / "new").touch()
    assert [path.name for path in out.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_files_are_added_to_a_folder_all_or_none(tmp_path):
    (tmp_path / "old").touch()
    with added_files(tmp_path, ["a", "b"], BagError) as folder:
        (folder / "a").touch()
        (folder / "b").touch()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "old"]
    with (
        pytest.raises(BagError, match="b: exists already"),
        added_files(tmp_path, ["c", "b"], BagError),
    ):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "old"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("come quickly/json_0", "come_quickly_json_0"),
        ("../../etc", "etc"),
        ("Grüße-1.2", "Grüße-1.2"),
        ("", "recording"),
        ("..", "recording"),
        ("x" * 300, "x" * 100),
    ],
)
def test_safe_name(text, name):
    assert safe_name(text) == name


def test_unique_name_counts_on_whatever_the_case():
    taken: set[str] = set()
    assert [unique_name(name, taken) for name in ("a", "A", "a", "b")] == ["a", "A-2", "a-3", "b"]


def test_file_takes_the_place_of_an_old_one(tmp_path):
    replace_file(tmp_path / "out.json", b"old")
    replace_file(tmp_path / "out.json", b"new")
    assert (tmp_path / "out.json").read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]


def test_file_stays_as_it_was_after_a_fault(tmp_path):
    out = tmp_path / "out.mp4"
    out.write_bytes(b"old")

    def fill():
        with whole_file(out) as beside:
            assert beside.suffix == ".mp4"
            beside.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill()
    assert out.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


def test_a_link_stays_and_its_file_is_replaced(tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "link").symlink_to("file")
    replace_file(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"new"


def test_a_fifo_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OSError, match="not a regular file"):
        replace_file(tmp_path / "fifo", b"new")
    assert (tmp_path / "fifo").is_fifo()
