# SPDX-License-Identifier: MIT
"""Install both Python packages, and the files that ament looks for under ``share``."""

from pathlib import Path

from setuptools import setup

PACKAGE = "whispersign_ros"


def share(folder: str) -> list:
    """Return ``data_files`` entries that put a folder's tree under ``share/whispersign_ros``."""
    folders = sorted({path.parent for path in Path(folder).rglob("*") if path.is_file()})
    return [
        (
            f"share/{PACKAGE}/{parent.as_posix()}",
            [path.as_posix() for path in sorted(parent.iterdir()) if path.is_file()],
        )
        for parent in folders
    ]


setup(
    python_requires=">=3.10, <3.15",  # in setup.cfg it becomes an object that colcon cannot read
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
        *share("config"),
        *share("launch"),
    ],
)
