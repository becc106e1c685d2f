# SPDX-License-Identifier: MIT
"""Files of the project's folder of configurations are found from any folder."""

from pathlib import Path

import pytest

from whispersign_model.configuration import config_file, find_config


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_what_is_not_here_is_the_projects():
    assert find_config("config/train/seed.yaml") == config_file("train/seed.yaml")


def test_what_is_here_goes_first():
    mine = Path("config/train.yaml")
    mine.parent.mkdir()
    mine.touch()
    assert find_config("config/train.yaml") == mine


def test_nothing_else_is_looked_for_there():
    for name in ("train.yaml", "other/train.yaml", "config/none.yaml", "config"):
        assert find_config(name) == Path(name)


def test_it_is_found_where_it_was_installed(monkeypatch):
    installed = Path("prefix/share/whispersign_ros/config/mine.yaml")
    installed.parent.mkdir(parents=True)
    installed.touch()
    monkeypatch.setenv(
        "AMENT_PREFIX_PATH", f"{Path('other').absolute()}:{Path('prefix').absolute()}"
    )
    assert find_config("config/mine.yaml") == installed.absolute()
