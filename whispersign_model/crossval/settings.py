# SPDX-License-Identifier: MIT
"""Settings of a cross-validation: the content of a protocol file. This imports no PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, model_validator

from whispersign_model.configuration import StrictModel
from whispersign_model.datasets.splits import SplitPolicy
from whispersign_model.decoding.streaming import RecognizerOptions
from whispersign_model.features.recipe import SmoothingKind
from whispersign_model.recordings.recording import Recording


class Folds(StrictModel):
    """How the folds split the recordings; exactly one field is set.

    Attributes:
        signers: number of test signers in each fold, in alphabetical order.
        every: recording ``i`` belongs to the test set of fold ``i % every + 1``.
        test: names that form the test set of a single fold (see :class:`SplitPolicy`).
        given: a single fold uses the recordings' own splits, as in WLASL.
    """

    signers: Annotated[int, Field(ge=0)] = 0
    every: Annotated[int, Field(ge=0)] = 0
    test: tuple[str, ...] = ()
    given: bool = False

    @model_validator(mode="after")
    def _one_way(self) -> Folds:
        if sum(map(bool, (self.signers, self.every, self.test, self.given))) != 1:
            raise ValueError("give one of signers, every, test, given")
        return self

    def policies(self, recordings: Sequence[Recording], val_every: int | None) -> list[SplitPolicy]:
        """Return the split of each fold, in order."""
        if val_every is None:
            return [SplitPolicy()]
        if self.every:
            return [
                SplitPolicy(
                    test_every=self.every,
                    test_offset=fold,
                    val_every=val_every,
                    val_offset=fold + 1,
                )
                for fold in range(self.every)
            ]
        if self.test:
            return [SplitPolicy(test=self.test, val_every=val_every)]
        names = sorted({recording.signer for recording in recordings})
        starts = range(0, len(names), self.signers)
        groups = [tuple(names[first : first + self.signers]) for first in starts]
        return [SplitPolicy(test=group, val_every=val_every) for group in groups]


class Protocol(StrictModel):
    """The content of a file in ``config/crossval``.

    Attributes:
        title: title of the table.
        archive: file name of the recording archive.
        label: label array of the archive.
        smoothing: filter for the raw frames: none, one_euro or moving_average.
        folds: how the folds split the recordings.
        val_every: every ``val_every``-th recording outside the test set goes to the validation set;
            None with given splits.
        train: name of the training recipe in the config folder.
        live: options of the live recognizer.
        published: published results on these recordings, by name.
    """

    title: str
    archive: str
    label: str = "lab"
    smoothing: SmoothingKind = "none"
    folds: Folds
    val_every: Annotated[int, Field(ge=2)] | None = None
    train: str = "train.yaml"
    live: RecognizerOptions = RecognizerOptions()
    published: dict[str, str] = Field(default={})

    @model_validator(mode="after")
    def _validates(self) -> Protocol:
        if (self.val_every is None) != self.folds.given:
            raise ValueError("give val_every, unless folds are given: those name who validates")
        return self
