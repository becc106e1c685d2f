# SPDX-License-Identifier: MIT
"""``command_node`` alone: glosses in, messages and calls out."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import TwistStamped
from rclpy.time import Time
from rosgraph_msgs.msg import Clock
from std_srvs.srv import SetBool, Trigger

from whispersign_model.errors import ConfigError
from whispersign_msgs.msg import Gloss, HandFeatures, Vocabulary
from whispersign_ros.conversions.messages import nanoseconds, time_message
from whispersign_ros.node import qos
from whispersign_ros.nodes import command_node
from whispersign_ros.nodes.command_node import CommandNode

SECOND = 1_000_000_000
COMMANDS = """\
stop:
  gloss: STOP
  publish: {topic: cmd_vel, type: geometry_msgs/msg/TwistStamped}
commands:
  - gloss: GO
    mode: hold
    publish_rate: 20.0
    publish:
      topic: cmd_vel
      type: geometry_msgs/msg/TwistStamped
      message: {header: {frame_id: base}, twist: {linear: {x: 0.2}}}
  - gloss: CHARGE
    call: {service: dock, type: std_srvs/srv/Trigger}
  - gloss: "ON"
    call: {service: lamp, type: std_srvs/srv/SetBool, request: {data: true}}
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "commands.yaml"
    path.write_text(COMMANDS)
    return path


