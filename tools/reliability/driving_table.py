# SPDX-License-Identifier: MIT
"""Run the faults about driving, and describe them as a table."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from reliability import command_rows, driving_rows, tampering
from reliability.commands_files import write_commands
from reliability.driving import (
    DrivingGraph,
    DrivingScenario,
    Effort,
    Trials,
    described,
    driving_graph,
    seconds_text,
)
from reliability.live import BrokenError
from reliability.tampering import HIDDEN, RELAY
from whispersign_model.errors import WhisperSignError

HEADER = (
    "| fault | promised | what happened | time to standstill | trials passed |",
    "|---|---|---|---:|---:|",
)


Create = Callable[[], AbstractContextManager[DrivingGraph]]


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
    shared = [*driving_rows.scenarios(model, effort), *command_rows.scenarios(files)]
    graphs: Sequence[tuple[Sequence[DrivingScenario], dict[str, dict[str, str]], Create]] = (
        (shared, {}, partial(driving_graph, model, files["hold"], folder / "shared")),
        (
            tampering.scenarios(files),
            {RELAY: {}},
            partial(driving_graph, model, files["hold"], folder / "relayed", instead=HIDDEN),
        ),
    )
    for scenarios, more, create in graphs:
        chosen = _chosen(scenarios, words)
        if chosen:
            with create() as graph:
                for executable, parameters in more.items():
                    graph.children.start(executable, parameters)
                    graph.ready(executable)
                graph.begin()
                yield from (_row(scenario, graph, effort) for scenario in chosen)
    own = [command_rows.clock_jump(model, files["hold"], folder / "clock")]
    for scenario in _chosen(own, words):
        yield _row(scenario, None, effort)


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
