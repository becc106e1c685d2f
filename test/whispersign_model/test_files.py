# SPDX-License-Identifier: MIT
"""JSON, YAML and text from strangers: refused in one line, within seconds and megabytes."""

import os
import resource
import time
from pathlib import Path

import pytest

from whispersign_model.errors import ConfigError
from whispersign_model.files import (
    YAML_BYTES,
    damage_told,
    parse_json,
    parse_yaml,
    read_bytes,
    read_json,
    read_yaml,
    require_file,
)

BOMB = "a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi")
)
BAD_YAML = {
    "nested": ("[" * 500_000, "nested deeper than 50"),
    "mappings": ("? " * 100_000, "nested deeper than 50"),
    "list": ("- 1\n" * 250_000, "more than 20000 values"),
    "anchors": (BOMB, "more than 20000 values"),
    "itself": ("&a [*a]", "has no value before it"),
    "date": ("2020-13-45", "month must be in"),
    "hexadecimal": ("0x" + "f" * 900_000, "a number of"),
    "sexagesimal": ("1" + ":1" * 400_000, "a number of"),
    "digits": ("9" * 5000, "a number of 5000 digits"),
    "time": ("!!timestamp never", "NoneType"),
    "empty number": ("!!int ''", "index"),
    "NUL": ("a: \0", "unacceptable character"),
    "surrogate": ('"\\ud800"', "scalar"),
    "object": ("!!python/object/apply:os.system [ls]", "could not determine a constructor"),
    "key": ("{[1]: 2}", "unhashable"),
}


@pytest.mark.parametrize("name", BAD_YAML)
def test_yaml_that_would_take_long_or_is_odd_is_one_line(tmp_path, name):
    text, fault = BAD_YAML[name]
    path = tmp_path / "file.yaml"
    path.write_bytes(text.encode())
    start, memory = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ConfigError, match=fault) as caught:
        read_yaml(path, ConfigError)
    assert str(caught.value).startswith(f"{path}: is not valid YAML (")
    assert "\n" not in str(caught.value)
    assert time.process_time() - start < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 300_000  # kB


def test_yaml_is_read_with_its_anchors():
    text = "base: &base {a: 1, b: [2, x]}\nuse: {<<: *base, c: 007}\nagain: *base\n"
    assert parse_yaml(text)["use"] == {"a": 1, "b": [2, "x"], "c": 7}
    assert parse_yaml(text, plain=True)["again"] == {"a": "1", "b": ["2", "x"]}
    assert parse_yaml("") is None
    assert len(parse_yaml("- 1\n" * 19_999)) == 19_999


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[" * 1_000_000, "recursion limit"),
        ('{"a":' * 100_000, "recursion limit"),
        ("9" * 5000, "number out of range"),
        ('"\\ud800"', "hex escape"),
        ("\0", "expected value"),
        ("{", "EOF"),
        ('"' + "x" * (33 << 20) + '"', "larger than 32 MB"),
    ],
    ids=["lists", "objects", "digits", "surrogate", "NUL", "cut", "large"],
)
def test_json_that_no_program_of_ours_writes(tmp_path, text, fault):
    with pytest.raises(ValueError, match=fault):
        parse_json(text)
    path = tmp_path / "file.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"file\.json: is (not valid|larger)"):
        read_json(path, ConfigError)


def test_json_is_read():
    assert parse_json('{"a": [1, 2.5, null, "ä", NaN]}')["a"][:4] == [1, 2.5, None, "ä"]


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)])
def test_what_is_no_regular_file_is_not_opened(tmp_path, make):
    path = tmp_path / "odd"
    make(path)
    for read in (require_file, read_json, read_yaml):
        with pytest.raises(ConfigError, match=r"odd: cannot be read \((Is a dir|it is a FIFO)"):
            read(path, ConfigError)


@pytest.mark.parametrize(
    ("name", "fault"),
    [("x" * 5000, "name too long"), ("nul\0", "null byte"), ("gone", "No such file")],
)
def test_names_that_cannot_be_opened(tmp_path, name, fault):
    with pytest.raises(ConfigError, match=fault) as caught:
        require_file(tmp_path / name, ConfigError)
    assert len(str(caught.value)) < 700


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    with (tmp_path / "a.yaml").open("wb") as file:
        file.truncate(1 << 40)  # sparse
    with pytest.raises(ConfigError, match=r"a\.yaml: is larger than 1 MB"):
        read_bytes(tmp_path / "a.yaml", ConfigError, YAML_BYTES)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (IndexError(), r"is damaged \(IndexError\); again"),
        (ValueError("no. "), r"is damaged \(no\. \)|is damaged \(no"),
        (OSError(5, "Input/output error"), r"cannot be read \(Input/output error\)"),
        (ConfigError("other", "is bad"), "^other: is bad$"),
    ],
)
def test_damage_is_one_line(error, says):
    with pytest.raises(ConfigError, match=says), damage_told(Path("a"), ConfigError, "again"):
        raise error
