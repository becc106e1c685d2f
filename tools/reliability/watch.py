"""What can be seen of a live graph from outside: what was signed, glosses, and diagnostics."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node

from whispersign_model.decoding.edit_distance import edits
from whispersign_msgs.msg import Gloss, GlossAnnotation
from whispersign_ros.conversions.messages import nanoseconds
from whispersign_ros.node import qos

LISTENER = "whispersign_watch"
PARTIALS = 1000  # the last ones are kept


@dataclass(frozen=True)
class RecognizedSign:
    """One gloss, signed or recognised.

    Attributes:
        gloss: its name.
        start, end: capture times, nanoseconds.
        at: when it was heard, seconds of a clock that never jumps.
    """

    gloss: str
    start: int
    end: int
    at: float


@dataclass(frozen=True)
class Report:
    """The last diagnostics of a node.

    Attributes:
        level: of DiagnosticStatus, as a number.
        message: why it is not well.
        values: by key.
        at: when it was heard, seconds of a clock that never jumps.
    """

    level: int
    message: str
    values: dict[str, str]
    at: float

    @property
    def drops(self) -> dict[str, int]:
        """What was lost, by cause."""
        mark = "dropped_"
        return {k.removeprefix(mark): int(v) for k, v in self.values.items() if k.startswith(mark)}


class Watch(Node):
    """Listens to ``gloss``, ``gloss_partial``, ``annotation`` and ``/diagnostics``.

    Attributes:
        signed: what the annotations say, in order of arrival.
        finals, partials: what was recognised; of partial ones the last ``PARTIALS``.
        reports: by name of the node, without the first slash.
        messages: every message of a status other than OK that came, with its node, once each.
    """

    def __init__(self) -> None:
        super().__init__(LISTENER)
        self.signed: list[RecognizedSign] = []
        self.finals: list[RecognizedSign] = []
        self.partials: deque[RecognizedSign] = deque(maxlen=PARTIALS)
        self.reports: dict[str, Report] = {}
        self.messages: dict[tuple[str, str], float] = {}
        qos.subscribe(self, GlossAnnotation, "annotation", qos.ANNOTATION, self._note)
        qos.subscribe(self, Gloss, "gloss", qos.GLOSS, self._on_gloss)
        qos.subscribe(self, Gloss, "gloss_partial", qos.GLOSS_PARTIAL, self._on_gloss)
        qos.subscribe(self, DiagnosticArray, "/diagnostics", qos.DIAGNOSTICS, self._read)

    def _note(self, message: GlossAnnotation) -> None:
        start, end = nanoseconds(message.start_time), nanoseconds(message.end_time)
        for gloss in message.glosses:
            self.signed.append(RecognizedSign(gloss, start, end, time.monotonic()))

    def _on_gloss(self, message: Gloss) -> None:
        start, end = nanoseconds(message.start_time), nanoseconds(message.end_time)
        sign = RecognizedSign(message.gloss, start, end, time.monotonic())
        (self.finals if message.final else self.partials).append(sign)

    def _read(self, message: DiagnosticArray) -> None:
        now = time.monotonic()
        for status in message.status:
            name = status.name.lstrip("/")
            values = {pair.key: pair.value for pair in status.values}
            level = ord(status.level) if isinstance(status.level, bytes) else int(status.level)
            self.reports[name] = Report(level, status.message, values, now)
            if level:
                self.messages.setdefault((name, status.message), now)


def right_share(signed: Sequence[RecognizedSign], recognised: Sequence[RecognizedSign]) -> float:
    """Return the share of signs that were recognised, less what was recognised beside them.

    1 - (substitutions + deletions + insertions) / signs, both sides in order of signing.

    Args:
        signed: at least one.
        recognised: final glosses of the same time.
    """
    reference = [sign.gloss for sign in sorted(signed, key=lambda sign: sign.start)]
    hypothesis = [sign.gloss for sign in sorted(recognised, key=lambda sign: sign.start)]
    wrong = sum(
        left is None or right is None or reference[left] != hypothesis[right]
        for left, right in edits(reference, hypothesis)
    )
    return 1 - wrong / len(reference)
