# SPDX-License-Identifier: MIT
"""A sensor in a process of its own, before which a person signs on request.

A message on ``sign`` names a gloss; between signs no hand is in view. The process sends every
frame with its capture time. Without CPU time it falls behind and sends the backlog later, as a
driver with a deep buffer does.
"""

import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rclpy
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from std_msgs.msg import String

from reliability.feed import RATE, choose_takes
from whispersign_model.recordings.bags.bag import read_bag, write_bag
from whispersign_model.recordings.recording import Recording
from whispersign_model.timestamps import NANOSECONDS
from whispersign_msgs.msg import HandFrame
from whispersign_ros.conversions.messages import frame_message
from whispersign_ros.node import qos

OFFSET = "offset"  # "offset N" shifts the stamps from now on by N nanoseconds


@dataclass(frozen=True)
class Signed:
    """A sign of the signer.

    Attributes:
        gloss: its name.
        start, end: capture times of its first and last frame, ``time.monotonic()``.
        end_stamp: stamp of its last frame, nanoseconds.
    """

    gloss: str
    start: float
    end: float
    end_stamp: int


def signed(words: Sequence[str]) -> Signed:
    """Return the sign that a line of the process describes."""
    gloss, start, end, stamp = words
    return Signed(gloss, float(start), float(end), int(stamp))


def write_takes(model: Path, glosses: Sequence[str], folder: Path) -> None:
    """Write a take of each gloss that the network recognizes with high confidence.

    Raises:
        WhisperSignError: the network does not recognize one of them.
    """
    for take in choose_takes(model, count=len(glosses), glosses=glosses):
        write_bag(folder / take.glosses[0], take)


def without_margins(take: Recording) -> Recording:
    """Cut a take to the frames with hands."""
    tracked = take.stamps[take.confidence.any(axis=1)]
    return take.between(int(tracked[0]), int(tracked[-1]))


class Sensor:
    """Yields frames on a fixed schedule: the requested signs, and empty frames between them.

    Attributes:
        offset: nanoseconds by which stamps lead the host's clock.

    Args:
        takes: recordings by gloss.
        out: file to which a line is appended when a sign begins.
    """

    def __init__(self, takes: Mapping[str, Recording], out: Path) -> None:
        self.offset = 0
        self._takes = takes
        self._out = out
        self._requests: deque[str] = deque()
        first = next(iter(takes.values()))
        self._coordinates = first.coordinates
        self._nothing = np.zeros_like(first.positions[0]), np.zeros_like(first.confidence[0])

    def request(self, message: String) -> None:
        """Sign a gloss as soon as the current sign ends, or shift the stamps."""
        word, _, number = message.data.partition(" ")
        if word == OFFSET:
            self.offset = int(number)
        else:
            self._requests.append(word)

    def frames(self) -> Iterator[tuple[float, HandFrame]]:
        """Yield frames and the times at which to send them, ``time.monotonic()``, without end."""
        due = time.monotonic()
        while True:
            if self._requests:
                take = self._takes[self._requests.popleft()]
                ahead = self._ahead()
                self._announce(take, due, ahead)
                begin = due
                for place, stamp in enumerate((take.stamps - take.stamps[0]).tolist()):
                    due = begin + stamp / NANOSECONDS
                    hands = take.positions[place], take.confidence[place]
                    yield due, self._frame(due, ahead, hands)
            else:
                yield due, self._frame(due, self._ahead(), self._nothing)
            due += 1 / RATE

    def _ahead(self) -> int:
        """Return nanoseconds by which stamps lead the monotonic clock."""
        return time.time_ns() - time.monotonic_ns() + self.offset

    def _announce(self, take: Recording, begin: float, ahead: int) -> None:
        segment = take.segments[0]
        start, end = (
            begin + (moment - int(take.stamps[0])) / NANOSECONDS
            for moment in (segment.start, segment.end)
        )
        with self._out.open("a") as file:
            print(segment.glosses[0], start, end, _stamp(end, ahead), file=file)

    def _frame(self, due: float, ahead: int, hands: tuple[np.ndarray, np.ndarray]) -> HandFrame:
        return frame_message(
            _stamp(due, ahead),
            0,
            *hands,
            frame_id="hands",
            coordinates=self._coordinates,
            source="reliability",
        )


def _stamp(moment: float, ahead: int) -> int:
    return round(moment * NANOSECONDS) + ahead


def main() -> None:
    """Send frames until the process ends."""
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    node = Node("signer", automatically_declare_parameters_from_overrides=True)
    folder, out = (Path(node.get_parameter(name).value) for name in ("takes", "out"))
    takes = {bag.name: without_margins(read_bag(bag)) for bag in folder.iterdir()}
    sensor = Sensor(takes, out)
    publisher = qos.publish(node, HandFrame, "hands/raw", qos.HANDS)
    node.create_subscription(String, "sign", sensor.request, 10)
    print("sends", flush=True)
    for sequence, (due, frame) in enumerate(sensor.frames()):
        while (left := due - time.monotonic()) > 0:
            rclpy.spin_once(node, timeout_sec=left)
        rclpy.spin_once(node, timeout_sec=0)
        frame.sequence = sequence
        publisher.publish(frame)


if __name__ == "__main__":
    main()
