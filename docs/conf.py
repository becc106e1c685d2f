# SPDX-License-Identifier: MIT
"""Sphinx configuration: `make docs` writes the site to build/docs and fails at any warning."""

from __future__ import annotations

import os
import re
import sys
from importlib.util import find_spec
from pathlib import Path

from docutils.nodes import Element, TextElement
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

from whispersign_model import __version__

PACKAGES = ("whispersign_model", "whispersign_ros")
REPOSITORY = "https://github.com/whispersign/whispersign/blob/main"
OUTWARD_LINK = re.compile(r"(?<=\]\()(?:\.\./)+[^)#\s]+")

project = "WhisperSign"
author = "The WhisperSign authors"
release = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon"]
templates_path = exclude_patterns = ["_templates"]
html_theme = "furo"
html_title = f"{project} {release}"
html_copy_source = False
nitpicky = True

suppress_warnings = ["ref.python"]  # a name in an annotation that several classes have

myst_heading_anchors = 4  # links to headings have the same form as on the repository's web pages

# The ROS 2 wheels lack these two. A ROS 2 distribution has them.
os.environ.setdefault("AMENT_PREFIX_PATH", sys.prefix)
autodoc_mock_imports = [] if find_spec("launch_ros") else ["launch", "launch_ros"]
autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"


def setup(app: Sphinx) -> None:
    """Connect the handlers."""
    app.connect("source-read", link_to_repository)
    app.connect("autodoc-process-docstring", keep_first_line, priority=400)
    app.connect("autodoc-skip-member", skip_member)
    app.connect("missing-reference", resolve_short_name)


def link_to_repository(app: Sphinx, page: str, source: list[str]) -> None:
    """Turn links to files outside docs into links to the repository's web pages."""
    docs = Path(app.srcdir).resolve()

    def replace(match: re.Match[str]) -> str:
        target = (docs / page).parent.joinpath(match[0]).resolve()
        if target.is_relative_to(docs) or not target.exists():
            return match[0]
        return f"{REPOSITORY}/{target.relative_to(docs.parent)}"

    source[0] = OUTWARD_LINK.sub(replace, source[0])


def keep_first_line(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Keep napoleon from reading "Metres: ..." in a property's docstring as its type."""
    if what in ("attribute", "data", "property"):
        lines.insert(0, "")


def skip_member(
    app: Sphinx, what: str, name: str, obj: object, skip: bool, options: object
) -> bool | None:
    """Skip fields that the class describes already. Warn of public names without a docstring."""
    module = getattr(obj, "__module__", None) or ""
    if skip and not name.startswith("_") and module.startswith(PACKAGES) and not obj.__doc__:
        logging.getLogger(__name__).warning("no docstring: %s.%s", module, name)
    return True if type(obj).__name__ == "_tuplegetter" else None


def resolve_short_name(
    app: Sphinx, env: BuildEnvironment, node: Element, contnode: TextElement
) -> Element | None:
    """Link a name that only one module defines. Show other libraries' types as text."""
    if node.get("refdomain") != "py":
        return None
    python, kind = env.domains["py"], node["reftype"]
    found = [name for name in python.objects if name.endswith(f".{node['reftarget']}")]
    if len(found) == 1:
        return python.resolve_xref(env, node["refdoc"], app.builder, kind, *found, node, contnode)
    return None if "refwarn" in node else contnode  # a docstring's own references must resolve
