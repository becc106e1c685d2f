"""``whispersign record`` as a process: from an empty folder, cut off, killed, on a full disk."""

from __future__ import annotations

import os
import pty
import re
import resource
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from whispersign_model.recordings.bags.bag import read_bag
from whispersign_model.recordings.takes import find_takes

COMMAND = (sys.executable, "-m", "whispersign_model.cli.main", "record")
QUICK = ("--countdown", "0.3", "--rest", "0.1", "--in-order")
BOUND = 300.0  # seconds: only how long a failing test waits


def words(*glosses, **options):
    given = {"source": "synthetic", "takes": 1, **options}
    pairs = [(f"--{name.replace('_', '-')}", str(value)) for name, value in given.items()]
    return [*COMMAND, *glosses, *QUICK, *(word for pair in pairs for word in pair)]


def ran(folder, *glosses, **options):
    return subprocess.run(
        words(*glosses, **options), cwd=folder, capture_output=True, text=True, timeout=BOUND
    )


@pytest.fixture
def begin(tmp_path):
    """Return a function that starts a session and returns once something has been said."""
    processes = []

    def begin(*glosses, until, preexec_fn=None, **options):
        log = tmp_path.parent / f"{tmp_path.name}.log"
        process = subprocess.Popen(
            words(*glosses, **options),
            cwd=tmp_path,
            stdout=log.open("w"),
            stderr=subprocess.STDOUT,
            preexec_fn=preexec_fn,
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
    done = ran(tmp_path, "HELLO", "NO|HOME", takes=2, signer="anna")
    assert done.returncode == 0, done.stderr
    assert [(t.gloss, t.number, t.signer, t.kept) for t in find_takes(tmp_path / "recordings")] == [
        ("HELLO", 0, "anna", True),
        ("HELLO", 1, "anna", True),
        ("NO|HOME", 0, "anna", True),
        ("NO|HOME", 1, "anna", True),
    ]
    assert "SIGN NOW: NO HOME" in done.stdout
    assert "HELLO    2 of 2 takes\n" in done.stdout
    assert "whispersign convert recordings --out dataset\n" in done.stdout
    assert re.search(r"whispersign train .*--data dataset --out run", done.stdout)
    assert done.stderr == ""
    bag = tmp_path / "recordings" / "NO_HOME_anna_take1"
    assert read_bag(bag).segments[0].glosses == ("NO", "HOME")


def test_people_differ_by_their_seed(tmp_path):
    for seed in (1, 2):
        assert ran(tmp_path, "HELLO", seed=seed).returncode == 0
    assert {take.signer for take in find_takes(tmp_path / "recordings")} == {
        "synthetic1",
        "synthetic2",
    }
    first, second = (read_bag(tmp_path / f"recordings/HELLO_synthetic{s}_take0") for s in (1, 2))
    span = [r.segments[0].end - r.segments[0].start for r in (first, second)]
    assert span[0] != span[1]


def test_an_interrupted_session_sums_up_and_goes_on_where_it_was(tmp_path, begin):
    process = begin("HELLO", "NO", takes=2, until="2/4  get ready")
    process.send_signal(signal.SIGTERM)
    assert process.wait(BOUND) == 1
    said = process.said()
    assert "Traceback" not in said
    assert "HELLO  1 of 2 takes: needs 1 more" in said
    assert "2 takes are missing: record with the same words to go on" in said
    again = ran(tmp_path, "HELLO", "NO", takes=2)
    assert again.returncode == 0
    assert again.stdout.startswith(
        "2 glosses, 2 takes of each by synthetic0, to recordings: 2 of 4"
    )
    assert again.stdout.count("SIGN NOW") == 2


def test_kill_9_while_signing_loses_that_take_alone(tmp_path, begin):
    process = begin("HELLO", "NO", takes=1, until="SIGN NOW: NO")
    process.kill()
    process.wait()
    out = tmp_path / "recordings"
    assert [take.gloss for take in find_takes(out)] == ["HELLO"]
    assert len(read_bag(out / "HELLO_synthetic0_take0")) > 50
    again = ran(tmp_path, "HELLO", "NO", takes=1)
    assert again.returncode == 0
    assert "1 unfinished take of a session that was cut off was removed" in again.stdout
    assert again.stdout.count("SIGN NOW") == 1
    assert sorted(path.name for path in out.iterdir()) == [
        ".session.lock",
        "HELLO_synthetic0_take0",
        "NO_synthetic0_take0",
    ]


def test_a_full_disk_pauses_with_one_line(tmp_path, begin):
    def small_disk():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))  # less than a take

    process = begin("HELLO", until="paused", preexec_fn=small_disk)
    said = process.said()
    assert re.search(r"paused  - \S+HELLO_synthetic0_take0: cannot be written \(File too", said)
    assert "free disk space and continue: the take is repeated" in said
    process.send_signal(signal.SIGINT)
    assert process.wait(BOUND) == 1
    assert "Traceback" not in process.said()
    assert [path.name for path in (tmp_path / "recordings").iterdir()] == [".session.lock"]


def test_a_sensor_that_is_not_there_is_told_and_waited_for(tmp_path, begin):
    pytest.importorskip("websockets", reason="the extra leap is not installed")
    process = begin("HELLO", source="leap", signer="anna", until="waiting  - leap_node: ")
    process.send_signal(signal.SIGINT)
    assert process.wait(BOUND) == 1


@pytest.mark.parametrize(
    ("glosses", "options", "fault"),
    [
        (["HELLO"], {"source": "leap"}, "--signer: is missing"),
        (["NOSUCH"], {}, "NOSUCH"),
        (["HELLO"], {"out": "file"}, "file: cannot be written"),
        (["HELLO"], {"signing": 0.1}, "'signing'"),
    ],
)
def test_faults_are_one_line(tmp_path, glosses, options, fault):
    (tmp_path / "file").touch()
    done = ran(tmp_path, *glosses, **options)
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
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
            os.execv(sys.executable, words(*glosses, takes=1, rest=30))
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
