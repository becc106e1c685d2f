# SPDX-License-Identifier: MIT
"""Processes that get too little time: they stand still for their share, and go on afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from reliability.launching import descendants
from reliability.signals import catchable
from reliability.starvation import busy_loops, duty_cycle, ended, off_time, suspended

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture
def child():
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


def _soon(condition):
    end = time.monotonic() + 10.0
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return condition()


def test_a_duty_cycle_suspends_and_continues(child):
    with duty_cycle(child.pid, 0.5, 0.1) as begin:
        assert time.monotonic() >= begin
        for _ in range(2):
            assert _soon(lambda: suspended(child.pid))
            assert _soon(lambda: not suspended(child.pid))
    assert _soon(lambda: not suspended(child.pid))
    assert not ended(child.pid)


def test_a_process_that_ends_meanwhile_is_no_error(child):
    with duty_cycle(child.pid, 0.5, 0.02):
        child.kill()
        child.wait()
        time.sleep(0.05)
    assert ended(child.pid)


def test_busy_loops_end_with_the_block():
    before = set(descendants(os.getpid()))
    with busy_loops(2):
        assert len(set(descendants(os.getpid())) - before) == 2
    assert not set(descendants(os.getpid())) - before


def test_off_time_is_what_the_share_leaves():
    assert off_time(0.1) == pytest.approx(0.9)


def test_every_signal_but_the_two_that_nobody_can_catch():
    numbers = catchable()
    assert {signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGSEGV} <= set(numbers)
    assert not {signal.SIGKILL, signal.SIGSTOP} & set(numbers)
