# SPDX-License-Identifier: MIT
"""``command_node`` alone: glosses in, messages and calls out."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import TwistStamped
from rosgraph_msgs.msg import Clock
from std_srvs.srv import SetBool, Trigger

from whispersign_model.errors import ConfigError
from whispersign_msgs.msg import Gloss, HandFeatures, Vocabulary
from whispersign_ros.conversions.messages import nanoseconds, time_message
from whispersign_ros.node import qos
from whispersign_ros.nodes.command_node import CommandNode

SECOND = 1_000_000_000
KNOWN = ["STOP", "GO", "ON", "CHARGE"]
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
        # A test machine may be busy for longer than a robot should wait.
        parameters = {"input_timeout": 5.0, **parameters}
        self.node = graph.start(CommandNode, commands_file=str(file), **parameters)
        self.connect()
        self.know()

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
        self.known = graph.probe.create_publisher(
            Vocabulary, f"{namespace}/vocabulary", qos.VOCABULARY
        )
        self.last_beat = 0.0
        self.sequence, self.report = 0, {"model": "m", "stream": "0"}
        graph.heard_from(f"{namespace}/cmd_vel")
        graph.until(lambda: self.states)

    def know(self, glosses=KNOWN, model_id="m"):
        """Announce a vocabulary, and report its model from now on."""
        self.known.publish(Vocabulary(glosses=glosses, model_id=model_id))
        self.report["model"] = model_id

    @property
    def now(self):
        return self.graph.probe.get_clock().now().nanoseconds

    def feel(self, age=0.0):
        """Publish a frame of features."""
        self.sequence += 1
        message = HandFeatures(sequence=self.sequence)
        message.header.stamp = time_message(self.now - round(age * SECOND))
        self.features.publish(message)

    def confirm(self, level=DiagnosticStatus.WARN, age=0.0, **values):
        """Report what the recognizer would report."""
        name = f"{self.namespace}/recognition_node"
        status = DiagnosticStatus(level=level, name=name, message="a fault")
        until = str(self.now - round(age * SECOND))
        values = {"recognized_until": until, **self.report, **values}
        status.values = [KeyValue(key=key, value=value) for key, value in values.items()]
        self.diagnostics.publish(DiagnosticArray(status=[status]))

    def beat(self):
        """Be a live graph for a moment, at a rate that one executor can follow."""
        if time.monotonic() - self.last_beat > 0.05:
            self.last_beat = time.monotonic()
            self.feel()
            self.confirm()

    def sign(self, gloss, confidence=0.9, partial=False, final=None, age=0.0):
        message = Gloss(gloss=gloss, confidence=confidence, model_id=self.report["model"])
        message.final = not partial if final is None else final
        end = self.now - round(age * SECOND)
        message.start_time, message.end_time = time_message(end - SECOND // 5), time_message(end)
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

        self.until_state(lost="")
        self.spend(0.3)  # a sign must begin after the last stop
        self.sign("GO")
        self.graph.until(moving)

    def spend(self, seconds):
        """Be a live graph for some time."""
        end = time.monotonic() + seconds
        self.graph.until(lambda: self.beat() or time.monotonic() > end)


NOW = Bench.now


def test_a_held_command_is_stamped_and_ends_with_a_stop_that_is_repeated(graph, file):
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
    assert bench.states[-1].message == "armed; the last stop: STOP"
    graph.until(lambda: bench.speeds.count(0.0) > 5)
    assert set(bench.speeds[bench.speeds.index(0.0) :]) == {0.0}


def test_a_partial_stop_counts_and_another_partial_gloss_does_not(graph, file):
    bench = Bench(graph, file)
    bench.go()
    bench.sign("STOP", partial=True)
    bench.until_state(active="", stopped="STOP")
    bench.sign("GO", partial=True)
    bench.sign("GO", final=False)  # remapped to gloss
    bench.spend(0.5)
    assert set(bench.speeds[bench.speeds.index(0.0) :]) == {0.0}


LOSSES = {
    "silent features": (Bench.confirm, {}),
    "old features": (lambda bench: (bench.feel(age=2.0), bench.confirm()), {}),
    "features from the future": (lambda bench: (bench.feel(age=-2.0), bench.confirm()), {}),
    "silent recognizer": (Bench.feel, {}),
    "a recognizer that lags": (lambda bench: (bench.feel(), bench.confirm(age=2.0)), {}),
    "a recognizer at fault": (
        lambda bench: (bench.feel(), bench.confirm(DiagnosticStatus.ERROR)),
        {"stopped": "the recognizer reports: a fault"},
    ),
    "a recognizer that says nothing": (
        lambda bench: (bench.feel(), bench.confirm(recognized_until="")),
        {"stopped": "recognized frames are missing"},
    ),
    "another stream": (
        lambda bench: (bench.feel(), bench.confirm(stream="1")),
        {"stopped": "the stream of hands was interrupted"},
    ),
    "another model": (
        lambda bench: (bench.feel(), bench.confirm(model="other")),
        {"stopped": "the recognizer and its vocabulary name different models"},
    ),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_without_evidence_what_is_held_stops(graph, file, loss):
    bench = Bench(graph, file, input_timeout=1.0)
    bench.go()
    beat, shown = LOSSES[loss]
    graph.until(lambda: (beat(bench) and False) or bench.state["active"] == "")
    assert shown.items() <= bench.state.items()
    graph.until(lambda: bench.speeds[-1] == 0.0)


def test_the_recognizer_of_another_robot_is_no_evidence(graph, file):
    bench = Bench(graph, file, input_timeout=1.0)
    bench.go()
    bench.namespace = "/other"
    graph.until(lambda: bench.beat() or bench.state["active"] == "")
    assert bench.state["lost"].startswith("recognized frames")


def test_two_nodes_that_send_features_stop_what_is_held(graph, file):
    bench = Bench(graph, file)
    bench.go()
    other = graph.add(rclpy.create_node("forgotten", context=graph.probe.context))
    publisher = other.create_publisher(HandFeatures, "hands/features", qos.FEATURES)

    def both():
        bench.beat()
        if bench.sequence > before:
            message = HandFeatures()
            message.header.stamp = time_message(bench.now)
            publisher.publish(message)
        return bench.state["active"] == ""

    before = bench.sequence
    graph.until(both)
    assert "/forgotten and /probe" in bench.state["stopped"]
    bench.go()  # when one of the two has been silent


def test_a_gloss_of_another_process_moves_nothing(graph, file):
    bench = Bench(graph, file)
    bench.until_state(lost="")
    context = rclpy.Context()
    rclpy.init(context=context, args=[])
    try:
        stranger = rclpy.create_node("stranger", context=context)
        own, bench.glosses = bench.glosses, stranger.create_publisher(Gloss, "gloss", qos.GLOSS)
        graph.until(lambda: bench.beat() or bench.glosses.get_subscription_count())
        bench.sign("GO")
        bench.until_state(ignored="GO was sent by another process than the recognizer's")
        bench.glosses = own
        bench.go()
    finally:
        stranger.destroy_node()
        rclpy.shutdown(context=context)


def test_old_signs_are_told_and_ignored(graph, file):
    bench = Bench(graph, file)
    bench.until_state(lost="")
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
    bench.until_state(lost="")
    bench.sign("CHARGE")
    graph.until(lambda: bench.node.diagnostics.drops == {"calls": 1})
    graph.probe.create_service(Trigger, "dock", dock)
    graph.probe.create_service(SetBool, "lamp", lamp)
    clients = [client for client in bench.node.clients if "parameter" not in client.srv_name]
    assert len(clients) == 2
    graph.until(lambda: all(client.service_is_ready() for client in clients))
    for gloss in ("ON", "CHARGE"):
        bench.spend(0.6)  # CHARGE is ignored for a second after it was called
        bench.sign(gloss)
    graph.until(lambda: bench.node.diagnostics.drops == {"calls": 1, "calls_refused": 1})
    assert asked == [("lamp", True), ("dock", None)]


def test_a_gloss_that_the_model_does_not_know_ends_the_node_with_its_line(graph, file):
    bench = Bench.__new__(Bench)
    bench.graph = graph
    bench.node = graph.start(CommandNode, commands_file=str(file))
    bench.connect()
    bench.know(["STOP", "GO", "ON"])
    with pytest.raises(ConfigError, match=r"commands\.yaml:12: .*gloss 'CHARGE' is not in"):
        graph.until(lambda: False)
    assert bench.speeds == []


@pytest.mark.parametrize("model", ["m", "second"])
def test_of_a_vocabulary_that_lacks_our_glosses_only_a_stop_counts(graph, file, model):
    bench = Bench(graph, file)
    bench.go()
    bench.know(["STOP", "GO"], model)
    bench.until_state(active="", stopped="the vocabulary has changed")
    assert "CHARGE" in bench.node.diagnostics.refusal
    bench.spend(0.3)
    before = len(bench.speeds)
    bench.sign("GO")
    bench.sign("STOP")
    bench.until_state(stopped="STOP")
    graph.until(lambda: len(bench.speeds) > before)
    assert set(bench.speeds[before:]) == {0.0}
    bench.know(model_id="third")
    bench.go()
    assert bench.node.diagnostics.refusal == ""


def test_the_last_word_of_the_old_model_is_ignored(graph, file):
    bench = Bench(graph, file)
    bench.until_state(lost="")
    bench.know(model_id="second")
    bench.spend(0.3)
    bench.report["model"] = "m"
    bench.sign("GO")
    bench.report["model"] = "second"
    bench.until_state(ignored="GO was recognized by another model, m")
    assert 0.2 not in bench.speeds
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


def test_a_command_node_without_a_recognizer_is_refused(graph, file):
    with pytest.raises(ConfigError, match="parameter 'recognizer': is empty"):
        graph.start(CommandNode, commands_file=str(file), recognizer="")


def test_a_jump_of_the_clock_stops_what_is_held(graph, file):
    clock = graph.probe.create_publisher(Clock, "/clock", 10)
    bench = Bench(graph, file, use_sim_time=True)
    bench.until_state(lost="the clock has no time yet")
    start = time.monotonic()
    times = [1000.0]

    def tell():
        """Let the clock run, and stamp everything with it."""
        times.append(times[0] + time.monotonic() - start)
        clock.publish(Clock(clock=time_message(round(times[-1] * SECOND))))
        bench.beat()

    type(bench).now = property(lambda self: round(times[-1] * SECOND))
    try:
        graph.until(lambda: tell() or bench.state["lost"] == "")
        end = time.monotonic() + 0.3
        graph.until(lambda: tell() or time.monotonic() > end)
        bench.sign("GO")
        graph.until(lambda: tell() or bench.state["active"] == "GO")
        times[0] = 900.0
        graph.until(lambda: tell() or bench.state["active"] == "")
    finally:
        type(bench).now = NOW
    assert bench.state["stopped"] == "the clock was set"
    graph.until(lambda: bench.speeds[-1] == 0.0)


def test_leaving_stops(graph, file):
    bench = Bench(graph, file)
    bench.go()
    graph.executor.remove_node(bench.node)
    bench.node.destroy_node()
    graph.until(lambda: bench.speeds[-1] == 0.0)


def test_a_node_that_halts_obeys_nothing_afterwards(graph, file):
    bench = Bench(graph, file)
    bench.go()
    bench.node.halt("the node received SIGTERM")
    bench.until_state(active="", stopped="the node received SIGTERM")
    bench.sign("GO")
    bench.spend(0.5)
    assert set(bench.speeds[bench.speeds.index(0.0) :]) == {0.0}


def test_a_callback_that_hangs_does_not_hold_up_the_stop(graph, file):
    bench = Bench(graph, file)
    bench.go()
    with bench.node._lock:  # as if the executor's thread never came back
        begin = time.monotonic()
        bench.node.halt("the end")
    assert time.monotonic() - begin < 5.0
    graph.until(lambda: bench.speeds[-1] == 0.0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_process_that_ends_stops_what_is_held(graph, file, number):
    own = f"/leaving_{number.name}"
    command = [sys.executable, "-m", "whispersign_ros.nodes", "command_node", "--ros-args"]
    command += ["-p", f"commands_file:={file}", "-p", "input_timeout:=5.0", "-r", f"__ns:={own}"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env=dict(os.environ), text=True)
    try:
        bench = Bench.__new__(Bench)
        bench.graph = graph
        bench.connect(own)
        bench.know()
        bench.go()
        process.send_signal(number)
        errors = process.communicate()[1]
    finally:
        process.kill()
    assert process.returncode == 0
    assert "Traceback" not in errors
    graph.until(lambda: bench.speeds[-1] == 0.0)
