# SPDX-License-Identifier: MIT
"""Recordings of an archive become bags that the graph can play."""

from __future__ import annotations

from whispersign_model.bundled import takes
from whispersign_model.datasets.archive import read_archive
from whispersign_ros.demo.graph_demo import as_bags, read_labelled


def test_the_first_recordings_of_an_archive_are_bags_for_a_while(capsys):
    first = read_archive(takes("thai"))[:3]
    with as_bags(takes("thai"), 3) as bags:
        found = read_labelled(bags)
    assert capsys.readouterr().out == "thai_takes: 3 of 80 bundled test recordings\n"
    assert [each.glosses for each in found] == [each.glosses for each in first]
    assert [each.name for each in found] == [each.name for each in first]
    assert [len(each) for each in found] == [len(each) for each in first]
    assert not any(bag.exists() for bag in bags)


def test_an_archive_with_fewer_recordings_is_played_as_a_whole(tmp_path, write_archive):
    write_archive(tmp_path / "two.npz", ["A", "B"], ["x", "x"])
    with as_bags(tmp_path / "two.npz", 10) as bags:
        assert [bag.name for bag in bags] == ["0_r0", "1_r1"]
