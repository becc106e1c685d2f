# SPDX-License-Identifier: MIT
"""The error types of the package. Each error names a subject, a fault and a remedy."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable
from pathlib import Path

ISSUES = "https://github.com/whispersign/whispersign/issues"
# System libraries that OpenCV and MediaPipe load, and the Debian packages that hold them.
CAMERA_LIBRARIES = (
    *("libGL.so.1", "libEGL.so.1", "libGLESv2.so.2", "libglib-2.0.so.0", "libgthread-2.0.so.0"),
)
CAMERA_PACKAGES = "libgl1 libegl1 libgles2 libglib2.0-0"
SUBJECT, FAULT, REMEDY = 400, 600, 600  # longest parts of a message, in characters
# Control characters, line separators, marks that change the direction of text, and surrogates.
_SHARED = re.compile(r"(lib[\w.+-]+\.so[\w.]*): cannot open shared object file")
_FULL = (errno.ENOSPC, errno.EDQUOT)
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str, longest: int | None = None) -> str:
    """Escape characters that could control a terminal, and cut the middle out of long text.

    Args:
        text: from a file, such as a gloss or the name of a topic.
        longest: number of characters to keep; None keeps all.
    """
    text = _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
    if longest is None or len(text) <= longest:
        return text
    return f"{text[: longest // 2]} ... {text[-longest // 2 :]}"


def install_extra(extra: str) -> str:
    """Return the commands that install an extra: in a copy of the sources, and with pip."""
    return (
        "run `make setup` in the project's folder, or "
        f"`pip install --constraint requirements/lock.txt '.[{extra}]'` there"
    )


def missing_dependency(error: BaseException, extra: str = "") -> tuple[str, str] | None:
    """Return what an import lacks and how to install it, or None for any other error.

    Args:
        error: raised by an import, or by a package that loads its libraries later.
        extra: extra of this package that has the dependency; "" if it is not known.
    """
    library = _SHARED.search(str(error)) if isinstance(error, (ImportError, OSError)) else None
    if library:
        names = CAMERA_PACKAGES if library[1] in CAMERA_LIBRARIES else ""
        debian = f"on Debian and Ubuntu: apt-get install {names}"
        remedy = debian if names else "install the package of your system that holds it"
        return f"the system library {library[1]} is missing", remedy
    if not isinstance(error, ModuleNotFoundError):
        return None
    package = str(error.name).partition(".")[0]
    if package.startswith("_"):  # a C module of the standard library
        remedy = "install a complete Python, such as python3 of Debian"
        return f"this Python was built without its module '{package}'", remedy
    remedy = "run `make setup`, or install the extra that docs/how-to/install.md names"
    fault = f"the Python package '{package}' is missing"
    return fault, install_extra(extra) if extra else remedy


class WhisperSignError(Exception):
    """An error in the user's input. The command line prints it on one line and exits with code 2.

    The message escapes control characters and cuts long parts; the attributes keep them.

    Args:
        subject: the file, topic, option or gloss that is at fault.
        fault: what is wrong with it.
        remedy: how the user can fix it.
    """

    def __init__(self, subject: str | Path, fault: str, remedy: str = "") -> None:
        self.subject = str(subject)
        self.fault = fault
        self.remedy = remedy
        parts = ((self.subject, SUBJECT), (fault, FAULT), (remedy, REMEDY))
        subject, fault, remedy = (
            printable(" ".join(part.split()), longest) for part, longest in parts
        )
        super().__init__(f"{subject}: {fault}" + (f"; {remedy}" if remedy else ""))

    def __reduce__(self) -> tuple[type[WhisperSignError], tuple[str, str, str]]:
        """Pickle the three parts, so that another process can rebuild the error."""
        return type(self), (self.subject, self.fault, self.remedy)


class RecordingError(WhisperSignError):
    """A recording has inconsistent arrays or values that no sensor produces."""


class BagError(WhisperSignError):
    """A rosbag2 bag cannot be read or written."""


class ArchiveError(WhisperSignError):
    """A recording archive (``.npz``) cannot be read."""


class LabelError(WhisperSignError):
    """A label table is invalid; the subject names its file and line."""


class DatasetError(WhisperSignError):
    """A processed dataset is incomplete, inconsistent or unreadable."""


class RecipeError(WhisperSignError):
    """Features, a recording or a checkpoint use a different preprocessing recipe."""


class CheckpointError(WhisperSignError):
    """A checkpoint is damaged, has another format version, or does not fit its use."""


class ConfigError(WhisperSignError):
    """A configuration file or option has an unknown key or a value out of range."""


class SensorError(WhisperSignError):
    """A sensor, camera or video is missing, disconnected or unreadable."""


def describe(error: BaseException, files: Iterable[str], again: str) -> str:
    """Describe any error on one line.

    Args:
        error: expected or not.
        files: names that an unexpected error mentions: the files and topics that were in use.
        again: how to repeat the command so that it shows a traceback.
    """
    if isinstance(error, WhisperSignError):
        return str(error)
    if missing := missing_dependency(error):
        return "; ".join(missing)
    if isinstance(error, OSError) and error.filename is not None:
        name = printable(str(error.filename), SUBJECT)
        return f"{name}: {error.strerror}; check the path"
    if isinstance(error, OSError) and error.errno in _FULL:
        return f"the output cannot be written ({error.strerror}); free some space"
    if isinstance(error, MemoryError):
        fault = "needs more memory than there is"
    else:
        words = " ".join(f"{type(error).__name__}: {error}".split())
        fault = f"unexpected error ({printable(words, FAULT)})"
    names = printable(" ".join(files), SUBJECT)
    subject = f"{names}: " if names else ""
    return f"{subject}{fault}; repeat with {again} and report it at {ISSUES}"
