# SPDX-License-Identifier: MIT
"""When a process ends: a signal, the end of the launch, a request; and how long it may take."""

import faulthandler
import os
import select
import signal
import socket
import sys
import threading
import time
from contextlib import suppress

from whispersign_ros.node.signals import handle_signals, signal_name

LAUNCH_PID = "WHISPERSIGN_LAUNCH_PID"  # environment variable: process id of the launch
ENDING_TIMEOUT = 2.0  # seconds from a request to the end of the process, whatever hangs
LAST_TIMEOUT = 2.4  # the same where a library hangs that holds Python's lock
POLL = 0.1  # seconds between two checks of what cannot be waited for


class Shutdown:
    """The first request to end the process; use as ``with Shutdown(name) as shutdown``.

    A thread of its own receives signals and the end of the launch, so that neither waits for a
    callback. If the process still runs ``ENDING_TIMEOUT`` after the request, the thread ends it;
    where the thread cannot run, a watchdog ends it with a traceback and exit code 1.

    Attributes:
        cause: a sentence that says why the process ends; "" before the request.
        exit_code: exit code of the process if the thread has to end it.

    Args:
        name: of the executable, for messages.
    """

    def __init__(self, name: str) -> None:
        self.cause = ""
        self.exit_code = 0
        self._name = name
        self._lock = threading.Lock()
        self._requested = threading.Event()
        self._closed = threading.Event()
        self._deadline = float("inf")
        self._thread: threading.Thread | None = None  # while this is entered

    def __enter__(self) -> "Shutdown":
        self._signals, self._wakeup = socket.socketpair()
        for end in (self._signals, self._wakeup):
            end.setblocking(False)
        # The C handler of a signal writes its number, even while the main thread is in a library.
        self._previous = signal.set_wakeup_fd(self._wakeup.fileno(), warn_on_full_buffer=False)
        handle_signals(lambda *_: None)
        self._launch = LaunchProcess(os.environ.get(LAUNCH_PID, ""))
        self._thread = threading.Thread(target=self._watch, name="shutdown", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._wakeup.send(b"\0")
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        faulthandler.cancel_dump_traceback_later()
        signal.set_wakeup_fd(self._previous)
        self._launch.close()
        self._signals.close()
        self._wakeup.close()

    @property
    def requested(self) -> bool:
        """Whether the process is to end."""
        return self._requested.is_set()

    def request(self, cause: str) -> None:
        """End the process; only the first cause counts. Any thread may call this."""
        with self._lock:
            if not self.requested:
                self.cause = cause
                self._deadline = time.monotonic() + ENDING_TIMEOUT
                self._requested.set()
                if self._thread is not None:
                    _arm_watchdog()

    def wait(self) -> None:
        """Wait for a request."""
        self._requested.wait()

    def _watch(self) -> None:
        signals = self._signals.fileno()
        inputs = [signals, *self._launch.inputs]
        while not self._closed.is_set():
            ready = select.select(inputs, (), (), POLL)[0]
            if signals in ready:
                for number in filter(None, self._signals.recv(64)):  # 0 only wakes this thread
                    self.request(f"the node received {signal_name(number)}")
            if not self.requested and self._launch.ended():
                self.request("the launch has ended")
            if self.requested:
                inputs = [signals]  # the end of the launch stays readable
            if time.monotonic() > self._deadline:
                self._end_now()

    def _end_now(self) -> None:
        text = f"{self._name}: its ending took more than {ENDING_TIMEOUT:g} s and was cut short\n"
        with suppress(OSError):  # nobody may read it any more
            os.write(_standard_error(), text.encode())
        os._exit(self.exit_code)


def _arm_watchdog() -> None:
    """End the process after ``LAST_TIMEOUT``, even if a library never returns Python's lock.

    Fast DDS may spin forever while it destroys a participant.
    """
    with suppress(OSError, RuntimeError, ValueError):
        faulthandler.dump_traceback_later(LAST_TIMEOUT, exit=True, file=_standard_error())


def _standard_error() -> int:
    return sys.__stderr__.fileno() if sys.__stderr__ else 2


class LaunchProcess:
    """The launch that started this process.

    Args:
        pid: its process id; anything but a number if no launch started this process.
    """

    def __init__(self, pid: str) -> None:
        self._pid = int(pid) if pid.isdecimal() else 0
        self._is_parent = os.getppid() == self._pid
        self._gone = False
        self._file: int | None = None
        if self._pid and hasattr(os, "pidfd_open"):
            try:
                self._file = os.pidfd_open(self._pid)
            except ProcessLookupError:
                self._gone = True
            except OSError:  # an old kernel, or a container that forbids it
                self._file = None

    @property
    def inputs(self) -> list[int]:
        """File descriptors that become readable when the launch ends."""
        return [] if self._file is None else [self._file]

    def ended(self) -> bool:
        """Return whether the launch has ended; False without a launch."""
        if self._gone or not self._pid:
            return self._gone
        if self._file is not None:
            self._gone = bool(select.select([self._file], (), (), 0)[0])
        elif self._is_parent:
            self._gone = os.getppid() != self._pid
        else:  # a wrapper, such as a terminal or a debugger, is between the launch and this process
            self._gone = not _exists(self._pid)
        return self._gone

    def close(self) -> None:
        """Release the file descriptor."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it belongs to another user
        return True
    return True
