# SPDX-License-Identifier: MIT
"""Commands files from strangers are refused within seconds."""

import os
import time

import pytest

from whispersign_ros.commands.source_map import CommandsError, read_source_map


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("- 1\n" * 200_000, "more than 20000 values"),
        ("- 1\n" * 3_000_000, "is larger than 1 MB"),
        ("[" * 500_000, "nested deeper than 50"),
        ("9" * 5000, "a number of 5000 digits"),
        ("a: 2020-13-45", "is not valid YAML"),
        ("a: \0", "is not valid YAML"),
        ("a: !!int ''", "is not valid YAML"),
    ],
    ids=["values", "size", "depth", "digits", "date", "NUL", "number"],
)
def test_a_file_that_would_take_long_is_refused(tmp_path, text, fault):
    path = tmp_path / "commands.yaml"
    path.write_text(text)
    start = time.process_time()
    with pytest.raises(CommandsError, match=fault) as caught:
        read_source_map(path)
    assert "\n" not in str(caught.value)
    assert time.process_time() - start < 5


def test_a_fifo_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "commands.yaml")
    with pytest.raises(CommandsError, match="it is a FIFO"):
        read_source_map(tmp_path / "commands.yaml")
