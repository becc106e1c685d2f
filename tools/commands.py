# SPDX-License-Identifier: MIT
"""Run the commands of the set-up: log their output, and show progress and errors in one line."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from machine import SetupError

# Patterns in the output of pip, CMake and compilers, each with an explanation for the user.
FAULTS = (
    (
        r"No space left on device",
        "the disk is full; make room (a first set-up takes about 3 GB), then run this again",
    ),
    (
        r"NewConnectionError|NameResolutionError|ConnectTimeout|ReadTimeout|ProxyError|SSLError"
        r"|Connection broken|Could not fetch URL|[Nn]ame resolution",
        "the Python package index cannot be reached; check the network, the proxy and"
        " `pip config list`, then run this again",
    ),
    (
        r"(No matching distribution found for|requested \(constraint\)) (?P<what>[^\s;]+)",
        "the Python package index has no {what} for this Python and processor; use Python 3.10"
        " to 3.14 on x86-64 Linux, or source a ROS 2 distribution first",
    ),
    (
        r"Python\.h: No such file|Could NOT find Python3.*Development",
        "the Python headers are missing; install: sudo apt install python3-dev",
    ),
)


def run(
    command: Sequence[str], log: Path, folder: Path, environ: Mapping[str, str] | None = None
) -> str:
    """Run a command, log its output, show the latest line on a terminal, and return the output.

    Args:
        command: program and arguments.
        log: file to append to.
        folder: working directory.
        environ: environment variables; None keeps the current ones.

    Raises:
        SetupError: the command failed; the message gives the reason if the output shows it.
    """
    environ = dict(os.environ if environ is None else environ, PIP_USER="0")
    environ.pop("_ROS_WHEELS_BOOTSTRAP_COMPLETE", None)  # set by another environment's Python
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    lines = []
    with process, log.open("a", encoding="utf-8") as file:
        file.write(f"$ {' '.join(command)}\n")
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            file.write(line)
            file.flush()
            show(line)
    show("")
    if process.returncode:
        raise SetupError(f"{explain(''.join(lines), command)} (log: {log})")
    return "".join(lines)


def show(line: str) -> None:
    """Show a progress line that the next one overwrites, if the output is a terminal."""
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns - 1
        print(f"\r\033[K{line.strip()[:width]}", end="", flush=True)


def explain(output: str, command: Sequence[str]) -> str:
    """Return one line that says why a command failed and what to do."""
    for pattern, meaning in FAULTS:
        found = re.search(pattern, output)
        if found:
            return meaning.format(**found.groupdict())
    said = [line.strip() for line in output.splitlines() if line.strip()] or ["no output"]
    errors = [line for line in said if "error" in line.lower()] or said
    return f"`{' '.join(command[:4])} ...` failed: {errors[-1]}"
