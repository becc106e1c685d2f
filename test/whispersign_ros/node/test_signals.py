# SPDX-License-Identifier: MIT
"""Which signals end a process in order."""

from __future__ import annotations

import signal
import subprocess
import sys

from whispersign_ros.node.signals import ENDING, IGNORED, signal_name

UNCATCHABLE = {signal.SIGKILL, signal.SIGSTOP}
FAULTS = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL}
HARMLESS = {  # by default, or as Python sets them (SIGPIPE, SIGXFSZ)
    *(signal.SIGCHLD, signal.SIGCONT, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU),
    *(signal.SIGURG, signal.SIGWINCH, signal.SIGPIPE, signal.SIGXFSZ),
}


def test_every_signal_that_can_end_a_process_in_order_does():
    others = UNCATCHABLE | FAULTS | HARMLESS | set(IGNORED)
    assert set(map(int, signal.valid_signals())) - set(map(int, others)) == ENDING


def test_a_signal_has_a_name():
    assert signal_name(signal.SIGTERM) == "SIGTERM"
    assert signal_name(signal.SIGRTMIN + 3) == f"signal {signal.SIGRTMIN + 3}"


def _run(before, number):
    """Handle signals in a process, send it one, and return its output and exit code."""
    script = (
        "import os, signal\n"
        "from whispersign_ros.node.signals import handle_signals\n"
        f"{before}\n"
        "handle_signals(lambda number, frame: print('ends', number, flush=True))\n"
        f"os.kill(os.getpid(), {int(number)})\n"
        "print('goes on')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    return done.stdout, done.returncode


def test_timers_of_profilers_are_ignored():
    assert _run("", signal.SIGPROF) == ("goes on\n", 0)
    assert _run("", signal.SIGVTALRM) == ("goes on\n", 0)


def test_a_signal_that_the_parent_blocked_is_received():
    block = "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})"
    assert _run(block, signal.SIGTERM) == (f"ends {int(signal.SIGTERM)}\ngoes on\n", 0)


def test_a_file_over_its_limit_ends_no_process():
    assert _run("", signal.SIGXFSZ) == ("goes on\n", 0)


def test_nohup_stays_in_force():
    nohup = "signal.signal(signal.SIGHUP, signal.SIG_IGN)"
    assert _run(nohup, signal.SIGHUP) == ("goes on\n", 0)
    assert _run("", signal.SIGHUP) == (f"ends {int(signal.SIGHUP)}\ngoes on\n", 0)
