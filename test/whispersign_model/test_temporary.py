# SPDX-License-Identifier: MIT
"""Temporary folders are removed at their end, or by the next process if theirs was killed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

import pytest

from whispersign_model import temporary
from whispersign_model.temporary import LOCK, PARTIAL, remove_leftovers, temporary_folder

# Holds a folder until its input ends.
HOLD = """
import sys
from pathlib import Path
from whispersign_model.temporary import temporary_folder
with temporary_folder(sys.argv[1], Path(sys.argv[2])) as folder:
    (folder / "work").write_text("half")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def hold(tmp_path):
    """Return a function that starts a process which holds a folder in ``tmp_path``."""
    processes = []

    def hold(prefix=temporary.PREFIX):
        command = [sys.executable, "-c", HOLD, prefix, str(tmp_path)]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout.readline()
        processes.append(process)
        return process

    yield hold
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def fresh(monkeypatch):
    """Let this process look for leftovers anew."""
    monkeypatch.setattr(temporary, "_swept", set())


def _kill(process):
    process.kill()
    process.wait()


def test_it_is_an_empty_folder_that_ends_with_the_block(tmp_path):
    with temporary_folder(parent=tmp_path) as folder:
        assert list(folder.iterdir()) == []
        (folder / "file").touch()
    assert list(tmp_path.iterdir()) == []
    with temporary_folder() as folder:
        assert folder.parent.parent.samefile(tempfile.gettempdir())


@pytest.mark.parametrize("prefix", [temporary.PREFIX, f".out{PARTIAL}"])
def test_the_next_start_removes_what_a_killed_process_left(tmp_path, hold, fresh, prefix):
    _kill(hold(prefix))
    assert len(list(tmp_path.iterdir())) == 1
    with temporary_folder(parent=tmp_path) as folder:
        assert list(tmp_path.iterdir()) == [folder.parent]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_use_stays(tmp_path, hold):
    process = hold()
    remove_leftovers(tmp_path)
    (left,) = tmp_path.iterdir()
    assert (left / "content" / "work").read_text() == "half"
    process.communicate("")
    assert process.returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_its_lock_file_appears_locked(tmp_path, monkeypatch):
    seen = []
    replace = os.replace

    def look(source, target):
        remove_leftovers(tmp_path)  # another process may look at any moment
        replace(source, target)
        remove_leftovers(tmp_path)
        seen.append(target)

    monkeypatch.setattr(os, "replace", look)
    with temporary_folder(parent=tmp_path) as folder:
        assert folder.is_dir()
    assert len(seen) == 1


def test_what_is_not_ours_stays(tmp_path, hold, monkeypatch):
    (tmp_path / "whispersign-data").mkdir()
    other = tmp_path / "other"
    other.mkdir()
    (other / LOCK).write_text("")
    (tmp_path / "whispersign-link").symlink_to(other)
    _kill(hold())
    monkeypatch.setattr(temporary.socket, "gethostname", lambda: "another")
    remove_leftovers(tmp_path)
    assert len(list(tmp_path.iterdir())) == 4
    monkeypatch.undo()
    monkeypatch.setattr(os, "geteuid", lambda: -1)
    remove_leftovers(tmp_path)
    assert len(list(tmp_path.iterdir())) == 4
    monkeypatch.undo()
    remove_leftovers(tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["other", "whispersign-data", "whispersign-link"]
    assert (other / LOCK).exists()


def test_a_lock_file_that_is_a_fifo_is_not_waited_for(tmp_path):
    (tmp_path / f"{temporary.PREFIX}left").mkdir()
    os.mkfifo(tmp_path / f"{temporary.PREFIX}left" / LOCK)
    remove_leftovers(tmp_path)
    assert len(list(tmp_path.iterdir())) == 1


def test_where_locks_do_not_work_nothing_is_removed(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("no locks on this disk")

    monkeypatch.setattr(temporary, "flock", refuse)
    with temporary_folder(parent=tmp_path) as folder:
        remove_leftovers(tmp_path)
        assert folder.is_dir()
    assert list(tmp_path.iterdir()) == []
