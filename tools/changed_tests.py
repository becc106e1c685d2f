#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run the slow tests of recently changed files within a time budget.

Files count as changed if a commit within 24 hours of the last commit touched them. The test tree
mirrors the source tree: ``a/b/name.py`` selects ``test/a/b/test_name.py`` first and then the other
files in ``test/a/b``. The exit status is 1 if a test failed, else 0.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parent.parent
DAY = 24 * 3600
MARK = "mark.slow"  # occurs in every file that has slow tests
NO_TESTS = 5  # pytest's exit status when it selects no test


def main(words: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Run test files until the budget is used up; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=20.0, help="budget (default: 20)")
    minutes = parser.parse_args(words).minutes
    deadline = time.monotonic() + 60 * minutes
    files = [file for file in tests_of(changed_files(root), root) if has_slow(root / file)]
    print(f"slow tests of the last day's changes: {' '.join(files) or 'none'}", flush=True)
    failed, left_out = [], []
    for file in files:
        if time.monotonic() > deadline:
            left_out.append(file)
        elif not passes(file, root):
            failed.append(file)
    if left_out:
        print(f"not run, because the {minutes:g} minutes are over: {' '.join(left_out)}")
    if failed:
        print(f"failed: {' '.join(failed)}")
    return int(bool(failed))


def changed_files(root: Path) -> list[str]:
    """Return the files that the last day's commits changed, latest first.

    In a shallow clone, the oldest commit counts as changing every file.
    """
    last = int(git(root, "log", "-1", "--format=%ct"))
    names = git(root, "log", f"--since={last - DAY}", "--format=", "--name-only", "--no-renames")
    return list(dict.fromkeys(filter(None, names.splitlines())))


def git(root: Path, *words: str) -> str:
    """Return the output of a git command."""
    return subprocess.run(
        ["git", "-C", str(root), *words], check=True, stdout=subprocess.PIPE, encoding="utf-8"
    ).stdout


def tests_of(changed: Sequence[str], root: Path) -> list[str]:
    """Return the test files of changed files first, then the others in the same folders."""
    own: list[str] = []
    beside: list[str] = []
    for path in map(PurePosixPath, changed):
        if path.match("test_*.py") and path.parts[0] == "test":
            own.append(str(path))
            continue
        folder = path.parent if path.parts[0] == "test" else "test" / path.parent
        own.append(str(folder / f"test_{path.name}"))
        beside += tests_in(folder, root)
    return [file for file in dict.fromkeys(own + beside) if (root / file).is_file()]


def tests_in(folder: PurePosixPath, root: Path) -> Iterator[str]:
    """Yield the test files of a folder, sorted by name."""
    for path in sorted((root / folder).glob("test_*.py")):
        yield path.relative_to(root).as_posix()


def has_slow(path: Path) -> bool:
    """Return whether a test file contains slow tests."""
    return MARK in path.read_text(encoding="utf-8")


def passes(file: str, root: Path) -> bool:
    """Run the slow tests of a file; return whether they passed."""
    command = [sys.executable, "-m", "pytest", "-m", "slow", "--timeout=900", file]
    return subprocess.run(command, cwd=root, check=False).returncode in (0, NO_TESTS)


if __name__ == "__main__":
    sys.exit(main())
