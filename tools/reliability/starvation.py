# SPDX-License-Identifier: MIT
"""Processes that get too little CPU time: suspended in a duty cycle, or beside busy loops."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

PERIOD, SHORT_PERIOD = 1.0, 0.2  # seconds of a duty cycle
BUSY_LOOPS = 20
BUSY = "while True: pass"


def off_time(share: float) -> float:
    """Return the seconds of a long period in which a process with this share is suspended."""
    return PERIOD * (1 - share)


@contextmanager
def duty_cycle(pid: int, share: float, period: float) -> Iterator[float]:
    """Let a process run for a share of each period, within the block.

    Yields the time of the first suspension, ``time.monotonic()``.
    """
    end = threading.Event()
    begin = time.monotonic()
    os.kill(pid, signal.SIGSTOP)
    thread = threading.Thread(
        target=_alternate, args=(pid, share * period, (1 - share) * period, end), daemon=True
    )
    thread.start()
    try:
        yield begin
    finally:
        end.set()
        thread.join()
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def _alternate(pid: int, on: float, off: float, end: threading.Event) -> None:
    """Continue and suspend a process that is suspended now."""
    with suppress(ProcessLookupError):
        while not end.wait(off):
            os.kill(pid, signal.SIGCONT)
            if end.wait(on):
                return
            os.kill(pid, signal.SIGSTOP)


@contextmanager
def busy_loops(count: int = BUSY_LOOPS) -> Iterator[float]:
    """Run processes that never rest, within the block; yields the time of their start."""
    begin = time.monotonic()
    loops = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(count)]
    try:
        yield begin
    finally:
        for loop in loops:
            loop.kill()
        for loop in loops:
            loop.wait()


def suspended(pid: int) -> bool:
    """Return whether a process is stopped by a signal; false if it has ended."""
    return _state(pid) == "T"


def ended(pid: int) -> bool:
    """Return whether a process has ended, waited for or not."""
    return _state(pid) in ("", "Z", "X")


def _state(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0]
    except OSError:
        return ""
