# SPDX-License-Identifier: MIT
"""The ends of epochs: marks, tables, the bar, an end that stays one, files that stay whole."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch.callbacks import RichProgressBar

from whispersign_model.training import callbacks
from whispersign_model.training.callbacks import (
    AtomicCheckpointIO,
    StageBar,
    StageState,
    StopWhenStalled,
    hypotheses_table,
    marked,
)
from whispersign_model.training.module import Sample, TrainingModule


@pytest.mark.parametrize(
    ("reference", "hypothesis", "expected"),
    [
        ("A B", "A B", "A B"),
        ("A B C", "A X C", "A ~~B~~ **X** C"),
        ("A B", "A", "A ~~B~~"),
        ("A", "A B", "A **B**"),
        ("", "B", "**B**"),
        ("", "", ""),
    ],
)
def test_errors_are_marked(reference: str, hypothesis: str, expected: str) -> None:
    assert marked(reference.split(), hypothesis.split()) == expected


def test_hypotheses_are_a_table() -> None:
    table = hypotheses_table([Sample("clip", ("A", "B"), ("A",))])
    assert table.splitlines()[2:] == ["| clip | A B | A ~~B~~ |"]


@pytest.mark.parametrize(("waited", "stops"), [(2, False), (3, True)])
def test_a_stage_that_had_ended_does_not_go_on(waited: int, stops: bool) -> None:
    ended = StopWhenStalled(3)
    ended.wait_count = waited
    again = StopWhenStalled(3)
    again.load_state_dict(ended.state_dict())
    trainer = SimpleNamespace(should_stop=False)
    again.on_train_start(trainer, None)
    assert trainer.should_stop == stops


@pytest.mark.parametrize(("wer", "best"), [(0.2, True), (0.3, False)])
def test_the_best_so_far_is_better_than_all_stages_before(wer, best, monkeypatch) -> None:
    lines: list[bool] = []
    monkeypatch.setattr(callbacks, "epoch_line", lambda *words: lines.append(words[-1]))
    logger = SimpleNamespace(write=lambda line: None)
    earlier = [{"best_val_wer": None}, {"best_val_wer": 0.25}]
    state = StageState(3, {}, earlier, logger)
    module = TrainingModule.__new__(TrainingModule)
    torch.nn.Module.__init__(module)
    module.stage, module.errors = (
        SimpleNamespace(name="x", auxiliary=False),
        SimpleNamespace(wer=wer),
    )
    optimizer = SimpleNamespace(param_groups=[{"lr": 1e-3}])
    state.on_train_epoch_end(SimpleNamespace(current_epoch=0, optimizers=[optimizer]), module)
    assert lines == [best]
    assert state.record["best_val_wer"] == wer


def test_the_bar_says_the_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RichProgressBar, "get_metrics", lambda *_: {"v_num": 0, "loss": 1.0})
    shown = StageBar("2 of 3 (joint)").get_metrics(None, None)
    assert list(shown.items()) == [("stage", "2 of 3 (joint)"), ("loss", 1.0)]


def test_a_state_that_cannot_be_written_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"a": 1}, file)

    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(callbacks, "replace_file", full)
    with pytest.raises(OSError, match="No space"):
        AtomicCheckpointIO().save_checkpoint({"a": 2}, file)
    assert torch.load(file) == {"a": 1}
