# SPDX-License-Identifier: MIT
"""What is to be signed next, and what is missing."""

from __future__ import annotations

import pytest

from whispersign_model.errors import ConfigError
from whispersign_model.recordings.takes import Take
from whispersign_ros.recording.prompt_plan import PromptPlan, split_glosses

GLOSSES = ("A", "B", "C")


def drain(plan):
    """Keep every take; return what was signed."""
    signed = []
    while plan.current:
        signed.append((plan.current.gloss, plan.current.number))
        plan.kept()
    return signed


def test_rounds_of_all_glosses_in_the_order_given():
    plan = PromptPlan(GLOSSES, 2, "anna", [], None)
    assert (plan.done, plan.total, plan.next_gloss) == (0, 6, "B")
    assert drain(plan) == [("A", 0), ("B", 0), ("C", 0), ("A", 1), ("B", 1), ("C", 1)]
    assert (plan.done, plan.missing, plan.next_gloss) == (6, {}, "")


def test_each_round_in_another_order_that_follows_from_the_seed():
    signed = drain(PromptPlan("ABCDEFGH", 3, "", [], 1))
    rounds = [[gloss for gloss, _ in signed[i : i + 8]] for i in (0, 8, 16)]
    assert all(sorted(each) == list("ABCDEFGH") for each in rounds)
    assert rounds[0] != rounds[1] != rounds[2] != sorted(rounds[2])
    assert drain(PromptPlan("ABCDEFGH", 3, "", [], 1)) == signed
    assert drain(PromptPlan("ABCDEFGH", 3, "", [], 2)) != signed


def test_a_session_goes_on_with_what_is_there():
    found = [
        Take("A", 0, "anna"),
        Take("A", 1, "anna", kept=False),
        Take("B", 0, "bea"),
        Take("X", 0, "anna"),
        Take("C", 0, "anna"),
        Take("C", 1, "anna"),
        Take("C", 2, "anna"),
    ]
    plan = PromptPlan(GLOSSES, 2, "anna", found, None)
    assert (plan.done, plan.total) == (3, 6)  # a third take of C is no take of A
    assert plan.missing == {"A": 1, "B": 2}
    assert drain(plan) == [("B", 0), ("A", 2), ("B", 1)]  # a discarded take keeps its number


@pytest.mark.parametrize(("now", "after"), [(True, ["A", "B", "C"]), (False, ["B", "C", "A"])])
def test_a_discarded_take_comes_again(now, after):
    plan = PromptPlan(GLOSSES, 1, "", [], None)
    take = plan.current
    plan.kept()
    plan.discarded(take, now)
    assert plan.missing == {"A": 1, "B": 1, "C": 1}
    signed = drain(plan)
    assert [gloss for gloss, _ in signed] == after
    assert ("A", 1) in signed
    assert plan.summary()[0] == "A  1 of 1 takes, 1 discarded"


def test_left_out_is_missing_and_later_is_not():
    plan = PromptPlan(GLOSSES, 1, "", [], None)
    plan.skip()
    plan.later()
    assert [gloss for gloss, _ in drain(plan)] == ["C", "B"]
    assert plan.summary() == ["A  0 of 1 takes: needs 1 more", "B  1 of 1 takes", "C  1 of 1 takes"]


@pytest.mark.parametrize(
    ("glosses", "fault"),
    [
        ([""], "no gloss is given"),
        (["A", " "], "needs a name"),
        (["A|"], "'A|': a gloss needs a name"),
        (["A", "A "], "'A': is repeated"),
    ],
)
def test_faults_of_the_list(glosses, fault):
    with pytest.raises(ConfigError, match=fault.replace("|", r"\|")):
        PromptPlan(glosses, 1, "", [], None)


@pytest.mark.parametrize(
    ("text", "glosses"),
    [
        ("A", ["A"]),
        ("A,B|C", ["A", "B|C"]),
        (" A , B,", ["A", "B"]),
        ("A,,B", ["A", "B"]),
        ("", [""]),
        (",", [""]),
    ],
)
def test_a_list_with_commas(text, glosses):
    assert split_glosses(text) == glosses
