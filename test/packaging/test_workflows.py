# SPDX-License-Identifier: MIT
"""The workflows of GitHub: what they run is there."""

from __future__ import annotations

import re
from itertools import chain

import pytest
import yaml


@pytest.fixture(scope="module")
def workflows(sources) -> dict[str, dict]:
    paths = sources.root.glob(".github/workflows/*.yml")
    return {path.stem: yaml.safe_load(path.read_text()) for path in paths}


def targets(sources) -> set[str]:
    return set(re.findall(r"^([a-z][\w-]*):", (sources.root / "Makefile").read_text(), re.M))


def test_every_make_target_that_a_workflow_runs_exists(sources, workflows):
    jobs = list(chain.from_iterable(workflow["jobs"].values() for workflow in workflows.values()))
    scripts = [step.get("run", "") for job in jobs for step in job["steps"]]
    called = set(
        chain.from_iterable(re.findall(r"^ *make ([a-z][\w-]*)", run, re.M) for run in scripts)
    )
    for job in jobs:
        called |= set(job.get("strategy", {}).get("matrix", {}).get("target", ()))
    assert {"test", "demo", "faults"} <= called
    assert called - targets(sources) == set()


def test_every_make_target_that_contributors_are_told_of_exists(sources):
    told = set(re.findall(r"`make ([\w-]+)`", (sources.root / "CONTRIBUTING.md").read_text()))
    assert {"test", "lint", "mutants"} <= told
    assert told - targets(sources) == set()


def test_every_supported_python_is_tested(sources, workflows):
    versions = workflows["ci"]["jobs"]["test"]["strategy"]["matrix"]["python"]
    first, last = re.findall(r"3\.(\d+)", (sources.root / "setup.py").read_text())
    assert versions == [f"3.{minor}" for minor in range(int(first), int(last))]
