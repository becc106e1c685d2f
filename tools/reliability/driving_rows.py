# SPDX-License-Identifier: MIT
"""Faults about driving in which nodes starve, die, are joined by others, or change the network."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic

from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.msg import ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.task import Future
from std_msgs.msg import String

from reliability.driving import SIGNER, STILL, DrivingGraph
from reliability.intruder import OFF, ON, RATE
from reliability.robot import Tail
from reliability.signals import signal_scenarios
from reliability.starvation import (
    BUSY_LOOPS,
    PERIOD,
    SHORT_PERIOD,
    busy_loops,
    duty_cycle,
    off_time,
)
from reliability.trials import (
    DrivingScenario,
    Effort,
    Fault,
    Trials,
    UnderFault,
    evidence_trials,
    stop_trials,
)
from whispersign_model.network.checkpoint import METADATA
from whispersign_ros.graph.process_usage import Usage
from whispersign_ros.node.entry_points import GRAPH

PROCESSES = {"the sensor": SIGNER} | {f"`{name}`": name for name in (*GRAPH[::-1], "command_node")}
QUICK_PROCESSES = ("the sensor", "`recognition_node`", "`command_node`")
QUICK_TOPICS = ("hands/raw", "gloss")
SHARES, QUICK_SHARES = (0.1, 0.3, 0.6), (0.1,)
NEED, LAG, MEASURED = 0.5, 5.0, 2.0  # share of its time; seconds until STOP; seconds of measuring
FEWER = 4  # divides the trials of what takes long
NO_EVIDENCE = 0.6  # seconds of suspension that take evidence away for certain
STOPS = f"STOP: still within {STILL:g} s of its last frame"
LOST = f"still within {STILL:g} s of the last evidence"
INTRUDER = "reliability.intruder"
LONG = 5000  # characters
ANSWER_LIMIT = 5.0  # seconds


def scenarios(model: Path, effort: Effort) -> list[DrivingScenario]:
    """Return the scenarios for a graph with the network in the folder ``model``."""
    processes = PROCESSES
    if effort.quick:
        processes = {words: PROCESSES[words] for words in QUICK_PROCESSES}
    return [
        *_starvation(processes, effort),
        *(
            DrivingScenario(
                f"a second publisher on `{topic}`",
                f"{STOPS}; {LOST if topic != 'gloss' else 'what it sends moves nothing'}",
                partial(_intruded, topic),
            )
            for topic in (QUICK_TOPICS if effort.quick else RATE)
        ),
        *(
            DrivingScenario(
                f"kill -9 of {words} while GO is held", LOST, partial(_killed, executable)
            )
            for words, executable in processes.items()
        ),
        *signal_scenarios(processes, effort),
        DrivingScenario(
            "another network while GO is held (`param set model`)",
            LOST,
            partial(_model_changed, model, ""),
        ),
        DrivingScenario(
            "another network while GO is being signed",
            f"{LOST}; the old network's GO moves nothing",
            partial(_model_changed, model, "GO"),
        ),
        DrivingScenario(
            f"`param set model` with {LONG} characters",
            f"{STOPS}; refused within {ANSWER_LIMIT:g} s",
            _long_parameter,
        ),
    ]


def _starvation(processes: Mapping[str, str], effort: Effort) -> list[DrivingScenario]:
    found = []
    for words, executable in processes.items():
        for share in QUICK_SHARES if effort.quick else SHARES:
            evidence = off_time(share) >= NO_EVIDENCE
            promise = f"{STOPS}; {LOST}" if evidence else STOPS
            name = f"{words} runs {share:.0%} of the time (SIGSTOP, SIGCONT)"
            play = partial(_starved, executable, share, evidence)
            found.append(DrivingScenario(name, promise, play))
        name = f"{words} falls behind: it gets {NEED:.0%} of the time that it needs"
        found.append(DrivingScenario(name, STOPS, partial(_behind, executable)))
    return [*found, DrivingScenario(f"{BUSY_LOOPS} busy loops beside the graph", STOPS, _busy)]


def _starved(
    executable: str, share: float, evidence: bool, graph: DrivingGraph, effort: Effort
) -> Trials:
    begin = partial(duty_cycle, graph.children.pids[executable], share, PERIOD)
    return stop_trials(_with_and_without(begin, evidence), graph, effort)


def _with_and_without(begin: Fault, evidence: bool) -> list[UnderFault]:
    """Return the fault with a STOP at once, and if it takes evidence away, with a later one."""
    later = [UnderFault(begin, evidence=True, lag=STILL)] if evidence else []
    return [*later, UnderFault(begin)]


def _behind(executable: str, graph: DrivingGraph, effort: Effort) -> Trials:
    """Starve a process in short slices: it is never silent, but what it sends is old."""
    pid = graph.children.pids[executable]
    before = Usage.of({executable: pid}).processor[executable]
    graph.watch(MEASURED)
    needs = (Usage.of({executable: pid}).processor[executable] - before) / MEASURED
    begin = partial(duty_cycle, pid, NEED * needs, SHORT_PERIOD)
    fewer = replace(effort, stops=max(1, effort.stops // FEWER))
    trials = stop_trials([UnderFault(begin, lag=LAG)], graph, fewer)
    trials.notes.append(f"it ran {NEED * needs:.1%} of the time")
    return trials


def _busy(graph: DrivingGraph, effort: Effort) -> Trials:
    return stop_trials([UnderFault(busy_loops)], graph, effort)


def _intruded(topic: str, graph: DrivingGraph, effort: Effort) -> Trials:
    begins: list[float] = []
    out = graph.folder / f"intruder {topic}".replace("/", " ")
    tail = Tail(out, lambda words: begins.append(float(words[0])))
    requests = graph.monitor.create_publisher(String, "intrude", 10)

    @contextmanager
    def intrusion() -> Iterator[float]:
        count = len(begins)

        def begun() -> bool:
            requests.publish(String(data=ON))  # again and again: the first one may be lost
            tail.read()
            return len(begins) > count

        graph.until(begun, "the second publisher")
        try:
            yield begins[-1]
        finally:
            requests.publish(String(data=OFF))

    graph.children.start(INTRUDER, {"topic": topic, "out": str(out)})
    try:
        graph.ready(INTRUDER)
        graph.until(requests.get_subscription_count, "the second publisher")
        return stop_trials(_with_and_without(intrusion, topic != "gloss"), graph, effort)
    finally:
        graph.children.end(INTRUDER)
        graph.monitor.destroy_publisher(requests)


def _killed(executable: str, graph: DrivingGraph, effort: Effort) -> Trials:
    @contextmanager
    def kill() -> Iterator[float]:
        begin = monotonic()
        graph.kill(executable)
        yield begin
        graph.start(executable)
        graph.ready(executable)

    return evidence_trials(kill, graph, effort)


def renamed(model: Path) -> Path:
    """Return a copy of a network that differs in its name and so in its model id."""
    copy = model.with_name("renamed")
    if not copy.exists():
        shutil.copytree(model, copy)
        file = copy / METADATA
        about = json.loads(file.read_text())
        file.write_text(json.dumps(about | {"name": "renamed"}))
    return copy


def set_model(graph: DrivingGraph, model: str) -> Future:
    """Set the parameter ``model`` of recognition_node; return the answer to come."""
    client = graph.monitor.create_client(SetParameters, "recognition_node/set_parameters")
    graph.until(client.service_is_ready, "the parameters of recognition_node")
    value = ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=model)
    request = SetParameters.Request(parameters=[ParameterMessage(name="model", value=value)])
    return client.call_async(request)


def _model_changed(model: Path, gloss: str, graph: DrivingGraph, effort: Effort) -> Trials:
    names = [str(renamed(model)), str(model)]

    @contextmanager
    def change() -> Iterator[float]:
        if gloss:
            sign = graph.sign(gloss)
            graph.watch(sign.end - monotonic())
        answer = set_model(graph, names[0])
        graph.until(answer.done, "another network")
        names.reverse()
        yield monotonic()

    def at_rest() -> Trials:
        """GO is not held yet: nothing may follow from the sign that the change interrupts."""
        trials = Trials()
        for _ in range(effort.evidence):
            graph.halt()
            with change() as begin:
                graph.watch(2 * STILL)
            trials.judge("the old network's sign", graph.robot, begin, graph.watch(0.0))
        return trials

    try:
        return at_rest() if gloss else evidence_trials(change, graph, effort)
    finally:
        graph.until(set_model(graph, str(model)).done, "the first network")


def _long_parameter(graph: DrivingGraph, effort: Effort) -> Trials:
    answers: list[tuple[float, Future]] = []

    @contextmanager
    def request() -> Iterator[float]:
        begin = monotonic()
        answers.append((begin, set_model(graph, "x" * LONG)))
        yield begin

    trials = stop_trials([UnderFault(request)], graph, Effort(effort.evidence, effort.evidence))
    graph.watch(ANSWER_LIMIT)
    unanswered = sum(not answer.done() for _, answer in answers)
    if unanswered:
        trials.faults.append(f"{unanswered} of {len(answers)} requests unanswered")
    return trials
