# SPDX-License-Identifier: MIT
"""The feed: takes follow one another without end, and other recordings come in between."""

from __future__ import annotations

import time

import numpy as np
import pytest

from reliability import feed
from reliability.feed import Feed
from whispersign_model.recordings.recording import Recording, Segment
from whispersign_ros.conversions.messages import nanoseconds

STEP = 10_000_000  # nanoseconds
START = 5_000_000_000


def _take(gloss, frames=6):
    segments = (Segment((gloss,), 2 * STEP, 4 * STEP),) if gloss else ()
    return Recording(
        np.arange(frames) * STEP,
        np.full((frames, 42, 3), 0.1, np.float32),
        np.ones((frames, 42), np.float32),
        segments,
    )


class _Topic:
    def __init__(self):
        self.stamps: list[int] = []

    def publish(self, message):
        self.stamps.append(nanoseconds(message.header.stamp))


@pytest.fixture
def played(monkeypatch):
    """A feed of two takes, and the stamps that it has sent; it begins with the second take."""
    topic = _Topic()
    monkeypatch.setattr(feed.qos, "publish", lambda *_: topic)
    source = Feed(None, [_take("GO"), _take("STOP")], lambda: time.monotonic_ns() + START)
    yield source, topic.stamps
    source.close()


def _soon(condition):
    end = time.monotonic() + 30.0
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return condition()


def test_takes_follow_one_another_a_frame_apart(played):
    source, stamps = played
    source.resume()
    assert _soon(lambda: len(source.signed) >= 3)
    assert [sign.gloss for sign in source.signed[:3]] == ["STOP", "GO", "STOP"]
    first, second = source.signed[:2]
    assert first.start == stamps[0] + 2 * STEP
    assert second.end - second.start == 2 * STEP
    assert np.diff(stamps).min() >= STEP - 1
    assert source.shown == []


def test_other_recordings_come_once_before_the_next_sign(played):
    source, stamps = played
    source.show([_take("HELLO"), _take("", frames=9)])
    source.resume()
    assert _soon(lambda: len(source.signed) >= 2)
    hello, nothing = source.shown
    assert hello.glosses == ("HELLO",)
    assert hello.segments[0].start == hello.stamps[0] + 2 * STEP
    assert nothing.glosses == ()
    assert [*hello.stamps, *nothing.stamps] == stamps[:15]
    assert [sign.gloss for sign in source.signed[:2]] == ["STOP", "GO"]
    assert source.signed[0].start > nothing.stamps[-1]


def test_a_recording_that_is_interrupted_was_not_shown(played):
    source, stamps = played
    source.show([_take("HELLO", frames=3000)])
    source.resume()
    assert _soon(lambda: len(stamps) > 2)
    source.sign_anew()
    assert _soon(lambda: source.signed)
    assert source.shown == []
