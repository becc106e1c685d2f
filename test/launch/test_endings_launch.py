# SPDX-License-Identifier: MIT
"""A signal to the launch, even SIGKILL, stops the robot at once and ends every node."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

REASON = "the ROS 2 launch packages are missing; they come with a ROS 2 distribution"
launch = pytest.importorskip("launch", reason=REASON)
pytest.importorskip("launch_ros", reason=REASON)

from geometry_msgs.msg import Twist  # noqa: E402
from launched import FOLDER, Listener, wait  # noqa: E402

from whispersign_ros.node.assets import DEMO_BAG, DEMO_MODEL  # noqa: E402

pytestmark = [pytest.mark.graph, pytest.mark.slow]
HALT_TIMEOUT = 0.5  # seconds from the signal to the stop
END_TIMEOUT = 3.0  # seconds from the signal to the end of every node
NODES = 5
COMMANDS = """\
stop:
  gloss: STOP
  publish: {topic: cmd_vel, type: geometry_msgs/msg/Twist}
commands:
  - gloss: HOME
    mode: hold
    publish: {topic: cmd_vel, type: geometry_msgs/msg/Twist, message: {linear: {x: 0.2}}}
"""
# What `ros2 launch` does, without its command line.
SCRIPT = """
import sys
from launch import LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
source = PythonLaunchDescriptionSource(sys.argv[1])
arguments = [word.split(":=") for word in sys.argv[2:]]
service = LaunchService()
service.include_launch_description(IncludeLaunchDescription(source, launch_arguments=arguments))
sys.exit(service.run())
"""


def _nodes(namespace):
    """Return the process ids of the nodes in a namespace."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if f"__ns:=/{namespace}" in words:
            found.append(int(folder.name))
    return found


@pytest.fixture
def start(tmp_path):
    """Return a function that launches the graph in a namespace, with respawning nodes."""
    commands = tmp_path / "commands.yaml"
    commands.write_text(COMMANDS)
    processes = []

    def start(namespace):
        arguments = {
            "namespace": namespace,
            "bag": DEMO_BAG,
            "model": DEMO_MODEL,
            "loop": "true",
            "respawn": "true",
            "commands_file": commands,
            "params_file": FOLDER.parent / "config" / "whispersign.yaml",
        }
        words = [f"{name}:={value}" for name, value in arguments.items()]
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(FOLDER / "whispersign.launch.py"), *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()


def _send_as_systemd(process, nodes):
    """Send SIGTERM to all processes at once, as `systemctl stop` does with a control group."""
    for pid in (process.pid, *nodes):
        os.kill(pid, signal.SIGTERM)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT", "SIGKILL", "systemctl stop"])
def test_a_signal_to_the_launch_stops_the_robot_and_ends_the_nodes(start, name):
    namespace = f"launch_{name.lower().replace(' ', '_')}"
    stops = []

    def on_command(message):
        if message.linear.x == 0.0:
            stops.append(time.monotonic())

    with Listener(namespace=namespace) as robot:
        robot.node.create_subscription(Twist, "cmd_vel", on_command, 100)
        process = start(namespace)
        expected = {"command_node", "recognition_node", "replay_node"}
        robot.until(
            lambda: (
                expected <= set(robot.node.get_node_names())
                and robot.node.count_publishers("cmd_vel") == 1
            )
        )
        nodes = _nodes(namespace)
        assert len(nodes) == NODES
        sent = time.monotonic()
        if name.startswith("SIG"):
            process.send_signal(getattr(signal, name))
        else:
            _send_as_systemd(process, nodes)
        robot.until(lambda: any(at > sent for at in stops))
        assert min(at for at in stops if at > sent) - sent < HALT_TIMEOUT
        wait(lambda: not _nodes(namespace), lambda: time.sleep(0.05))
        assert time.monotonic() - sent < END_TIMEOUT
        process.wait(timeout=END_TIMEOUT)
    assert not _nodes(namespace)  # and the launch has restarted none
