# SPDX-License-Identifier: MIT
"""Node ``robot_node``: simulates a mobile base, to try out commands without a robot."""

import math
import time
from typing import Any

from geometry_msgs.msg import PoseStamped, Twist, TwistStamped
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from whispersign_ros.node import qos
from whispersign_ros.node.diagnostics import Diagnostics
from whispersign_ros.node.parameters import ParameterSpec, declare
from whispersign_ros.simulation.unicycle import Pose, Unicycle

PARAMETERS = (
    ParameterSpec(
        "stamped",
        False,
        "type of cmd_vel: TwistStamped if true, Twist if false; command_node uses the same type if"
        " its velocity_type is auto",
    ),
    ParameterSpec(
        "command_timeout",
        0.5,
        "seconds without a command after which the robot stops",
        (0.05, 60.0),
    ),
    ParameterSpec("publish_rate", 20.0, "poses per second", (1.0, 200.0)),
    ParameterSpec(
        "frame_id", "odom", "frame_id of the poses; at the start, x points forward and y left"
    ),
)


class RobotNode(Node):
    """Follows ``cmd_vel`` without inertia, and publishes ``robot_pose``.

    Time comes from a monotonic clock.

    Attributes:
        robot: the simulated robot.

    Raises:
        ConfigError: a parameter is invalid.
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(
            "robot_node", automatically_declare_parameters_from_overrides=True, **arguments
        )
        values = declare(self, PARAMETERS)
        self.robot = Unicycle(values["command_timeout"], time.monotonic())
        self._frame_id: str = values["frame_id"]
        kind = TwistStamped if values["stamped"] else Twist
        self.diagnostics = Diagnostics(self)
        self._poses = qos.publish(self, PoseStamped, "robot_pose", qos.POSE)
        self._commands = qos.subscribe(self, kind, "cmd_vel", qos.COMMAND_INPUT, self._on_velocity)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        period = 1 / values["publish_rate"]
        self._ticks = self.create_timer(period, self._publish_pose, clock=steady)

    def _on_velocity(self, message: Twist | TwistStamped) -> None:
        twist = message.twist if isinstance(message, TwistStamped) else message
        linear, angular = float(twist.linear.x), float(twist.angular.z)
        if not (math.isfinite(linear) and math.isfinite(angular)):
            self.diagnostics.dropped("commands_not_finite")
            return
        self.robot.command(linear, angular, time.monotonic())
        self.diagnostics.arrived(self.get_clock().now().nanoseconds)

    def _publish_pose(self) -> None:
        pose = self.robot.advance(time.monotonic())
        message = _pose_message(pose)
        message.header.stamp = self.get_clock().now().to_msg()
        message.header.frame_id = self._frame_id
        self._poses.publish(message)
        self.diagnostics.show("x", f"{pose.x:.2f}")
        self.diagnostics.show("y", f"{pose.y:.2f}")
        self.diagnostics.show("heading_degrees", f"{math.degrees(pose.heading):.0f}")


def _pose_message(pose: Pose) -> PoseStamped:
    message = PoseStamped()
    message.pose.position.x, message.pose.position.y = pose.x, pose.y
    message.pose.orientation.z = math.sin(pose.heading / 2)
    message.pose.orientation.w = math.cos(pose.heading / 2)
    return message
