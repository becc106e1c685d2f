# SPDX-License-Identifier: MIT
"""Ablation study: retrain one fold without individual parts of the network or the training.

``python tools/ablation.py PROTOCOL ARCHIVES OUT FOLD [VARIATION ...] [--config RECIPE]`` trains
all or the named variations of config/train.yaml with half its epochs. It skips variations whose
results are in OUT already, and prints a table of all results in OUT. ``whole``, ``whole 1`` and
``whole 2`` differ only in the seed.
"""

import argparse
import copy
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from pretraining import BEGINNINGS, beginning
from torch import Tensor, nn

from whispersign_model.configuration import config_file, load_yaml
from whispersign_model.crossval import protocol as folds
from whispersign_model.crossval.protocol import RESULT, CrossvalRun
from whispersign_model.crossval.settings import Protocol
from whispersign_model.datasets.archive import read_archive
from whispersign_model.network.attention import SpatialAttention, TemporalAttention
from whispersign_model.network.config import load_model_config
from whispersign_model.network.frontend import ConvSPE, PatchEmbedding
from whispersign_model.skeleton import HANDS, VELOCITY
from whispersign_model.training.config import TrainingConfig

BASE = "whole"
Changes = dict[str, Any]


@dataclass(frozen=True)
class Variation:
    """One change to the training recipe or the network.

    Attributes:
        recipe: changed top-level values of the training recipe.
        augmentation, features: changed values in these sections.
        stages: changed values of stages, by stage name.
        smoothing: filter for the raw frames; "" keeps the protocol's.
        seed: random seed of the training.
        network: context manager; networks built within it lack a part.
        begins: initialization, by its name in tools/pretraining.py; "" uses random weights.
    """

    recipe: Changes = field(default_factory=dict)
    augmentation: Changes = field(default_factory=dict)
    features: Changes = field(default_factory=dict)
    stages: dict[str, Changes] = field(default_factory=dict)
    smoothing: str = ""
    seed: int = 0
    network: Callable[[ExitStack], None] = lambda parts: None
    begins: str = ""


def _without_spatial_attention(parts: ExitStack) -> None:
    def forward(self: SpatialAttention, x: Tensor) -> tuple[Tensor, Tensor]:
        count = x.shape[1]
        return torch.zeros_like(x), x.new_zeros(len(x), self.heads, count, count)

    parts.enter_context(patch.object(SpatialAttention, "forward", forward))


def _without_relative_positions(parts: ExitStack) -> None:
    made = TemporalAttention.__init__

    def make(self: TemporalAttention, *words: Any) -> None:
        made(self, *words)
        for weights in (self.relative, self.relative_bias):
            weights.data.zero_()
            weights.requires_grad_(False)

    parts.enter_context(patch.object(TemporalAttention, "__init__", make))


def _without_conv_spe(parts: ExitStack) -> None:
    parts.enter_context(patch.object(ConvSPE, "forward", lambda self, x, past=None: x))


def _without_velocities(parts: ExitStack) -> None:
    embed = PatchEmbedding.forward

    def forward(self: PatchEmbedding, patches: Tensor) -> Tensor:
        still = patches.clone()
        still[..., VELOCITY] = 0
        return embed(self, still)

    parts.enter_context(patch.object(PatchEmbedding, "forward", forward))


def _without_shared_weights(parts: ExitStack) -> None:
    made = PatchEmbedding.__init__

    def make(self: PatchEmbedding, *words: Any) -> None:
        made(self, *words)
        self.left = copy.deepcopy(self.parts)

    def forward(self: PatchEmbedding, patches: Tensor) -> Tensor:
        flat = patches.flatten(0, 1).flatten(1).index_select(1, self.columns)
        hands = []
        for weights, hand in zip((self.left, self.parts), flat.chunk(len(HANDS), dim=-1)):
            assert isinstance(weights, nn.ModuleList)
            by_part = torch.split(hand, self.sizes, dim=-1)
            hands.append(torch.cat([embed(part) for embed, part in zip(weights, by_part)], dim=-1))
        return torch.stack(hands, dim=1).view(*patches.shape[:2], len(HANDS), -1)

    parts.enter_context(patch.object(PatchEmbedding, "__init__", make))
    parts.enter_context(patch.object(PatchEmbedding, "forward", forward))


