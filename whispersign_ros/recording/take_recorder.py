# SPDX-License-Identifier: MIT
"""Write the takes of a session as bags, and publish their annotations."""

import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from rclpy.serialization import serialize_message

from whispersign_model.errors import WhisperSignError
from whispersign_model.recordings.bags.messages import GLOSS_ANNOTATION, HAND_FRAME
from whispersign_model.recordings.takes import Take, TakeWriter, discard_take
from whispersign_model.timestamps import NANOSECONDS
from whispersign_msgs.msg import GlossAnnotation, HandFrame
from whispersign_ros.conversions.messages import annotation_message
from whispersign_ros.recording.prompt_plan import glosses_of

LEAD = NANOSECONDS // 2  # time before the take that its bag also contains


class _Arrived(NamedTuple):
    topic: str
    kind: str
    data: bytes
    time: int


class TakeRecorder:
    """Writes a bag for each take; the bag also contains the half second before the take.

    Attributes:
        sensor: source of the last frame.

    Args:
        out: folder of the takes.
        frames_topic, annotation_topic: fully qualified topic names.
        publish: publishes an annotation.
        clock: returns the current time in nanoseconds, which becomes the arrival time of messages.
    """

    def __init__(
        self,
        out: Path,
        frames_topic: str,
        annotation_topic: str,
        publish: Callable[[GlossAnnotation], None],
        clock: Callable[[], int],
    ) -> None:
        self.sensor = ""
        self._out = out
        self._frames_topic = frames_topic
        self._annotation_topic = annotation_topic
        self._publish = publish
        self._clock = clock
        self._frame_id = ""
        self._recent: deque[tuple[int, _Arrived]] = deque()  # with arrival on a monotonic clock
        self._writer: TakeWriter | None = None

    def take_frame(self, message: HandFrame) -> None:
        """Write a frame.

        Raises:
            BagError: the bag cannot be written; the current take is lost.
        """
        self.sensor, self._frame_id = message.source, message.header.frame_id
        self.take_bytes(self._frames_topic, HAND_FRAME, serialize_message(message))

    def take_bytes(self, topic: str, kind: str, data: bytes) -> None:
        """Write a serialized message of any topic, with the same errors as ``take_frame``."""
        arrived = _Arrived(topic, kind, data, self._clock())
        if self._writer is not None:
            self._write(arrived)
            return
        now = time.monotonic_ns()
        self._recent.append((now, arrived))
        while now - self._recent[0][0] > LEAD:
            self._recent.popleft()

    def begin(self, take: Take) -> None:
        """Open the bag of a take, and write the messages of the last half second.

        Raises:
            BagError: the bag cannot be written.
        """
        self._writer = TakeWriter(self._out, take)
        while self._recent:
            self._write(self._recent.popleft()[1])

    def keep(self, start: int, end: int) -> None:
        """Write the annotation, close the bag, and publish the annotation.

        Raises:
            BagError: the bag cannot be written; the take is lost.
        """
        writer = self._writer
        assert writer is not None
        annotation = self._annotation(writer.take, start, end)
        data = serialize_message(annotation)
        self._write(_Arrived(self._annotation_topic, GLOSS_ANNOTATION, data, self._clock()))
        self._writer = None
        writer.keep(self.sensor)
        self._publish(annotation)

    def abandon(self, start: int, end: int) -> None:
        """Delete the bag, and publish an annotation that discards these frames."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        writer.drop()
        if start:
            self._publish(self._annotation(writer.take, start, end, keep=False))

    def discard(self, take: Take, start: int, end: int) -> None:
        """Mark a kept take's bag as discarded, and publish the annotation.

        Raises:
            BagError: the bag cannot be rewritten.
        """
        annotation = self._annotation(take, start, end, keep=False)
        data = serialize_message(annotation)
        discard_take(self._out, take, self._annotation_topic, GLOSS_ANNOTATION, data)
        self._publish(annotation)

    def close(self) -> None:
        """Delete the bag of an unfinished take."""
        if self._writer is not None:
            self._writer.drop()
        self._writer = None

    def _write(self, arrived: _Arrived) -> None:
        assert self._writer is not None
        try:
            self._writer.write(*arrived)
        except WhisperSignError:
            self._writer = None
            raise

    def _annotation(self, take: Take, start: int, end: int, keep: bool = True) -> GlossAnnotation:
        return annotation_message(
            start,
            end,
            glosses_of(take.gloss),
            frame_id=self._frame_id,
            signer=take.signer,
            keep=keep,
            take=take.number,
        )
