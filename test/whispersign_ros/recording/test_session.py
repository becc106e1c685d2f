# SPDX-License-Identifier: MIT
"""The session of a session, with a clock and frames of our own."""

from __future__ import annotations

import pytest

from whispersign_model.errors import BagError, WhisperSignError
from whispersign_model.timestamps import NANOSECONDS
from whispersign_ros.recording.prompt_plan import PromptPlan
from whispersign_ros.recording.session import (
    COUNTDOWN,
    ENDED,
    KEPT,
    PAUSED,
    SIGNING,
    WAITING,
    RecordingSession,
    Timing,
)

TIMING = Timing(countdown=2.0, signing=4.0, away=0.5, rest=1.0, silence=1.5)
STEP = 0.05  # seconds between two frames
EPOCH = 1_700_000_000 * NANOSECONDS  # of the stamps


class Recorder:
    """Notes what it is told; fails where a test says so."""

    def __init__(self):
        self.told = []
        self.full = ""

    def _note(self, word, *details):
        if word == self.full:
            raise BagError("take", "cannot be written (No space left on device)")
        self.told.append((word, *details))

    def begin(self, take):
        self._note("begin", take.gloss, take.number)

    def keep(self, start, end):
        self._note("keep", *map(seconds, (start, end)))

    def abandon(self, start, end):
        self._note("abandon")

    def discard(self, take, start, end):
        self._note("discard", take.gloss, take.number, *map(seconds, (start, end)))


def seconds(stamp):
    return round((stamp - EPOCH) / NANOSECONDS, 3)


class Session:
    """A session with a clock that frames drive."""

    def __init__(self, *glosses, takes=1, timing=TIMING, found=()):
        self.recorder = Recorder()
        self.plan = PromptPlan(glosses or ("A", "B"), takes, "anna", found, None)
        self.now = 100.0
        self.sequence = 0
        self.session = RecordingSession(self.plan, timing, self.recorder, "/hands/raw", self.now)

    @property
    def phase(self):
        return self.session.phase

    @property
    def text(self):
        return self.session.shown.text

    @property
    def gloss(self):
        return self.session.shown.take.gloss

    def silence(self, span):
        """Let time pass without frames."""
        for _ in range(round(span / STEP)):
            self.now += STEP
            self.session.tick(self.now)

    def frames(self, span, hands=0):
        """Let time pass with frames, on the same clock as stamps."""
        for _ in range(round(span / STEP)):
            self.now = round(self.now + STEP, 6)
            stamp = EPOCH + round((self.now - 100.0) * NANOSECONDS)
            self.session.frame(stamp, self.sequence, hands, self.now)
            self.sequence += 1
            self.session.tick(self.now)

    def until(self, phase):
        for _ in range(1000):
            if self.phase == phase:
                return
            self.frames(STEP)
        raise AssertionError(f"phase {phase} never came")

    def sign(self, span=1.0):
        """Sign the next take, hands in and hands away."""
        self.until(SIGNING)
        self.frames(span, hands=1)
        self.until(KEPT)

    def words(self):
        return [each[0] for each in self.recorder.told]


def test_a_take_is_labelled_from_the_first_hand_to_the_last():
    session = Session()
    assert (session.phase, session.gloss) == (WAITING, "A")
    session.frames(STEP)
    assert session.phase == COUNTDOWN
    assert session.session.seconds_left(session.now) == pytest.approx(2.0)
    session.frames(2.0)
    assert session.phase == SIGNING
    assert session.session.seconds_left(session.now) == pytest.approx(4.0)
    session.frames(0.3)
    begin = session.now - 100 + STEP
    session.frames(1.0, hands=1)
    end = session.now - 100
    session.frames(0.45)
    assert session.phase == SIGNING
    session.frames(STEP)
    assert session.phase == KEPT
    assert session.recorder.told == [("begin", "A", 0), ("keep", round(begin, 3), round(end, 3))]
    assert (session.gloss, session.session.shown.next_gloss) == ("A", "B")
    assert session.session.shown.done == 1
    session.frames(1.0)
    assert (session.phase, session.gloss) == (COUNTDOWN, "B")


def test_a_hand_that_stays_has_the_full_time_and_a_sentence_more():
    session = Session("A|B", timing=Timing(1.0, 2.0, 0.5, 1.0, 1.5))
    session.until(SIGNING)
    session.frames(3.9, hands=2)
    assert session.phase == SIGNING
    session.frames(STEP * 2, hands=2)
    assert session.phase == KEPT


def test_without_an_early_end_a_take_has_its_full_time():
    session = Session(timing=Timing(1.0, 4.0, 0.0, 1.0, 1.5))
    session.until(SIGNING)
    session.frames(1.0, hands=1)
    session.frames(2.9)
    assert session.phase == SIGNING
    session.frames(0.1)
    assert session.phase == KEPT


def test_the_end():
    session = Session()
    session.sign()
    session.sign()
    session.frames(1.0)
    assert session.phase == ENDED
    assert session.text == "all 2 takes are recorded"
    with pytest.raises(WhisperSignError, match="has ended"):
        session.session.pause(session.now)


def test_a_finished_session_ends_at_once():
    done = Session("A")
    done.sign()
    again = Session("A", found=[done.plan._next_take("A")])
    assert again.phase == ENDED


def test_without_a_hand_it_waits_for_one_and_says_so():
    session = Session()
    session.until(SIGNING)
    session.frames(4.0)
    assert session.phase == WAITING
    assert "no hands seen" in session.text
    assert session.words() == ["begin", "abandon"]
    session.frames(10.0)
    assert session.phase == WAITING
    session.frames(STEP, hands=1)
    assert (session.phase, session.gloss) == (COUNTDOWN, "A")


