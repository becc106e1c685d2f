# SPDX-License-Identifier: MIT
"""Threads without a network, for a library whose telemetry has no switch.

Linux checks every system call of such a thread, and of the threads that it starts, with a filter
(seccomp). All other threads of the process keep the network.
"""

import ctypes
import errno
import platform
import struct
import sys
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")

# By machine: the kernel's number for it, and the numbers of the system calls seccomp and socket.
MACHINES = {"x86_64": (0xC000003E, 317, 41), "aarch64": (0xC00000B7, 277, 198)}
SET_NO_NEW_PRIVILEGES = 38  # option of prctl; users other than root need it to set a filter
SET_FILTER, KEEP_SPECULATION = 1, 4  # without the second, Linux before 5.16 slows the thread down
LOAD, SKIP_UNLESS, RETURN = 0x20, 0x15, 0x06  # operations of a filter
MACHINE, CALL = 4, 0  # offsets of what a filter may load
REFUSE, ALLOW = 0x00050000 | errno.EACCES, 0x7FFF0000


def run_without_network(function: Callable[[], Result]) -> Result:
    """Call a function in a thread that cannot open a socket, and return its result.

    The threads that the function starts cannot open one either. This works on Linux on x86-64 and
    ARM64. Elsewhere, a warning says that the function has the network.
    """
    with ThreadPoolExecutor(1, "no_network") as thread:
        if not thread.submit(_refuse_sockets).result():
            warnings.warn(
                "this system cannot keep MediaPipe from the network (docs/explanation/security.md)",
                RuntimeWarning,
                stacklevel=2,
            )
        return thread.submit(function).result()


def _refuse_sockets() -> bool:
    """Make all calls of ``socket`` fail in this thread; return False if that is not possible."""
    if sys.platform != "linux" or platform.machine() not in MACHINES:
        return False
    machine, seccomp, socket = MACHINES[platform.machine()]
    operations = (
        (LOAD, 0, 0, MACHINE),
        (SKIP_UNLESS, 0, 3, machine),
        (LOAD, 0, 0, CALL),
        (SKIP_UNLESS, 0, 1, socket),
        (RETURN, 0, 0, REFUSE),
        (RETURN, 0, 0, ALLOW),
    )
    code = b"".join(struct.pack("=HBBI", *operation) for operation in operations)
    program = ctypes.create_string_buffer(code)
    filter_ = struct.pack("HP", len(operations), ctypes.addressof(program))
    libc = ctypes.CDLL(None)
    numbers = map(ctypes.c_long, (seccomp, SET_FILTER, KEEP_SPECULATION))
    libc.prctl(SET_NO_NEW_PRIVILEGES, *map(ctypes.c_ulong, (1, 0, 0, 0)))
    return bool(libc.syscall(*numbers, filter_) == 0)
