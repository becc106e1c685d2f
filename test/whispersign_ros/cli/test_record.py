# SPDX-License-Identifier: MIT
"""``whispersign record``: from an empty folder, cut off, on a terminal, and its faults."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from whispersign_model.cli.main import main
from whispersign_model.recordings.bags.bag import read_bag
from whispersign_model.recordings.takes import find_takes

COMMAND = (sys.executable, "-m", "whispersign_model.cli.main")
pytestmark = pytest.mark.graph
QUICK = ("--countdown", "0.3", "--rest", "0.1", "--in-order")
HIDES = """
import sys
class Finder:
    def find_spec(name, path=None, target=None):
        if name == {0!r}:
            raise ModuleNotFoundError("No module", name=name)
sys.meta_path.insert(0, Finder)
"""  # a module that Python runs at its start, which hides a package
BOUND = 300.0  # seconds: only how long a failing test waits


def words(*glosses, **options):
    given = {"source": "synthetic", "takes": 1, **options}
    pairs = [(f"--{name.replace('_', '-')}", str(value)) for name, value in given.items()]
    return ["record", *glosses, *QUICK, *(word for pair in pairs for word in pair)]


def ran(folder, *glosses, **options):
    return subprocess.run(
        [*COMMAND, *words(*glosses, **options)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=BOUND,
    )


@pytest.fixture
def begin(tmp_path):
    """Return a function that starts a session and returns once something has been said."""
    processes = []

    def begin(*glosses, until, **options):
        log = tmp_path.parent / f"{tmp_path.name}.log"
        process = subprocess.Popen(
            [*COMMAND, *words(*glosses, **options)],
            cwd=tmp_path,
            stdout=log.open("w"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        process.said = log.read_text
        processes.append(process)
        deadline = time.monotonic() + BOUND
        while until not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        return process

    yield begin
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_a_session_from_an_empty_folder(tmp_path):
    done = ran(tmp_path, "HELLO", "NO|HOME", signer="anna")
    assert done.returncode == 0, done.stderr
    assert [(t.gloss, t.number, t.signer, t.kept) for t in find_takes(tmp_path / "recordings")] == [
        ("HELLO", 0, "anna", True),
        ("NO|HOME", 0, "anna", True),
    ]
    assert "SIGN NOW: NO HOME" in done.stdout
    assert "HELLO    1 of 1 takes\n" in done.stdout
    assert "whispersign convert recordings --out dataset\n" in done.stdout
    assert re.search(r"whispersign train .*--data dataset --out run", done.stdout)
    assert done.stderr == ""
    bag = tmp_path / "recordings" / "NO_HOME_anna_take0"
    assert read_bag(bag).segments[0].glosses == ("NO", "HOME")


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"ROS_DOMAIN_ID": "abc"}, "ROS_DOMAIN_ID: 'abc' is not a ROS domain id; give a whole"),
        ({"ROS_LOG_DIR": "/proc"}, "ROS's log folder: .*; set ROS_LOG_DIR, ROS_HOME or HOME to a"),
    ],
)
def test_an_environment_in_which_ros_cannot_start_is_one_line(
    tmp_path, monkeypatch, environment, says
):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    done = ran(tmp_path, "HELLO", source="none", signer="anna")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert re.match(f"whispersign: error: {says}", line)


@pytest.mark.slow
def test_a_session_that_is_cut_off_goes_on_where_it_was(tmp_path, begin):
    """It is killed during its second take; the next one is ended before its third."""
    process = begin("HELLO", "NO", takes=2, until="SIGN NOW: NO")
    process.kill()
    process.wait()
    out = tmp_path / "recordings"
    assert [take.gloss for take in find_takes(out)] == ["HELLO"]
    assert len(read_bag(out / "HELLO_synthetic0_take0")) > 50
    process = begin("HELLO", "NO", takes=2, until="2/4  get ready")
    process.send_signal(signal.SIGTERM)
    assert process.wait(BOUND) == 1
    said = process.said()
    assert "Traceback" not in said
    assert "removed 1 unfinished take of an interrupted session" in said
    assert "HELLO  1 of 2 takes: needs 1 more" in said
    assert "2 takes are missing; run the same command to record them" in said
    again = ran(tmp_path, "HELLO", "NO", takes=2)
    assert again.returncode == 0
    assert again.stdout.startswith(
        "2 glosses, 2 takes of each by synthetic0, to recordings: 2 of 4"
    )
    assert again.stdout.count("SIGN NOW") == 2
    assert sorted(path.name for path in out.iterdir()) == [
        ".session.lock",
        "HELLO_synthetic0_take0",
        "HELLO_synthetic0_take1",
        "NO_synthetic0_take0",
        "NO_synthetic0_take1",
    ]


def test_a_sensor_that_is_not_there_is_told_and_waited_for(tmp_path, begin):
    pytest.importorskip("websockets", reason="the extra leap is not installed")
    process = begin("HELLO", source="leap", signer="anna", until="waiting  - leap_node: ")
    process.send_signal(signal.SIGINT)
    assert process.wait(BOUND) == 1
    assert "Traceback" not in process.said()


@pytest.mark.parametrize(
    ("source", "package"), [("leap", "websockets"), ("camera", "mediapipe"), ("camera", "cv2")]
)
def test_a_missing_extra_is_named_by_its_command(tmp_path, monkeypatch, source, package):
    """README's next command, ``synthesize --out bags``, finds no leftovers of the session."""
    (tmp_path / "path").mkdir()
    (tmp_path / "path/sitecustomize.py").write_text(HIDES.format(package))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'path'}:{os.environ.get('PYTHONPATH', '')}")
    done = ran(tmp_path, "HELLO", source=source, signer="anna", out="bags")
    assert done.returncode == 2, done.stdout + done.stderr
    (line,) = done.stderr.splitlines()
    assert f"the Python package '{package}' is missing; run `make setup`" in line
    assert f"`pip install --constraint requirements/lock.txt '.[{source}]'`" in line
    assert not (tmp_path / "bags").exists()


