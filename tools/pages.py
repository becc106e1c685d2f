# SPDX-License-Identifier: MIT
"""Write the generated parts of pages, or with ``--check``, report stale pages."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path


def renew(pages: Mapping[Path, Callable[[str], str]]) -> int:
    """Write or check pages; return 1 if a page is stale.

    Args:
        pages: maps each file to a function that updates its text.
    """
    stale = 0
    for path, renewed in pages.items():
        text = path.read_text(encoding="utf-8")
        fresh = renewed(text)
        if "--check" not in sys.argv[1:]:
            path.write_text(fresh, encoding="utf-8")
        elif fresh != text:
            old = set(text.splitlines())
            line = next((line for line in fresh.splitlines() if line not in old), "a line too many")
            tool = Path(sys.argv[0]).name
            print(f"{path.name} is stale: run tools/{tool}; {line}", file=sys.stderr)
            stale = 1
    return stale
