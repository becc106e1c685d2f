# SPDX-License-Identifier: MIT
"""The changelogs: as the release tools of ROS read them."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest
from catkin_pkg.changelog import Changelog, populate_changelog_from_rst
from catkin_pkg.package_version import get_forthcoming_label, rename_section


@pytest.mark.parametrize("folder", [".", "whispersign_msgs"])
def test_the_newest_version_is_forthcoming_or_that_of_the_package(sources, folder):
    package = ElementTree.parse(sources.root / folder / "package.xml")
    version = package.findtext("version")
    text = (sources.root / folder / "CHANGELOG.rst").read_text()
    assert f"\nChangelog for package {package.findtext('name')}\n" in text
    if label := get_forthcoming_label(text):  # a release puts version and date in its place
        text = rename_section(text, label, f"{version} (2026-01-01)")
    changelog = populate_changelog_from_rst(Changelog(), text)
    newest, _, content = next(changelog.foreach_version())
    assert newest == version
    assert any(getattr(part, "bullets", ()) for part in content)
