# SPDX-License-Identifier: MIT
"""The reference of the messages agrees with their definitions."""

from __future__ import annotations

from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture
def message_tables(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    import message_tables

    return message_tables


def test_the_page_is_current(message_tables):
    text = message_tables.PAGE.read_text(encoding="utf-8")
    assert message_tables.renewed(text) == text


def test_a_stale_page_is_reported_and_updated(message_tables, monkeypatch, tmp_path, capsys):
    current = message_tables.PAGE.read_text(encoding="utf-8")
    page = tmp_path / "messages.md"
    page.write_text(current.replace("| `gloss_id` |", "| `id` |"), encoding="utf-8")
    monkeypatch.setattr(message_tables, "PAGE", page)
    monkeypatch.setattr("sys.argv", ["message_tables.py", "--check"])
    assert message_tables.main() == 1
    assert "messages.md is stale" in capsys.readouterr().err
    monkeypatch.setattr("sys.argv", ["message_tables.py"])
    assert message_tables.main() == 0
    assert page.read_text(encoding="utf-8") == current


def test_a_field_has_its_own_comment_or_the_one_above(message_tables):
    definition = (
        "# Two hands.\n\nuint8 ON=1  # switched on\n\n"
        "# In meters,\n# per joint.\nfloat32[63] left\nfloat32[63] right  # a|b\n\nbool bare\n"
    )
    text = message_tables.section("Hands", definition)
    assert text.startswith("## Hands\n\nTwo hands.\n\n| constant |")
    assert "| `ON` | 1 | switched on |\n" in text
    assert "| `left` | `float32[63]` | In meters, per joint. |\n" in text
    assert "| `right` | `float32[63]` | a\\|b |\n" in text
    assert "| `bare` | `bool` |  |\n" in text


def test_an_action_has_three_parts(message_tables):
    text = message_tables.section(
        "Act", "# Acts.\n\nbool a # x\n---\nbool b # y\n---\nbool c # z\n"
    )
    parts = [line for line in text.splitlines() if line.startswith(("### ", "| `"))]
    assert parts == [
        "### Goal",
        "| `a` | `bool` | x |",
        "### Result",
        "| `b` | `bool` | y |",
        "### Feedback",
        "| `c` | `bool` | z |",
    ]


def test_a_page_without_the_marker_is_refused(message_tables):
    with pytest.raises(ValueError, match=r"messages\.md: the line .* is missing"):
        message_tables.renewed("# Messages\n")
