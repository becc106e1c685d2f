# SPDX-License-Identifier: MIT
"""A synthetic signer at 60 Hz whose stream can be corrupted in any way."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import cycle
from pathlib import Path

from rclpy.node import Node

from whispersign_model.benchmarks.room import Listener
from whispersign_model.errors import WhisperSignError
from whispersign_model.network.checkpoint import read_metadata
from whispersign_model.recordings.recording import Recording
from whispersign_model.synthesis.sensor import SensorModel
from whispersign_model.synthesis.signer import Signer
from whispersign_model.timestamps import NANOSECONDS
from whispersign_msgs.msg import HandFrame
from whispersign_ros.conversions.messages import frame_message
from whispersign_ros.graph.monitor import TimedGloss
from whispersign_ros.node import qos

RATE = 60.0  # frames per second
SEED = 5  # a signer that the bundled network recognizes
TAKES = 6  # number of different takes, played in turn
SURE = 0.8  # minimum confidence, at which a gloss does not depend on the exact frame times
# Nanoseconds without hands before and after each take: longer than any endpoint timeout, so that no
# part of an interrupted sign joins the next one.
LEAD = TAIL = 6 * NANOSECONDS // 10

Spoil = Callable[[HandFrame], Iterable[HandFrame]]


def unchanged(take: Recording) -> Recording:
    """Return a take as it is."""
    return take


def choose_takes(
    model: Path,
    rate: float = RATE,
    count: int = TAKES,
    glosses: Sequence[str] = (),
    change: Callable[[Recording], Recording] = unchanged,
) -> list[Recording]:
    """Return takes of one sign each, with a margin before the hands enter and after they leave.

    The network recognizes each one with high confidence when nothing goes wrong.

    Args:
        model: checkpoint.
        rate: frames a second.
        count: number of takes.
        glosses: signs to try in turn; without glosses, the whole lexicon.
        change: makes each take from a usual one.

    Raises:
        WhisperSignError: the network recognizes too few.
    """
    vocabulary, listen = read_metadata(model).glosses, Listener(model)
    signer = Signer(SEED, sensor=SensorModel.named("leap", rate))
    takes: list[Recording] = []
    for gloss in glosses or signer.lexicon.glosses:
        if gloss not in vocabulary:
            continue
        take = change(_trimmed(signer.sign_sentence([gloss], tail=1.0)))
        found = listen(take)
        if [each.gloss for each in found] == [gloss] and found[0].confidence >= SURE:
            takes.append(take)
        if len(takes) == count:
            return takes
    raise WhisperSignError(
        model, f"recognizes {len(takes)} signs of the signer for sure", "use the bundled network"
    )


def _trimmed(take: Recording) -> Recording:
    """Remove all but a margin before and after the hands."""
    tracked = take.stamps[take.confidence.any(axis=1)]
    return take.between(int(tracked[0]) - LEAD, int(tracked[-1]) + TAIL)


def _sign(take: Recording, arrival: float) -> TimedGloss:
    """Return the first sign of a take."""
    segment = take.segments[0]
    return TimedGloss(segment.glosses[0], segment.start, segment.end, arrival)


def as_it_is(frame: HandFrame) -> Iterable[HandFrame]:
    """Pass a frame on unchanged."""
    return [frame]


class Feed:
    """Plays takes as one continuous stream on ``hands/raw``, from its own thread.

    Attributes:
        signed: completed signs, with the stamps of their frames.
        sign: the current sign; None between signs.
        shown: the recordings of ``show`` that have been played, with the stamps of their frames.
        sent: number of frames so far.
        corrupt: maps a frame to the frames to send; settable at any time. ``[frame]`` is healthy.

    Args:
        node: owns the publisher.
        takes: one sign each.
        clock: returns the time in nanoseconds with which frames are stamped.
    """

    def __init__(self, node: Node, takes: Sequence[Recording], clock: Callable[[], int]) -> None:
        self.signed: list[TimedGloss] = []
        self.sign: TimedGloss | None = None
        self.shown: list[Recording] = []
        self.sent = 0
        self.corrupt: Spoil = as_it_is
        self._takes = cycle(takes)
        self._guests: deque[Recording] = deque()
        self._clock = clock
        self._publisher = qos.publish(node, HandFrame, "hands/raw", qos.HANDS)
        self._sequence = 0
        self._stop = threading.Event()
        self._again = threading.Event()
        self._run = threading.Event()
        self._thread = threading.Thread(target=self._play, name="feed", daemon=True)
        self._thread.start()

    def resume(self) -> None:
        """Start or resume sending, from the start of a sign."""
        self._again.set()
        self._run.set()

    def pause(self) -> None:
        """Send nothing, like a sensor that hangs."""
        self._run.clear()

    def sign_anew(self) -> None:
        """Interrupt the current sign and start the next one."""
        self._again.set()

    def show(self, recordings: Iterable[Recording]) -> None:
        """Play other recordings, once and in order, before the next sign."""
        self._guests.extend(recordings)

    def close(self) -> None:
        """Stop the thread."""
        self._stop.set()
        self._run.set()
        self._thread.join()

    def _play(self) -> None:
        while not self._stop.is_set():
            self._again.clear()
            guest = self._guests.popleft() if self._guests else None
            take = next(self._takes) if guest is None else guest
            whole, start = self._play_take(take)
            if whole and guest is not None:
                self.shown.append(guest.starting_at(start))
            elif whole:
                self.signed.append(_sign(take.starting_at(start), time.monotonic()))
            self._stop.wait(1 / take.frame_rate)  # the next take continues the stream

    def _play_take(self, take: Recording) -> tuple[bool, int]:
        """Play a take; return whether nothing interrupted it, and the stamp of its first frame."""
        begin, start, last = time.monotonic(), self._clock(), 0
        shift = start - int(take.stamps[0])
        sign = _sign(take.starting_at(start), begin) if take.glosses else None
        for index in self._due_frames(take, begin):
            self.sign = sign if sign is not None and sign.start <= last <= sign.end else None
            last = int(take.stamps[index]) + shift
            self._send(take, index, last)
        return not (self._again.is_set() or self._stop.is_set()), start

    def _due_frames(self, take: Recording, begin: float) -> Iterator[int]:
        """Yield the indices of a take's frames in real time, until the next take must start."""
        for index, stamp in enumerate(take.stamps.tolist()):
            due = begin + (stamp - int(take.stamps[0])) / NANOSECONDS
            self._stop.wait(max(0.0, due - time.monotonic()))
            self._run.wait()
            if self._stop.is_set() or self._again.is_set():
                return
            yield index

    def _send(self, take: Recording, index: int, stamp: int) -> None:
        hands = take.positions[index], take.confidence[index]
        frame = frame_message(
            stamp, 0, *hands, frame_id="hands", coordinates=take.coordinates, source="reliability"
        )
        for message in self.corrupt(frame):
            message.sequence = self._sequence
            self._sequence += 1
            self._publisher.publish(message)
            self.sent += 1
