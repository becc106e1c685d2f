# SPDX-License-Identifier: MIT
"""The role of this process in distributed training; importing this loads no PyTorch."""

import os
from typing import NamedTuple


class DistributedInfo(NamedTuple):
    """The role of this process in distributed training.

    Attributes:
        rank: number of this process, from 0. Only process 0 writes files and prints.
        processes: number of processes on all machines.
        here: number of processes on this machine.
    """

    rank: int
    processes: int
    here: int


def distributed_info() -> DistributedInfo:
    """Return this process's role, as set by torchrun or :func:`launch_processes`."""
    count = int(os.environ.get("WORLD_SIZE", 1)) if part_of_several() else 1
    if count == 1:
        return DistributedInfo(0, 1, 1)
    return DistributedInfo(int(os.environ["RANK"]), count, int(os.environ["LOCAL_WORLD_SIZE"]))


def part_of_several() -> bool:
    """Return whether torchrun or :func:`launch_processes` started this process."""
    return {"RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "WORLD_SIZE"} <= os.environ.keys()