class Bench:
    """A node between what a recogniser publishes and what a robot hears."""

    def __init__(self, graph, file, **parameters):
        self.graph = graph
        self.node = graph.start(CommandNode, commands_file=str(file), **parameters)
        self.connect()
        self.stamp = graph.probe.get_clock().now().nanoseconds

    def connect(self, namespace=""):
        graph = self.graph
        self.twists = graph.listen(TwistStamped, f"{namespace}/cmd_vel")
        self.states = graph.listen(
            DiagnosticStatus, f"{namespace}/command_state", qos.COMMAND_STATE
        )
        self.glosses = graph.speak(Gloss, f"{namespace}/gloss")
        self.partials = graph.speak(Gloss, f"{namespace}/gloss_partial", qos.GLOSS_PARTIAL)
        self.features = graph.speak(HandFeatures, f"{namespace}/hands/features", qos.FEATURES)
        self.diagnostics = graph.speak(DiagnosticArray, "/diagnostics")
        self.namespace = namespace
        graph.heard_from(f"{namespace}/cmd_vel")
        graph.until(lambda: self.states)

    def beat(self):
        """Be a live graph for a moment."""
        self.features.publish(HandFeatures())
        name = f"{self.namespace}/recognition_node"
        status = DiagnosticStatus(level=DiagnosticStatus.WARN, name=name)
        self.diagnostics.publish(DiagnosticArray(status=[status]))

    def sign(self, gloss, confidence=0.9, partial=False, final=None, age=0.0):
        self.stamp += SECOND
        message = Gloss(gloss=gloss, confidence=confidence)
        message.final = not partial if final is None else final
        now = self.graph.probe.get_clock().now().nanoseconds
        self.stamp = max(self.stamp, now) if not age else now - round(age * SECOND)
        message.start_time = time_message(self.stamp - SECOND // 2)
        message.end_time = time_message(self.stamp)
        (self.partials if partial else self.glosses).publish(message)

    def until_state(self, **values):
        self.graph.until(lambda: values.items() <= self.state.items() or self.beat())

    @property
    def state(self):
        return {value.key: value.value for value in self.states[-1].values}

    @property
    def speeds(self):
        return [twist.twist.linear.x for twist in self.twists]

    def go(self):
        """Hold GO, with an input that is alive."""
        seen = len(self.twists)

        def moving():
            self.beat()
            return self.speeds[seen:].count(0.2) >= 3

        self.beat()
        machine = self.node._machine
        self.graph.until(lambda: self.beat() or len(machine._last_input) == 2)
        self.sign("GO")
        self.graph.until(moving)


def test_a_held_command_is_stamped_and_ends_with_a_stop(graph, file):
    bench = Bench(graph, file)
    assert bench.state["armed"] == "true"
    bench.go()
    stamps = [nanoseconds(twist.header.stamp) for twist in bench.twists]
    assert stamps == sorted(set(stamps))
    assert stamps[0] > SECOND
    assert bench.twists[0].header.frame_id == "base"
    assert bench.states[-1].message == "doing GO"
    bench.sign("STOP", 0.3)
    bench.until_state(active="", stopped="STOP")
    graph.until(lambda: bench.speeds[-1] == 0.0)
    assert bench.speeds.count(0.0) == 1


def test_a_partial_stop_counts_and_another_partial_gloss_does_not(graph, file):
    bench = Bench(graph, file)
    bench.go()
    bench.sign("STOP", partial=True)
    bench.until_state(active="", stopped="STOP")
    bench.sign("GO", partial=True)
    bench.sign("GO", final=False)  # remapped to gloss
    bench.sign("STOP", partial=True)
    graph.until(lambda: bench.speeds.count(0.0) == 2)
    assert bench.speeds.index(0.0) == len(bench.speeds) - 2


@pytest.mark.parametrize("left", ["features", "diagnostics"])
def test_silence_stops_what_is_held(graph, file, left):
    bench = Bench(graph, file, input_timeout=0.5, recognizer_timeout=1.5)
    bench.go()
    well = DiagnosticStatus(name="/recognition_node", level=DiagnosticStatus.OK)
    message = HandFeatures() if left == "features" else DiagnosticArray(status=[well])
    graph.until(lambda: getattr(bench, left).publish(message) or bench.state["active"] == "")
    expected = "/recognition_node" if left == "features" else "/hands/features"
    assert bench.state["stopped"] == f"{expected} is silent"
    graph.until(lambda: bench.speeds[-1] == 0.0)


def test_a_recognizer_at_fault_is_no_recognizer(graph, file):
    bench = Bench(graph, file)
    status = DiagnosticStatus(level=DiagnosticStatus.ERROR, name="/recognition_node")
    other = DiagnosticStatus(level=DiagnosticStatus.OK, name="/other/recognition_node")
    bench.features.publish(HandFeatures())
    bench.diagnostics.publish(DiagnosticArray(status=[status, other]))
    graph.until(lambda: bench.node._machine._last_input)
    for _ in range(10):
        graph.executor.spin_once(timeout_sec=0.05)
    assert list(bench.node._machine._last_input) == ["/hands/features"]


def test_old_signs_are_told_and_ignored(graph, file):
    bench = Bench(graph, file)
    bench.sign("GO", age=8.0)
    graph.until(lambda: "s old" in bench.state["ignored"])
    assert bench.twists == []


def test_services_are_called(graph, file):
    asked = []

    def dock(request, response):
        asked.append(("dock", None))
        response.success, response.message = False, "no dock here"
        return response

    def lamp(request, response):
        asked.append(("lamp", request.data))
        response.success = True
        return response

    bench = Bench(graph, file)
    bench.sign("CHARGE")
    graph.until(lambda: bench.node.diagnostics.drops == {"calls": 1})
    graph.probe.create_service(Trigger, "dock", dock)
    graph.probe.create_service(SetBool, "lamp", lamp)
    clients = [c for c in bench.node._endpoints.values() if hasattr(c, "service_is_ready")]
    assert len(clients) == 2
    graph.until(lambda: all(client.service_is_ready() for client in clients))
    bench.sign("ON")
    bench.sign("CHARGE")
    graph.until(lambda: bench.node.diagnostics.drops == {"calls": 1, "calls_refused": 1})
    assert asked == [("lamp", True), ("dock", None)]


def test_a_call_that_is_never_answered_is_given_up(graph, file, monkeypatch):
    monkeypatch.setattr(command_node, "ANSWER", 0.2)
    deaf = rclpy.create_node("deaf", context=graph.probe.context)  # nothing spins it
    deaf.create_service(Trigger, "dock", lambda _, response: response)
    bench = Bench(graph, file)
    [dock] = [
        client
        for client in bench.node._endpoints.values()
        if getattr(client, "srv_name", "").endswith("dock")
    ]
    graph.until(dock.service_is_ready)
    bench.sign("CHARGE")
    graph.until(lambda: bench.node.diagnostics.drops == {"calls_unanswered": 1})
    assert not bench.node._calls
    assert not dock._pending_requests
    deaf.destroy_node()


def test_a_gloss_that_the_model_does_not_know_ends_the_node_with_its_line(graph, file):
    bench = Bench(graph, file)
    known = graph.probe.create_publisher(Vocabulary, "vocabulary", qos.VOCABULARY)
    known.publish(Vocabulary(glosses=["STOP", "GO", "ON"]))
    with pytest.raises(ConfigError, match=r"commands\.yaml:12: .*gloss 'CHARGE' is not in"):
        graph.until(lambda: False)
    assert bench.speeds == []


def test_of_a_new_model_that_lacks_our_glosses_only_a_stop_counts(graph, file):
    bench = Bench(graph, file)
    known = graph.probe.create_publisher(Vocabulary, "vocabulary", qos.VOCABULARY)
    every = ["STOP", "GO", "ON", "CHARGE"]
    known.publish(Vocabulary(glosses=every, model_id="first"))
    graph.until(lambda: bench.node._model_id == "first")
    bench.go()
    known.publish(Vocabulary(glosses=["STOP", "GO"], model_id="second"))
    bench.until_state(active="", stopped="another model")
    assert "CHARGE" in bench.node.diagnostics.refusal
    graph.until(lambda: bench.speeds[-1] == 0.0)
    before = len(bench.speeds)
    bench.sign("GO")
    bench.sign("STOP")
    bench.until_state(stopped="STOP")
    graph.until(lambda: len(bench.speeds) > before)
    assert set(bench.speeds[before:]) == {0.0}
    known.publish(Vocabulary(glosses=every, model_id="third"))
    graph.until(lambda: bench.node._model_id == "third")
    assert bench.node.diagnostics.refusal == ""
    bench.go()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("x: 0.2", "x: fast", "commands.yaml:11: "),
        ("service: dock", "service: do ck", "commands.yaml:13: "),
    ],
)
def test_a_file_at_fault_is_refused(graph, file, old, new, says):
    file.write_text(COMMANDS.replace(old, new))
    with pytest.raises(ConfigError, match=says):
        graph.start(CommandNode, commands_file=str(file))


