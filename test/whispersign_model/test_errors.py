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
