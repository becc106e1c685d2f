# SPDX-License-Identifier: MIT
"""Networks and takes of the package are found by name, and every one of them is whole."""

from pathlib import Path

import pytest

from whispersign_model.bundled import (
    ASSETS,
    TAKES,
    bundled,
    find_checkpoint,
    find_recordings,
    names,
    takes,
    takes_of,
)
from whispersign_model.cli.main import main
from whispersign_model.configuration import load_yaml
from whispersign_model.datasets.archive import read_archive
from whispersign_model.datasets.dataset import Dataset
from whispersign_model.decoding.streaming import StreamingRecognizer, recognize_recording
from whispersign_model.errors import CheckpointError
from whispersign_model.features.preprocessor import Preprocessor
from whispersign_model.network.checkpoint import read_metadata
from whispersign_model.runtime.loading import exported_beside, load_backend
from whispersign_model.training.config import TrainingConfig
from whispersign_model.training.run_logger import RECIPE

REAL = [name for name in names() if takes(name).exists()]


@pytest.mark.parametrize("name", names())
def test_a_bundled_network_is_exported_and_named_like_its_folder(name):
    folder = bundled(name)
    metadata = read_metadata(folder)
    assert metadata.name == name
    assert exported_beside(folder) is not None
    card = (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert card.startswith(f"# {metadata.model_id}: ")  # of this network, no other
    for part in ("Data", "Training", "Figures", "Limits"):
        assert f"**{part}" in card
    if (folder / RECIPE).exists():
        load_yaml(TrainingConfig, folder / RECIPE)


def test_a_name_is_a_bundled_network_unless_a_path_of_this_name_exists(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "demo" in names()
    assert find_checkpoint("demo") == bundled("demo")
    (tmp_path / "demo").mkdir()
    assert find_checkpoint("demo") == Path("demo")
    assert find_checkpoint("other.onnx") == Path("other.onnx")


def test_a_name_that_is_none_is_refused_with_those_that_are(tmp_path, capsys):
    assert main(["recognize", "no_such_network", str(tmp_path)]) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "no_such_network" in message
    assert "demo" in message


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", "~no_such_user_at_all/model"])
def test_a_name_that_is_no_path_is_refused(name):
    with pytest.raises(CheckpointError, match=r"is not a usable path|does not exist") as caught:
        read_metadata(find_checkpoint(name))
    assert len(str(caught.value)) < 500


def test_a_long_name_is_cut_once_and_keeps_its_end():
    with pytest.raises(CheckpointError) as caught:
        find_checkpoint("a" * 5000 + "z" * 10)
    assert str(caught.value).startswith(f"{'a' * 200} ... {'a' * 190}{'z' * 10}: is not a usable")
    assert caught.value.subject == "a" * 5000 + "z" * 10


def test_every_folder_of_takes_belongs_to_a_network():
    assert REAL == ["german", "thai"]
    assert [path.name for path in sorted(ASSETS.glob(f"*{TAKES}"))] == [f"{n}{TAKES}" for n in REAL]


@pytest.mark.parametrize("name", REAL)
def test_bundled_takes_are_small_and_name_their_source_and_license(name):
    path = takes(name)
    assert path.stat().st_size < 600_000
    assert "Redistribution" in (path.parent / "LICENSE").read_text(encoding="utf-8")
    page = (path.parent / "README.md").read_text(encoding="utf-8")
    assert "[Apache License 2.0](LICENSE)" in page or "[BSD 3-Clause License](LICENSE)" in page
    recordings = read_archive(path)
    assert {each.meta["source"].split()[0] for each in recordings} == {
        "github:" + page.partition("](https://github.com/")[2].partition(")")[0]
    }
    card = (bundled(name) / "MODEL_CARD.md").read_text(encoding="utf-8")
    for text in (page, card):
        assert f"whispersign demo --model {name}" in text
        assert "**Never train on them" in " ".join(text.split())


@pytest.mark.parametrize("name", REAL)
def test_bundled_takes_are_test_recordings_of_every_sign(name, tmp_path):
    recordings = read_archive(takes(name))
    signs = {gloss for each in recordings for gloss in each.glosses}
    assert set(read_metadata(bundled(name)).glosses) - signs <= {"come quickly"}
    assert len({each.glosses for each in recordings[: len(signs)]}) == len(signs)
    assert main(["import", f"{name}{TAKES}", "--dataset", str(tmp_path / "data")]) == 0
    splits = Dataset.open(tmp_path / "data").splits
    assert {name: len(found) for name, found in splits.items() if found} == {
        "test": len(recordings)
    }


@pytest.mark.parametrize(("name", "right"), [("german", 59), ("thai", 58)])
def test_networks_recognize_their_takes(name, right):
    metadata = read_metadata(bundled(name))
    recognizer = StreamingRecognizer(
        load_backend(bundled(name), "cpu"), metadata.glosses, recipe=metadata.recipe
    )
    preprocessor = Preprocessor(metadata.recipe)
    found = 0
    for recording in read_archive(takes(name)):
        results = recognize_recording(recognizer, preprocessor, recording)
        finals = [gloss.gloss for each in results if each.final for gloss in each.glosses]
        found += finals == list(recording.glosses)
    assert found == pytest.approx(right, abs=1)  # another processor may round differently


def test_a_name_is_bundled_takes_unless_a_path_of_this_name_exists(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_recordings("german_takes") == takes("german")
    assert find_recordings("demo_takes") == Path("demo_takes")  # there are none
    (tmp_path / "german_takes").mkdir()
    assert find_recordings("german_takes") == Path("german_takes")
    assert find_recordings("x" * 5000) == Path("x" * 5000)


def test_takes_belong_to_a_bundled_network_wherever_its_path_leads(tmp_path):
    assert takes_of(bundled("thai")) == takes("thai")
    assert takes_of(bundled("thai") / "model.onnx") == takes("thai")
    (tmp_path / "link").symlink_to(bundled("thai"))
    assert takes_of(tmp_path / "link") == takes("thai")
    assert takes_of(bundled("demo")) is None
    assert takes_of(tmp_path / "thai_model") is None
    assert takes_of(ASSETS) is None


@pytest.mark.parametrize("words", [["recognize", "german"], ["view"], ["import"]])
def test_verbs_take_the_name_of_takes(words, tmp_path, capsys):
    more = {
        "view": ["--out", str(tmp_path / "sheet.png")],
        "import": ["--out", str(tmp_path / "b")],
    }
    if words == ["view"]:
        pytest.importorskip("matplotlib")
    assert main([*words, "german_takes", *more.get(words[0], [])]) == 0
    assert "00_bier_04ef3c4a" in capsys.readouterr().out + " ".join(
        path.name for path in tmp_path.glob("b/*")
    )
