# SPDX-License-Identifier: MIT
"""The nodes' reference and parameter file agree with the code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / "tools"


@pytest.fixture
def node_tables(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    import node_tables

    return node_tables


def test_page_and_parameter_file_are_current():
    done = subprocess.run(
        [sys.executable, str(TOOLS / "node_tables.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def _points(node_tables, **kinds):
    none = {key: {} for key in ("publishes", "hears", "serves", "calls", "acts", "quality")}
    return node_tables.Endpoints(**{**none, **kinds})


def test_what_every_node_has_is_left_out(node_tables):
    plumbing = {"/rosout": "a", "/n/transition_event": "b"}
    services = {"/n/get_state": "c", "/n/set_parameters_atomically": "d"}
    bare = _points(node_tables, publishes=plumbing, serves=services)
    assert node_tables.endpoint_table(bare) == ""
    points = _points(
        node_tables,
        publishes={"/gloss": "m/msg/Gloss", "/diagnostics": "d/msg/A"},
        serves={"/n/get_state": "c", "/n/pause": "s/srv/Trigger"},
        quality={("publishes", "/gloss"): "reliable, volatile"},
    )
    rows = node_tables.endpoint_table(points).splitlines()[2:]
    assert rows[0] == "| publishes | `gloss` | `m/msg/Gloss` | reliable, volatile |"
    assert rows[1].startswith("| publishes | `/diagnostics` |")
    assert rows[2].startswith("| serves | `n/pause` |")


def test_tables_are_put_before_the_parameters_and_replaced_later(node_tables):
    head = node_tables.PARAMETERS
    page = f"# Nodes\n\n## leap_node\n\nProse.\n\n{head}\n|---|\n| old |\n\nMore.\n\n## z\n"
    first = _points(node_tables, publishes={"/old_topic": "a"})
    once = node_tables.renewed(page, {"leap_node": first})
    assert once.index("Prose.") < once.index("`old_topic`") < once.index("`transport`")
    assert once.index("`transport`") < once.index("More.")
    assert "| old |" not in once
    twice = node_tables.renewed(once, {"leap_node": _points(node_tables, hears={"/new": "b"})})
    assert "old_topic" not in twice
    assert twice.count(node_tables.ENDPOINTS) == twice.count(head) == 1
    assert node_tables.renewed(once, {"leap_node": first}) == once


def test_the_parameter_file_gets_descriptions_and_defaults(node_tables):
    text = node_tables.CONFIG.read_text()
    old = text.replace('    source: "replay"', "    gone: 1")
    assert old != text
    assert node_tables.renewed_config(old) == text
    with pytest.raises(ValueError, match=r"no section '/\*\*/leap_node'"):
        node_tables.renewed_config(text.replace("/**/leap_node:", "/**/lip_node:"))


def test_a_node_without_a_section_is_a_fault(node_tables):
    with pytest.raises(ValueError, match="no table of parameters under '## leap_node'"):
        node_tables.renewed("# Nodes\n", {"leap_node": _points(node_tables)})
