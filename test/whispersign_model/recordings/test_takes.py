# SPDX-License-Identifier: MIT
"""Takes of a session as bags: whole or not there, found again, discarded in place."""

from __future__ import annotations

import errno
import os
import re
import resource
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from whispersign_model.errors import BagError
from whispersign_model.recordings import takes
from whispersign_model.recordings.bags import messages as ros
from whispersign_model.recordings.bags.bag import read_bag
from whispersign_model.recordings.takes import (
    LOCK,
    Take,
    TakeWriter,
    discard_take,
    find_takes,
    session_folder,
)
from whispersign_model.synthesis.signer import Signer

TAKE = Take("HELLO", 0, "anna")
SIGNED = Signer(1).sign_sentence(["HELLO"], start=1_700_000_000_000_000_000)


def annotation(keep=True):
    start, end = SIGNED.segments[0].start, SIGNED.segments[0].end
    labelled = replace(SIGNED, signer="anna")
    if not keep:
        labelled = replace(labelled, segments=(), discarded=((start, end),))
    (message,) = ros.write_annotations(labelled)
    return bytes(ros.typestore().serialize_cdr(message, ros.GLOSS_ANNOTATION))


def write(out, take=TAKE, frames=None):
    writer = TakeWriter(out, take)
    for message in list(ros.write_frames(SIGNED))[:frames]:
        data = ros.typestore().serialize_cdr(message, ros.HAND_FRAME)
        writer.write("/a/hands/raw", ros.HAND_FRAME, data, 1)
    writer.write("/a/annotation", ros.GLOSS_ANNOTATION, annotation(), 2)
    return writer


def test_a_kept_take_is_a_bag_with_hands_label_signer_take_and_sensor(tmp_path):
    write(tmp_path).keep("leap")
    recording = read_bag(tmp_path / "HELLO_anna_take0")
    assert recording.stamps.tolist() == SIGNED.stamps.tolist()
    assert (recording.positions == SIGNED.positions).all()
    assert recording.segments == SIGNED.segments
    assert recording.signer == "anna"
    assert recording.meta == {"gloss": "HELLO", "take": "0", "status": "keep", "sensor": "leap"}
    assert find_takes(tmp_path) == [TAKE]


def test_a_take_is_not_there_before_it_is_kept_and_never_when_dropped(tmp_path):
    writer = write(tmp_path)
    assert find_takes(tmp_path) == []
    assert not (tmp_path / TAKE.folder).exists()
    writer.drop()
    assert list(tmp_path.iterdir()) == []


def test_a_discarded_take_stays_with_all_it_held_and_says_so(tmp_path):
    write(tmp_path).keep("leap")
    discard_take(tmp_path, TAKE, "/a/annotation", ros.GLOSS_ANNOTATION, annotation(keep=False))
    recording = read_bag(tmp_path / TAKE.folder)
    assert recording.segments == ()
    assert recording.discarded == ((SIGNED.segments[0].start, SIGNED.segments[0].end),)
    assert len(recording) == len(SIGNED)
    assert find_takes(tmp_path) == [replace(TAKE, kept=False)]


def test_take_that_lacks_messages_is_not_rewritten(tmp_path):
    write(tmp_path, TAKE, frames=5).keep("synthetic")
    metadata = tmp_path / TAKE.folder / "metadata.yaml"
    text = metadata.read_text()
    metadata.write_text(re.sub(r"(?m)^  message_count: \d+", "  message_count: 99", text))
    with pytest.raises(BagError, match=r"holds \d messages where its metadata.yaml says 99"):
        discard_take(tmp_path, TAKE, "/annotation", ros.GLOSS_ANNOTATION, annotation(keep=False))
    assert find_takes(tmp_path) == [TAKE]


def test_takes_of_all_signers_are_found_and_other_bags_are_none(tmp_path):
    write(tmp_path, Take("A|B", 3, "bea"), frames=2).keep("")
    write(tmp_path, Take("HELLO", 0, ""), frames=2).keep("camera")
    (tmp_path / "other").mkdir()
    assert [(t.gloss, t.number, t.signer) for t in find_takes(tmp_path)] == [
        ("A|B", 3, "bea"),
        ("HELLO", 0, ""),
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "A_B_bea_take3",
        "HELLO_take0",
        "other",
    ]


