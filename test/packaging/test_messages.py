# SPDX-License-Identifier: MIT
"""The message definitions: commented, listed for the build, and built as they stand."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "whispersign_msgs"
MESSAGES = sorted(FOLDER.rglob("*.msg"))
DEFINITIONS = sorted([*MESSAGES, *FOLDER.rglob("*.action")])
FIELD = re.compile(r"^(?P<type>[\w/\[\]<=]+)\s+(?P<name>[a-z]\w*)\s*(?P<rest>#.*)?$")


def fields(path: Path) -> dict[str, bool]:
    """Return the fields of a definition, and whether a comment goes with each.

    A comment stands on the field's own line, or above it within the same paragraph.
    """
    commented: dict[str, bool] = {}
    for paragraph in re.split(r"\n\s*\n", path.read_text()):
        above = False
        for line in paragraph.splitlines():
            above |= line.startswith("#")
            field = FIELD.match(line)
            if field:
                commented[field["name"]] = above or bool(field["rest"])
    return commented


@pytest.mark.parametrize("path", DEFINITIONS, ids=lambda path: path.stem)
def test_every_field_has_a_comment(path):
    assert path.read_text().startswith("# ")
    bare = [name for name, has_comment in fields(path).items() if not has_comment]
    assert set(bare) <= {"header"}


def test_the_build_lists_every_definition():
    listed = re.findall(r'"(\w+/\w+\.\w+)"', (FOLDER / "CMakeLists.txt").read_text())
    assert sorted(listed) == sorted(str(path.relative_to(FOLDER)) for path in DEFINITIONS)


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: path.stem)
def test_the_built_message_has_the_fields_of_its_definition(path):
    built = getattr(importlib.import_module(f"whispersign_msgs.{path.parent.name}"), path.stem)
    assert list(built.get_fields_and_field_types()) == list(fields(path))