def test_a_jump_of_the_clock_stops_what_is_held(graph, file):
    clock = graph.probe.create_publisher(Clock, "/clock", 10)
    bench = Bench(graph, file, use_sim_time=True, max_age=0.0)

    def tell(seconds):
        clock.publish(Clock(clock=time_message(seconds * SECOND)))
        return bench.node.get_clock().now() == Time(
            nanoseconds=seconds * SECOND, clock_type=bench.node.get_clock().clock_type
        )

    graph.until(lambda: tell(1000))
    bench.go()
    graph.until(lambda: tell(900))
    bench.until_state(active="", stopped="a jump in time")
    graph.until(lambda: bench.speeds[-1] == 0.0)


def test_leaving_stops(graph, file):
    bench = Bench(graph, file)
    bench.go()
    graph.executor.remove_node(bench.node)
    bench.node.destroy_node()
    graph.until(lambda: bench.speeds[-1] == 0.0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_process_that_ends_stops_what_is_held(graph, file, number):
    own = f"/leaving_{number.name}"
    command = [sys.executable, "-m", "whispersign_ros.nodes", "command_node", "--ros-args"]
    command += ["-p", f"commands_file:={file}", "-r", f"__ns:={own}"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env=dict(os.environ), text=True)
    try:
        bench = Bench.__new__(Bench)
        bench.graph, bench.stamp = graph, 0
        bench.connect(own)
        for _ in range(40):  # its discovery of the diagnostics cannot be seen from here
            bench.beat()
            graph.executor.spin_once(timeout_sec=0.05)
        bench.sign("GO")
        graph.until(lambda: bench.beat() or len(bench.twists) > 3)
        process.send_signal(number)
        errors = process.communicate()[1]
    finally:
        process.kill()
    assert process.returncode == 0
    assert "Traceback" not in errors
    graph.until(lambda: bench.speeds[-1] == 0.0)
