#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Generate docs/reference/messages.md from the comments in whispersign_msgs.

message_tables.py           # update the page
message_tables.py --check   # report a stale page; exit code 1
"""

import re
from pathlib import Path

import pages

LICENSE = "# SPDX-License-Identifier: MIT"
ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/reference/messages.md"
MESSAGES = ROOT / "whispersign_msgs"
MARKER = "<!-- tools/message_tables.py writes the rest of this page. -->\n"
LINE = re.compile(
    r"(?P<type>[\w/\[\]]+)\s+(?P<name>\w+)\s*(=\s*(?P<value>\w+)\s*)?(#\s*(?P<comment>.*))?$"
)
CONSTANTS = "| constant | value | meaning |\n|---|---|---|\n"
FIELDS = "| field | type | meaning |\n|---|---|---|\n"


def renewed(text: str) -> str:
    """Return the page with current messages and actions below its marker.

    Raises:
        ValueError: the page has no marker.
    """
    head, marker, _ = text.partition(MARKER)
    if not marker:
        raise ValueError(f"{PAGE.name}: the line {MARKER!r} is missing")
    paths = [*sorted(MESSAGES.glob("msg/*.msg")), *sorted(MESSAGES.glob("action/*.action"))]
    sections = [section(path.stem, path.read_text(encoding="utf-8")) for path in paths]
    return f"{head}{marker}\n" + "\n".join(sections)


def section(name: str, definition: str) -> str:
    """Return a message or action as a Markdown section."""
    text = definition.removeprefix(f"{LICENSE}\n").lstrip()
    summary, _, body = text.removeprefix("# ").partition("\n")
    parts = body.split("\n---\n")
    titles = ["### Goal\n\n", "### Result\n\n", "### Feedback\n\n"] if len(parts) > 1 else [""]
    tables = [f"{title}{_tables(part)}" for title, part in zip(titles, parts)]
    return f"## {name}\n\n{_escaped(summary)}\n\n" + "\n".join(tables)


def _tables(definition: str) -> str:
    """Return the constants and fields of a definition as tables.

    For a field without its own comment, the comment lines above it are used.
    """
    constants, fields = "", ""
    for paragraph in re.split(r"\n\s*\n", definition):
        above = " ".join(re.findall(r"^#\s*(.*)$", paragraph, re.M))
        for match in map(LINE.match, paragraph.splitlines()):
            if match is None:
                continue
            meaning = _escaped(match["comment"] or above)
            if match["value"] is None:
                fields += f"| `{match['name']}` | `{match['type']}` | {meaning} |\n"
            else:
                constants += f"| `{match['name']}` | {match['value']} | {meaning} |\n"
    tables = [CONSTANTS + constants] if constants else []
    return "\n".join([*tables, FIELDS + fields])


def _escaped(text: str) -> str:
    """Escape the column separator of Markdown tables."""
    return text.replace("|", "\\|")


def main() -> int:
    """Write or check the page."""
    return pages.renew({PAGE: renewed})


if __name__ == "__main__":
    raise SystemExit(main())
