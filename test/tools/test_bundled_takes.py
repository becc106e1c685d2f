# SPDX-License-Identifier: MIT
"""The bundled recordings: by which rule they were taken, and that no network learned from them."""

from __future__ import annotations

import argparse
import re
import shlex
from collections import Counter, defaultdict

import bundled_takes
import numpy as np
import pytest

from whispersign_model.bundled import bundled, takes
from whispersign_model.cli import import_
from whispersign_model.cli.convert import options_from
from whispersign_model.datasets.archive import read_archive
from whispersign_model.datasets.splits import TEST, SplitItem, assign_splits
from whispersign_model.skeleton import LEFT

NETWORKS = pytest.mark.parametrize("name", bundled_takes.SOURCES)


def _arrays(path):
    with np.load(path, allow_pickle=False) as archive:
        return {key: archive[key] for key in archive.files}


def _contents(path):
    """Yield the gloss and the rounded positions of each recording."""
    arrays = _arrays(path)
    for index, label in enumerate(arrays["lab"]):
        span = slice(*arrays["ptr"][index : index + 2])
        yield arrays["classes"][label], bundled_takes.rounded(arrays["xyz"][span]).tobytes()


def _splits(name, archive):
    """Return the split of each recording by the import command in the model card, and the card."""
    card = (bundled(name) / "MODEL_CARD.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^whispersign import (.+)$", card, re.MULTILINE)
    parser = argparse.ArgumentParser()
    import_.add_arguments(parser)
    options = options_from(parser.parse_args(shlex.split(command)))
    items = [
        SplitItem(index, each.name, each.signer, each.split, each.glosses)
        for index, each in enumerate(read_archive(archive))
    ]
    return assign_splits(options.splits, items)[0], card


@NETWORKS
def test_the_bundled_files_are_those_that_the_tool_makes(name, shared_data):
    source = bundled_takes.SOURCES[name]
    made = bundled_takes.make(source, shared_data(source.archive).parent)
    kept = _arrays(takes(name))
    assert list(kept) == list(made)
    for key, array in made.items():
        assert kept[key].dtype == array.dtype
        np.testing.assert_array_equal(kept[key], array, key)


@NETWORKS
def test_no_network_learned_from_them(name, shared_data):
    path = shared_data(bundled_takes.SOURCES[name].archive)
    splits, card = _splits(name, path)
    for count in Counter(splits).values():  # the split that the card describes
        assert re.search(rf"\b{count}\b", card)
    splits_of = defaultdict(set)
    for (gloss, content), split in zip(_contents(path), splits):
        splits_of[content].add((gloss, split))
    for gloss, content in _contents(takes(name)):
        assert splits_of[content] == {(gloss, TEST)}


def test_the_first_takes_of_each_sign_are_chosen_and_the_rest_left(tmp_path, write_archive):
    signs = ["A", "B", "A", "A", "C", "B", "A"]
    write_archive(tmp_path / "signs.npz", signs, list("xyxxxxx"))
    source = bundled_takes.Source(
        "signs.npz", lambda arrays: np.flatnonzero(arrays["subject"] == "x"), {"note": "mine"}
    )
    bundled_takes.write(tmp_path / "chosen.npz", bundled_takes.make(source, tmp_path))
    whole, found = (read_archive(tmp_path / file) for file in ("signs.npz", "chosen.npz"))
    assert [each.name for each in found] == ["0_A_r0", "1_B_r5", "2_C_r4", "3_A_r2"]
    for recording, index in zip(found, (0, 5, 4, 2)):
        assert recording.glosses == whole[index].glosses
        assert recording.split == TEST
        assert recording.meta["note"] == "mine"
        np.testing.assert_array_equal(recording.stamps, whole[index].stamps)
        away = np.abs(recording.positions - whole[index].positions)
        assert 0 < away.max() <= bundled_takes.GRID / 2


def test_a_file_depends_on_its_arrays_only(tmp_path, write_archive, monkeypatch):
    write_archive(tmp_path / "signs.npz", ["A", "B"], ["x", "x"])
    source = bundled_takes.Source("signs.npz", lambda arrays: np.arange(2), {})
    made = bundled_takes.make(source, tmp_path)
    bundled_takes.write(tmp_path / "one", made)
    monkeypatch.setattr(
        bundled_takes.zipfile.time, "localtime", lambda *given: (2001, 2, 3, 4, 5, 6, 0, 1, 0)
    )
    bundled_takes.write(tmp_path / "other", made)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_absent_and_collapsed_hands_stay_as_they_are():
    xyz = np.full((2, 42, 3), 0.1001, np.float32)
    xyz[0, LEFT] = np.nan
    xyz[1, LEFT] = 1e-38
    found = bundled_takes.rounded(xyz)
    np.testing.assert_array_equal(found[:, LEFT], xyz[:, LEFT])
    np.testing.assert_array_equal(found[:, 21:], np.float32(410 / 4096))