def test_a_full_disk_leaves_no_part_and_is_one_line(tmp_path, monkeypatch):
    write(tmp_path).keep("leap")
    writer = write(tmp_path, replace(TAKE, number=1))

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(writer._writer.storage, "write", full)
    with pytest.raises(BagError, match=r"HELLO_anna_take1: cannot be written \(No space left"):
        writer.write("/a/hands/raw", ros.HAND_FRAME, b"", 3)
    assert [path.name for path in tmp_path.iterdir()] == ["HELLO_anna_take0"]


def test_a_bag_that_outgrows_the_place_leaves_no_part_and_is_one_line(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))  # less than a take
    try:
        with pytest.raises(BagError, match=r"HELLO_anna_take0: cannot be written \(File too large"):
            write(tmp_path).keep("leap")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_when_a_take_is_closed_leaves_no_part(tmp_path, monkeypatch):
    writer = write(tmp_path)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(takes.os, "fsync", full)
    with pytest.raises(BagError, match=r"cannot be written \(No space left"):
        writer.keep("leap")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_held_by_one_session_at_a_time(tmp_path):
    with (
        session_folder(tmp_path / "out"),
        pytest.raises(BagError, match="in use by another session"),
        session_folder(tmp_path / "out"),
    ):
        pass
    with session_folder(tmp_path / "out") as unfinished:
        assert unfinished == 0


@pytest.mark.parametrize("exists", [False, True])
def test_a_session_without_takes_leaves_nothing(tmp_path, exists):
    out = tmp_path / "out"
    if exists:
        out.mkdir()
    with pytest.raises(KeyError), session_folder(out):
        raise KeyError  # as when a sensor is missing
    assert out.exists() == exists
    assert not exists or not list(out.iterdir())
    with session_folder(out):
        pass
    assert out.exists() == exists


@pytest.mark.parametrize("exists", [False, True])
def test_a_session_killed_before_its_first_take_leaves_nothing_in_the_end(tmp_path, exists):
    out = tmp_path / "out"
    if exists:
        out.mkdir()
    killed = (
        "import os, signal, sys; from pathlib import Path\n"
        "from whispersign_model.recordings.takes import session_folder\n"
        "with session_folder(Path(sys.argv[1])):\n    os.kill(os.getpid(), signal.SIGKILL)"
    )
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", killed, str(out)], check=False)
        assert done.returncode == -signal.SIGKILL
        assert [path.name for path in out.iterdir()] == [".session.lock"]
    with session_folder(out) as unfinished:
        assert unfinished == 0
    assert out.exists() == exists
    assert not exists or not list(out.iterdir())


def test_a_lock_that_an_ending_session_removes_is_not_taken(tmp_path, monkeypatch):
    take = takes.flock

    def late(lock, how):
        (tmp_path / ".session.lock").unlink()
        take(lock, how)

    monkeypatch.setattr(takes, "flock", late)
    with pytest.raises(BagError, match="in use by another session"), session_folder(tmp_path):
        pass


def test_what_a_killed_session_left_is_removed_and_nothing_else(tmp_path):
    write(tmp_path).keep("leap")
    killed = write(tmp_path, replace(TAKE, number=1))  # and never again a word of it
    foreign = tmp_path / ".dataset.partial-abc"
    foreign.mkdir()
    with session_folder(tmp_path) as unfinished:
        assert unfinished == 1
    assert {path.name for path in tmp_path.iterdir()} == {
        "HELLO_anna_take0",
        ".dataset.partial-abc",
        ".session.lock",
    }
    with pytest.raises(BagError):
        killed.keep("leap")


def test_a_lock_that_is_a_fifo_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / LOCK)
    with pytest.raises(BagError, match="it is a FIFO"), session_folder(tmp_path):
        pass


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(BagError, match="file/out: cannot be written"),
        session_folder(tmp_path / "file" / "out"),
    ):
        pass
