# SPDX-License-Identifier: MIT
"""Spelling: one name for the same letters, and names that look alike."""

from __future__ import annotations

import pytest

from whispersign_model.recordings.spelling import look_alikes, normalized


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
