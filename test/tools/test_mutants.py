# SPDX-License-Identifier: MIT
"""The mutation check: its lists fit the tree, and its verdicts are right."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import mutants  # noqa: E402

SOURCE = '''"""A module of the same name as the installed one."""


def larger(a: int, b: int) -> int:
    return a if a > b else b
'''
TESTS = """
from pathlib import Path

import pytest
import whispersign_model
from whispersign_model.numbers import larger


def test_larger():
    assert larger(1, 2) == larger(2, 1) == 2


def test_larger_of_none():
    pytest.skip("of no use")


def test_of_something_else():
    assert Path(whispersign_model.__file__).is_relative_to(Path.cwd())
"""
FILE, TEST = "whispersign_model/numbers.py", "test/test_numbers.py"
SMALLER = {
    "file": FILE,
    "text": "a > b",
    "becomes": "a < b",
    "breaks": "The smaller of two numbers is called the larger.",
    "tests": [f"{TEST}::test_larger"],
}


def test_every_listed_breakage_fits_the_tree() -> None:
    listed = mutants.read_lists(ROOT / mutants.LISTS)
    assert mutants.faults(listed, ROOT) == []
    assert len({(mutant.file, mutant.text, mutant.becomes) for mutant in listed}) == len(listed)
    assert len({mutant.breaks for mutant in listed}) == len(listed)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small tree with a source and its tests."""
    for file, text in ((FILE, SOURCE), ("whispersign_model/__init__.py", ""), (TEST, TESTS)):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(text)
    (tmp_path / mutants.LISTS).mkdir()
    return tmp_path


def check(tree: Path, *listed: object) -> int:
    (tree / mutants.LISTS / "numbers.yaml").write_text(yaml.safe_dump(list(listed)))
    return mutants.main([], tree)


def test_the_copy_is_tested_and_the_tree_stays_as_it_is(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unseen = {**SMALLER, "breaks": "Nobody looks.", "tests": [f"{TEST}::test_of_something_else"]}
    assert check(tree, SMALLER, unseen) == 1
    killed, survived, summary = capsys.readouterr().out.splitlines()
    assert killed.startswith("killed")
    assert killed.endswith(SMALLER["breaks"])
    assert survived.startswith("survived")
    assert summary.startswith("1 of 2 breakages killed, 1 survived (0 explained)")
    assert (tree / FILE).read_text() == SOURCE


@pytest.mark.parametrize(
    ("survives", "killed", "right"),
    [
        (("", ""), (True, True), True),
        (("", ""), (True, False), False),
        (("", "It is no matter."), (True, False), True),
        (("", "It is no matter."), (True, True), False),
        (("", "It is no matter."), (False, True), False),
    ],
)
def test_just_those_survive_that_are_said_to(
    survives: tuple[str, str], killed: tuple[bool, bool], right: bool
) -> None:
    found = [mutants.Mutant.model_validate({**SMALLER, "survives": each}) for each in survives]
    assert mutants.as_listed(found, killed) == right


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"text": "a >= b"}, "occurs 0 times"),
        ({"text": "a"}, "times, not once"),
        ({"becomes": "a > b"}, "equals the text"),
        ({"becomes": "a ) b"}, "not valid Python"),
        ({"file": "whispersign_model/letters.py"}, "no such file"),
        ({"tests": ["test/test_letters.py"]}, "there is no test/test_letters.py"),
        ({"tests": [f"{TEST}::test_large"]}, "has no test_large"),
        ({"tests": []}, "tests"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_list_that_does_not_fit_is_refused_before_anything_runs(
    tree: Path, capsys: pytest.CaptureFixture[str], change: dict[str, object], says: str
) -> None:
    assert check(tree, {**SMALLER, **change}) == 2
    told = capsys.readouterr()
    assert says in told.err
    assert not told.out


@pytest.mark.parametrize("name", ["test_larger", "test_larger_of_none"])
def test_tests_must_run_and_pass_before_anything_is_broken(
    tree: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    if name == "test_larger":
        (tree / FILE).write_text(SOURCE.replace("a > b", "True"))
    whole = {**SMALLER, "text": "else b", "becomes": "else 0", "tests": [f"{TEST}::{name}"]}
    assert check(tree, whole) == 2
    assert "on unchanged sources" in capsys.readouterr().err


def test_a_breakage_that_lets_no_test_run_is_no_kill(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(tree, {**SMALLER, "text": "def larger", "becomes": "def larger_"}) == 2
    assert "nothing runs" in capsys.readouterr().err


def test_words_choose_by_file_and_sentence(tree: Path) -> None:
    other = {**SMALLER, "breaks": "Nothing."}
    found = [mutants.Mutant.model_validate(each) for each in (SMALLER, other)]
    assert mutants.chosen(found, []) == mutants.chosen(found, ["numbers"]) == found
    assert mutants.chosen(found, ["Nothing", "letters"]) == found[1:]
    with pytest.raises(mutants.MutantError, match="letters"):
        mutants.chosen(found, ["letters"])
