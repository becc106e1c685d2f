# SPDX-License-Identifier: MIT
"""``whispersign export``: what it writes and says, and everything it refuses in one line."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from whispersign_model.cli.main import main  # noqa: E402
from whispersign_model.features.recipe import Recipe  # noqa: E402
from whispersign_model.network.checkpoint import CheckpointMetadata, read_metadata  # noqa: E402
from whispersign_model.network.config import ModelConfig  # noqa: E402
from whispersign_model.network.model import WhisperSignModel  # noqa: E402
from whispersign_model.runtime import export as exporting  # noqa: E402
from whispersign_model.runtime.loading import load_backend  # noqa: E402
from whispersign_model.runtime.onnx_backend import OnnxBackend  # noqa: E402


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that has learned nothing, but sees glosses everywhere."""
    torch.manual_seed(0)
    config = ModelConfig.model_validate(
        {"frontend": {"d_model": 64}, "encoder": {"num_layers": 1}, "decoder": {"vocab_size": 3}}
    )
    model = WhisperSignModel(config).eval()
    with torch.no_grad():
        model.ctc.project.bias[0] = -2
    metadata = CheckpointMetadata(config=config, glosses=("1", "2"), recipe=Recipe())
    path = tmp_path_factory.mktemp("run") / "run"
    model.save_checkpoint(path, metadata)
    return path


@pytest.fixture(scope="module")
def exported(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint exported into its folder's copy."""
    folder = shutil.copytree(run, tmp_path_factory.mktemp("exported") / "run")
    assert main(["export", str(folder), "--out", str(folder / "model.onnx")]) == 0
    return folder


@pytest.fixture(autouse=True)
def graphs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the graphs of ``exported`` where a test exports again: the exporter is slow."""
    if "exported" not in request.fixturenames:
        return
    import onnx

    folder = request.getfixturevalue("exported")
    for name, file in (("encoder_graph", "model.onnx"), ("second_graph", "model.rescore.onnx")):
        monkeypatch.setattr(exporting, name, lambda _, file=folder / file: onnx.load(file))


@pytest.fixture
def data(plain_folders: Callable[..., Path]) -> Path:
    """A dataset without a validation split."""
    return plain_folders("train", "test")


def export(*words: object) -> int:
    return main(["export", *map(str, words)])


def test_a_checkpoint_becomes_two_files_that_recognise(exported, run, tmp_path, capsys):
    out = tmp_path / "new" / "hands.onnx"
    assert export(run, "--out", out) == 0
    told = capsys.readouterr().out
    assert "differs from the network by at most" in told
    assert f"wrote {out} and hands.rescore.onnx" in told
    assert {file.name for file in out.parent.iterdir()} == {"hands.onnx", "hands.rescore.onnx"}
    assert read_metadata(out) == read_metadata(run)
    for path in (out, exported):
        assert isinstance(load_backend(path), OnnxBackend)


def test_eight_bits_are_measured(exported, run, data, tmp_path, capsys, caplog):
    out = tmp_path / "small.onnx"
    assert export(run, "--out", out, "--int8", "--data", data, "--max-wer-loss", 2) == 0
    told = capsys.readouterr().out
    assert "8-bit weights: " in told
    assert "test, 2 sequences: WER " in told
    assert out.stat().st_size < (exported / "model.onnx").stat().st_size
    assert export(run, "--out", out, "--int8") == 0
    assert "was not measured" in capsys.readouterr().out
    assert caplog.records == []


@pytest.mark.parametrize("allowed", [0.2, 0.3])
def test_eight_bits_that_cost_too_much_are_refused(
    exported, run, data, tmp_path, capsys, monkeypatch, allowed
):
    rates = iter([0.25, 0.5])
    monkeypatch.setattr(
        "whispersign_model.cli.export._errors",
        lambda *_: SimpleNamespace(wer=next(rates), sequences=2),
    )
    out = tmp_path / "small.onnx"
    words = ("--out", out, "--int8", "--data", data, "--max-wer-loss", allowed)
    assert export(run, *words) == (2 if allowed < 0.25 else 0)
    told = capsys.readouterr()
    assert "WER 0.250, with 8-bit weights 0.500" in told.out
    assert ("cost 0.250 WER, 0.2 is allowed" in told.err) == (allowed < 0.25)
    assert out.exists() == (allowed > 0.25)


def test_the_errors_counted_are_those_of_the_runtime(exported, data):
    from whispersign_model.cli.export import _errors
    from whispersign_model.datasets.dataset import Dataset

    class Sure:
        """Gives gloss 1 in every clip, and remembers what it read."""

        alpha = 0.8

        def __init__(self):
            self.read = []

        def encode(self, features):
            self.read.append(len(features))
            log_probs = np.full((8, 3), -9.0, np.float32)
            log_probs[:, 0], log_probs[3] = 0.0, (-9.0, 0.0, -9.0)
            return SimpleNamespace(
                log_probs=log_probs, second_pass=lambda ids: np.array([-9.0 * len(i) for i in ids])
            )

    examples = Dataset.open(data).split("test")
    metadata = read_metadata(exported)
    backend = Sure()
    errors = _errors(backend, metadata, examples, ("1", "2"))
    assert (errors.sequences, errors.substitutions, errors.wer) == (2, 1, 0.5)
    assert backend.read == [32, 32]  # with the ending that every clip has in training


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("missing", "--out", "a.onnx"), "missing: does not exist"),
        (("data", "--out", "a.onnx"), "is no checkpoint: model.safetensors is missing"),
        (("run", "--out", "a.pt"), "use a name that ends in .onnx"),
        (("run", "--out", "a.rescore.onnx"), "not a valid name for an exported network"),
        (("run/model.onnx", "--out", "a.onnx"), "has been exported already"),
        (("run", "--out", "a.onnx", "--data", "data"), "is for --int8 only"),
        (("run", "--out", "a.onnx", "--int8", "--max-wer-loss", "0.1"), "is measured on --data"),
        (("run", "--out", "data/train/a.onnx/b.onnx"), "cannot be written"),
        (("run", "--out", "a.onnx", "--int8", "--data", "nowhere"), "nowhere"),
    ],
)
def test_what_cannot_be_exported_is_refused_in_a_line(
    exported, data, tmp_path, capsys, monkeypatch, words, says
):
    (tmp_path / "run").symlink_to(exported)
    (data / "train" / "a.onnx").write_text("a file, not a folder")
    monkeypatch.chdir(tmp_path)
    assert export(*words) == 2
    told = capsys.readouterr().err
    assert says in told
    assert len(told.splitlines()) == 1
    assert not (tmp_path / "a.onnx").exists()
