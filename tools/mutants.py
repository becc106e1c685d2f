#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Mutation testing: apply listed source changes one at a time; tests must catch each one.

``test/mutants/*.yaml`` lists the mutants (:class:`Mutant`). The tool applies each to a copy of the
tree and runs its tests there. A failing test kills the mutant; otherwise it survives. Exit status:
0 if every mutant is killed, except those whose survival is explained; 1 if not; 2 if a list is
invalid or the tests fail on unchanged sources.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Annotated, NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

ROOT = Path(__file__).resolve().parent.parent
LISTS = Path("test/mutants")
LIMIT = 1800.0  # seconds after which the tests of a mutant count as hanging
# Paths to copy from the top of the tree; other files there may be large.
COPIED = ("config", "launch", "test", "tools", "whispersign_*", "*.cfg", "*.py", "*.toml", "*.xml")
PASSED, FAILED = 0, 1  # pytest's exit status; with any other, the tests did not run
Word = Annotated[str, Field(min_length=1)]


class MutantError(Exception):
    """The check cannot run; the message is one line that says what to do."""


class Mutant(BaseModel):
    """One deliberate source change.

    Attributes:
        file: the source, relative to the root of the tree.
        text: the text to replace; occurs exactly once in the file.
        becomes: the replacement.
        breaks: one sentence that says what the change breaks.
        tests: pytest names of files or functions that run quickly; at least one must fail.
        survives: why no test can detect the mutant, or "" if it must not survive.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Word
    text: Word
    becomes: str
    breaks: Word
    tests: Annotated[tuple[Word, ...], Field(min_length=1)]
    survives: str = ""


class Verdict(NamedTuple):
    """The result of a mutant's tests."""

    killed: bool
    seconds: float


def main(words: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Check all mutants, or those that match a word on the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "words", nargs="*", help="check only mutants with one of these words in file or description"
    )
    parser.add_argument(
        "--jobs", type=int, default=2, help="number of mutants to test in parallel (default: 2)"
    )
    arguments = parser.parse_args(words)
    try:
        mutants = read_lists(root / LISTS)
        if faulty := faults(mutants, root):
            raise MutantError("\n".join(faulty))
        return check(chosen(mutants, arguments.words), root, max(1, arguments.jobs))
    except MutantError as error:
        print(f"mutants: error: {error}", file=sys.stderr)
        return 2


def chosen(mutants: Sequence[Mutant], words: Sequence[str]) -> list[Mutant]:
    """Return the mutants with one of the words in file or description, or all without words."""
    found = [
        mutant
        for mutant in mutants
        if not words or any(word in mutant.file or word in mutant.breaks for word in words)
    ]
    if not found:
        raise MutantError(f"no breakage has {' or '.join(words)} in its file or sentence")
    return found


def read_lists(folder: Path) -> list[Mutant]:
    """Read every list in a folder, sorted by name.

    Raises:
        MutantError: an entry is invalid, or no list exists.
    """
    mutants: list[Mutant] = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
            mutants += TypeAdapter(list[Mutant]).validate_python(content)
        except (yaml.YAMLError, ValidationError) as error:
            said = " ".join(str(error).split())
            raise MutantError(f"{path}: {said[:300]}") from error
    if not mutants:
        raise MutantError(f"{folder} has no list of mutants")
    return mutants


def faults(mutants: Sequence[Mutant], root: Path) -> list[str]:
    """Return one line for each mutant that no longer fits the tree."""
    found = []
    for mutant in mutants:
        try:
            broken(mutant, root)
            for test in mutant.tests:
                find_test(test, root)
        except MutantError as error:
            found.append(f"{mutant.file} ({mutant.breaks}): {error}")
    return found


def broken(mutant: Mutant, root: Path) -> str:
    """Return the source with the mutant applied.

    Raises:
        MutantError: the text does not occur exactly once, or the result is not valid Python.
    """
    path = root / mutant.file
    if not path.is_file():
        raise MutantError("there is no such file")
    source = path.read_text(encoding="utf-8")
    count = source.count(mutant.text)
    if count != 1:
        raise MutantError(f"the text occurs {count} times, not once: {mutant.text.strip()}")
    result = source.replace(mutant.text, mutant.becomes)
    if result == source:
        raise MutantError("the replacement equals the text")
    try:
        compile(result, mutant.file, "exec", dont_inherit=True)
    except SyntaxError as error:
        raise MutantError(f"the result is not valid Python ({error})") from error
    return result


def find_test(test: str, root: Path) -> None:
    """Check that a test exists."""
    file, _, function = test.partition("::")
    if not (root / file).is_file():
        raise MutantError(f"there is no {file}")
    name = re.escape(function.partition("[")[0])
    if function and not re.search(rf"^def {name}\(", (root / file).read_text("utf-8"), re.M):
        raise MutantError(f"{file} has no {function}")


def check(mutants: Sequence[Mutant], root: Path, jobs: int) -> int:
    """Test mutants in copies of the tree, print the results, and return the exit status."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="whispersign_mutants_") as folder:
        copies: SimpleQueue[Path] = SimpleQueue()
        for job in range(min(jobs, len(mutants))):
            copy = Path(folder).resolve() / str(job)
            copy_tree(root, copy)
            copies.put(copy)
        require_unbroken(mutants, copy)

        def attack(mutant: Mutant) -> Verdict:
            copy = copies.get()
            try:
                return verdict(mutant, copy)
            finally:
                copies.put(copy)

        with ThreadPoolExecutor(jobs) as threads:
            killed = [
                show(mutant, found) for mutant, found in zip(mutants, threads.map(attack, mutants))
            ]
    explained = sum(bool(mutant.survives) for mutant in mutants)
    print(
        f"{sum(killed)} of {len(mutants)} breakages killed, {killed.count(False)} survived"
        f" ({explained} explained), {time.monotonic() - start:.0f} s"
    )
    return PASSED if as_listed(mutants, killed) else FAILED


def as_listed(mutants: Sequence[Mutant], killed: Sequence[bool]) -> bool:
    """Return whether all mutants are killed except those whose survival is explained."""
    return all(found != bool(mutant.survives) for mutant, found in zip(mutants, killed))


def copy_tree(root: Path, copy: Path) -> None:
    """Copy sources and tests, but no other files."""
    copy.mkdir()
    for path in sorted({path for pattern in COPIED for path in root.glob(pattern)}):
        if path.is_dir():
            shutil.copytree(path, copy / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, copy)


def require_unbroken(mutants: Sequence[Mutant], copy: Path) -> None:
    """Check that tests import the copy, and that every named test runs and passes there.

    Raises:
        MutantError: a package is imported from elsewhere, or a test fails.
    """
    for package in sorted({Path(mutant.file).parts[0] for mutant in mutants}):
        if not (copy / package / "__init__.py").is_file():
            continue
        code = f"import {package}; print({package}.__file__)"
        found = in_copy(copy, ["-c", code]).stdout.strip()
        if not Path(found).is_relative_to(copy):
            raise MutantError(f"{package} is imported from {found}, not from the copy")
    answer = run_tests(copy, list(dict.fromkeys(test for m in mutants for test in m.tests)))
    if answer.returncode != PASSED or "skipped" in answer.stdout.splitlines()[-1]:
        raise MutantError(f"the tests fail on unchanged sources:\n{answer.stdout}")


def verdict(mutant: Mutant, copy: Path) -> Verdict:
    """Apply a mutant to a copy, run its tests, and restore the copy."""
    path, result = copy / mutant.file, broken(mutant, copy)
    whole = path.read_text(encoding="utf-8")
    start = time.monotonic()
    try:
        path.write_text(result, encoding="utf-8")
        answer = run_tests(copy, mutant.tests, LIMIT)
    except subprocess.TimeoutExpired as error:
        raise MutantError(f"{mutant.file} ({mutant.breaks}): the tests do not end") from error
    finally:
        path.write_text(whole, encoding="utf-8")
    if answer.returncode not in (PASSED, FAILED):
        raise MutantError(f"{mutant.file} ({mutant.breaks}): nothing runs:\n{answer.stdout}")
    return Verdict(answer.returncode == FAILED, time.monotonic() - start)


def run_tests(
    copy: Path, tests: Sequence[str], limit: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Run tests in a copy until the first failure, with a fixed Hypothesis seed."""
    options = ["-x", "-q", "--tb=line", "-p", "no:cacheprovider", "--hypothesis-seed=0"]
    return in_copy(copy, ["-m", "pytest", *options, *tests], limit)


def in_copy(
    copy: Path, words: Sequence[str], limit: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Run this Python in a copy, so that imports resolve there."""
    environ = {**os.environ, "PYTHONPATH": str(copy), "PYTEST_ADDOPTS": ""}
    environ.setdefault("WHISPERSIGN_TEST_BOUND", "30")  # a condition that a mutant makes impossible
    environ["PYTHONDONTWRITEBYTECODE"] = "1"  # the cache would miss changes within a second
    return subprocess.run(
        [sys.executable, *words],
        cwd=copy,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=limit,
        check=False,
    )


def show(mutant: Mutant, found: Verdict) -> bool:
    """Print a table row; return whether the mutant was killed."""
    word = "killed" if found.killed else "survived"
    place = mutant.file.partition("/")[2]
    print(f"{word:8} {found.seconds:5.1f} s  {place:32} {mutant.breaks}", flush=True)
    if mutant.survives:
        print(f"{'':18}{'though' if found.killed else 'because'}: {mutant.survives}")
    return found.killed


if __name__ == "__main__":
    sys.exit(main())
