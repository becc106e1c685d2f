#!/usr/bin/env python3
"""Write the tables of parameters in docs/NODES.md anew, from the nodes themselves."""

from __future__ import annotations

import configparser
import re
from importlib import import_module
from pathlib import Path

from whispersign_ros.parameters import table_text

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "NODES.md"
TABLE = re.compile(r"^\| parameter \| default \|.*?(?=\n\n|\Z)", re.M | re.S)


def executables() -> list[str]:
    """Return the names of all executables that are nodes."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    scripts = config["options.entry_points"]["console_scripts"]
    return re.findall(r"= whispersign_ros\.executables:(\w+)", scripts)


def renewed(text: str) -> str:
    """Return the page with every table as the code has it.

    Raises:
        ValueError: a node has no section, or its section no table of parameters.
    """
    for name in executables():
        table = table_text(import_module(f"whispersign_ros.{name}").TABLE)
        section = re.search(rf"^## {name}\n.*?(?=^## |\Z)", text, re.M | re.S)
        if section is None or not TABLE.search(section[0]):
            raise ValueError(f"{PAGE.name}: no table of parameters under '## {name}'")
        replaced = TABLE.sub(lambda _, table=table: table, section[0], count=1)  # type: ignore[misc]
        text = text.replace(section[0], replaced)
    return text


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
