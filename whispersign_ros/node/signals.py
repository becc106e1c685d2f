# SPDX-License-Identifier: MIT
"""The signals that end a process in order.

Imports nothing heavy: the entry points handle signals before they import anything else.
"""

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

_NAMES = (
    *("SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGABRT"),
    *("SIGTRAP", "SIGSYS", "SIGXCPU", "SIGIO", "SIGPOLL", "SIGPWR", "SIGSTKFLT"),
)
_REAL_TIME = range(getattr(signal, "SIGRTMIN", 0), getattr(signal, "SIGRTMAX", -1) + 1)

# Signals whose default action ends a process and that Python can handle. Python ignores SIGXFSZ, so
# that a file over its limit is an OSError, like a full disk. A handler cannot end a
# process in order after a fault of its memory or arithmetic (SIGSEGV, SIGBUS, SIGFPE, SIGILL).
ENDING = frozenset(
    [int(getattr(signal, name)) for name in _NAMES if hasattr(signal, name)] + list(_REAL_TIME)
)
# Profilers, MediaPipe's among them, leave timers behind that send these signals.
IGNORED = (signal.SIGPROF, signal.SIGVTALRM)

Handler = Callable[[int, FrameType | None], Any]


def handle_signals(handler: Handler) -> None:
    """Handle every signal of ``ENDING`` and ignore those of ``IGNORED``; main thread only.

    A process that ``nohup`` started keeps ignoring SIGHUP.

    Args:
        handler: called with the number of the signal.
    """
    for number in ENDING:
        nohup = number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN
        if not nohup:
            signal.signal(number, handler)
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)


def ignore_signals() -> None:
    """Ignore every signal that ends a process, once it ends anyway; main thread only.

    Python restores the default handlers while it is torn down, and a second SIGTERM would then
    change the exit code.
    """
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)


def signal_name(number: int) -> str:
    """Return the name of a signal, such as ``SIGTERM``; real-time signals have numbers only."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
