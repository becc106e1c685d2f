# SPDX-License-Identifier: MIT
"""The error types of the package. Each error names a subject, a fault and a remedy."""

from __future__ import annotations

import re
from pathlib import Path

SUBJECT, FAULT, REMEDY = 400, 600, 600  # longest parts of a message, in characters
# Control characters, line separators, marks that change the direction of text, and surrogates.
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
