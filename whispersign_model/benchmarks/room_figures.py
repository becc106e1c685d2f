# SPDX-License-Identifier: MIT
"""Tallies of false and right glosses in a room, and the table of all figures."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from whispersign_model.decoding.result import RecognizedGloss
from whispersign_model.recordings.recording import Recording

SURE = 0.8  # confidence at which a robot acts
SETTLED = 3.0  # seconds after which a resting hand must start no gloss


@dataclass
class FalseGlosses:
    """Glosses in recordings without a sign.

    Attributes:
        seconds: length of the recordings.
        glosses, sure: number of glosses, and of those at confidence ``SURE`` and above.
    """

    seconds: float = 0.0
    glosses: int = 0
    sure: int = 0

    def add(self, recording: Recording, found: Sequence[RecognizedGloss]) -> None:
        """Count the glosses found in a recording."""
        self.seconds += recording.duration
        self.glosses += len(found)
        self.sure += sum(gloss.confidence >= SURE for gloss in found)

    def report(self) -> dict[str, Any]:
        """Return all figures as plain values, for JSON."""
        minutes = self.seconds / 60
        return {
            "minutes": round(minutes, 1),
            "glosses": self.glosses,
            "sure": self.sure,
            "a_minute": self.glosses / minutes if minutes else None,
            "sure_an_hour": 60 * self.sure / minutes if minutes else None,
        }


@dataclass
class Share:
    """A share of cases."""

    count: int = 0
    total: int = 0

    def add(self, counts: bool) -> None:
        """Count a case."""
        self.count += counts
        self.total += 1

    def report(self) -> dict[str, Any]:
        """Return all figures as plain values, for JSON."""
        return {
            "count": self.count,
            "of": self.total,
            "share": self.count / self.total if self.total else None,
        }


def table(figures: Mapping[str, dict[str, Any]]) -> list[str]:
    """Format the figures of some networks as a table with a column for each network."""
    rows: dict[str, list[str]] = {}
    for column, of_network in enumerate(figures.values()):
        for title, text in _rows(of_network):
            rows.setdefault(title, [""] * len(figures))[column] = text
    lines = [f"| | {' | '.join(figures)} |", f"|---|{'---:|' * len(figures)}"]
    return lines + [f"| {title} | {' | '.join(cells)} |" for title, cells in rows.items()]


def _rows(figures: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the title and the text of each row of a network."""
    yield "signs as recorded, exactly right", _share(figures["signs"])
    yield f"correct signs at {SURE} and above", _share(figures["kept"])
    for part, title in (("still", "motionless"), ("rest", "come to rest")):
        for noise, each in figures[part].items():
            yield (
                f"{title}, {noise}: glosses; later than {SETTLED:g} s; at {SURE} and above",
                f"{each['glosses']}; {each['late']}; {each['sure']} in {each['minutes']:.0f} min",
            )
    cost = figures["cost_of_rest"]
    yield (
        f"{cost['minutes']:.0f} min of rest: share of a core; longest frame",
        f"{100 * cost['share_of_core']:.1f} %; {cost['longest_ms']:.0f} ms",
    )
    yield f"hands that stop before a sign: gloss at {SURE} and above", _share(figures["comings"])
    for kind, each in figures["other_movement"].items():
        yield (
            f"{kind}: glosses a minute; at {SURE} and above",
            f"{each['a_minute']:.2f}; {each['sure_an_hour'] / 60:.2f} in {each['minutes']:.0f} min",
        )
    yield "held signs, once", _share(figures["held"]["once"])
    yield f"held signs, twice at {SURE} and above", _share(figures["held"]["twice"])
    visits = dict(figures["visitors"])
    of, fresh = visits.pop("of"), visits.pop("fresh")
    sizes = ", ".join(f"{size}: {right}" for size, right in visits.items())
    yield f"next visitor, right of {of} (alone; by relative size)", f"{fresh}; {sizes}"
    for rate, wer in figures["frame_rates"].items():
        yield f"WER at {rate}", f"{wer:.3f}"


def _share(figures: dict[str, Any]) -> str:
    return f"{100 * figures['share']:.1f} % of {figures['of']}" if figures["of"] else "none"
