# SPDX-License-Identifier: MIT
"""Cross-validation protocols: the folds over published recordings, and the results of each."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from whispersign_model.crossval.settings import Protocol
from whispersign_model.datasets.archive import read_archive
from whispersign_model.datasets.conversion import ConversionOptions, Source, convert
from whispersign_model.datasets.dataset import Dataset
from whispersign_model.datasets.splits import SplitItem, SplitPolicy, assign_splits
from whispersign_model.errors import ConfigError
from whispersign_model.evaluation.evaluate import (
    agreement,
    count_errors,
    detections,
    read_live,
    read_offline,
    without_nan,
)
from whispersign_model.features.recipe import Recipe, Smoothing
from whispersign_model.files import read_json
from whispersign_model.network.config import ModelConfig
from whispersign_model.network.model import WhisperSignModel
from whispersign_model.recordings.atomic import replace_file
from whispersign_model.recordings.recording import Recording
from whispersign_model.runtime.torch_backend import choose_device
from whispersign_model.training.config import TrainingConfig
from whispersign_model.training.run_folder import RESUME
from whispersign_model.training.run_logger import METRICS
from whispersign_model.training.trainer import train
from whispersign_model.training.training_run import RunOptions

RESULT = "result.json"  # file in the folder of each completed fold
PLAN = "plan.json"  # file with the settings that all folds of a folder share


@dataclass(frozen=True)
class CrossvalRun:
    """The settings of one cross-validation run.

    Attributes:
        protocol: the protocol.
        archive: the recordings.
        out: folder for all folds; completed folds are kept.
        folds: numbers of the folds to run, from 1; () runs all.
        seed: seed for the weights, the order of clips and the augmentation.
        recipe: the training recipe.
        network: shape of the network; its vocabulary follows the recordings.
        init: a checkpoint to start from, or None.
        device: auto, cpu or cuda.
        progress: show progress bars.
    """

    protocol: Protocol
    archive: Path
    out: Path
    folds: tuple[int, ...]
    seed: int
    recipe: TrainingConfig
    network: ModelConfig
    init: Path | None = None
    device: str = "auto"
    progress: bool = True


def run(plan: CrossvalRun, log: Callable[[str], None]) -> None:
    """Run the folds that have no result yet; each fold writes its result when it ends.

    Args:
        plan: the run.
        log: receives one line for each fold.

    Raises:
        WhisperSignError: the archive, a fold or the recipe is invalid.
    """
    recordings = read_archive(plan.archive, plan.protocol.label)
    folds = chosen_folds(plan, recordings)
    lock_output_dir(plan)
    for number, policy in folds:
        folder = plan.out / f"fold{number}"
        if (folder / f"seed{plan.seed}" / RESULT).exists():
            log(f"fold {number}, seed {plan.seed}: done before")
            continue
        data = make_dataset(folder / "data", recordings, policy, plan.protocol)
        result = {"fold": number, **run_fold(plan, data, folder / f"seed{plan.seed}")}
        log(
            f"fold {number}, seed {plan.seed}: {100 * result['accuracy']:.1f} % of "
            f"{result['sequences']}, live {100 * result['live']:.1f} %"
        )


def lock_output_dir(plan: CrossvalRun) -> None:
    """Reserve the plan's folder for this protocol, recipe and network.

    Raises:
        ConfigError: the folder holds results from other settings; the message names the difference.
    """
    about = {
        "protocol": plan.protocol.model_dump(mode="json", exclude={"title", "published"}),
        "recipe": plan.recipe.model_dump(mode="json", exclude={"seed", "workers"}),
        "network": plan.network.model_dump(mode="json"),
        "init": str(plan.init or ""),
    }
    file = plan.out / PLAN
    if not file.exists():
        plan.out.mkdir(parents=True, exist_ok=True)
        replace_file(file, json.dumps(about, indent=1).encode())
        return
    try:
        before = read_json(file, ConfigError, "choose another --out")
        other = [part for part, now in about.items() if before.get(part) != now]
    except AttributeError:
        raise ConfigError(file, "is damaged", "choose another --out") from None
    if other:
        what = f"holds results of another {', '.join(other)}"
        raise ConfigError(plan.out, what, "choose another --out")


def chosen_folds(
    plan: CrossvalRun, recordings: Sequence[Recording]
) -> list[tuple[int, SplitPolicy]]:
    """Return the number and the split policy of each fold in the plan.

    Raises:
        ConfigError: there is no such fold.
    """
    policies = plan.protocol.folds.policies(recordings, plan.protocol.val_every)
    numbers = plan.folds or range(1, len(policies) + 1)
    for number in numbers:
        if not 1 <= number <= len(policies):
            raise ConfigError("--folds", f"{number} is not one of 1 to {len(policies)}")
    return [(number, policies[number - 1]) for number in numbers]


def apply_splits(recordings: Sequence[Recording], policy: SplitPolicy) -> list[Recording]:
    """Return the recordings with the splits that a policy assigns."""
    items = [
        SplitItem(index, each.name, each.signer, each.split, each.glosses)
        for index, each in enumerate(recordings)
    ]
    splits, _ = assign_splits(policy, items)
    return [replace(each, split=split) for each, split in zip(recordings, splits)]


def make_dataset(
    folder: Path, recordings: Sequence[Recording], policy: SplitPolicy, protocol: Protocol
) -> Dataset:
    """Open the dataset of these recordings; convert it first if it is missing."""
    if not folder.exists():
        recipe = Recipe().changed(smoothing=Smoothing(kind=protocol.smoothing))
        sources = [Source.of(each) for each in recordings]
        convert(folder, sources, ConversionOptions(recipe=recipe, splits=policy))
    return Dataset.open(folder)


def run_fold(plan: CrossvalRun, data: Dataset, folder: Path) -> dict[str, Any]:
    """Train on a dataset (or resume training), test, then write and return the result."""
    recipe = plan.recipe.model_copy(update={"seed": plan.seed})
    if (folder / METRICS).exists():  # an earlier run stopped after training
        metrics = read_json(folder / METRICS, ConfigError)
    else:
        resume = folder / RESUME if (folder / RESUME).exists() else None
        where = RunOptions(data, folder, plan.device, progress=plan.progress)
        init = None if resume else plan.init
        metrics = train(where, recipe, plan.network, resume=resume, init=init)
    model, metadata = WhisperSignModel.load_checkpoint(folder)
    model.to(choose_device(plan.device)[0])
    examples = data.split("test")
    options = plan.protocol.live
    readings = read_offline(model, metadata, examples, data.glosses, options=options.decoding)
    live = read_live(model, metadata, examples, data.glosses, options)
    errors = {method: count_errors(found) for method, found in readings.items()}
    rescored = errors["rescore"]
    result = {
        "seed": plan.seed,
        "test": sorted({example.signer for example in examples if example.signer}),
        "sequences": rescored.sequences,
        "accuracy": rescored.accuracy,
        "wer": rescored.wer,
        "greedy": errors["greedy"].accuracy,
        "beam": errors["beam"].accuracy,
        "live": count_errors(live).accuracy,
        "live_wer": count_errors(live).wer,
        "live_agrees": agreement(readings["rescore"], live),
        "parameters": model.parameter_count(),
        "training_seconds": metrics.get("seconds"),
        "epochs": sum(stage.epochs for stage in recipe.stages),
    }
    detected, offline = detections(live), detections(readings["rescore"])
    streams = any(len(reading.segments) > 1 for reading in live)  # several signs per recording
    if detected and offline and streams:
        result["detection"] = without_nan(detected.report())
        result["detection_offline"] = without_nan(offline.report())
    replace_file(folder / RESULT, json.dumps(result, indent=1).encode())
    return result


def summary(out: Path) -> dict[str, Any]:
    """Return the results of all folds and seeds in a folder, with their mean and spread.

    Raises:
        ConfigError: the folder holds no result.
    """
    files = sorted(out.glob(f"fold*/seed*/{RESULT}"))
    if not files:
        raise ConfigError(out, "holds no result of a fold", "run one")
    results = [
        {"fold": int(file.parents[1].name[4:]), **read_json(file, ConfigError)} for file in files
    ]
    figures: dict[str, Any] = {"results": results}
    for key in ("accuracy", "live", "beam", "greedy"):
        values = [result[key] for result in results]
        spread = stdev(values) if len(values) > 1 else 0.0
        figures[key] = {"mean": mean(values), "deviation": spread}
    return figures


def _minutes(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds / 60:.0f} min"


def _detection(result: dict[str, Any]) -> str:
    of, offline = result["detection"], result["detection_offline"]
    return (
        f"- fold {result['fold']}, live: WER {result['live_wer']:.3f}, of {of['signed']} signs "
        f"{of['rate']:.3f} found at the right time, false ones per sign "
        f"{of['false_positives']:.3f}, "
        f"final {of['delay_median'] or 0.0:.2f} s after a sign's end (median); "
        f"offline {offline['rate']:.3f} and {offline['false_positives']:.3f}"
    )


def table(protocol: Protocol, figures: dict[str, Any]) -> list[str]:
    """Format the results as a Markdown table, with the published figures below."""
    rows = [
        "| fold | test | clips | rescored | live | beam | greedy | agree | weights | training |",
        "|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for each in figures["results"]:
        shares = [each[key] for key in ("accuracy", "live", "beam", "greedy", "live_agrees")]
        cells = [f"{100 * share:.1f} %" for share in shares]
        who = ", ".join(each["test"]) or "-"
        rows.append(
            f"| {each['fold']} | {who} | {each['sequences']} | {' | '.join(cells)} "
            f"| {each['parameters'] / 1e6:.2f} M | {_minutes(each['training_seconds'])} |"
        )
    means = [
        f"**{100 * figures[key]['mean']:.1f}** ± {100 * figures[key]['deviation']:.1f}"
        for key in ("accuracy", "live", "beam", "greedy")
    ]
    rows.append(f"| mean | | | {' | '.join(means)} | | | |")
    return [
        f"{protocol.title}",
        "",
        *rows,
        "",
        *(_detection(each) for each in figures["results"] if "detection" in each),
        *(f"- {what}: {figure}" for what, figure in protocol.published.items()),
    ]
