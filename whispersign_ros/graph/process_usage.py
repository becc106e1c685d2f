# SPDX-License-Identifier: MIT
"""CPU time and memory of other processes, read from /proc on Linux."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from whispersign_model.errors import WhisperSignError

USER_TICKS, SYSTEM_TICKS = 11, 12  # fields of /proc/PID/stat after the name in parentheses
RESIDENT_PAGES = 1  # field of /proc/PID/statm


@dataclass(frozen=True)
class Usage:
    """CPU time and memory of processes at one moment.

    Attributes:
        processor: CPU seconds on all cores since the start, by process.
        resident_mb: resident memory in megabytes, by process; each includes shared libraries.
    """

    processor: Mapping[str, float]
    resident_mb: Mapping[str, float]

    @classmethod
    def of(cls, processes: Mapping[str, int]) -> Usage:
        """Read the usage of processes, which are given as names with their ids.

        Raises:
            WhisperSignError: a process does not exist, or the system is not Linux.
        """
        try:
            processor = {name: _processor_seconds(pid) for name, pid in processes.items()}
            resident = {name: _resident_mb(pid) for name, pid in processes.items()}
        except OSError as error:
            raise WhisperSignError(
                str(error.filename), "cannot be read", "the process has ended, or this is not Linux"
            ) from error
        return cls(processor, resident)


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[USER_TICKS]) + int(fields[SYSTEM_TICKS])) / os.sysconf("SC_CLK_TCK")


def _resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[RESIDENT_PAGES])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
