# SPDX-License-Identifier: MIT
"""How processes of nodes end: at once, in order, and in limited time, whatever hangs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from whispersign_ros.node import shutdown
from whispersign_ros.node.shutdown import ENDING_TIMEOUT, LAUNCH_PID, LaunchProcess, Shutdown

pytestmark = pytest.mark.graph
HALT_TIMEOUT = 0.5  # seconds from the event to the stop
SLACK = 2.0  # seconds that a busy machine may add to the end of a process
SLOW = pytest.mark.slow

# A node that is halted says so, with the time; each test replaces one of its methods.
SCRIPT = """
import os, signal, sys, threading, time
import rclpy
from rclpy.node import Node
from whispersign_ros.node.runner import run

def say(*words):
    print(time.monotonic(), *words, flush=True)

class Robot(Node):
    def __init__(self, end):
        super().__init__("robot")
        self.end = end
        self.create_timer(0.05, self.work)
        self.count = 0
    def work(self):
        self.count += 1
        if self.count == 2:
            say("works")
    def halt(self, cause):
        say("halts:", cause)
    def destroy_node(self):
        say("is destroyed")
        super().destroy_node()

{change}
code = run("robot", lambda end: [Robot(end)], "", ())
say("ended")
sys.exit(code)
"""


@pytest.fixture
def start(tmp_path):
    """Return a function that starts the node; what still runs at the end is killed."""
    processes = []

    def start(change="", **environment):
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT.replace("{change}", change)],
            stdout=subprocess.PIPE,
            stderr=(tmp_path / "errors").open("w"),
            text=True,
            env=os.environ | environment,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()
        process.stdout.close()


def _method(name, body):
    return f"def {name}(self):\n    {body}\nRobot.{name} = {name}\n"


def _wait_for(process, word):
    """Return the time and text of the first line that begins with a word."""
    for line in process.stdout:
        at, text = line.strip().split(" ", 1)
        if text.startswith(word):
            return float(at), text
    raise AssertionError(f"the node never said {word!r}")


def _ends(process, since):
    """Wait until the process has ended, and return its exit code."""
    code = process.wait(timeout=60.0)
    assert time.monotonic() - since < ENDING_TIMEOUT + SLACK
    return code


SIGNALS = (
    *(signal.SIGTERM, signal.SIGHUP),
    *(pytest.param(number, marks=SLOW) for number in (signal.SIGINT, signal.SIGQUIT)),
    *(pytest.param(number, marks=SLOW) for number in (signal.SIGUSR1, signal.SIGUSR2)),
    *(pytest.param(number, marks=SLOW) for number in (signal.SIGALRM, signal.SIGIO)),
    pytest.param(signal.SIGXCPU, marks=SLOW),
    *(pytest.param(number, marks=SLOW) for number in (signal.SIGPWR, signal.SIGRTMIN + 5)),
)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_halts_the_node_and_ends_it_with_0(start, number):
    process = start()
    _wait_for(process, "works")
    sent = time.monotonic()
    process.send_signal(number)
    process.send_signal(signal.SIGTERM)
    at, text = _wait_for(process, "halts")
    assert at - sent < HALT_TIMEOUT
    assert shutdown.signal_name(number) in text or "SIGTERM" in text
    _wait_for(process, "is destroyed")
    assert _ends(process, sent) == 0


def test_a_second_signal_does_not_break_the_ending(start):
    process = start(
        "def halt(self, cause):\n    say('halts')\n    time.sleep(0.3)\nRobot.halt = halt"
    )
    _wait_for(process, "works")
    process.send_signal(signal.SIGINT)
    sent, _ = _wait_for(process, "halts")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        process.send_signal(number)
    _wait_for(process, "is destroyed")
    assert _ends(process, sent) == 0


HANGING = "say('works'); time.sleep(100)"


def test_a_callback_that_hangs_delays_neither_the_stop_nor_the_end(start, tmp_path):
    process = start(_method("work", HANGING))
    _wait_for(process, "works")
    sent = time.monotonic()
    process.send_signal(signal.SIGTERM)
    at, text = _wait_for(process, "halts")
    assert at - sent < HALT_TIMEOUT
    assert text == "halts: the node received SIGTERM"
    assert _ends(process, sent) == 0
    assert (tmp_path / "errors").read_text() == "robot: a callback of robot did not return\n"


@pytest.mark.parametrize("name", ["__init__", "destroy_node"])
def test_what_hangs_elsewhere_is_cut_short(start, tmp_path, name):
    process = start(
        "def hang(self, *_):\n    say('hangs')\n    time.sleep(100)\n" + f"Robot.{name} = hang\n"
    )
    if name == "destroy_node":
        _wait_for(process, "works")
    else:
        _wait_for(process, "hangs")
    sent = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert _ends(process, sent) == 0
    assert time.monotonic() - sent >= ENDING_TIMEOUT - 0.1
    assert "its ending took more than 2 s" in (tmp_path / "errors").read_text()


def test_a_library_that_hangs_with_pythons_lock_is_cut_short(start):
    hang = "say('hangs'); __import__('ctypes').PyDLL(None).sleep(100)"  # PyDLL keeps the lock
    process = start(_method("destroy_node", hang))
    _wait_for(process, "works")
    sent = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _wait_for(process, "halts")
    assert _ends(process, sent) == 1


@pytest.mark.parametrize(
    ("body", "cause", "code"),
    [
        ("say('works'); self.end()", "the work is done", 0),
        ("say('works'); sys.exit(3)", "an error: 3", 3),
        ("say('works'); rclpy.shutdown()", "the ROS context has ended", 0),
    ],
)
def test_every_ending_from_within_halts_the_node(start, body, cause, code):
    process = start(_method("work", body))
    since, _ = _wait_for(process, "works")
    at, text = _wait_for(process, "halts")
    assert at - since < HALT_TIMEOUT
    assert text == f"halts: {cause}"
    assert _ends(process, since) == code


def test_a_node_that_fails_to_halt_is_still_destroyed(start, tmp_path):
    process = start(
        "def halt(self, cause):\n    raise RuntimeError('no wheels')\nRobot.halt = halt"
    )
    _wait_for(process, "works")
    sent = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _wait_for(process, "is destroyed")
    assert _ends(process, sent) == 0
    assert "RuntimeError: no wheels" in (tmp_path / "errors").read_text()


@pytest.fixture
def launch():
    """Return a process that stands for a launch."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.wait()
    process.stdin.close()


