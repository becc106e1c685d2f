# SPDX-License-Identifier: MIT
"""Links between the documents resolve, and the first page leads to every task."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FIRST_PAGE = DOCS / "index.md"
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted(DOCS.glob("**/*.md")),
    *sorted(ROOT.glob("whispersign_model/assets/*/MODEL_CARD.md")),
]
ISSUES = "https://github.com/whispersign/whispersign/issues"
TASKS = {
    "drive a robot": "docs/tutorials/drive-a-robot.md",
    "show glosses on a screen": "docs/how-to/kiosk.md",
    "bring data": "docs/how-to/data.md",
    "train": "docs/how-to/train.md",
    "evaluate": "docs/how-to/evaluate.md",
    "write a sensor node": "docs/how-to/write-a-sensor.md",
    "secure a robot": "docs/explanation/security.md",
    "read a message field": "docs/reference/messages.md",
    "contribute": "CONTRIBUTING.md",
}
FENCE = re.compile(r"^( *)(```+)(.*?)^\1\2\n", re.M | re.S)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def links(page: Path) -> list[str]:
    """Return the targets of a page's links, without those in code."""
    return LINK.findall(re.sub(r"`[^`\n]*`", "", FENCE.sub("", page.read_text())))


def neighbors(page: Path) -> set[Path]:
    """Return the pages that one click leads to: by a link or by an entry of a table of contents."""
    found = {page.parent / link.split("#")[0] for link in links(page) if ".md" in link}
    for _, _, block in FENCE.findall(page.read_text()):
        if block.startswith("{toctree}"):
            for entry in block.splitlines()[1:]:
                if entry and not entry.startswith(":"):
                    found.update(page.parent.glob(f"{entry}.md"))
    return {path.resolve() for path in found}


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as the repository's web pages make them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_resolves(page):
    for link in links(page):
        if not link.startswith("http"):
            name, _, anchor = link.partition("#")
            target = page.parent / name if name else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


def test_the_first_page_leads_to_every_task_in_three_clicks():
    reached = {FIRST_PAGE}
    for _ in range(3):
        reached |= {near for page in reached if page.suffix == ".md" for near in neighbors(page)}
    assert {name for name, path in TASKS.items() if ROOT / path not in reached} == set()
    assert any(link.startswith(ISSUES) for link in links(FIRST_PAGE))


def test_every_page_is_reached_from_the_first():
    reached, fresh = set(), {FIRST_PAGE}
    while fresh:
        reached |= fresh
        fresh = {near for page in fresh for near in neighbors(page)} - reached
    assert set(DOCS.glob("**/*.md")) - reached == set()
