# SPDX-License-Identifier: MIT
"""Check the requirements of the set-up, and report what the machine lacks."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

OLDEST_PYTHON = (3, 10)
NEWEST_PYTHON = (3, 14)


class SetupError(Exception):
    """The set-up cannot continue; the one-line message says why and what to do."""


def sourced_ros(environ: Mapping[str, str], venv: Path) -> str:
    """Return the sourced ROS 2 distribution, such as ``humble``; "" if there is none.

    Our own environment is also an ament prefix, which this ignores.
    """
    for prefix in environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep):
        marker = Path(prefix, "share/ament_index/resource_index/packages/rclpy")
        if prefix and Path(prefix).resolve() != venv and marker.exists():
            return environ.get("ROS_DISTRO") or "distribution"
    return ""


def check_python(version: tuple[int, ...]) -> None:
    """Check that the requirements support this Python version.

    Raises:
        SetupError: the version is too old or too new.
    """
    if not OLDEST_PYTHON <= version <= NEWEST_PYTHON:
        number = ".".join(map(str, version))
        raise SetupError(
            f"Python {number} ({sys.executable}) is not supported; install Python 3.10 to 3.14 and"
            " name it, for example: make PYTHON=python3.11 demo"
        )


def check_machine(ros: str) -> None:
    """Check for a compiler, Python headers and venv, and that a sourced ROS is usable.

    Raises:
        SetupError: lists everything to install.
    """
    missing = missing_debian_packages(ros)
    if missing:
        raise SetupError(
            f"{', '.join(missing)} missing; install: sudo apt install {' '.join(missing)}"
        )
    if ros:
        importing = [sys.executable, "-c", "import rclpy"]
        if subprocess.run(importing, capture_output=True).returncode:
            raise SetupError(
                f"ROS 2 {ros} is sourced, but {sys.executable} cannot import its rclpy; name the"
                " Python that ROS uses, for example: make PYTHON=/usr/bin/python3 demo"
            )


def check_room(folder: Path, needed: int) -> None:
    """Check that the disk has at least ``needed`` bytes free.

    Raises:
        SetupError: the disk is too full.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise SetupError(
            f"{folder} has {free / 1e9:.1f} GB left and a first set-up takes {needed / 1e9:.0f} GB;"
            " make room, then run this again"
        )


def missing_debian_packages(ros: str) -> list[str]:
    """Return the Debian packages that provide what this machine lacks."""
    python = "python{}.{}".format(*sys.version_info)
    compilers = (os.environ.get("CXX") or "c++", "g++", "clang++")
    lacking = {
        "g++": not any(map(shutil.which, compilers)),
        "make": not shutil.which("make"),
        f"{python}-venv": not all(map(importlib.util.find_spec, ("venv", "ensurepip"))),
        f"{python}-dev": not Path(sysconfig.get_path("include"), "Python.h").exists(),
    }
    if ros:
        prefixes = os.environ["AMENT_PREFIX_PATH"].split(os.pathsep)
        lacking["cmake"] = not shutil.which("cmake")
        lacking[f"ros-{ros}-rosidl-default-generators"] = not any(
            Path(prefix, "share/rosidl_default_generators").exists() for prefix in prefixes
        )
    return [name for name, is_lacking in lacking.items() if is_lacking]
