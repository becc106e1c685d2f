# SPDX-License-Identifier: MIT
"""Source guard: one publisher at a time may send on a hands or features topic.

The messages say who sends, not the graph: a publisher killed by SIGKILL stays on the graph for 20 s
and must not stop its successor.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rclpy.node import Node
from rclpy.utilities import get_rmw_implementation_identifier

from whispersign_ros.node.diagnostics import Diagnostics

DDS = ("fastrtps", "cyclonedds", "connextdds")  # in the names of ROS middlewares over DDS
PARTICIPANT = 12  # bytes of a DDS participant's prefix
SOURCE_AGE = 0.5  # seconds without a message after which a source no longer counts
MAX_CHAINS = 8  # sequences to follow where messages do not name their publisher


@dataclass
class _Chain:
    """Messages whose sequences follow one another.

    Attributes:
        sequence, stamp: of the last message; the stamp in nanoseconds.
        seen: when it arrived, seconds.
    """

    sequence: int
    stamp: int
    seen: float


class SourceGuard:
    """Admits messages while one source sends; refuses all while two or more do.

    A source is active until it has sent nothing for ``age`` seconds. Sources are told apart by the
    gid of their publisher or, if messages carry none, by their sequences: a single source may
    restart its sequence, but two sources alternate between two sequences.

    Args:
        age: seconds.
    """

    def __init__(self, age: float = SOURCE_AGE) -> None:
        self._age = age
        self._seen: dict[bytes, float] = {}  # last arrival by gid
        self._chains: list[_Chain] = []  # the current one last
        self._interleaved_until = float("-inf")

    def admit(self, gid: bytes | None, sequence: int, stamp: int, now: float) -> bool:
        """Judge a message; return whether its source is the only one.

        Args:
            gid: of the publisher, from ``publisher_gid``; None where the middleware names none.
            sequence: of the message.
            stamp: its capture time, nanoseconds.
            now: seconds on a steady clock.
        """
        if gid is None:
            self._follow(sequence, stamp, now)
        else:
            self._seen[gid] = now
        return not self.in_conflict(now)

    def in_conflict(self, now: float) -> bool:
        """Return whether several sources are active at ``now``, in seconds on a steady clock."""
        return len(self.sources(now)) > 1 or now < self._interleaved_until

    def sources(self, now: float) -> tuple[bytes, ...]:
        """Return the gids of the sources active at ``now``; none where messages carry none."""
        if any(now - seen >= self._age for seen in self._seen.values()):
            self._seen = {gid: seen for gid, seen in self._seen.items() if now - seen < self._age}
        return tuple(self._seen)

    def _follow(self, sequence: int, stamp: int, now: float) -> None:
        """Append a message to the chain that it continues, or begin one."""
        self._chains = [chain for chain in self._chains if now - chain.seen < self._age]
        chain = self._continued(sequence, stamp)
        if chain is None:
            self._chains = [*self._chains[1 - MAX_CHAINS :], _Chain(sequence, stamp, now)]
            return
        if chain is not self._chains[-1]:  # another chain began or went on since
            self._interleaved_until = now + self._age
            self._chains.remove(chain)
            self._chains.append(chain)
        chain.sequence, chain.stamp, chain.seen = sequence, stamp, now

    def _continued(self, sequence: int, stamp: int) -> _Chain | None:
        """Return the chain that lies closest before a message, None if there is none.

        Of two chains equally far in sequence, the one closer in time is meant.
        """
        candidates = [chain for chain in self._chains if chain.sequence < sequence]
        return min(
            reversed(candidates),
            key=lambda chain: (sequence - chain.sequence, abs(stamp - chain.stamp)),
            default=None,
        )


class SourceMonitor:
    """Guards an input topic of a node, and reports two sources on its diagnostics as an error.

    Args:
        node: reads the topic.
        topic: its relative name.
        diagnostics: the node's.
        guard: judges the messages.
    """

    def __init__(
        self, node: Node, topic: str, diagnostics: Diagnostics, guard: SourceGuard | None = None
    ) -> None:
        self._node = node
        self._topic = node.resolve_topic_name(topic)
        self._diagnostics = diagnostics
        self._guard = guard or SourceGuard()
        diagnostics.watch(self.fault)

    def admit(self, info: Mapping[str, Any] | None, sequence: int, stamp: int) -> bool:
        """Return whether a message's source is the only one; count it as dropped otherwise.

        Args:
            info: second argument of the subscription's callback.
            sequence: of the message.
            stamp: its capture time, nanoseconds.
        """
        if self._guard.admit(publisher_gid(info), sequence, stamp, time.monotonic()):
            return True
        self._diagnostics.dropped("of_two_sources", self.fault)
        return False

    def fault(self) -> str:
        """Name the nodes that send on the topic while more than one does, "" otherwise."""
        now = time.monotonic()
        if not self._guard.in_conflict(now):
            return ""
        names = source_names(self._node, self._topic, self._guard.sources(now))
        return (
            f"several sources send on {self._topic}: {' and '.join(names) or 'unknown nodes'}; "
            "all are refused until only one sends"
        )


def publisher_gid(info: Mapping[str, Any] | None) -> bytes | None:
    """Return the publisher's gid from the second argument of a callback, None if it has none."""
    gid = (info or {}).get("publisher_gid")
    data = gid.get("data") if isinstance(gid, Mapping) else gid
    return bytes(data) if data else None


def publisher_process(info: Mapping[str, Any]) -> bytes | None:
    """Return what the gids of all publishers of one process share, None where that is unknown.

    With DDS, a gid begins with the 12 bytes of its participant, and a process has one participant
    per ROS context.
    """
    gid = publisher_gid(info)
    dds = any(name in get_rmw_implementation_identifier() for name in DDS)
    return gid[:PARTICIPANT] if gid and dds else None


def source_names(node: Node, topic: str, gids: Sequence[bytes]) -> list[str]:
    """Return the full names of the nodes that publish with these gids, as the graph knows them.

    Args:
        node: asks the graph.
        topic: full topic name.
        gids: of the publishers. Without gids, all publishers of the topic are named.
    """
    names = []
    for publisher in node.get_publishers_info_by_topic(topic):
        gid = bytes(publisher.endpoint_gid)
        if not gids or any(_is_same(gid, each) for each in gids):
            names.append(f"{publisher.node_namespace.rstrip('/')}/{publisher.node_name}")
    return sorted(names)


def _is_same(one: bytes, other: bytes) -> bool:
    """Compare gids, whose length depends on where rclpy reads them."""
    length = min(len(one), len(other))
    return one[:length] == other[:length]
