# SPDX-License-Identifier: MIT
"""Run the faults about driving, and describe them as a table."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from reliability import command_rows, driving_rows, failing_network, launching, peer, tampering
from reliability.commands_files import write_commands
from reliability.driving import DrivingGraph, driving_graph, stages
from reliability.live import BrokenError
from reliability.tampering import HIDDEN, RELAY
from reliability.trials import DrivingScenario, Effort, Trials, described, seconds_text
from whispersign_model.errors import WhisperSignError

HEADER = (
    "| fault | guarantee | outcome | time to standstill | trials passed |",
    "|---|---|---|---:|---:|",
)


@dataclass(frozen=True)
class DrivingRow:
    """A scenario and its trials."""

    scenario: DrivingScenario
    trials: Trials

    @property
    def broken(self) -> bool:
        """Whether a promise was broken."""
        return bool(self.trials.faults)


def play(model: Path, folder: Path, words: Sequence[str], effort: Effort) -> Iterator[DrivingRow]:
    """Run the scenarios whose names contain one of the words; without words, run all.

    Args:
        model: a copy of the network.
        folder: an existing folder for what the scenarios write.
        words: parts of names.
        effort: how many trials.
    """
    files = write_commands(folder / "commands")
    hold = files["hold"]
    graphs = (
        (
            [*driving_rows.scenarios(model, effort), *command_rows.scenarios(files)],
            stages(model, hold),
        ),
        (tampering.scenarios(files), stages(model, hold, HIDDEN) | {RELAY: {}}),
    )
    for number, (scenarios, nodes) in enumerate(graphs):
        chosen = _chosen(scenarios, words)
        if chosen:
            with driving_graph(model, folder / f"graph{number}", nodes) as graph:
                graph.begin()
                yield from (_row(scenario, graph, effort) for scenario in chosen)
    own = [
        command_rows.clock_jump(model, hold, folder / "clock"),
        failing_network.scenario(model, hold, folder / "network"),
        peer.scenario(model, hold, folder / "peer"),
        *launching.scenarios(model, hold, folder / "launch", effort),
    ]
    yield from (_row(scenario, None, effort) for scenario in _chosen(own, words))


def _chosen(scenarios: Sequence[DrivingScenario], words: Sequence[str]) -> list[DrivingScenario]:
    return [each for each in scenarios if not words or any(word in each.name for word in words)]


def _row(scenario: DrivingScenario, graph: DrivingGraph | None, effort: Effort) -> DrivingRow:
    try:
        return DrivingRow(scenario, scenario.play(graph, effort))
    except (BrokenError, WhisperSignError) as error:
        if graph is not None:
            with suppress(BrokenError, WhisperSignError):
                graph.recover()
        return DrivingRow(scenario, Trials(faults=[str(error)]))


def line(row: DrivingRow) -> str:
    """Return one row as Markdown."""
    trials, scenario = row.trials, row.scenario
    worst = seconds_text(max(trials.seconds)) if trials.seconds else ""
    passed = f"{trials.passed} of {len(trials.seconds)}" if trials.seconds else ""
    text = described(trials).replace("|", "/").replace("\n", " ")
    return f"| {scenario.name} | {scenario.promise} | {text} | {worst} | {passed} |"


def table(rows: Sequence[DrivingRow], before: Sequence[str] = ()) -> list[str]:
    """Return the rows as Markdown; rows of an earlier table stay unless they ran again."""
    new = {row.scenario.name: line(row) for row in rows}
    old = [each for each in before if each.startswith("| ") and each != HEADER[0]]
    kept = [new.pop(each[2:].partition(" | ")[0], each) for each in old]
    return [*HEADER, *kept, *new.values()]
