# SPDX-License-Identifier: MIT
"""The ablation: a variation changes what its name says, and nothing when it is over."""

from __future__ import annotations

import importlib
import json
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType

import pytest
import torch

from whispersign_model.configuration import load_yaml
from whispersign_model.network.config import ModelConfig
from whispersign_model.network.model import WhisperSignModel
from whispersign_model.skeleton import FEATURES, JOINTS
from whispersign_model.training.config import TrainingConfig

ROOT = Path(__file__).parents[2]
OF_NETWORK = (
    "S-MHSA",
    "relative positions",
    "ConvSPE",
    "velocities",
    "weights shared by the hands",
)


@pytest.fixture
def ablation(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    return importlib.import_module("ablation")


def _answer(ablation: ModuleType, name: str) -> torch.Tensor:
    """What a network of this variation says of one clip; weights and clip are always the same."""
    with ExitStack() as parts:
        ablation.VARIATIONS[name].network(parts)
        torch.manual_seed(0)
        model = WhisperSignModel(ModelConfig().with_vocabulary(3)).eval()
        clip = torch.randn(1, 24, JOINTS, FEATURES, generator=torch.Generator().manual_seed(1))
        return model(clip, torch.tensor([24])).states


def test_recipes_differ_in_what_is_left_out(ablation: ModuleType) -> None:
    recipe = load_yaml(TrainingConfig, ROOT / "config" / "train.yaml")
    whole = ablation.varied_recipe(recipe, ablation.VARIATIONS["whole"])
    assert [stage.epochs for stage in whole.stages] == [1, 30, 5]
    for name, variation in ablation.VARIATIONS.items():
        changed = ablation.varied_recipe(recipe, variation)
        elsewhere = name == "whole" or name in OF_NETWORK or variation.smoothing
        assert (changed == whole) == bool(elsewhere), name


@pytest.mark.parametrize("name", OF_NETWORK)
def test_a_part_is_left_out_while_its_variation_lasts(ablation: ModuleType, name: str) -> None:
    whole = _answer(ablation, "whole")
    assert not torch.allclose(_answer(ablation, name), whole)
    assert torch.equal(_answer(ablation, "whole"), whole)


def test_differences_are_to_the_mean_of_the_seeds(ablation: ModuleType, tmp_path: Path) -> None:
    for name, share in (("whole", 0.8), ("whole_1", 0.9), ("S_MHSA", 0.75)):
        (tmp_path / name).mkdir()
        result = dict.fromkeys(("greedy", "beam", "accuracy", "live"), share)
        (tmp_path / name / "result.json").write_text(json.dumps(result))
    assert ablation.table(tmp_path)[-1].endswith("| 75.0 % | -10.0 |")
