# SPDX-License-Identifier: MIT
"""Suggest the next steps after a session: record missing takes, convert and train."""

import shlex
from itertools import count
from pathlib import Path

from whispersign_model.bundled import DEMO
from whispersign_ros.recording.prompt_plan import PromptPlan


def next_steps(out: Path, plan: PromptPlan) -> list[str]:
    """Return the lines printed at the end of a session."""
    if not plan.done:
        return ["nothing was recorded"]
    lines = []
    if plan.missing:
        lines += [
            f"{sum(plan.missing.values())} takes are missing; run the same command to record them",
            "",
        ]
    return [*lines, "Train on them with", *(f"  {line}" for line in training_commands(out))]


def training_commands(out: Path) -> list[str]:
    """Return the two commands that train on a folder of takes."""
    dataset, run = _free("dataset"), _free("run")
    convert = f"whispersign convert {shlex.quote(str(out))} --out {dataset}"
    train = f"whispersign train --data {dataset} --out {run}"
    return [convert, f"{train} --init {DEMO} --stage 2"]


def _free(name: str) -> str:
    """Return the name of a folder that does not exist, with a number if needed."""
    names = (name if number == 1 else f"{name}{number}" for number in count(1))
    return next(each for each in names if not Path(each).exists())
