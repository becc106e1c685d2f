#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Generate the tables in docs/reference/nodes.md and the parameters in config/whispersign.yaml.

node_tables.py           # update both files
node_tables.py --check   # report stale files; exit code 1
"""

import re
from collections.abc import Mapping
from importlib import import_module

import pages
from endpoints import ROOT, Endpoints, all_endpoints

from whispersign_ros.node.entry_points import NODES
from whispersign_ros.node.parameters import file_text, table_text

PAGE = ROOT / "docs/reference/nodes.md"
CONFIG = ROOT / "config/whispersign.yaml"
PARAMETERS = "| parameter | default | allowed | meaning |"
ENDPOINTS = "| role | name | type | QoS |"
# Endpoints that all nodes or all lifecycle nodes have; the page lists them once.
COMMON = re.compile(
    r"^/(rosout|parameter_events|clock)$|/transition_event$|/(change|get)_(state|available_\w+)$"
    r"|/get_transition_graph$|/(describe|list)_parameters$|/[gs]et_parameter\w*$"
    r"|/get_type_description$"
)


def renewed(text: str, found: Mapping[str, Endpoints]) -> str:
    """Return the page with current tables.

    Raises:
        ValueError: a node has no section, or its section has no parameter table.
    """
    for name, points in found.items():
        section = re.search(rf"^## {name}\n.*?(?=^## |\Z)", text, re.M | re.S)
        if section is None or PARAMETERS not in section[0]:
            raise ValueError(f"{PAGE.name}: no table of parameters under '## {name}'")
        without = _table(ENDPOINTS).sub("", section[0])
        parameters = table_text(import_module(f"whispersign_ros.nodes.{name}").PARAMETERS)
        tables = f"{endpoint_table(points)}{parameters}\n\n"
        written = _table(PARAMETERS).sub(lambda _, tables=tables: tables, without)  # type: ignore[misc]
        text = text.replace(section[0], written)
    return text


def renewed_config(text: str) -> str:
    """Return the parameter file with current parameters; keep the comments above each section.

    Raises:
        ValueError: a node has no section.
    """
    for name in NODES:
        section = re.compile(rf"(^/\*\*/{name}:\n  ros__parameters:\n)(?:    .*\n)*", re.M)
        if not section.search(text):
            raise ValueError(f"{CONFIG.name}: no section '/**/{name}'")
        parameters = file_text(import_module(f"whispersign_ros.nodes.{name}").PARAMETERS)
        text = section.sub(lambda match, text=parameters: match[1] + text, text)  # type: ignore[misc]
    return text


def endpoint_table(points: Endpoints) -> str:
    """Return a node's endpoints as a Markdown table, or "" if it has none."""
    rows = []
    for key, role, names in (
        ("publishes", "publishes", points.publishes),
        ("hears", "subscribes", points.hears),
        ("serves", "serves", points.serves),
        ("calls", "calls", points.calls),
        ("acts", "serves action", points.acts),
    ):
        for name, kind in names.items():
            if not COMMON.search(name):
                shown = name if name == "/diagnostics" else name.removeprefix("/")
                quality = points.quality.get((key, name), "services default")
                rows.append(f"| {role} | `{shown}` | `{kind}` | {quality} |\n")
    return "".join([f"{ENDPOINTS}\n|---|---|---|---|\n", *rows, "\n"]) if rows else ""


def _table(head: str) -> re.Pattern[str]:
    """Return a pattern that matches a table and the empty line after it."""
    return re.compile(rf"^{re.escape(head)}\n(?:\|.*\n)*\n?", re.M)


def main() -> int:
    """Write or check both files."""
    return pages.renew({PAGE: lambda text: renewed(text, all_endpoints()), CONFIG: renewed_config})


if __name__ == "__main__":
    raise SystemExit(main())
