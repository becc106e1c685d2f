# SPDX-License-Identifier: MIT
"""Distributed training: processes started by torchrun, or by this module on one machine."""

import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import distributed, multiprocessing
from torch.multiprocessing.spawn import (
    ProcessExitedException,
    ProcessRaisedException,
    start_processes,
)

from whispersign_model.errors import ConfigError, WhisperSignError
from whispersign_model.streams import prepare_output
from whispersign_model.training.role import distributed_info, part_of_several

Result = TypeVar("Result")
Value = TypeVar("Value")
EXIT_FAILED = 2
GRACE = 5.0  # seconds that the other processes have to end after one has failed


def check_devices(devices: int, device: str) -> None:
    """Reject more processes than there are devices, or than torchrun has started.

    Raises:
        ConfigError: there are too many processes; the message names the option.
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
    """Return the values of all processes in order of rank; every process must call this."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return [value]
    values: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(values, value)
    return values


def leave_group() -> None:
    """Leave the process group; from then on, code runs in this process alone."""
    if distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()


def launch_processes(count: int, function: Callable[..., Result], *arguments: Any) -> Result:
    """Run a function in ``count`` new processes on this machine, and wait for all of them.

    Args:
        count: number of processes.
        function: an importable function, which can call :func:`distributed_info`.
        arguments: arguments for the function. These and the result must be picklable.

    Returns:
        the result of the first process.

    Raises:
        WhisperSignError: a process raised this error.
        ProcessRaisedException: a process raised any other exception.
        KeyboardInterrupt: the user pressed Ctrl-C; all processes have ended.
    """
    logging.getLogger("torch.multiprocessing.spawn").setLevel(logging.ERROR)
    results = multiprocessing.get_context("spawn").SimpleQueue()
    store = _local_store()
    shared = {
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": store.host,
        "MASTER_PORT": str(store.port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",  # all processes are clients of our store
    }
    with _interrupts_blocked():
        context = start_processes(
            _run_process, (shared, results, function, arguments), count, join=False
        )
    try:
        while not context.join(grace_period=GRACE):
            pass
    except KeyboardInterrupt:
        for process in context.processes:
            if process.is_alive():
                os.kill(process.pid, signal.SIGINT)
        for process in context.processes:
            process.join(GRACE)
        raise
    except (ProcessExitedException, ProcessRaisedException) as error:
        while not results.empty():
            result = results.get()
            if isinstance(result, WhisperSignError):
                raise result from None
        if isinstance(error, ProcessExitedException):
            raise WhisperSignError(f"--devices {count}", str(error)) from None
        raise
    finally:
        for process in context.processes:
            process.kill()
    return results.get()


def _run_process(
    rank: int,
    shared: dict[str, str],
    results: Any,
    function: Callable[..., object],
    arguments: tuple[Any, ...],
) -> None:
    """Run the function in one new process; only the first one prints."""
    os.environ.update(shared, RANK=str(rank), LOCAL_RANK=str(rank))
    # Otherwise, loader workers would be spawned, too: slowly, and with a traceback on Ctrl-C.
    multiprocessing.set_start_method(None, force=True)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    prepare_output()
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(_threads(int(shared["LOCAL_WORLD_SIZE"])))
    if rank:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 (until the process ends)
    try:
        result = function(*arguments)
    except WhisperSignError as error:
        results.put(error)
        sys.exit(EXIT_FAILED)
    if not rank:
        results.put(result)


def _local_store() -> Any:
    """Start the rendezvous server on loopback; PyTorch's own listens on all addresses."""
    listener = socket.create_server(("127.0.0.1", 0))
    host, port = listener.getsockname()
    return distributed.TCPStore(  # type: ignore[attr-defined]
        host, port, is_master=True, wait_for_workers=False, master_listen_fd=listener.detach()
    )


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Block Ctrl-C in processes started within this block, until they unblock it themselves."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _threads(count: int) -> int:
    """Return the number of CPU threads for each of ``count`` processes on this machine."""
    return max(1, (os.cpu_count() or 1) // count)
