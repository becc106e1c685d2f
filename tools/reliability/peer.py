# SPDX-License-Identifier: MIT
"""A peer in another network namespace that names this host as a static peer."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import monotonic

from reliability.driving import STILL, driving_graph, stages
from reliability.trials import DrivingScenario, Trials
from whispersign_ros.node.discovery import PROFILE_VARIABLES

NAMESPACE = f"whispersign{os.getpid()}"
HOST, PEER = "10.78.0.1", "10.78.0.2"
SEARCH = 12.0  # seconds; a peer that is let in drives within a few
LAN = {"ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET", "ROS_STATIC_PEERS": HOST}
# A namespace shares this host's memory; a peer on another machine does not.
OWN_MEMORY = 'mount -t tmpfs tmpfs /dev/shm && ip link set lo up && exec "$@"'


def scenario(model: Path, commands: Path, folder: Path) -> DrivingScenario:
    """Return the scenario, which starts its own graph."""
    return DrivingScenario(
        "a peer outside that names this host as a static peer and sends GO",
        "the robot does not move",
        partial(_peer, model, commands, folder),
    )


def _peer(model: Path, commands: Path, folder: Path, *_: object) -> Trials:
    trials = Trials()
    try:
        with namespace(), driving_graph(model, folder, stages(model, commands)) as graph:
            graph.begin()
            begin = monotonic()
            arguments = (
                "-p",
                "topic:=gloss",
                "-p",
                "at_once:=true",
                "-p",
                f"out:={folder / 'peer'}",
            )
            with _outside("reliability.intruder", *arguments):
                until = graph.watch(SEARCH)
            moved = graph.robot.first_motion(begin) is not None
            trials.add(graph.robot.still_from(begin, until) - begin, "it drives" if moved else "")
            graph.watch(STILL)
    except (OSError, subprocess.CalledProcessError) as error:
        trials.notes.append(f"not run: no network namespaces here ({error})")
    return trials


@contextmanager
def namespace() -> Iterator[None]:
    """Create a network namespace that is linked to this one, within the block.

    Raises:
        OSError, subprocess.CalledProcessError: that is not possible.
    """
    link, other = "wsfaults0", "wsfaults1"
    _ip("netns", "add", NAMESPACE)
    try:
        _ip("link", "add", link, "type", "veth", "peer", "name", other, "netns", NAMESPACE)
        _ip("addr", "add", f"{HOST}/24", "dev", link)
        _ip("link", "set", link, "up")
        _ip("-n", NAMESPACE, "addr", "add", f"{PEER}/24", "dev", other)
        _ip("-n", NAMESPACE, "link", "set", other, "up")
        yield
    finally:
        _ip("netns", "del", NAMESPACE)


def environment(ours: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which nodes reach other machines, without our wall."""
    wall = (*PROFILE_VARIABLES, "CYCLONEDDS_URI", "ZENOH_CONFIG_OVERRIDE")
    return {**{name: value for name, value in ours.items() if name not in wall}, **LAN}


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@contextmanager
def _outside(module: str, *arguments: str) -> Iterator[None]:
    """Run a module in the namespace, with a shared memory of its own, within the block."""
    python = [sys.executable, "-m", module, "--ros-args", *arguments]
    command = ["ip", "netns", "exec", NAMESPACE, "unshare", "-m", "sh", "-c", OWN_MEMORY, "sh"]
    process = subprocess.Popen(
        [*command, *python],
        env=environment(os.environ),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()
