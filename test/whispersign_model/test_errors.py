# SPDX-License-Identifier: MIT
"""Errors: one line for the user, wherever they come from."""

import inspect
import pickle

import pytest

from whispersign_model import errors

KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if kind.__module__ == errors.__name__
]


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_goes_from_process_to_process(kind):
    error = kind("a.npy", "is\ngone", "copy it again")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == str(error) == "a.npy: is gone; copy it again"
    assert (again.subject, again.fault, again.remedy) == ("a.npy", "is\ngone", "copy it again")


def test_a_message_is_short_and_cannot_control_a_terminal():
    error = errors.BagError("\x1b]0;title\x07" + "p" * 5000, "holds \ud800 and \u202e" * 9999, "r")
    assert len(str(error)) < 1200
    assert str(error).startswith("\\x1b]0;title\\x07ppp")
    assert str(error).endswith("; r")
    assert str(error).isprintable()
    str(error).encode()


def test_letters_of_all_scripts_stay_as_they_are():
    for name in ("ÄÖ ß", "สวัสดี", "手話", "क्‍ष"):
        assert errors.printable(name) == name
