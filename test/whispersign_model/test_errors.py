# SPDX-License-Identifier: MIT
"""Errors: one line for the user, wherever they come from."""

import errno
import inspect
import pickle
import re

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


ABSENT = "cannot open shared object file: No such file or directory"
PACKAGES = "on Debian and Ubuntu: apt-get install libgl1 libegl1 libgles2 libglib2.0-0"


@pytest.mark.parametrize("kind", [ImportError, OSError])  # the second comes from ctypes
@pytest.mark.parametrize(
    ("library", "remedy"),
    [
        ("libGL.so.1", PACKAGES),
        ("libEGL.so.1", PACKAGES),
        ("libGLESv2.so.2", PACKAGES),
        ("libgthread-2.0.so.0", PACKAGES),
        ("libodd.so", "install the package of your system that holds it"),
    ],
)
def test_a_missing_system_library_is_named_with_its_package(kind, library, remedy):
    line = errors.describe(kind(f"{library}: {ABSENT}"), [], "X")
    assert line == f"the system library {library} is missing; {remedy}"


UNEXPECTED = r"a.npy b: unexpected error \({}\); repeat with X and report it at https"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (errors.ConfigError("a", "is wrong", "mend it"), "a: is wrong; mend it"),
        (ModuleNotFoundError(name="cv2.data"), "Python package 'cv2' is missing; run `make setup`"),
        (ModuleNotFoundError(name="_sqlite3"), "built without its module '_sqlite3'; install a"),
        (FileNotFoundError(errno.ENOENT, "No such file", "a"), "a: No such file; check the path"),
        (OSError(errno.ENOSPC, "No space"), r"output cannot be written \(No space\); free some"),
        (MemoryError(), "a.npy b: needs more memory than there is; repeat with X and report it at"),
        (KeyError("odd"), UNEXPECTED.format("KeyError: 'odd'")),
        (ImportError("odd"), UNEXPECTED.format("ImportError: odd")),
    ],
)
def test_every_error_is_one_line_that_says_what_to_do(error, line):
    described = errors.describe(error, ["a.npy", "b"], "X")
    assert re.search(line, described), described
    assert "\n" not in described


def test_a_missing_package_names_the_extra_that_has_it():
    fault, remedy = errors.missing_dependency(ModuleNotFoundError(name="cv2"), "camera")
    assert fault == "the Python package 'cv2' is missing"
    assert remedy == errors.install_extra("camera")
    assert errors.missing_dependency(KeyError("cv2")) is None
