# SPDX-License-Identifier: MIT
"""Node ``replay_node``: publishes recorded bags on ``hands/raw`` and ``annotation``."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rclpy.node import Node

from whispersign_model.errors import ConfigError
from whispersign_model.recordings.bags.bag import read_bag
from whispersign_model.recordings.bags.files import find_bags
from whispersign_model.recordings.bags.topics import FILTERED, RAW
from whispersign_model.recordings.recording import Recording
from whispersign_ros.node.diagnostics import Diagnostics
from whispersign_ros.node.parameters import ParameterSpec, declare
from whispersign_ros.playback.clock_publisher import ClockPublisher
from whispersign_ros.playback.player import SHARED_PARAMETERS, Player

PARAMETERS = (
    ParameterSpec(
        "bag", "", "bag, folder of bags (played in name order), or list of these", one_or_many=True
    ),
    ParameterSpec("loop", False, "start again after the last bag"),
    ParameterSpec(
        "restamp",
        True,
        "shift each bag's stamps to the time of playback, keeping their spacing; false keeps the "
        "recorded stamps",
    ),
    ParameterSpec(
        "clock",
        0.0,
        "rate in Hz at which the playback time is published on /clock; 0.0 disables it",
        (0.0, 1000.0),
    ),
    ParameterSpec("pause", 0.0, "seconds between two bags", (0.0, 3600.0)),
    ParameterSpec("exit_at_end", True, "exit after the last frame; false keeps the node running"),
    *SHARED_PARAMETERS,
)


class ReplayNode(Node):
    """Publishes recorded hands in real time; each bag starts a new stream at sequence 0.

    Args:
        on_end: called after the last frame if ``exit_at_end`` is set.
        also_known: names of parameters that other nodes in the process declare.
        arguments: passed to ``rclpy.node.Node``.

    Raises:
        BagError, ConfigError: a bag or parameter is invalid.
    """

    def __init__(
        self, on_end: Callable[[], None], also_known: Sequence[str] = (), **arguments: Any
    ) -> None:
        super().__init__(
            "replay_node", automatically_declare_parameters_from_overrides=True, **arguments
        )
        self._player: Player | None = None  # rclpy may destroy a partly constructed node
        values = declare(self, PARAMETERS, also_known)
        given = [values["bag"]] if isinstance(values["bag"], str) else values["bag"]
        if not any(given):
            raise ConfigError("parameter 'bag'", "is empty", "set it to a bag or folder of bags")
        if values["clock"] and self.get_parameter("use_sim_time").value:
            raise ConfigError(
                "parameter 'clock'",
                "this node cannot both publish /clock and take its time from it",
                "set its use_sim_time to false",
            )
        bags = find_bags(Path(path).expanduser() for path in given)
        first = read_hands(bags[0])  # fail at the start if a bag is unreadable
        self.diagnostics = Diagnostics(self)
        self._player = Player(
            self,
            values,
            _recordings(first, bags, values["loop"]),
            self.diagnostics,
            on_end if values["exit_at_end"] else lambda: None,
            restamp=values["restamp"],
            pause=values["pause"],
            clock=ClockPublisher(self, values["clock"]),
        )
        self._player.start()

    def destroy_node(self) -> None:
        """Stop playback, and destroy the node."""
        if self._player is not None:
            self._player.stop()
        super().destroy_node()


def read_hands(bag: Path) -> Recording:
    """Read a bag's raw hands, or its filtered hands if it has no raw ones.

    Raises:
        BagError: the bag cannot be read.
    """
    return read_bag(bag, prefer=(RAW, FILTERED))


def _recordings(
    first: Recording, bags: Sequence[Path], loop: bool
) -> Iterator[Callable[[], Recording]]:
    yield lambda: first
    yield from (partial(read_hands, bag) for bag in bags[1:])
    while loop:
        yield from (partial(read_hands, bag) for bag in bags)