NO_WARM_UP: dict[str, Changes] = {"frontend": {"epochs": 0}}
EVERYTHING = ("frontend", "joint", "realtime")
VARIATIONS = {
    BASE: Variation(),
    "whole 1": Variation(seed=1),
    "whole 2": Variation(seed=2),
    "S-MHSA": Variation(network=_without_spatial_attention),
    "relative positions": Variation(network=_without_relative_positions),
    "ConvSPE": Variation(network=_without_conv_spe),
    "velocities": Variation(network=_without_velocities),
    "weights shared by the hands": Variation(network=_without_shared_weights),
    "attention decoder (alpha 1)": Variation(
        stages={name: {"alpha": 1.0} for name in ("joint", "realtime")}
    ),
    "stage frontend": Variation(stages=NO_WARM_UP),
    "stage realtime": Variation(stages={"realtime": {"epochs": 0}}),
    "chunks in training": Variation(
        stages={name: {"chunks": [0]} for name in ("joint", "realtime")}
    ),
    "averaging": Variation(recipe={"averaging": 0.0}),
    "label smoothing": Variation(recipe={"label_smoothing": 0.0}),
    "weight decay": Variation(recipe={"weight_decay": 0.0}),
    "augmentation, all": Variation(stages={name: {"augment": False} for name in EVERYTHING}),
    "rotation": Variation(augmentation={"rotation": 0.0}),
    "scale, stretch": Variation(augmentation={"scale": 0.0, "stretch": 0.0}),
    "shift, hand_shift": Variation(augmentation={"shift": 0.0, "hand_shift": 0.0}),
    "speed, warp": Variation(augmentation={"speed": 0.0, "warp": 0.0}),
    "crop": Variation(augmentation={"crop": 0.0}),
    "noise": Variation(augmentation={"noise": 0.0}),
    "finger_mask": Variation(augmentation={"finger_mask": 0.0}),
    "frame_mask": Variation(augmentation={"frame_mask": 0.0}),
    "+ sentence, idle": Variation(
        augmentation={"sentence": 0.3, "sentence_signs": 2, "idle": 0.4, "idle_seconds": 2.0}
    ),
    "+ speed 1.0": Variation(augmentation={"speed": 1.0}),
    "+ whole utterance": Variation(
        recipe={"network": {"decoder": {"utterance_frames": 32, "alpha": 0.2}}}
    ),
    "+ location entry": Variation(features={"location": "entry"}),
    "+ scaling none": Variation(features={"scaling": "none"}),
    "+ scaling motion": Variation(features={"scaling": "motion"}),
    "+ hand_shape_jitter": Variation(augmentation={"hand_shape_jitter": 0.06}),
    "+ trajectory_scale, pose_scale": Variation(
        augmentation={"trajectory_scale": 0.25, "pose_scale": 0.2}
    ),
    "+ swap_hands": Variation(augmentation={"swap_hands": 0.2}),
    "+ One Euro filter": Variation(smoothing="one_euro"),
    **{f"+ {kind} before": Variation(begins=kind, stages=NO_WARM_UP) for kind in BEGINNINGS},
}


def varied_recipe(recipe: TrainingConfig, variation: Variation) -> TrainingConfig:
    """Return the validated recipe with half its epochs and the variation's changes."""
    values = recipe.model_dump()
    for stage in values["stages"]:
        stage["epochs"] = (stage["epochs"] + 1) // 2
        stage.update(variation.stages.get(stage["name"], {}))
    for section in ("augmentation", "features"):
        values[section].update(getattr(variation, section))
    return TrainingConfig.model_validate({**values, **variation.recipe, "seed": variation.seed})


def table(out: Path) -> list[str]:
    """Return the results in a folder as a Markdown table, compared to the mean of ``whole``."""
    found = {name: out / _slug(name) / RESULT for name in VARIATIONS}
    results = {
        name: json.loads(file.read_text(encoding="utf-8"))
        for name, file in found.items()
        if file.exists()
    }
    wholes = [result["accuracy"] for name, result in results.items() if name.startswith(BASE)]
    rows = ["| without (+ with) | greedy | beam | rescored | live | difference |"]
    rows.append("|---|---:|---:|---:|---:|---:|")
    for name, result in results.items():
        cells = [f"{100 * result[key]:.1f} %" for key in ("greedy", "beam", "accuracy", "live")]
        change = 100 * (result["accuracy"] - sum(wholes) / len(wholes)) if wholes else float("nan")
        rows.append(f"| {name} | {' | '.join(cells)} | {change:+.1f} |")
    return rows


def _slug(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name)


def arguments(words: Sequence[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description="what each part is worth")
    parser.add_argument("protocol", help="name of a file in config/crossval, without .yaml")
    parser.add_argument("archives", type=Path, help="folder of recording archives")
    parser.add_argument("out", type=Path, help="output folder for results")
    parser.add_argument("fold", type=int)
    parser.add_argument("variations", nargs="*", metavar="VARIATION")
    parser.add_argument("--config", default="train.yaml", help="training recipe to vary")
    given = parser.parse_args(words)
    if unknown := [name for name in given.variations if name not in VARIATIONS]:
        parser.error(f"no variation {unknown[0]!r}; choose from {', '.join(VARIATIONS)}")
    return given


def main(words: Sequence[str]) -> None:
    """Run the variations that have no result yet."""
    given = arguments(words)
    protocol = load_yaml(Protocol, config_file(f"crossval/{given.protocol}.yaml"))
    recipe = load_yaml(TrainingConfig, config_file(given.config))
    plan = CrossvalRun(
        protocol=protocol,
        archive=given.archives / protocol.archive,
        out=given.out,
        folds=(given.fold,),
        seed=0,
        recipe=recipe,
        network=load_model_config(config_file(f"model/{recipe.size}.yaml")),
        progress=False,
    )
    recordings = read_archive(plan.archive, protocol.label)
    [(_, policy)] = folds.chosen_folds(plan, recordings)
    for name in given.variations or VARIATIONS:
        variation, folder = VARIATIONS[name], plan.out / _slug(name)
        if (folder / RESULT).exists():
            continue
        smoothing = variation.smoothing or protocol.smoothing
        own = protocol.model_copy(update={"smoothing": smoothing})
        data = folds.make_dataset(plan.out / f"data_{smoothing}", recordings, policy, own)
        changed = replace(plan, recipe=varied_recipe(recipe, variation), seed=variation.seed)
        if variation.begins:
            start = plan.out / f"begin_{_slug(variation.begins)}"
            start = beginning(plan, recordings, policy, variation.begins, start)
            changed = replace(changed, init=start)
        with ExitStack() as parts:
            variation.network(parts)
            result = folds.run_fold(changed, data, folder)
        print(f"{name}: {100 * result['accuracy']:.1f} %", file=sys.stderr, flush=True)
    print("\n".join(table(plan.out)))


if __name__ == "__main__":
    main(sys.argv[1:])
