# SPDX-License-Identifier: MIT
"""The twist_mux setup of docs/how-to/robot.md, tested with its rules in Python."""

from __future__ import annotations

import re
import time
from functools import partial
from pathlib import Path

import pytest
import yaml
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import Twist
from rclpy.parameter import Parameter
from rclpy.qos import QoSPresetProfiles
from std_msgs.msg import Bool

from whispersign_msgs.msg import Gloss, HandFeatures, Vocabulary
from whispersign_ros.conversions.messages import time_message
from whispersign_ros.node import qos
from whispersign_ros.nodes.command_node import CommandNode

GUIDE = Path(__file__).parents[2] / "docs/how-to/robot.md"
COMMANDS = """\
stop:
  gloss: STOP
  publish:
    - {topic: cmd_vel, type: geometry_msgs/msg/Twist}
    - {topic: signed_stop, type: std_msgs/msg/Bool, message: {data: true}}
commands:
  - gloss: GO
    mode: hold
    publish_rate: 10.0
    publish: {topic: cmd_vel, type: geometry_msgs/msg/Twist, message: {linear: {x: 0.2}}}
  - sequence: [OPEN, AGAIN]
    publish: {topic: signed_stop, type: std_msgs/msg/Bool, message: {data: false}}
    stops_itself: true
"""


class TwistMux:
    """The rules of twist_mux 4.3.0, with its QoS: who is heard last with the highest priority."""

    def __init__(self, node, parameters):
        self._entries = {**parameters["topics"], **parameters["locks"]}
        self._locks = set(parameters["locks"])
        self._heard = dict.fromkeys(self._entries, (-1e9, False))
        self._output = node.create_publisher(Twist, "cmd_vel_out", 1)
        for name, entry in self._entries.items():
            kind = Bool if name in self._locks else Twist
            node.create_subscription(
                kind,
                entry["topic"],
                partial(self._on_twist, name),
                QoSPresetProfiles.SYSTEM_DEFAULT.value,
            )

    def _expired(self, name):
        timeout = self._entries[name]["timeout"]
        return timeout > 0 and time.monotonic() - self._heard[name][0] > timeout

    def _on_twist(self, name, message):
        self._heard[name] = (time.monotonic(), getattr(message, "data", False))
        if name in self._locks:
            return
        locked = [each for each in self._locks if self._expired(each) or self._heard[each][1]]
        least = max([self._entries[each]["priority"] for each in locked], default=0)
        free = [
            each
            for each, entry in self._entries.items()
            if each not in self._locks and not self._expired(each) and entry["priority"] >= least
        ]
        if name == max(free, key=lambda each: self._entries[each]["priority"], default=None):
            self._output.publish(message)


@pytest.fixture
def parameters():
    """Return the parameters of twist_mux that the guide shows."""
    section = GUIDE.read_text().partition("## Alongside other command sources")[2]
    (block,) = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
    return yaml.safe_load(block)["twist_mux"]["ros__parameters"]


@pytest.fixture
def robot(graph, parameters, tmp_path):
    """Return a robot behind twist_mux: what it hears, and how to sign and to steer."""
    file = tmp_path / "commands.yaml"
    file.write_text(COMMANDS)
    remap = ["--ros-args", "-r", f"cmd_vel:={parameters['topics']['signs']['topic']}"]
    graph.add(
        CommandNode(
            cli_args=remap,
            parameter_overrides=[
                Parameter("commands_file", value=str(file)),
                Parameter("input_timeout", value=10.0),
            ],
        )
    )
    TwistMux(graph.probe, parameters)
    return Robot(graph, parameters)


class Robot:
    def __init__(self, graph, parameters):
        self.graph = graph
        self.heard = graph.listen(Twist, "cmd_vel_out")
        self.joystick = graph.speak(Twist, parameters["topics"]["joystick"]["topic"])
        self._glosses = graph.speak(Gloss, "gloss", qos.GLOSS)
        self._features = graph.speak(HandFeatures, "hands/features", qos.FEATURES)
        self._diagnostics = graph.speak(DiagnosticArray, "/diagnostics")
        known = graph.probe.create_publisher(Vocabulary, "vocabulary", qos.VOCABULARY)
        known.publish(Vocabulary(glosses=["STOP", "GO", "OPEN", "AGAIN"], model_id="m"))
        for name in ("signs",):
            graph.heard_from(f"/{parameters['topics'][name]['topic']}")
        self._sequence, self._last = 0, 0.0
        state = graph.listen(DiagnosticStatus, "command_state", qos.COMMAND_STATE)
        self.until(lambda: state and {v.key: v.value for v in state[-1].values}["lost"] == "")

    @property
    def speed(self):
        return self.heard[-1].linear.x if self.heard else None

    @property
    def _now(self):
        return self.graph.probe.get_clock().now().nanoseconds

    def sign(self, gloss):
        """Sign for 0.2 s, after the last sign and the last stop."""
        begin = time.monotonic()
        self.until(lambda: time.monotonic() > begin + 0.3)
        message = Gloss(gloss=gloss, confidence=0.9, final=True, model_id="m")
        message.start_time = time_message(self._now - 10**9 // 5)
        message.end_time = time_message(self._now)
        self._glosses.publish(message)

    def _recognize(self):
        """Be a sensor and a recognizer, 20 times a second."""
        if time.monotonic() - self._last < 0.05:
            return
        self._last, self._sequence = time.monotonic(), self._sequence + 1
        features = HandFeatures(sequence=self._sequence)
        features.header.stamp = time_message(self._now)
        self._features.publish(features)
        values = {"model": "m", "stream": "0", "recognized_until": str(self._now)}
        status = DiagnosticStatus(level=DiagnosticStatus.OK, name="/recognition_node")
        status.values = [KeyValue(key=key, value=value) for key, value in values.items()]
        self._diagnostics.publish(DiagnosticArray(status=[status]))

    def until(self, condition, steering=None):
        """Wait, with a live sensor, and perhaps somebody at the joystick."""

        def live():
            self._recognize()
            if steering is not None:
                twist = Twist()
                twist.linear.x = steering
                self.joystick.publish(twist)
            return condition()

        self.graph.until(live)

    def finalize(self, steering=None):
        """Let a few more messages come."""
        count = len(self.heard)
        self.until(lambda: len(self.heard) > count + 5, steering)


def test_signs_drive_while_nobody_uses_the_joystick(robot):
    robot.until(lambda: robot.speed is None)
    robot.sign("GO")
    robot.until(lambda: robot.speed == 0.2)
    robot.until(lambda: robot.speed == 0.7, steering=0.7)
    robot.finalize(steering=0.7)
    assert {twist.linear.x for twist in robot.heard[-5:]} == {0.7}
    robot.until(lambda: robot.speed == 0.2)  # the joystick is let go


def test_a_stop_by_sign_locks_the_joystick_too_until_it_is_released(robot):
    robot.until(lambda: robot.speed == 0.7, steering=0.7)
    robot.sign("STOP")
    start = time.monotonic()
    robot.until(lambda: time.monotonic() > start + 1.0, steering=0.7)
    count = len(robot.heard)
    robot.until(lambda: time.monotonic() > start + 2.0, steering=0.7)
    assert len(robot.heard) == count
    robot.sign("OPEN")
    robot.sign("AGAIN")
    robot.until(lambda: len(robot.heard) > count, steering=0.7)
    assert robot.speed == 0.7