@pytest.mark.parametrize(
    ("glosses", "options", "fault"),
    [
        (["HELLO"], {"source": "leap"}, "--signer: is missing"),
        (["NOSUCH"], {}, "NOSUCH"),
        (["HELLO"], {"out": "file"}, "file: cannot be written"),
        (["HELLO"], {"signing": 0.1}, "'signing'"),
    ],
)
def test_faults_are_one_line(tmp_path, monkeypatch, capfd, glosses, options, fault):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROS_DOMAIN_ID", os.environ["ROS_DOMAIN_ID"])  # put back what it chooses
    (tmp_path / "file").touch()
    assert main(words(*glosses, **options)) == 2
    (line,) = capfd.readouterr().err.strip().splitlines()
    assert line.startswith("whispersign: error: ")
    assert fault in line


class TerminalSession:
    """A session on a terminal of its own."""

    def __init__(self, folder: Path, *glosses):
        self.output = ""
        self.pid, self._terminal = pty.fork()
        if not self.pid:
            os.chdir(folder)
            os.environ.update(TERM="xterm", COLUMNS="100")
            os.execv(sys.executable, [*COMMAND, *words(*glosses, takes=1, rest=30)])
        self.code = None

    def until(self, text):
        """Wait for a text; return what came before it, without control sequences."""
        deadline = time.monotonic() + BOUND
        while text not in self.output:
            assert time.monotonic() < deadline, self.output
            assert self._read(), self.output
        before, _, self.output = self.output.partition(text)
        return before

    def press(self, key):
        os.write(self._terminal, key.encode())

    def end(self):
        while self._read():
            pass
        self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self._terminal)
        return self.output

    def _read(self):
        try:
            if not select.select([self._terminal], [], [], 1.0)[0]:
                return True
            data = os.read(self._terminal, 4096)
        except OSError:  # nobody is at the other end any more
            return False
        self.output += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", data.decode(errors="replace"))
        return bool(data)


@pytest.mark.slow
def test_single_keys_on_a_terminal(tmp_path):
    session = TerminalSession(tmp_path, "HELLO", "NO")
    session.until("r repeat   d discard the last   p pause   n next   q stop")
    session.until("SIGN NOW: HELLO")
    session.until("kept: HELLO")
    session.press("r")
    session.until("get ready: HELLO")
    session.until("kept: HELLO")
    session.press("n")
    session.until("get ready: NO")
    session.press("p")
    session.until("paused")
    session.press("q")
    said = session.end()
    assert session.code == 1
    assert "HELLO  1 of 1 takes, 1 discarded" in said
    assert "NO     0 of 1 takes: needs 1 more" in said
    assert [(t.gloss, t.kept) for t in find_takes(tmp_path / "recordings")] == [
        ("HELLO", False),
        ("HELLO", True),
    ]
