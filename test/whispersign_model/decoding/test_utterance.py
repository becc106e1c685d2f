# SPDX-License-Identifier: MIT
"""The first pass: what is stable stays, and what is forgotten or cut leaves the rest as it was."""

from __future__ import annotations

import numpy as np
import pytest

from whispersign_model.decoding import utterance
from whispersign_model.decoding.search import DecodingOptions
from whispersign_model.decoding.utterance import Utterance

from .readers import PATCH, PERIOD, Frames, Reader, RerunStream, signal


def reading(stream: RerunStream, frames: Frames) -> Utterance:
    """Return an utterance that has taken frames."""
    read = Utterance(stream, PATCH, DecodingOptions())
    for index, frame in enumerate(frames):
        read.append(frame, index * PERIOD, 1.0)
    return read


def test_what_is_stable_stays_when_something_else_becomes_likelier(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(utterance, "SCORE_MARGIN", 0.0)  # only the best counts
    rows = np.log([[0.05, 0.5, 0.45], [0.3, 0.1, 0.6]]).astype(np.float32)
    frames = signal(("move", 8 / 60))

    def script(features: Frames) -> Frames:
        return rows[: len(features) // PATCH]

    free = reading(RerunStream(script, 1), frames)
    assert free.best() == (2,)
    bound = reading(RerunStream(script, 1), frames[:4])
    bound.stabilize(0, after=0)
    assert bound.stable == (1,)
    for index in range(4, 8):
        bound.append(frames[index], index * PERIOD, 1.0)
    assert bound.best() == (1, 2)


def test_what_is_forgotten_leaves_the_rest_in_its_place() -> None:
    frames = signal(("rest", 1.0), ("HELLO", 0.4), ("rest", 0.2))
    read = reading(Reader().stream(2), frames)
    before = read.hypothesis().spans[0]
    read.forget_before(30 * PERIOD)
    assert read.stamps[0] == 28 * PERIOD  # whole steps only
    assert len(read.frames) == len(read.stamps) == len(read.speeds) == read.tracked
    after = read.hypothesis().spans[0]
    assert (after.start, after.end) == (before.start - 7, before.end - 7)


def test_an_utterance_rewinds_to_its_mark() -> None:
    frames = signal(("HELLO", 0.4), ("rest", 0.4), ("YES", 0.4), ("rest", 0.2))
    read = reading(Reader().stream(1), frames[:46])
    read.mark()  # within a step
    read.rewind()
    assert read.tracked == 46
    for index in range(46, 48):
        read.append(frames[index], index * PERIOD, 1.0)
    read.stabilize(10**9, after=0)
    read.mark()
    for index in range(48, len(frames)):
        read.append(frames[index], index * PERIOD, 1.0)
        read.mark()  # the earlier mark holds
    assert read.best() == (1, 2)
    read.rewind()
    assert (read.best(), read.stable, read.tracked) == ((1,), (1,), 48)
    assert len(read.frames) == len(read.stamps) == len(read.speeds) == 48
    for index in range(48, len(frames)):
        read.append(frames[index], index * PERIOD, 1.0)
    assert read.best() == (1, 2)
    read.rewind()  # there is no mark any more
    assert read.tracked == len(frames)
