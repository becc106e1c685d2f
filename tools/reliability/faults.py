# SPDX-License-Identifier: MIT
"""Inject faults into the live graph: it must recover, and the robot must stop: ``make faults``.

``python -m reliability.faults [WORD...]`` runs the scenarios whose names contain a word.
"""

import argparse
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from reliability import driving_table, node_failures, pictures, room_rows, sources, streams
from reliability.commands_files import every_sign
from reliability.document import lines_between, write_between
from reliability.driving import stages
from reliability.driving_table import DrivingRow
from reliability.feed import choose_takes
from reliability.live import BrokenError, LiveGraph, live_graph
from reliability.scenario import Outcome, Scenario
from reliability.trials import Effort
from whispersign_model.errors import WhisperSignError
from whispersign_model.network.checkpoint import read_metadata
from whispersign_ros.node.assets import DEMO_MODEL

EXIT_BROKEN = 1
# What `--quick` runs of the faults that a graph must recover from.
QUICK_WORDS = ("silent", "kill -9 of `smoothing_node`", "`recognition_node` gets no CPU time for 3")
QUICK = Effort(stops=3, evidence=1, quick=True)


@dataclass(frozen=True)
class Row:
    """A scenario and its outcome; ``broken`` names the broken promise."""

    scenario: Scenario
    outcome: Outcome | None
    broken: str = ""


def play(words: Sequence[str], quick: bool = False) -> Iterator[Row]:
    """Run the scenarios whose names contain one of the words; without words, run all.

    With ``quick`` scenarios that take long are left out unless a word names them.
    """
    words = words or (QUICK_WORDS if quick else ())
    takes = choose_takes(DEMO_MODEL)
    with TemporaryDirectory(prefix="whispersign-") as folder:
        model = Path(folder) / "model"
        shutil.copytree(DEMO_MODEL, model)
        commands = Path(folder) / "commands.yaml"
        commands.write_text(every_sign(read_metadata(model).glosses))
        scenarios = [
            *streams.scenarios(),
            *room_rows.scenarios(model, takes),
            *node_failures.scenarios(model),
        ]
        shared = _chosen(scenarios, words)
        if shared:
            with live_graph(stages(model, commands), takes) as graph:
                graph.begin()
                yield from (_row(scenario, graph) for scenario in shared)
        own = [
            room_rows.slow_camera(model),
            *sources.scenarios(model, takes, Path(folder)),
            *pictures.scenarios(),
        ]
        for scenario in _chosen(own, words):
            yield _row(scenario)


def _chosen(scenarios: Sequence[Scenario], words: Sequence[str]) -> list[Scenario]:
    return [each for each in scenarios if not words or any(word in each.name for word in words)]


def _row(scenario: Scenario, graph: LiveGraph | None = None) -> Row:
    try:
        return Row(scenario, scenario.play(*[graph] if graph else []))
    except (BrokenError, WhisperSignError) as error:
        if graph is not None:
            graph.recover()
        return Row(scenario, None, str(error))


def table(rows: Sequence[Row], before: Sequence[str] = ()) -> list[str]:
    """Return the rows as Markdown.

    Args:
        rows: the scenarios that ran.
        before: an earlier table; its rows stay unless their scenario ran again.
    """
    lines = ["| fault | guarantee | outcome | recovery | lost |", "|---|---|---|---:|---|"]
    new = {row.scenario.name: line(row) for row in rows}
    old = [each for each in before if each.startswith("| ") and each != lines[0]]
    kept = [new.pop(each[2:].partition(" | ")[0], each) for each in old]
    return [*lines, *kept, *new.values()]


def line(row: Row) -> str:
    """Return one row as Markdown."""
    outcome = row.outcome
    if outcome is None:
        found = f"GUARANTEE BROKEN: {row.broken} | |"
    else:
        again = "" if outcome.again is None else f"{outcome.again:.1f} s"
        found = f"{outcome.happened} | {again} | {outcome.lost}"
    return f"| {row.scenario.name} | {row.scenario.promise} | {found} |"


def play_driving(words: Sequence[str], effort: Effort) -> Iterator[DrivingRow]:
    """Run the scenarios about driving; ``words`` as for ``play``."""
    with TemporaryDirectory(prefix="whispersign-") as folder:
        model = Path(folder) / "model"
        shutil.copytree(DEMO_MODEL, model)
        yield from driving_table.play(model, Path(folder), words, effort)


def _heed_signals() -> None:
    """Undo that nohup or a shell's background ignores signals: the launch would inherit it."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def main(words: Sequence[str] | None = None) -> int:
    """Run scenarios; return 0 if every promise holds, else 1."""
    parser = argparse.ArgumentParser(prog="faults", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("words", nargs="*", help="only scenarios with one of these in their names")
    parser.add_argument("--quick", action="store_true", help="fewer faults and trials")
    parser.add_argument(
        "--write", type=Path, metavar="FILE.md", help="write the tables into this document"
    )
    arguments = parser.parse_args(words)
    if arguments.quick and arguments.write:
        parser.error("--quick leaves rows out: a document needs all of them")
    _heed_signals()
    begin = time.monotonic()
    rows: list[Row] = []
    driving: list[DrivingRow] = []
    try:
        for row in play(arguments.words, arguments.quick):
            rows.append(row)
            print(line(row), flush=True)
        for each in play_driving(arguments.words, QUICK if arguments.quick else Effort()):
            driving.append(each)
            print(driving_table.line(each), flush=True)
        minutes = (time.monotonic() - begin) / 60
        load = f"Load average at the end {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores."
        if arguments.write and rows:
            _write(arguments.write, "faults", partial(table, rows), arguments.words, load)
        if arguments.write and driving:
            create = partial(driving_table.table, driving)
            _write(arguments.write, "driving", create, arguments.words, load)
    except WhisperSignError as error:
        print(f"faults: error: {error}", file=sys.stderr)
        return 2
    broken = sum(bool(row.broken) for row in rows) + sum(row.broken for row in driving)
    total = len(rows) + len(driving)
    print(f"{total - broken} of {total} guarantees hold, {minutes:.1f} minutes. {load}")
    return EXIT_BROKEN if broken else 0


def _write(
    document: Path,
    name: str,
    create: Callable[[Sequence[str]], list[str]],
    words: Sequence[str],
    load: str,
) -> None:
    """Put a table into a document; after a run with words, the other rows stay."""
    before = lines_between(document, name) if words else ()
    write_between(document, name, [*create(before), "", load])


if __name__ == "__main__":
    raise SystemExit(main())