def test_one_frame_with_a_hand_is_no_sign():
    session = Session()
    session.until(SIGNING)
    session.frames(STEP, hands=1)
    session.frames(4.0)
    assert session.phase == WAITING


@pytest.mark.parametrize("during", [COUNTDOWN, SIGNING])
def test_a_silent_sensor_is_waited_for_and_told(during):
    session = Session()
    session.until(during)
    session.frames(0.5, hands=1)
    session.silence(1.4)
    assert session.phase == during
    session.silence(0.2)
    assert session.phase == WAITING
    assert session.text == "no frames on /hands/raw; is the sensor connected?"
    assert session.words() == (["begin", "abandon"] if during == SIGNING else [])
    session.session.trouble = "leap_node: no device"
    session.silence(STEP)
    assert session.text == "leap_node: no device"
    session.frames(STEP)
    assert (session.phase, session.gloss) == (COUNTDOWN, "A")
    session.silence(3.0)
    assert session.text == "no frames on /hands/raw; is the sensor connected?"


@pytest.mark.parametrize("jump", [-2.0, 6.0])
def test_a_take_with_a_jump_in_time_is_none(jump):
    session = Session()
    session.until(SIGNING)
    session.frames(0.5, hands=1)
    stamp = EPOCH + round((session.now - 100 + jump) * NANOSECONDS)
    session.session.frame(stamp, session.sequence, 1, session.now)
    assert session.phase == COUNTDOWN
    assert "restarted" in session.text
    assert session.words() == ["begin", "abandon"]


def test_a_take_with_a_new_stream_is_none():
    session = Session()
    session.until(SIGNING)
    session.frames(0.5, hands=1)
    session.sequence = 0
    session.frames(STEP, hands=1)
    assert session.phase == COUNTDOWN
    assert session.words() == ["begin", "abandon"]


def test_repeat_while_signing_begins_the_take_again():
    session = Session()
    session.until(SIGNING)
    session.frames(0.5, hands=1)
    assert session.session.repeat(session.now) == "A again"
    assert (session.phase, session.gloss) == (COUNTDOWN, "A")
    assert session.words() == ["begin", "abandon"]


@pytest.mark.parametrize("phase", [KEPT, COUNTDOWN])
def test_repeat_after_a_take_discards_it_and_prompts_it_at_once(phase):
    session = Session()
    session.sign()
    session.until(phase)
    kept = session.recorder.told[1][1:]
    session.session.repeat(session.now)
    assert session.recorder.told[-1] == ("discard", "A", 0, *kept)
    assert (session.phase, session.gloss, session.session.shown.done) == (COUNTDOWN, "A", 0)
    session.sign()
    assert ("begin", "A", 1) in session.recorder.told


def test_discard_after_a_take_prompts_it_at_the_end():
    session = Session("A", "B")
    session.sign()
    session.until(COUNTDOWN)
    session.session.discard(session.now)
    assert (session.phase, session.gloss) == (COUNTDOWN, "B")
    assert session.session.shown.next_gloss == "A"
    with pytest.raises(WhisperSignError, match="has no take to discard"):
        session.session.discard(session.now)
    session.sign()
    session.sign()
    session.frames(1.0)
    assert session.phase == ENDED
    assert not session.plan.missing


def test_discard_while_signing_leaves_the_gloss_for_the_end():
    session = Session("A", "B")
    session.until(SIGNING)
    session.frames(0.5, hands=1)
    session.session.discard(session.now)
    assert (session.phase, session.gloss) == (COUNTDOWN, "B")
    assert session.words() == ["begin", "abandon"]


def test_pause_and_going_on():
    session = Session()
    session.until(SIGNING)
    session.frames(0.5, hands=1)
    assert session.session.pause(session.now) == "paused"
    session.frames(30.0, hands=1)
    session.silence(30.0)
    assert session.phase == PAUSED
    assert session.words() == ["begin", "abandon"]
    assert session.session.pause(session.now) == "continuing"
    assert (session.phase, session.gloss) == (COUNTDOWN, "A")


def test_next_leaves_a_take_out_and_it_is_missing():
    session = Session("A", "B")
    session.until(COUNTDOWN)
    assert session.session.skip(session.now) == "next is B"
    session.sign()
    session.session.skip(session.now)
    assert session.phase == ENDED
    assert "skipped" in session.text
    assert session.plan.missing == {"A": 1}


def test_next_after_a_take_only_ends_the_rest():
    session = Session("A", "B")
    session.sign()
    session.session.skip(session.now)
    assert (session.phase, session.gloss) == (COUNTDOWN, "B")
    assert session.plan.missing == {"B": 1}


def test_stop():
    session = Session()
    session.until(SIGNING)
    session.session.stop()
    assert session.phase == ENDED
    assert session.words() == ["begin", "abandon"]


@pytest.mark.parametrize("when", ["begin", "keep"])
def test_a_full_disk_pauses_and_the_take_comes_again(when):
    session = Session("A")
    session.recorder.full = when
    session.until(SIGNING if when == "keep" else PAUSED)
    session.frames(1.0, hands=1)
    session.until(PAUSED)
    assert "No space left" in session.text
    assert "free disk space and continue" in session.text
    assert session.plan.missing == {"A": 1}
    session.recorder.full = ""
    session.session.pause(session.now)
    session.sign()
    assert session.plan.missing == {}


def test_a_discarding_that_fails_leaves_the_take():
    session = Session("A", "B")
    session.sign()
    session.recorder.full = "discard"
    with pytest.raises(BagError):
        session.session.discard(session.now)
    assert session.plan.missing == {"B": 1}
