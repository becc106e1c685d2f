# SPDX-License-Identifier: MIT
"""Faults about driving in which features are useless, or glosses are copied or forged.

A relay between the stages makes them, so that they come from the known publisher.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from functools import partial
from pathlib import Path
from time import monotonic, time_ns
from typing import Any

from rclpy.publisher import Publisher
from std_msgs.msg import String

from reliability.driving import STILL, WATCH, DrivingGraph
from reliability.intruder import go_message
from reliability.relay import NAN, RECIPE, shift
from reliability.trials import AGAIN, DrivingScenario, Effort, Trials, evidence_trials
from whispersign_model.timestamps import NANOSECONDS
from whispersign_msgs.msg import Gloss, Vocabulary
from whispersign_ros.node import qos

RELAY = "reliability.relay"
HIDDEN = {
    "preprocessing_node": "reliability.hidden_preprocessing",
    "recognition_node": "reliability.hidden_recognition",
}
HOUR = 3600.0  # seconds
OLD = 10.0  # seconds by which the stamps of features are late
STALE = 99.0  # seconds since a GO
AFTER_STOP = 1.5  # seconds from a STOP to the copy of an earlier sign
APART = NANOSECONDS // 60  # between the ends of a sign that is published twice
LOST = f"still within {STILL:g} s of the last usable step"
NOTHING = "moves nothing"


def scenarios(commands: dict[str, Path]) -> list[DrivingScenario]:
    """Return the scenarios for a graph with the relay; ``commands`` are the commands files."""
    twice, arming = commands["twice"], commands["arming"]
    return [
        *(
            DrivingScenario(name, LOST, partial(_spoiled, request))
            for name, request in (
                ("features that are NaN", NAN),
                ("features of another recipe", RECIPE),
                (f"features stamped {HOUR:g} s ahead", shift(HOUR)),
                (f"features stamped {OLD:g} s late", shift(-OLD)),
            )
        ),
        DrivingScenario(
            f"a GO is delivered again {AFTER_STOP:g} s after its STOP",
            NOTHING,
            partial(_replayed, None, ("GO",)),
        ),
        DrivingScenario(
            f"HELLO and GO are delivered again {AFTER_STOP:g} s after STOP, with arming",
            NOTHING,
            partial(_replayed, arming, ("HELLO", "GO")),
        ),
        DrivingScenario("a GO of another network's id", NOTHING, partial(_forged, _of_another, {})),
        DrivingScenario(
            f"a GO that ends {OLD:g} s in the future", NOTHING, partial(_forged, _ahead, {})
        ),
        DrivingScenario(
            f"`use_sim_time` without `/clock`, and a GO {STALE:g} s old",
            NOTHING,
            partial(_forged, _stale, {"use_sim_time": True}),
        ),
        DrivingScenario(
            "one sign published twice with ends 16 ms apart, where `repeats: 2` is asked",
            NOTHING,
            partial(_forged, _doubled, {"commands_file": str(twice)}),
        ),
        DrivingScenario(
            "a partial STOP stamped an hour ahead",
            f"a new GO drives within {AGAIN:g} s, and STOP works",
            _stop_ahead,
        ),
        DrivingScenario(
            "a STOP with NaN confidence while GO is held", f"still within {STILL:g} s", _unsure_stop
        ),
        DrivingScenario(
            "a vocabulary without the held gloss, under the same id",
            f"still within {STILL:g} s",
            _vocabulary,
        ),
    ]


class _Glosses:
    """What the graph has published on ``gloss``, and the way to publish more."""

    def __init__(self, graph: DrivingGraph) -> None:
        self.seen: list[Gloss] = []
        self.model_id = ""
        graph.monitor.subscribe("gloss", self.seen.append)
        self._inject = graph.monitor.create_publisher(Gloss, "inject", 50)
        self._inject_partial = graph.monitor.create_publisher(Gloss, "inject_partial", 50)
        self._graph = graph
        graph.until(self._inject.get_subscription_count, "the relay")
        graph.watch(WATCH)  # until the relay has met the publishers, too

    def last(self, gloss: str) -> Gloss:
        """Return a copy of the last final gloss with this name."""
        return deepcopy(next(each for each in reversed(self.seen) if each.gloss == gloss))

    def publish(self, *glosses: Gloss) -> float:
        """Publish glosses; return the time."""
        begin = monotonic()
        for gloss in glosses:
            (self._inject if gloss.final else self._inject_partial).publish(gloss)
            self._graph.watch(0.1)
        return begin


def _glosses(graph: DrivingGraph) -> _Glosses:
    found: _Glosses | None = getattr(graph, "glosses", None)
    if found is None:
        found = _Glosses(graph)
        graph.glosses = found  # type: ignore[attr-defined]
    return found


def _spoiled(request: str, graph: DrivingGraph, effort: Effort) -> Trials:
    publisher: Publisher = graph.monitor.create_publisher(String, "tamper", 10)
    graph.until(publisher.get_subscription_count, "the relay")
    graph.watch(WATCH)  # until the relay has met the publisher, too

    @contextmanager
    def spoil() -> Iterator[float]:
        publisher.publish(String(data=request))
        try:
            yield monotonic()
        finally:
            publisher.publish(String(data=""))

    return evidence_trials(spoil, graph, effort)


@contextmanager
def _commands(graph: DrivingGraph, parameters: dict[str, Any]) -> Iterator[None]:
    """Run command_node with other parameters within the block."""
    if not parameters:
        yield
        return
    graph.restart("command_node", **parameters)
    try:
        yield
    finally:
        graph.restart("command_node")


def _replayed(
    file: Path | None, signs: Sequence[str], graph: DrivingGraph, effort: Effort
) -> Trials:
    trials, glosses = Trials(), _glosses(graph)
    with _commands(graph, {"commands_file": str(file)} if file else {}):
        for _ in range(effort.evidence):
            graph.drive(*signs)
            stop = graph.sign("STOP")
            graph.watch(stop.end + AFTER_STOP - monotonic())
            begin = glosses.publish(*(glosses.last(sign) for sign in signs))
            _must_not_move(trials, graph, begin)
    return trials


def _must_not_move(trials: Trials, graph: DrivingGraph, begin: float) -> None:
    """Watch the robot, and add a trial: any motion since ``begin`` breaks the promise."""
    until = graph.watch(STILL + WATCH)
    moved = graph.robot.first_motion(begin) is not None
    trials.add(graph.robot.still_from(begin, until) - begin, "it drives" if moved else "")
    graph.halt()


def _forged(
    forge: Callable[[Gloss, int], list[Gloss]],
    parameters: dict[str, Any],
    graph: DrivingGraph,
    effort: Effort,
) -> Trials:
    trials, glosses = Trials(), _glosses(graph)
    graph.drive()
    graph.halt()
    with _commands(graph, parameters):
        for number in range(effort.evidence):
            graph.watch(2 * STILL)  # until command_node has seen the recognizer's diagnostics
            begin = glosses.publish(*forge(glosses.last("GO"), number))
            _must_not_move(trials, graph, begin)
    return trials


def _of_another(last: Gloss, number: int) -> list[Gloss]:
    return [go_message(time_ns(), "another@00000000", number)]


def _ahead(last: Gloss, number: int) -> list[Gloss]:
    return [go_message(_after(OLD), last.model_id, number)]


def _stale(last: Gloss, number: int) -> list[Gloss]:
    return [go_message(_after(-STALE + number), last.model_id, number)]


def _doubled(last: Gloss, number: int) -> list[Gloss]:
    first = time_ns()
    return [
        go_message(first + place * APART, last.model_id, number, position=place)
        for place in range(2)
    ]


def _after(seconds: float) -> int:
    return time_ns() + round(seconds * NANOSECONDS)


def _stop_ahead(graph: DrivingGraph, effort: Effort) -> Trials:
    trials, glosses = Trials(), _glosses(graph)
    graph.drive()
    graph.halt()
    model_id = glosses.last("GO").model_id
    try:
        for number in range(effort.evidence):
            glosses.publish(go_message(_after(HOUR), model_id, number, gloss="STOP", final=False))
            took = graph.drive()
            stop = graph.sign("STOP")
            until = graph.watch(stop.end + STILL + WATCH - monotonic())
            trials.judge("STOP", graph.robot, stop.end, until)
            trials.notes = [f"a new GO drives after {took:.1f} s"]
    finally:
        graph.restart("command_node")
    return trials


def _unsure_stop(graph: DrivingGraph, effort: Effort) -> Trials:
    glosses = _glosses(graph)

    @contextmanager
    def unsure() -> Iterator[float]:
        model_id = glosses.last("GO").model_id
        yield glosses.publish(go_message(time_ns(), model_id, 0, gloss="STOP", confidence=math.nan))

    return evidence_trials(unsure, graph, effort)


def _vocabulary(graph: DrivingGraph, effort: Effort) -> Trials:
    seen: list[Vocabulary] = []
    listener = qos.subscribe(graph.monitor, Vocabulary, "vocabulary", qos.VOCABULARY, seen.append)
    graph.until(lambda: seen, "the vocabulary")
    whole = seen[0]
    publisher = qos.publish(graph.monitor, Vocabulary, "vocabulary", qos.VOCABULARY)

    @contextmanager
    def without() -> Iterator[float]:
        less = deepcopy(whole)
        less.glosses = [gloss for gloss in whole.glosses if gloss != "GO"]
        publisher.publish(less)
        yield monotonic()
        publisher.publish(whole)

    try:
        graph.until(lambda: publisher.get_subscription_count() > 1, "command_node")
        return evidence_trials(without, graph, effort)
    finally:
        graph.monitor.destroy_subscription(listener)
        graph.monitor.destroy_publisher(publisher)
