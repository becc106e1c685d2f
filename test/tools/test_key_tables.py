# SPDX-License-Identifier: MIT
"""The reference of configuration keys: as the classes that validate them."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, Field


@pytest.fixture
def key_tables(monkeypatch):
    import key_tables

    monkeypatch.setattr("sys.argv", ["key_tables.py", "--check"])
    return key_tables


class Described(BaseModel):
    """Keys.

    Attributes:
        share: how much,
            in all.
        words: ``a|b``.
    """

    share: float = Field(default=0.5, gt=0, le=1)
    words: list[str]


class Undescribed(BaseModel):
    """Keys."""

    share: float = 0.5


def test_the_page_is_as_the_classes_are(key_tables, capsys):
    assert key_tables.main() == 0, capsys.readouterr().err


def test_a_stale_page_is_reported_and_mended(key_tables, monkeypatch, tmp_path, capsys):
    stale = tmp_path / "page.md"
    page = key_tables.PAGE.read_text()
    stale.write_text(page.replace("| `seed` |", "| `sed` |"))
    monkeypatch.setattr(key_tables, "PAGE", stale)
    assert key_tables.main() == 1
    assert "page.md is stale" in capsys.readouterr().err
    monkeypatch.setattr("sys.argv", ["key_tables.py"])
    assert key_tables.main() == 0
    assert stale.read_text() == page


def test_a_row_has_default_range_and_meaning(key_tables):
    rows = key_tables.table(Described).splitlines()[2:]
    assert rows == [
        "| `share` | `0.5` | number above 0 to 1 | how much, in all |",
        "| `words` | required | list of text | `a\\|b` |",
    ]


def test_a_key_without_a_meaning_is_refused(key_tables):
    with pytest.raises(ValueError, match="Undescribed: the docstring does not describe 'share'"):
        key_tables.table(Undescribed)


def test_a_page_without_a_marker_is_refused(key_tables):
    with pytest.raises(ValueError, match="no marker of section 'recipe'"):
        key_tables.renewed("# Keys\n")


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"$ref": "Stage"}, "section"),
        ({"enum": ["tiny", 32]}, "`tiny`, `32`"),
        ({"const": 42, "type": "integer"}, "`42`"),
        ({"type": "boolean"}, "`true`, `false`"),
        (
            {"type": "array", "items": {"type": "integer", "minimum": 0}},
            "list of whole numbers from 0",
        ),
        ({"type": "array", "prefixItems": [{}, {}]}, "list of 2 numbers"),
        ({"anyOf": [{"type": "number"}, {"type": "string"}]}, "number or text"),
        ({"type": "integer", "exclusiveMaximum": 2**32}, "whole number below 4294967296"),
    ],
)
def test_what_a_schema_allows_in_words(key_tables, schema, words):
    assert key_tables.allowed(schema) == words
