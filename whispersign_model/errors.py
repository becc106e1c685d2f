# SPDX-License-Identifier: MIT
"""The typed errors of the package: each names the thing at fault, what is wrong and what to do."""

from __future__ import annotations

from pathlib import Path


class WhisperSignError(Exception):
    """A fault in what the user gave us. The command line prints it as one line and exits with 2.

    Args:
        subject: the file, topic, option or gloss at fault.
        fault: what is wrong with it.
        remedy: what the user can do about it.
    """

    def __init__(self, subject: str | Path, fault: str, remedy: str = "") -> None:
        self.subject = str(subject)
        self.fault = fault
        self.remedy = remedy
        message = f"{subject}: {fault}" + (f"; {remedy}" if remedy else "")
        super().__init__(" ".join(message.split()))

    def __reduce__(self) -> tuple[type[WhisperSignError], tuple[str, str, str]]:
        """Let it go from process to process: it is made of three parts, not of its message."""
        return type(self), (self.subject, self.fault, self.remedy)


class RecordingError(WhisperSignError):
    """A recording whose arrays contradict each other or hold values no sensor can give."""


class BagError(WhisperSignError):
    """A rosbag2 that cannot be read or written."""


class ArchiveError(WhisperSignError):
    """A recording archive (``.npz``) that cannot be read."""


class LabelError(WhisperSignError):
    """A table of labels with a fault; the subject names its file and line."""


class DatasetError(WhisperSignError):
    """A processed dataset that is incomplete, inconsistent or unreadable."""


class RecipeError(WhisperSignError):
    """Features, recordings or a checkpoint that belong to another preprocessing recipe."""


class CheckpointError(WhisperSignError):
    """A checkpoint that is damaged, of another format version, or does not fit its use."""


class ConfigError(WhisperSignError):
    """A configuration file or option with an unknown key or a value outside its range."""


class SensorError(WhisperSignError):
    """A sensor, camera or video that is not there, is gone, or cannot be read."""