def test_the_end_of_the_launch_halts_and_ends_the_node(start, launch):
    process = start(**{LAUNCH_PID: str(launch.pid)})
    _wait_for(process, "works")
    sent = time.monotonic()
    launch.kill()
    at, text = _wait_for(process, "halts")
    assert at - sent < HALT_TIMEOUT
    assert text == "halts: the launch has ended"
    assert _ends(process, sent) == 0


def test_a_node_whose_launch_has_ended_before_it_does_not_start_work(start, launch):
    launch.kill()
    launch.wait()
    process = start(**{LAUNCH_PID: str(launch.pid)})
    _wait_for(process, "halts: the launch has ended")
    assert process.wait(timeout=60.0) == 0


@pytest.mark.parametrize("method", ["pidfd", "probe"])
def test_the_end_of_a_launch_is_noticed(monkeypatch, launch, method):
    if method == "probe":
        monkeypatch.delattr(os, "pidfd_open", raising=False)
    watched = LaunchProcess(str(launch.pid))
    assert bool(watched.inputs) == (method == "pidfd")
    assert not watched.ended()
    launch.kill()
    launch.wait()
    assert watched.ended()
    assert LaunchProcess(str(launch.pid)).ended()
    watched.close()


def test_without_pidfd_a_new_parent_means_that_the_launch_has_ended(monkeypatch):
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    watched = LaunchProcess(str(os.getppid()))
    assert not watched.ended()
    monkeypatch.setattr(os, "getppid", lambda: 1)
    assert watched.ended()


def test_without_a_launch_nothing_is_watched():
    watched = LaunchProcess("")
    assert watched.inputs == []
    assert not watched.ended()


def test_the_first_cause_counts():
    request = Shutdown("robot")
    assert not request.requested
    request.request("the first")
    request.request("the second")
    request.wait()
    assert request.cause == "the first"
