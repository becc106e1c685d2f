# SPDX-License-Identifier: MIT
"""Measure how many takes a new sign needs, with fine-tuning and with training from scratch."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from whispersign_model.crossval.protocol import (
    RESULT,
    CrossvalRun,
    apply_splits,
    chosen_folds,
    lock_output_dir,
    make_dataset,
    run_fold,
)
from whispersign_model.datasets.archive import read_archive
from whispersign_model.datasets.splits import TEST, TRAIN, VAL, SplitPolicy
from whispersign_model.errors import ConfigError
from whispersign_model.files import read_json
from whispersign_model.recordings.recording import Recording

NEW = 3  # every third gloss, in alphabetical order, is new
TUNED, SCRATCH = "fine-tuned", "from nothing"
STAGE = "joint"  # fine-tuning uses this stage; a pretrained frontend needs no warm-up
AGAIN = "_again"  # suffix for the copy of a take that validates


def run(plan: CrossvalRun, takes: Sequence[int], log: Callable[[str], None]) -> None:
    """Train on two thirds of the signs, then learn the other third from a few takes of each.

    The new signs in the plan's first fold form the test set. The training takes also serve as the
    validation set, because a user with one take of each sign cannot hold any out. Parts already
    completed in the plan's folder are skipped.

    Args:
        plan: the run; its seed also determines which takes are drawn.
        takes: the numbers of takes per new sign to try.
        log: receives one line for each network.

    Raises:
        WhisperSignError: the archive, the fold or the recipe is invalid.
    """
    if min(takes) < 1:
        raise ConfigError("--takes", f"{min(takes)} is below 1")
    stages = tuple(stage for stage in plan.recipe.stages if stage.name == STAGE)
    if not stages:
        raise ConfigError(f"stage {STAGE}", "is not in the recipe", "fine-tuning needs it")
    recordings = _split(plan)
    lock_output_dir(plan)
    names = sorted({gloss for each in recordings for gloss in each.glosses})
    new = frozenset(names[NEW - 1 :: NEW])
    known = [each for each in recordings if not new.intersection(each.glosses)]
    base = plan.out / "base"
    _report(plan, known, base, log)
    tuning = replace(plan, recipe=plan.recipe.model_copy(update={"stages": stages}), init=base)
    unknown = [each for each in recordings if new.issuperset(each.glosses)]
    for count in takes:
        chosen = list(_chosen(unknown, count, plan.seed))
        for way, how in ((TUNED, tuning), (SCRATCH, plan)):
            _report(how, chosen, _folder(plan.out, way, count, plan.seed), log)


def summary(out: Path) -> list[dict[str, Any]]:
    """Return the results of each method over all seeds, ordered by number of takes.

    Raises:
        ConfigError: the folder holds no result.
    """
    found: dict[int, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for file in sorted(out.glob(f"takes*/*/seed*/{RESULT}")):
        way, count = file.parents[1].name.replace("_", " "), int(file.parents[2].name[5:])
        found[count][way].append(read_json(file, ConfigError)["accuracy"])
    if not found:
        raise ConfigError(out, "holds no result", "run one")
    return [{"takes": count, **found[count]} for count in sorted(found)]


def table(rows: Iterable[dict[str, Any]]) -> list[str]:
    """Format the share of exactly recognized test recordings, as mean and per seed, in Markdown."""
    lines = [f"| takes of each sign | {TUNED} | {SCRATCH} |", "|---:|---:|---:|"]
    for row in rows:
        cells = [_cell(row.get(way, [])) for way in (TUNED, SCRATCH)]
        lines.append(f"| {row['takes']} | {' | '.join(cells)} |")
    return lines


def _cell(shares: Sequence[float]) -> str:
    if not shares:
        return "-"
    each = f" ({', '.join(f'{100 * share:.1f}' for share in shares)})" if len(shares) > 1 else ""
    return f"{100 * mean(shares):.1f} %{each}"


def _folder(out: Path, way: str, count: int, seed: int) -> Path:
    return out / f"takes{count}" / way.replace(" ", "_") / f"seed{seed}"


def _report(
    plan: CrossvalRun, recordings: Sequence[Recording], folder: Path, log: Callable[[str], None]
) -> None:
    """Train and test, unless the folder already holds a result."""
    name = folder.relative_to(plan.out)
    if (folder / RESULT).exists():
        log(f"{name}: done before")
        return
    data = make_dataset(
        folder.parent / f"{folder.name}_data", recordings, SplitPolicy(), plan.protocol
    )
    result = run_fold(plan, data, folder)
    log(f"{name}: {100 * result['accuracy']:.1f} % of {result['sequences']}")


def _split(plan: CrossvalRun) -> list[Recording]:
    """Return the recordings of single signs, with the splits of the fold."""
    recordings = read_archive(plan.archive, plan.protocol.label)
    _, policy = chosen_folds(plan, recordings)[0]
    return [each for each in apply_splits(recordings, policy) if len(each.glosses) == 1]


def _chosen(recordings: Sequence[Recording], count: int, seed: int) -> Iterable[Recording]:
    """Yield the test recordings, and ``count`` random takes of each sign as both train and val.

    The takes for a larger count include those for a smaller one.
    """
    generator = np.random.default_rng(seed)
    by_gloss: dict[tuple[str, ...], list[Recording]] = defaultdict(list)
    for each in recordings:
        if each.split == TEST:
            yield each
        else:
            by_gloss[each.glosses].append(each)
    for glosses, all_takes in sorted(by_gloss.items()):
        if len(all_takes) < count:
            raise ConfigError("--takes", f"of {glosses[0]} there are only {len(all_takes)}")
        for place in generator.permutation(len(all_takes))[:count]:
            take = all_takes[place]
            yield replace(take, split=TRAIN)
            yield replace(take, split=VAL, name=take.name + AGAIN)
