"""Several processes that train together: started by torchrun, or from here on one machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple, TypeVar

import torch
from torch import distributed

from whispersign_model.errors import ConfigError, WhisperSignError

Result = TypeVar("Result")
Value = TypeVar("Value")
END_PADDING = 60.0  # seconds that the others have to end after the first process has
EXIT_FAILED = 2
TRACKER = "ignore:resource_tracker"  # it warns of what it clears away behind ended processes
GRACE = 10.0  # seconds in which the first process must have noticed that another has failed


class DistributedInfo(NamedTuple):
    """Where among the processes that train together this one is.

    Attributes:
        rank: its number, from 0; the first one writes files and prints.
        processes: how many, on all machines.
        here: processes on this machine.
    """

    rank: int
    processes: int
    here: int


def distributed_info() -> DistributedInfo:
    """Return this process's place, from the environment of torchrun or :func:`launch_processes`."""
    count = int(os.environ.get("WORLD_SIZE", 1)) if part_of_several() else 1
    if count == 1:
        return DistributedInfo(0, 1, 1)
    return DistributedInfo(int(os.environ["RANK"]), count, int(os.environ["LOCAL_WORLD_SIZE"]))


def part_of_several() -> bool:
    """Whether torchrun or :func:`launch_processes` started this process."""
    return {"RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "WORLD_SIZE"} <= os.environ.keys()


def check_devices(devices: int, device: str) -> None:
    """Refuse more processes than there are devices, or than torchrun has started.

    Raises:
        ConfigError: naming the option.
    """
    option = f"--devices {devices}"
    if devices < 1:
        raise ConfigError(option, "is below 1")
    if part_of_several() and devices not in (1, distributed_info().here):
        fault = f"torchrun has started {distributed_info().here} processes on this machine"
        raise ConfigError(option, fault, "leave --devices out")
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device cuda", "finds no GPU", "leave it out, or take --device cpu")
    found = torch.cuda.device_count() if device != "cpu" else 0
    if found and max(devices, distributed_info().here) > found:
        raise ConfigError(option, f"is more than the {found} GPUs here", f"give at most {found}")


def gather(value: Value) -> list[Value]:
    """Return what each process has given, the first process's first; all must call it."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return [value]
    values: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(values, value)
    return values


def launch_processes(count: int, function: Callable[..., Result], *arguments: Any) -> Result:
    """Run a function in ``count`` processes on this machine, of which this one is the first.

    Args:
        count: processes.
        function: what each runs, with its :func:`distributed_info`; it must be importable.
        arguments: for it; they must be picklable.

    Returns:
        what it returns in this process.

    Raises:
        WhisperSignError: that any of them raised.
    """
    context = multiprocessing.get_context("spawn")
    if TRACKER not in sys.warnoptions:
        sys.warnoptions.append(TRACKER)
    over = threading.Event()
    faults = context.SimpleQueue()
    others: list[BaseProcess] = []
    shared = {
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(_free_port()),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(_threads(count))),
    }
    threads = torch.get_num_threads()
    watch = threading.Thread(target=_watch, args=(others, faults, over), daemon=True)
    try:
        for rank in range(1, count):
            with _environment(**shared, RANK=str(rank), LOCAL_RANK=str(rank)), _uninterrupted():
                others.append(context.Process(target=_other, args=(faults, function, arguments)))
                others[-1].start()
        watch.start()
        with _environment(**shared, RANK="0", LOCAL_RANK="0"):
            torch.set_num_threads(int(shared["OMP_NUM_THREADS"]))
            result = function(*arguments)
            _await(others, END_PADDING)
            return result
    except RuntimeError:  # what torch raises when another process has gone
        _await(others, 1.0)
        if not faults.empty():
            raise faults.get() from None
        raise
    finally:
        over.set()
        torch.set_num_threads(threads)
        for other in others:
            other.kill()
        if watch.ident:  # it has started, and alone joins the others: of two, one may not be told
            watch.join()
        if distributed.is_available() and distributed.is_initialized():
            distributed.destroy_process_group()


def _other(faults: Any, function: Callable[..., object], arguments: tuple[Any, ...]) -> None:
    """What a process but the first runs: the same, silently; the first one is told of a fault."""
    first = os.getppid()
    with open(os.devnull, "w") as nowhere:
        sys.stdout = nowhere
        try:
            function(*arguments)
        except WhisperSignError as error:
            faults.put(error)
            sys.exit(EXIT_FAILED)
        except RuntimeError:  # what torch raises when the first process has gone
            if os.getppid() == first:
                raise


def _await(others: Sequence[BaseProcess], seconds: float) -> None:
    """Wait until each process has ended, at most so long for each; :func:`_watch` joins them."""
    for other in others:
        wait([other.sentinel], seconds)


def _watch(others: Sequence[BaseProcess], faults: Any, over: threading.Event) -> None:
    """End all where the first process waits for one that has failed: torch waits half an hour."""
    running = {other.sentinel: other for other in others}
    while running:
        for sentinel in wait(list(running)):
            assert isinstance(sentinel, int)
            ended = running.pop(sentinel)
            ended.join()
            if not ended.exitcode or over.wait(GRACE):
                continue
            reason: object = f"another process has ended with code {ended.exitcode}"
            if not faults.empty():
                reason = faults.get()
            for other in others:
                other.kill()
            print(f"whispersign: error: {reason}", file=sys.stderr, flush=True)
            os._exit(EXIT_FAILED)


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    """Set environment variables for the length of a block."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C back; what is started meanwhile never hears it: the first process ends it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _threads(count: int) -> int:
    """Return the CPU threads of each of ``count`` processes on this machine."""
    return max(1, (os.cpu_count() or 1) // count)
