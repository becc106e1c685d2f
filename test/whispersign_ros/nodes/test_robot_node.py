# SPDX-License-Identifier: MIT
"""``robot_node`` alone: commands in, poses out."""

from __future__ import annotations

import math
import time

import pytest
from geometry_msgs.msg import PoseStamped, Twist, TwistStamped

from whispersign_model.errors import ConfigError
from whispersign_ros.node import qos
from whispersign_ros.nodes.robot_node import RobotNode


def _twist(linear, angular=0.0):
    twist = Twist()
    twist.linear.x, twist.angular.z = linear, angular
    return twist


@pytest.mark.parametrize("stamped", [False, True])
def test_it_drives_as_it_is_told_and_stops_by_itself(graph, stamped):
    node = graph.start(RobotNode, stamped=stamped, command_timeout=0.2, frame_id="map")
    poses = graph.listen(PoseStamped, "robot_pose")
    commands = graph.speak(TwistStamped if stamped else Twist, "cmd_vel", qos.COMMAND)
    commands.publish(TwistStamped(twist=_twist(1.0)) if stamped else _twist(1.0))
    graph.until(lambda: poses and poses[-1].pose.position.x > 0.1)
    time.sleep(0.2)
    graph.until(lambda: poses[-1].pose.position.x == pytest.approx(0.2))
    for _ in range(5):
        graph.executor.spin_once(timeout_sec=0.05)
    assert node.robot.pose.x == pytest.approx(0.2)
    assert poses[-1].header.frame_id == "map"
    assert poses[-1].header.stamp.sec > 0


def test_the_heading_is_that_of_the_pose(graph):
    node = graph.start(RobotNode, command_timeout=60.0)
    poses = graph.listen(PoseStamped, "robot_pose")
    commands = graph.speak(Twist, "cmd_vel", qos.COMMAND)
    commands.publish(_twist(0.0, 1.0))
    graph.until(lambda: poses and poses[-1].pose.orientation.z > 0.1)
    commands.publish(_twist(0.0))
    graph.until(lambda: node.robot.stopped)
    node._publish_pose()
    count = len(poses)
    graph.until(lambda: len(poses) > count + 1)
    turned = poses[-1].pose.orientation
    assert 2 * math.atan2(turned.z, turned.w) == pytest.approx(node.robot.pose.heading)
    assert node.robot.pose.heading > 0.1


def test_numbers_that_are_none_are_dropped(graph):
    node = graph.start(RobotNode)
    commands = graph.speak(Twist, "cmd_vel", qos.COMMAND)
    commands.publish(_twist(math.nan))
    graph.until(lambda: node.diagnostics.drops == {"commands_not_finite": 1})
    assert node.robot.stopped


def test_a_parameter_at_fault(graph):
    with pytest.raises(ConfigError, match=r"'command_timeout' of robot_node.*from 0.05 to 60"):
        graph.start(RobotNode, command_timeout=0.0)
