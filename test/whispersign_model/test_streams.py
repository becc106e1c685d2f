# SPDX-License-Identifier: MIT
"""Outputs that are not UTF-8, closed or full, and the messages of libraries."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from whispersign_model.bundled import ASSETS, bundled
from whispersign_model.streams import (
    DEBUG,
    debugging,
    prepare_output,
    tell_error,
    without_library_messages,
)

MAIN = "import sys; from whispersign_model.cli.main import main; sys.exit(main(sys.argv[1:]))"


@pytest.mark.parametrize(
    ("encoding", "errors", "text", "written"),
    [
        ("ascii", "strict", "a\u2022", b"a\\u2022"),
        ("ascii", "surrogateescape", "\u2022", b"\\u2022"),
        ("latin-1", "strict", "\xe4 \u4f60", b"\xe4 \\u4f60"),
        ("cp1252", "strict", "\u2022 \u2501", b"\x95 \\u2501"),
        ("utf-8", "strict", "\u4f60 \udcff", b"\xe4\xbd\xa0 \\udcff"),
    ],
)
@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_what_an_encoding_lacks_is_escaped(
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    encoding: str,
    errors: str,
    text: str,
    written: bytes,
) -> None:
    content = io.BytesIO()
    stream = io.TextIOWrapper(content, encoding=encoding, errors=errors)
    monkeypatch.setattr(sys, name, stream)
    prepare_output()
    stream.write(text)
    stream.flush()
    assert content.getvalue() == written


def test_a_stream_of_another_kind_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    prepare_output()
    assert sys.stdout is stream


VERB = "-m whispersign_model.cli.main"
PRINTING = (
    f"{VERB} --help",
    f"{VERB} recognize --help",
    f"{VERB} bench --only parameters",
    f"{VERB} recognize demo {ASSETS / 'demo_bag'}",
)


@pytest.mark.parametrize("words", PRINTING)
@pytest.mark.parametrize(
    ("output", "code"), [("closed", 0), ("/dev/full", 2), ("pipe without a reader", 141)]
)
def test_an_output_that_cannot_be_written_is_no_traceback(
    words: str, output: str, code: int
) -> None:
    environment = {**os.environ}
    environment.pop("PYTHONUNBUFFERED", None)  # argparse ignores an error of the help itself
    command = f'exec "$0" {words}'
    if output == "closed":
        command += " >&-"
    reading, writing = os.pipe()
    os.close(reading)
    with open("/dev/full" if output == "/dev/full" else writing, "wb") as stream:
        done = subprocess.run(
            ["sh", "-c", command, sys.executable],
            stdout=stream,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
    assert done.returncode == code, done.stderr
    said = done.stderr.splitlines()
    assert len(said) == (code == 2), said
    assert all("error: the output cannot be written (No space left" in line for line in said)


LOUD = (
    "INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n"
    "WARNING: Logging before InitGoogle() is written to STDERR\n"
    "W0000 00:00:1796070930.439711   11444 inference_feedback_manager.cc:121] Feedback manager\n"
    "E0000 00:00:1796070930.4 7 gl_context.cc:8] no display\n"
    "[ WARN:0@0.123] global cap_v4l.cpp:914 open VIDEOIO(V4L2:/dev/video0): can't open camera\n"
    "Corrupt JPEG data: premature end of data segment\n"
    "libpng error: IDAT: incorrect data check\n"
)


def test_messages_of_libraries_are_dropped_and_all_else_appears(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with without_library_messages():
        os.write(2, f"[ERROR] [1.0] [camera_node]: WARNING: one\n{LOUD}two \r{LOUD}".encode())
        assert capfd.readouterr().err == ""
    assert capfd.readouterr().err == "[ERROR] [1.0] [camera_node]: WARNING: one\ntwo \r"


@without_library_messages()
def fail() -> None:
    os.write(2, b"F0000 00:00:1.0 7 check.cc:8] Check failed\n")
    raise KeyError


def test_an_error_within_the_block_costs_no_line(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyError):
        fail()
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "F0000 00:00:1.0 7 check.cc:8] Check failed\nafter\n"


def test_two_threads_hold_messages_back_one_after_the_other(
    capfd: pytest.CaptureFixture[str],
) -> None:
    inside, leave = threading.Event(), threading.Event()

    def first() -> None:
        with without_library_messages():
            inside.set()
            leave.wait(60)

    def second() -> None:
        with without_library_messages():
            os.write(2, b"second\n")

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    inside.wait(60)
    threads[1].start()
    threads[1].join(0.2)  # it would be done by then, if it did not wait for the first
    leave.set()
    for thread in threads:
        thread.join()
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "second\nafter\n"


def test_a_closed_descriptor_holds_nothing_back() -> None:
    script = (
        "from whispersign_model.streams import without_library_messages as quiet\n"
        "with quiet(): print('done')"
    )
    command = ["sh", "-c", 'exec "$0" -c "$1" 2>&-', sys.executable, script]
    assert subprocess.run(command, stdout=subprocess.PIPE, text=True).stdout == "done\n"


def test_debugging_shows_tracebacks_and_every_message(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(DEBUG, raising=False)
    with debugging(False):
        tell_error("verb", KeyError("odd"), ["a.npy"])
    assert capfd.readouterr().err.startswith(
        "verb: error: a.npy: unexpected error (KeyError: 'odd')"
    )
    with debugging(True):
        assert os.environ[DEBUG] == "1"  # for child processes, too
        tell_error("verb", KeyError("odd"), ["a.npy"])
        with without_library_messages():
            os.write(2, LOUD.encode())
    said = capfd.readouterr().err
    assert said.startswith("KeyError: 'odd'\nverb: error: a.npy: ")
    assert said.endswith(LOUD)
    assert DEBUG not in os.environ


def test_matplotlib_works_without_a_cache_and_does_not_say_so(tmp_path: Path) -> None:
    words = ["view", str(ASSETS / "demo_bag"), "--pictures", "1", "--out", "a.png"]
    environment = {**os.environ, "HOME": "/proc/nowhere"}
    environment.pop("MPLCONFIGDIR", None)
    done = subprocess.run(
        [sys.executable, "-c", MAIN, *words],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_name_outside_the_encoding_does_not_cost_the_results(
    tmp_path: Path, encoding: str
) -> None:
    shutil.copytree(ASSETS / "demo_bag", tmp_path / "\u4f60\u597d")
    words = ["recognize", str(bundled()), "\u4f60\u597d", "--json", "out.json"]
    done = subprocess.run(
        [sys.executable, "-c", MAIN, *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.json").exists()
    assert "HELLO" in done.stdout.decode(encoding)
