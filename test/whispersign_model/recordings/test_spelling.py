# SPDX-License-Identifier: MIT
"""Spelling: one name for the same letters, and names that look alike."""

from __future__ import annotations

import pytest

from whispersign_model.recordings.spelling import did_you_mean, look_alikes, normalized


@pytest.mark.parametrize(
    "text", ["GRÜN", "GRU\u0308N", " GRÜN", "GRÜN \n", "\tGRU\u0308N\u00a0", "\u3000GRÜN"]
)
def test_spellings_of_one_name(text):
    assert normalized(text) == "GR\u00dcN"


def test_case_and_inner_spaces_stay():
    assert normalized("Good  morning") == "Good morning"
    assert normalized("") == normalized(" \u00a0") == ""


@pytest.mark.parametrize(
    "names",
    [
        ["HELLO", "Hello"],
        ["GOOD MORNING", "GOODMORNING", "GOOD_MORNING"],
        ["STRASSE", "Straße"],
        ["A", "\uff21"],  # full width
        ["YES", "YES\u200b"],  # zero width
        ["\u0130", "i\u0307"],
        ["e\u0301", "\u00c9"],
    ],
)
def test_names_that_look_alike(names):
    assert look_alikes([*names, "OTHER", names[0]]) == [sorted(names)]


def test_names_that_differ():
    assert look_alikes(["HELLO", "HALLO", "NO", "NÖ", "1-2", "12", "HELLO", "ÜBER", "UEBER"]) == []


@pytest.mark.parametrize(
    ("name", "found"), [("hello", "HELLO"), ("HELO", "HELLO"), ("good-day", "Good Day")]
)
def test_the_most_similar_name_is_asked_for(name, found):
    assert did_you_mean(name, ["STOP", "HELLO", "Good Day"], "") == f"did you mean '{found}'?"


def test_a_name_like_no_other_is_not():
    assert did_you_mean("x", ["STOP", "HELLO"], "see the list") == "see the list"
