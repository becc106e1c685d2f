# SPDX-License-Identifier: MIT
"""``whispersign evaluate``: figures as files, and everything that is refused in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import whispersign_model  # noqa: E402
from whispersign_model.cli.main import main  # noqa: E402
from whispersign_model.decoding.confidence import ConfidenceScale  # noqa: E402
from whispersign_model.features.recipe import Recipe  # noqa: E402
from whispersign_model.network.checkpoint import CheckpointMetadata, read_metadata  # noqa: E402
from whispersign_model.network.config import ModelConfig  # noqa: E402
from whispersign_model.network.model import WhisperSignModel  # noqa: E402


@pytest.fixture(name="data")
def data_fixture(plain_folders: Callable[..., Path]) -> Path:
    return plain_folders("val", "test")


@pytest.fixture(name="run")
def run_fixture(tmp_path: Path) -> Path:
    """A checkpoint that has learned nothing, but sees glosses everywhere."""
    torch.manual_seed(0)
    model = WhisperSignModel(ModelConfig().with_vocabulary(2)).eval()
    with torch.no_grad():
        model.ctc.project.bias[0] = -2
    metadata = CheckpointMetadata(config=model.config, glosses=("1", "2"), recipe=Recipe())
    model.save_checkpoint(tmp_path / "run", metadata)
    return tmp_path / "run"


def evaluate(run: Path, data: Path, *options: object) -> int:
    return main([str(word) for word in ("evaluate", run, "--data", data, *options)])


def test_figures_go_into_files_and_confidences_into_the_checkpoint(
    run: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    out = tmp_path / "new" / "out.json"
    assert evaluate(run, data, "--calibrate", "--json", out, "--figures", tmp_path / "new/f") == 0
    told = capsys.readouterr().out
    assert "confidences fitted on 2 sequences of val" in told
    for method in ("greedy", "beam", "rescore"):
        assert f"\n{method} " in told
    found = json.loads(out.read_text())
    assert found["sequences"] == 2
    assert found["confidence"].keys() == {"raw", "calibrated"}
    assert read_metadata(run).confidence != ConfidenceScale()
    assert (tmp_path / "new/f/confusions.png").is_file()
    assert evaluate(run, data, "--streaming", "--split", "val", "--json", out) == 0
    found = json.loads(out.read_text())
    assert (found["method"], found["split"]) == ("live", "val")
    assert found["methods"].keys() == {"greedy", "beam", "rescore", "live"}
    assert 0 <= found["agreement"] <= 1


def test_glosses_that_the_split_lacks_are_counted(
    run: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in (data / "test/labels").iterdir():
        np.save(file, np.array([1, 2]))
    assert evaluate(run, data) == 0
    assert "lacks" not in capsys.readouterr().out
    for file in (data / "test/labels").iterdir():
        np.save(file, np.array([1]))
    assert evaluate(run, data) == 0
    assert "warning: test lacks 1 of the network's 2 glosses" in capsys.readouterr().out


def test_a_split_of_few_clips_and_of_short_ones_is_told(
    run: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(data / "test/labels/1.npy", np.array([1, 2] * 9))
    assert evaluate(run, data) == 0
    printed = capsys.readouterr().out
    few = "warning: test has 2 clips, so one clip changes its figures by 50 points"
    assert printed.count(few) == 1
    short = "warning: 1 of 2 clips of test are too short for their glosses and count as wrong: 1 ("
    assert printed.count(short) == 1


def test_a_vocabulary_of_one_gloss_is_told(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in data.glob("*/labels/*.npy"):
        np.save(file, np.array([1]))
    model = WhisperSignModel(ModelConfig().with_vocabulary(1)).eval()
    metadata = CheckpointMetadata(config=model.config, glosses=("1",), recipe=Recipe())
    model.save_checkpoint(tmp_path / "one", metadata)
    assert evaluate(tmp_path / "one", data) == 0
    assert "warning: the vocabulary has one gloss" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--split", "train"], "holds no examples; the dataset has val, test"),
        (["--calibrate", "train"], "holds no examples"),
        (["--streaming", "--method", "greedy"], "the live recognizer rescores"),
        (["--streaming", "--chunk", "4"], "--chunk"),
        (["--chunk", "-1"], "less than 0"),
        (["--json", "FILE/out.json"], "FILE"),
        (["--json", "."], "is a folder"),
        (["--figures", "FILE"], "FILE: cannot be written"),
    ],
)
def test_what_cannot_be_done_is_said_before_the_work(
    run: Path,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("FILE").write_text("")
    monkeypatch.setattr(WhisperSignModel, "forward", None)
    assert evaluate(run, data, *options) == 2
    told = capsys.readouterr().err
    assert says in told
    assert told.count("\n") == 1


def test_what_is_damaged_or_does_not_fit_is_refused(
    run: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(data / "test/labels/1.npy", np.array([3]))
    assert evaluate(run, data) == 2
    assert "glosses that the network does not know: 3" in capsys.readouterr().err
    np.save(data / "test/labels/1.npy", np.array([1]))
    for file in (data / "test").glob("*/*.npy"):
        file.unlink()
    assert evaluate(run, data) == 2
    assert "holds no examples" in capsys.readouterr().err
    weights = (run / "model.safetensors").read_bytes()
    (run / "model.safetensors").write_bytes(weights[:-100])
    assert evaluate(run, data) == 2
    assert "is damaged" in capsys.readouterr().err
    metadata = json.loads((run / "model.json").read_text())
    (run / "model.safetensors").write_bytes(weights)
    metadata["confidence"]["slope"] = 0
    (run / "model.json").write_text(json.dumps(metadata))
    assert evaluate(run, data) == 2
    assert "confidence.slope" in capsys.readouterr().err


def test_an_interrupted_evaluation_leaves_no_file(
    run: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(json, "dumps", interrupt)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old.json").write_text("before")
    for name in ("new.json", "old.json"):
        assert evaluate(run, data, "--json", tmp_path / "out" / name) == 130
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["old.json"]
    assert (tmp_path / "out" / "old.json").read_text() == "before"


def test_a_checkpoint_of_before_calibration_is_read(run: Path) -> None:
    metadata = json.loads((run / "model.json").read_text())
    del metadata["confidence"]
    (run / "model.json").write_text(json.dumps(metadata))
    assert read_metadata(run).confidence == ConfidenceScale()


def test_an_exported_network_is_no_checkpoint(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exported = Path(whispersign_model.__file__).parent / "assets/demo_model/model.onnx"
    assert evaluate(exported, data) == 2
    assert "model.onnx: has been exported already; give the check" in capsys.readouterr().err
