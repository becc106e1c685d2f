# SPDX-License-Identifier: MIT
"""Bags are found wherever they lie, and what is none is told."""

from __future__ import annotations

import os
import struct
import time

import pytest

from whispersign_model.errors import BagError
from whispersign_model.recordings.bags.bag import read_bag, write_bag
from whispersign_model.recordings.bags.files import find_bags


@pytest.fixture
def bags(tmp_path, make_recording):
    """Bags in two folders, one of them without metadata, and loose files."""
    for name in ("day/take_10", "day/take_2", "other/take_2"):
        write_bag(tmp_path / name, make_recording(3))
    (tmp_path / "other" / "take_2" / "metadata.yaml").unlink()
    loose = tmp_path / "loose"
    loose.mkdir()
    for name in ("b", "a"):
        content = (tmp_path / "day" / "take_2" / "take_2.mcap").read_bytes()
        (loose / f"{name}.mcap").write_bytes(content)
    (loose / "notes.txt").touch()
    return tmp_path


def names(root, found):
    return [str(path.relative_to(root)) for path in found]


def test_folders_are_searched_in_natural_order(bags):
    assert names(bags, find_bags([bags])) == [
        "day/take_2",
        "day/take_10",
        "loose/a.mcap",
        "loose/b.mcap",
        "other/take_2",
    ]


def test_each_bag_once_in_the_order_given(bags):
    given = [bags / "other", bags / "day" / "take_10", bags / "day"]
    assert names(bags, find_bags(given)) == ["other/take_2", "day/take_10", "day/take_2"]


def test_patterns(bags):
    assert names(bags, find_bags([f"{bags}/*/take_2"])) == ["day/take_2", "other/take_2"]
    assert names(bags, find_bags([f"{bags}/**/*.mcap"])) == [
        "day/take_2/take_2.mcap",
        "day/take_10/take_10.mcap",
        "loose/a.mcap",
        "loose/b.mcap",
        "other/take_2/take_2.mcap",
    ]


def test_found_bags_can_be_read(bags):
    assert [len(read_bag(bag)) for bag in find_bags([bags])] == [3] * 5


@pytest.mark.parametrize("path", ["nowhere", "nowhere/*", "empty"])
def test_paths_that_lead_nowhere(tmp_path, path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(BagError, match=r"does not exist|holds no rosbag2"):
        find_bags([tmp_path / path])


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("notes.txt", b"x", "is not a rosbag2 but a '.txt' file"),
        ("old.bag", b"#ROSBAG V2.0", "convert it with `rosbags-convert`"),
        ("empty.mcap", b"", "is empty"),
        ("empty.db3", b"", "is empty"),
        ("words.mcap", b"this is a text, no bag", "is not an mcap file"),
        ("words.db3", b"this is a text, no bag", "is not a sqlite3 file"),
    ],
)
def test_files_that_are_no_bags(tmp_path, name, content, fault):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BagError) as caught:
        read_bag(tmp_path / name)
    assert fault in str(caught.value)
    assert str(tmp_path / name) in str(caught.value)


def test_folders_that_are_no_bags(bags):
    with pytest.raises(BagError, match="day: is not a rosbag2"):
        read_bag(bags / "day")
    with pytest.raises(BagError, match="loose: holds 2 bags"):
        read_bag(bags / "loose")
    with pytest.raises(BagError, match="nowhere: does not exist"):
        read_bag(bags / "nowhere")


def test_storage_file_that_metadata_names_is_gone(bags):
    (bags / "day" / "take_2" / "take_2.mcap").unlink()
    with pytest.raises(BagError, match=r"take_2.mcap: is missing, but metadata.yaml names it"):
        read_bag(bags / "day" / "take_2")


def test_parts_of_one_recording_without_metadata(tmp_path, make_recording):
    for part, frames in enumerate((3, 4)):
        write_bag(tmp_path / "parts" / f"take_{part}", make_recording(frames, segments=()))
    folder = tmp_path / "take"
    folder.mkdir()
    for part in range(2):
        file = tmp_path / "parts" / f"take_{part}" / f"take_{part}.mcap"
        file.rename(folder / file.name)
    assert find_bags([folder]) == [folder]
    assert len(read_bag(folder)) == 7


HEAD = "rosbag2_bagfile_information:\n  relative_file_paths: [take_2.mcap]\n"
BOMB = "a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi")
)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 1_000_000,
        BOMB,
        f"{HEAD}  custom_data: {{x: *i}}\n",
        f"{HEAD}  topics_with_message_count: [{{topic_metadata: {{name: a}}, message_count: "
        + "9" * 5000
        + "}]\n",
        "- 1\n" * 1_000_000,
        "\0",
        "x" * (9 << 20),
    ],
    ids=["brackets", "bomb", "alias", "digits", "list", "NUL", "large"],
)
def test_metadata_from_strangers(bags, text):
    file = bags / "day" / "take_2" / "metadata.yaml"
    file.write_text(text)
    start = time.process_time()
    with pytest.raises(BagError, match=r"metadata\.yaml: is (not the metadata|larger)") as caught:
        read_bag(file.parent)
    assert "\n" not in str(caught.value)
    assert time.process_time() - start < 3


@pytest.mark.parametrize("name", ["take.mcap", "take.db3", "take", "metadata.yaml"])
def test_a_fifo_is_not_opened(tmp_path, name):
    os.mkfifo(tmp_path / name)
    path = tmp_path if name == "metadata.yaml" else tmp_path / name
    with pytest.raises(BagError, match=f"{name}: cannot be read .it is a FIFO"):
        read_bag(path)


@pytest.mark.parametrize("target", ["/dev/zero", "nowhere", "other"])
@pytest.mark.parametrize("suffix", ["-wal", "-journal"])
def test_a_journal_that_is_a_link_is_not_copied(tmp_path, make_recording, target, suffix):
    write_bag(tmp_path / "take", make_recording(3), "sqlite3")
    (tmp_path / "take" / "other").touch()
    (tmp_path / "take" / f"take.db3{suffix}").symlink_to(target)
    with pytest.raises(BagError, match=f"take.db3{suffix}: is a link or not a regular file"):
        read_bag(tmp_path / "take")


@pytest.mark.parametrize("recover", [False, True])
def test_a_chunk_that_expands_beyond_measure_is_not_read(tmp_path, make_recording, recover):
    write_bag(tmp_path / "take", make_recording(3))
    file = tmp_path / "take" / "take.mcap"
    content = file.read_bytes()
    body = struct.pack("<QQQI", 0, 1, 3 << 30, 0) + struct.pack("<I", 4) + b"zstd" + bytes(8)
    header = 8 + 9 + int.from_bytes(content[9:17], "little")
    chunk = struct.pack("<BQ", 6, len(body)) + body
    file.write_bytes(content[:header] + chunk + (b"" if recover else content[header:]))
    with pytest.raises(BagError, match="a chunk expands from 44 to 3221225472 bytes"):
        read_bag(file, recover=recover)
