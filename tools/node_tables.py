#!/usr/bin/env python3
"""Write the tables of docs/reference/nodes.md that come from the nodes: endpoints and parameters.

node_tables.py           # write them anew
node_tables.py --check   # say what is stale; exit code 1
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from importlib import import_module

from endpoints import ROOT, Endpoints, all_endpoints

from whispersign_ros.node.parameters import table_text

PAGE = ROOT / "docs/reference/nodes.md"
PARAMETERS = "| parameter | default | allowed | meaning |"
ENDPOINTS = "| in the graph | name | type | quality of service |"
# What every node has, or every lifecycle node: the page says so once.
COMMON = re.compile(
    r"^/(rosout|parameter_events|clock)$|/transition_event$|/(change|get)_(state|available_\w+)$"
    r"|/get_transition_graph$|/(describe|list)_parameters$|/[gs]et_parameter\w*$"
    r"|/get_type_description$"
)


def renewed(text: str, found: Mapping[str, Endpoints]) -> str:
    """Return the page with every table as the code has it.

    Raises:
        ValueError: a node has no section, or its section no table of parameters.
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


def endpoint_table(points: Endpoints) -> str:
    """Return what a node publishes, hears and serves as Markdown, "" for one that does nothing."""
    rows = []
    for may, names in (
        ("publishes", points.publishes),
        ("hears", points.hears),
        ("serves", points.serves),
        ("calls", points.calls),
        ("serves the action", points.acts),
    ):
        for name, kind in names.items():
            if not COMMON.search(name):
                shown = name if name == "/diagnostics" else name.removeprefix("/")
                quality = points.quality.get((may, name), "as of every service")
                rows.append(f"| {may} | `{shown}` | `{kind}` | {quality} |\n")
    return "".join([f"{ENDPOINTS}\n|---|---|---|---|\n", *rows, "\n"]) if rows else ""


def _table(head: str) -> re.Pattern[str]:
    """Match a table with the empty line after it."""
    return re.compile(rf"^{re.escape(head)}\n(?:\|.*\n)*\n?", re.M)


def main() -> int:
    """Write the page, or check it."""
    text = PAGE.read_text(encoding="utf-8")
    fresh = renewed(text, all_endpoints())
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(fresh, encoding="utf-8")
    elif fresh != text:
        old = set(text.splitlines())
        stale = next((line for line in fresh.splitlines() if line not in old), "a line too many")
        print(f"{PAGE.name} is stale: run tools/node_tables.py; {stale}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
