# SPDX-License-Identifier: MIT
"""Ordinary life before a sensor: visitors come, sign, hold a sign, rest and go, without end.

One round of visits is made at the start and then repeated, so that every round should be
recognized alike. While a visitor rests, an annotation without glosses marks the time.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import cycle

from rclpy.node import Node

from whispersign_model.benchmarks.room_figures import SETTLED
from whispersign_model.recordings.recording import Recording, Segment
from whispersign_model.synthesis.sensor import SensorModel
from whispersign_model.synthesis.signer import AwayItem, HoldItem, IdleItem, Signer, SignItem
from whispersign_model.timestamps import NANOSECONDS
from whispersign_ros.node.diagnostics import Diagnostics
from whispersign_ros.node.parameters import ParameterSpec, declare
from whispersign_ros.node.runner import run
from whispersign_ros.playback.player import SHARED_PARAMETERS, Player

VISITORS = (0, 8)  # signers that the bundled network recognizes: the soak does not test recognition
SENTENCES = (("HELLO", "GO"), ("LEFT", "STOP"), ("THANKS", "COME"))
HELD = ("GO", "RIGHT")
HOLD = 4.0  # seconds
COME, GO = AwayItem(0.4), AwayItem(1.0)
NOBODY = 5.0  # seconds
PARAMETERS = (
    ParameterSpec("frame_rate", 120.0, "frames per second", (5.0, 240.0)),
    ParameterSpec("rest", 30.0, "seconds for which a visitor rests", (0.1, 600.0)),
    *SHARED_PARAMETERS,
)


def visits(rate: float, rest: float) -> list[Recording]:
    """Return one round of visits.

    Args:
        rate: frames per second.
        rest: seconds of each visitor's rest.
    """
    round_: list[Recording] = []
    for seed in VISITORS:
        visitor = Signer(seed, sensor=SensorModel.named("leap", rate))
        for sentence in SENTENCES:
            round_.append(visitor.record([COME, *map(SignItem, sentence), GO]))
        for gloss in HELD:
            round_.append(visitor.record([COME, SignItem(gloss), HoldItem(HOLD), GO]))
        round_.append(_rest(visitor, rest))
        round_.append(visitor.record([AwayItem(NOBODY)]))
    return round_


def _rest(visitor: Signer, seconds: float) -> Recording:
    """Return a visit without a sign; a segment marks the rest once the hands have settled."""
    recording = visitor.record([COME, IdleItem("rest", SETTLED + seconds), GO])
    there = recording.stamps[recording.confidence.any(axis=1)]
    settled = int(there[0]) + round(SETTLED * NANOSECONDS)
    return replace(recording, segments=(Segment((), settled, int(there[-1])),))


class RoomNode(Node):
    """Publishes the visits as one stream on ``hands/raw`` and ``annotation``."""

    def __init__(self) -> None:
        super().__init__("room", automatically_declare_parameters_from_overrides=True)
        values = declare(self, PARAMETERS)
        self._player = Player(
            self,
            values,
            map(_reader, cycle(visits(values["frame_rate"], values["rest"]))),
            Diagnostics(self),
            lambda: None,
            one_stream=True,
            pause=1 / values["frame_rate"],
        )
        self._player.start()

    def destroy_node(self) -> None:
        """Stop playing, and destroy the node."""
        self._player.stop()
        super().destroy_node()


def _reader(visit: Recording) -> Callable[[], Recording]:
    return lambda: visit


if __name__ == "__main__":
    raise SystemExit(run("room", lambda _: [RoomNode()], __doc__ or "", PARAMETERS))
