# SPDX-License-Identifier: MIT
"""NumPy's files: headers are compared with sizes before memory is taken."""

import zipfile

import numpy as np
import pytest

from whispersign_model.npy import NpzFile, load_npy


def header(text, version=b"\x01\x00"):
    return b"\x93NUMPY" + version + len(text).to_bytes(2, "little") + text.encode()


PETABYTES = "{'descr': '<i8', 'fortran_order': False, 'shape': (1000000000000000,)}\n"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "does not begin"),
        (b"\x93NUMPY\x09\x00", "does not begin"),
        (header(PETABYTES), "promises 8000000000000000"),
        (header(PETABYTES.replace("1000000000000000", "-1")), "has the shape"),
        (header(PETABYTES.replace("(1000000000000000,)", "'ab'")), "has the shape|damaged"),
        (header(PETABYTES.replace("'<i8'", "'|O'")), "not numbers or text"),
        (header(PETABYTES.replace("'<i8'", "[('a', '<i8')]")), "not numbers or text"),
        (header(PETABYTES.replace("'<i8'", "'<M8[s]'")), "not numbers or text"),
        (header(PETABYTES.replace("'<i8'", "'3i8'")), "not numbers or text"),
        (header(PETABYTES.replace("'<i8'", "'zz'")), "header is damaged"),
        (header(PETABYTES[:20]), r"header is damaged \(SyntaxError"),
        (header("(" * 4000), "header is damaged"),
        (header("{'shape': " + "-" * 4000 + "1}"), "header is damaged"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\x7f", "header is 2147483647 bytes long"),
    ],
)
def test_a_damaged_header_is_refused(tmp_path, content, fault):
    path = tmp_path / "a.npy"
    path.write_bytes(content)
    for mode in ("r", None):
        with pytest.raises(ValueError, match=fault):
            load_npy(path, mode)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(
    "array", [np.arange(12.0).reshape(3, 4), np.array(["ä", "bc"]), np.zeros((0, 3)), np.array(7)]
)
def test_arrays_are_read(tmp_path, array, order):
    array = np.asarray(array, order=order)
    np.save(tmp_path / "a.npy", array)
    np.savez_compressed(tmp_path / "a.npz", a=array)
    np.testing.assert_array_equal(load_npy(tmp_path / "a.npy"), array)
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        file = NpzFile(archive)
        assert file.names == ["a"]
        np.testing.assert_array_equal(file.read("a"), array)


def member(path, content, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("a.npy", content)
    return zipfile.ZipFile(path)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (header(PETABYTES), "promises 8000000000000000"),
        (header(PETABYTES.replace("1000000000000000", "1")) + bytes(9), "9 bytes .* promises 8"),
        (header(PETABYTES.replace("1000000000000000", "1<<20")), "damaged"),
        (
            header("{'descr': '<U1', 'fortran_order': False, 'shape': (1,)}") + b"\xff" * 4,
            "no char",
        ),
    ],
)
def test_a_member_at_odds_with_its_header(tmp_path, content, fault):
    with member(tmp_path / "a.npz", content) as archive, pytest.raises(ValueError, match=fault):
        NpzFile(archive).read("a")


def test_a_bomb_is_not_unpacked(tmp_path):
    size = 80 << 20
    content = header(PETABYTES.replace("1000000000000000", str(size // 8))) + bytes(size)
    with (
        member(tmp_path / "a.npz", content) as archive,
        pytest.raises(ValueError, match="key 'a' expands from"),
    ):
        NpzFile(archive).read("a")
