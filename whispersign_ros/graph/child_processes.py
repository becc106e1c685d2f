# SPDX-License-Identifier: MIT
"""Run nodes as child processes, and end them with the block that started them."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import IO, Any

import yaml

from whispersign_model.errors import WhisperSignError
from whispersign_model.temporary import temporary_folder

TERMINATION_TIMEOUT = 3.0  # seconds from SIGTERM to SIGKILL
PR_SET_PDEATHSIG = 1  # option of prctl on Linux


class Children:
    """Starts executables of this package; use it as ``with Children() as children``.

    Within the block, SIGTERM raises KeyboardInterrupt, as Ctrl-C does.

    Args:
        verbose: pass the logs on to stderr; otherwise keep them for error messages.
    """

    def __init__(self, verbose: bool = False) -> None:
        self._verbose = verbose
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._logs: dict[str, IO[bytes]] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Children:
        self._folder = self._stack.enter_context(temporary_folder())
        self._previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
        return self

    def __exit__(self, *_: object) -> None:
        running = [process for process in self._processes.values() if process.poll() is None]
        for process in running:
            process.terminate()
        for process in running:
            try:
                process.wait(TERMINATION_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for log in self._logs.values():
            log.close()
        self._stack.close()
        signal.signal(signal.SIGTERM, self._previous)

    def start(self, executable: str, parameters: Mapping[str, Any]) -> None:
        """Start an executable with parameters; it ends with this process.

        Args:
            executable: executable of this package, or dotted name of another module.
            parameters: parameters for its node.
        """
        self._forget(executable)
        module = [executable] if "." in executable else ["whispersign_ros.nodes", executable]
        file = self._folder / f"{executable}.yaml"
        file.write_text(yaml.safe_dump({"/**": {"ros__parameters": dict(parameters)}}))
        log = self._logs[executable] = (self._folder / f"{executable}.log").open("w+b")
        self._processes[executable] = subprocess.Popen(
            [sys.executable, "-m", *module, "--ros-args", "--params-file", str(file)],
            stdin=subprocess.DEVNULL,
            stdout=None if self._verbose else log,
            stderr=None if self._verbose else log,
            preexec_fn=partial(end_with_parent, os.getpid()) if sys.platform == "linux" else None,
        )

    def end(self, executable: str, number: int = signal.SIGTERM) -> None:
        """End an executable with a signal, or with SIGKILL if it does not end in time."""
        process = self._processes[executable]
        process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(TERMINATION_TIMEOUT)
        self._forget(executable)

    def send(self, executable: str, number: int) -> None:
        """Send a signal to an executable."""
        self._processes[executable].send_signal(number)

    @property
    def pids(self) -> dict[str, int]:
        """Process id of each executable."""
        return {executable: process.pid for executable, process in self._processes.items()}

    def ended(self, executable: str) -> bool:
        """Return whether an executable has ended with exit code 0.

        Raises:
            WhisperSignError: it ended with another code; the message includes its last log line.
        """
        code = self._processes[executable].poll()
        if code:
            raise WhisperSignError(
                executable, f"ended with exit code {code}", self._last_line(executable)
            )
        return code == 0

    def check(self) -> None:
        """Check that no executable has failed.

        Raises:
            WhisperSignError: an executable ended with an exit code other than 0.
        """
        for executable in self._processes:
            self.ended(executable)

    def _forget(self, executable: str) -> None:
        """Kill an executable that still runs, and close its log."""
        process = self._processes.pop(executable, None)
        if process is not None and process.poll() is None:
            process.kill()
            process.wait()
        if log := self._logs.pop(executable, None):
            log.close()

    def running(self, executable: str) -> bool:
        """Return whether an executable is running."""
        process = self._processes.get(executable)
        return process is not None and process.poll() is None

    def log(self, executable: str) -> str:
        """Return the log of an executable; with ``verbose`` it is empty."""
        return Path(self._logs[executable].name).read_text(errors="replace")

    def _last_line(self, executable: str) -> str:
        lines = self.log(executable).strip().splitlines()
        return lines[-1] if lines else ""


def end_with_parent(parent: int) -> None:
    """Let the kernel end this child when its parent dies for any reason.

    The kernel sends SIGTERM when the thread dies that started the child. So start children in a
    thread that lives as long as they do.

    Args:
        parent: process id of the parent, which may have died already.
    """
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(0)
