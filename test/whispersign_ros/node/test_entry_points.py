# SPDX-License-Identifier: MIT
"""Entry points of the executables."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from whispersign_ros.node import entry_points

NAMES = (
    "annotation_node",
    "camera_node",
    "command_node",
    "leap_node",
    "pipeline",
    "preprocessing_node",
    "recognition_node",
    "replay_node",
    "robot_node",
    "smoothing_node",
    "synthetic_node",
    "visualization_node",
)


@pytest.mark.parametrize("name", NAMES)
def test_each_runs_its_module(monkeypatch, name):
    called = []

    class Runner:
        @staticmethod
        def main(name):
            called.append(name)
            return 7

    monkeypatch.setattr(entry_points, "import_module", lambda path: Runner)
    monkeypatch.setattr(entry_points, "handle_signals", lambda handler: None)
    monkeypatch.setattr(entry_points, "ignore_signals", lambda: None)
    assert getattr(entry_points, name)() == 7
    assert called == [name]


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGRTMIN"])
def test_a_signal_during_the_imports_ends_it_quietly(number):
    script = (
        "import os, signal, time\n"
        "from whispersign_ros.node import entry_points\n"
        f"entry_points.import_module = lambda path: os.kill(os.getpid(), signal.{number})\n"
        "entry_points.smoothing_node()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_second_signal_does_not_change_the_exit_code():
    script = (
        "import os, signal\n"
        "from types import SimpleNamespace\n"
        "from whispersign_ros.node import entry_points\n"
        "class Last:\n"  # gone when Python has restored the default handlers
        "    def __del__(self, kill=os.kill, pid=os.getpid()): kill(pid, 15)\n"
        "entry_points.import_module = lambda path: SimpleNamespace(main=lambda name: 0)\n"
        "code = entry_points.smoothing_node()\n"
        "os.last = Last()\n"
        "raise SystemExit(code)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_nothing_heavy_is_imported_before_signals_are_answered():
    script = "import sys, whispersign_ros.node.entry_points; print('rclpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("arguments", [[], ["nope"], ["import_module"]])
def test_what_is_not_a_node_is_refused_in_one_line(arguments):
    command = [sys.executable, "-m", "whispersign_ros.nodes", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "is not one of annotation_node, camera_node" in line


@pytest.mark.parametrize("debug", ["", "1"])
@pytest.mark.parametrize(
    ("error", "says"),
    [
        ("ModuleNotFoundError('x', name='rclpy')", "the Python package 'rclpy' is missing; run `m"),
        (
            "ImportError('libodd.so.1: cannot open shared object file')",
            "the system library libodd.so.1 is missing; install the package",
        ),
        (
            "KeyError('odd')",
            "unexpected error (KeyError: 'odd'); repeat with WHISPERSIGN_DEBUG=1 and report it at",
        ),
    ],
)
def test_what_cannot_be_imported_is_one_line(error, says, debug):
    script = (
        "from whispersign_ros.node import entry_points\n"
        "def fail(path):\n"
        f"    raise {error}\n"
        "entry_points.import_module = fail\n"
        "raise SystemExit(entry_points.smoothing_node())\n"
    )
    environment = {**os.environ, "WHISPERSIGN_DEBUG": debug}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    *traceback, line = done.stderr.splitlines()
    assert line.startswith(f"smoothing_node: error: {says}")
    assert ("Traceback (most recent call last):" in traceback) == bool(debug)
    assert debug or not traceback


@pytest.mark.parametrize(
    ("output", "code"), [("closed", 0), ("/dev/full", 2), ("pipe without a reader", 141)]
)
def test_an_output_that_cannot_be_written_is_no_traceback(output, code):
    close = " >&-" if output == "closed" else ""
    command = f'exec "$0" -m whispersign_ros.nodes robot_node --help{close}'
    reading, writing = os.pipe()
    os.close(reading)
    with open("/dev/full" if output == "/dev/full" else writing, "wb") as stream:
        done = subprocess.run(
            ["sh", "-c", command, sys.executable], stdout=stream, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == code, done.stderr
    said = done.stderr.splitlines()
    assert len(said) == (code == 2), said
    assert all("robot_node: error: the output cannot be written" in line for line in said)
