# SPDX-License-Identifier: MIT
"""A thread without a network, whose process keeps its own."""

from __future__ import annotations

import errno
import platform
import socket
import subprocess
import sys
import threading
import warnings

import pytest

from whispersign_model.sensors import no_network
from whispersign_model.sensors.no_network import run_without_network


def fault(family=socket.AF_INET):
    """Open a socket and return the error, or 0."""
    try:
        socket.socket(family, socket.SOCK_DGRAM).close()
    except OSError as error:
        return error.errno
    return 0


def fault_in_thread():
    """Open a socket in a new thread and return the error, or 0."""
    faults = []
    thread = threading.Thread(target=lambda: faults.append(fault()))
    thread.start()
    thread.join()
    return faults[0]


needs_filters = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in no_network.MACHINES,
    reason="there are no filters for this machine",
)


@needs_filters
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6, socket.AF_UNIX])
def test_a_function_cannot_open_a_socket(family):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run_without_network(lambda: fault(family)) == errno.EACCES


@needs_filters
def test_threads_and_processes_that_it_starts_cannot_either():
    assert run_without_network(fault_in_thread) == errno.EACCES
    program = [sys.executable, "-c", "import socket; socket.socket()"]
    assert run_without_network(lambda: subprocess.run(program, stderr=subprocess.PIPE)).returncode


def test_the_caller_keeps_its_network():
    run_without_network(fault)
    assert (fault(), fault_in_thread()) == (0, 0)


def test_other_system_calls_work(tmp_path):
    run_without_network(lambda: (tmp_path / "a").write_text("text"))
    assert run_without_network((tmp_path / "a").read_text) == "text"


def test_an_error_reaches_the_caller():
    with pytest.raises(ZeroDivisionError):
        run_without_network(lambda: 1 / 0)


def test_a_machine_without_filters_is_told(monkeypatch):
    monkeypatch.setattr(no_network.platform, "machine", lambda: "vax")
    with pytest.warns(RuntimeWarning, match="cannot keep MediaPipe from the network"):
        assert run_without_network(fault) == 0
