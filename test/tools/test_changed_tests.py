# SPDX-License-Identifier: MIT
"""The slow tests of the last day's changes: which they are, their order, and the exit status."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import changed_tests  # noqa: E402

SLOW = "import pytest\n\n@pytest.mark.slow\ndef test_it():\n    assert {passes}\n"
DAYS = 24 * 3600
NOW = 1_700_000_000


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository whose files are all older than a day."""
    for file in ("package/a.py", "package/b.py", "other/c.py", "README.md"):
        write(tmp_path, file, "")
    for file in ("test/package/test_a.py", "test/package/test_b.py", "test/other/test_c.py"):
        write(tmp_path, file, SLOW.format(passes=True))
    write(tmp_path, "test/package/test_quick.py", "def test_it(): pass\n")
    git(tmp_path, "init", "-q")
    commit(tmp_path, NOW - 2 * DAYS)
    return tmp_path


def write(tree: Path, file: str, text: str) -> None:
    (tree / file).parent.mkdir(parents=True, exist_ok=True)
    (tree / file).write_text(text)


def git(tree: Path, *words: str, seconds: int = NOW) -> None:
    date = f"{seconds} +0000"
    names = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a"}
    names |= {"GIT_COMMITTER_EMAIL": "a@b", "GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    subprocess.run(["git", "-C", tree, *words], check=True, env={**os.environ, **names})


def commit(tree: Path, seconds: int = NOW) -> None:
    git(tree, "add", "-A")
    git(tree, "commit", "-q", "-m", "Change", seconds=seconds)


def chosen(tree: Path) -> list[str]:
    return changed_tests.tests_of(changed_tests.changed_files(tree), tree)


def test_a_source_names_its_own_test_and_then_those_of_its_folder(tree: Path) -> None:
    write(tree, "package/b.py", "changed = True\n")
    commit(tree)
    assert chosen(tree) == [
        "test/package/test_b.py",
        "test/package/test_a.py",
        "test/package/test_quick.py",
    ]


def test_a_test_file_names_itself_and_a_conftest_its_folder(tree: Path) -> None:
    write(tree, "test/package/test_a.py", SLOW.format(passes=True) + "\n")
    commit(tree)
    assert chosen(tree) == ["test/package/test_a.py"]
    write(tree, "test/other/conftest.py", "")
    commit(tree)
    assert chosen(tree) == ["test/package/test_a.py", "test/other/test_c.py"]


def test_what_is_gone_or_has_no_tests_names_nothing(
    tree: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write(tree, "README.md", "changed")
    (tree / "test/other/test_c.py").unlink()
    commit(tree)
    assert changed_tests.main([], tree) == 0
    assert capfd.readouterr().out == "slow tests of the last day's changes: none\n"


@pytest.mark.parametrize("passes", [True, False])
def test_the_slow_tests_run_and_the_exit_status_is_theirs(
    tree: Path, capfd: pytest.CaptureFixture[str], passes: bool
) -> None:
    write(tree, "test/other/test_c.py", SLOW.format(passes=passes) + "\n")
    write(tree, "test/package/test_quick.py", "def test_it(): assert False\n")
    commit(tree)
    assert changed_tests.main([], tree) == int(not passes)
    said = capfd.readouterr().out
    assert said.startswith("slow tests of the last day's changes: test/other/test_c.py\n")
    assert said.count(f"1 {'passed' if passes else 'failed'}") == 1
    assert ("failed: test/other/test_c.py\n" in said) == (not passes)


def test_what_the_budget_leaves_out_is_named(tree: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write(tree, "other/c.py", "changed = True\n")
    commit(tree)
    assert changed_tests.main(["--minutes", "-1"], tree) == 0
    said = capfd.readouterr().out.splitlines()
    assert said[1:] == ["not run, because the -1 minutes are over: test/other/test_c.py"]


def test_a_clone_without_history_counts_every_file_as_changed(tree: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{tree}", str(clone))
    assert set(chosen(clone)) == {
        path.relative_to(clone).as_posix() for path in clone.glob("test/*/test_*.py")
    }
