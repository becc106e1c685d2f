# SPDX-License-Identifier: MIT
"""Fixtures of the packaging tests: the parsed source tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


class Sources:
    """The parsed files of the project."""

    root = ROOT

    @cache  # noqa: B019  (one instance, for the whole session)
    def trees(self, folder: str) -> dict[Path, ast.Module]:
        """Return the syntax tree of every module under a folder."""
        return {
            path: ast.parse(path.read_text(encoding="utf-8"), str(path))
            for path in sorted((self.root / folder).rglob("*.py"))
        }

    def imports(self, folder: str) -> Iterator[tuple[Path, str]]:
        """Yield every absolute import under a folder, as importing module and imported name."""
        for path, tree in self.trees(folder).items():
            for node in ast.walk(tree):
                if isinstance(node, ast.Import):
                    for alias in node.names:
                        yield path, alias.name
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    yield path, node.module


@pytest.fixture(scope="session")
def sources() -> Sources:
    return Sources()
