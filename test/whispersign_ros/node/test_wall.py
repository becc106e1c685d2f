# SPDX-License-Identifier: MIT
"""The middleware listens on this machine only: seen by its sockets, and by a real peer outside."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from whispersign_ros.node.discovery import OLDER, PROFILE, PROFILE_VARIABLES, VARIABLE

pytestmark = [
    pytest.mark.graph,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
    pytest.mark.skipif(
        "fastrtps" not in os.environ.get("RMW_IMPLEMENTATION", "rmw_fastrtps_cpp")
        or os.environ.get("ROS_DISTRO") == "humble",
        reason="the profile is Fast DDS's, and Humble sets none",
    ),
]
NEIGHBOUR = Path(__file__).with_name("neighbour.py")
SEARCH = 6.0  # seconds; a peer that is let in receives its first frame within two
BOUND = 60.0  # seconds until a process is up, on a busy machine
FIRST_EPHEMERAL = 32768  # ports from here on only send
ADDRESS, OTHER_ADDRESS = "10.77.0.1", "10.77.0.2"
SHARED_MEMORY = "mount -t tmpfs tmpfs /dev/shm && ip link set lo up && echo up && exec sleep 600"


def _environment(**variables):
    """Return an environment without the variables that isolate the tests."""
    ours = (VARIABLE, OLDER, *PROFILE_VARIABLES)
    return {**{k: v for k, v in os.environ.items() if k not in ours}, **variables}


@pytest.fixture
def start():
    """Return a function that starts a process; what still runs at the end is killed."""
    processes = []

    def start(command, **options):
        processes.append(subprocess.Popen(command, text=True, stdout=subprocess.PIPE, **options))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.wait()


def _node(start, place=(), **variables):
    """Start a node by itself, as ``ros2 run`` does, with a user's environment."""
    command = [*place, sys.executable, "-m", "whispersign_ros.nodes", "smoothing_node"]
    return start(command, env=_environment(**variables))


def _neighbour(start, *arguments, place=(), **variables):
    command = [*place, sys.executable, NEIGHBOUR, *map(str, arguments)]
    return start(command, env=_environment(**variables))


def _seen(process):
    """Return what a neighbour saw."""
    output, _ = process.communicate(timeout=BOUND)
    assert process.returncode == 0
    return json.loads(output)


def _listening(pid):
    """Return the address and port of every UDP socket of a process that receives."""
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        target = os.readlink(descriptor)
        if target.startswith("socket:["):
            inodes.add(target[len("socket:[") : -1])
    found = set()
    for table in ("udp", "udp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            address, port = words[1].split(":")
            if words[9] in inodes and int(port, 16) < FIRST_EPHEMERAL:
                number = int(address, 16).to_bytes(len(address) // 2, sys.byteorder)
                family = socket.AF_INET if table == "udp" else socket.AF_INET6
                found.add((socket.inet_ntop(family, number), int(port, 16)))
    return found


def _addresses(process):
    """Return the addresses on which a node receives, as soon as it does."""
    first = 7400 + 250 * int(os.environ["ROS_DOMAIN_ID"])
    end = time.monotonic() + BOUND
    while time.monotonic() < end:
        found = set()
        with suppress(FileNotFoundError):  # a file that the process has just closed
            found = _listening(process.pid)
        if sum(first <= port < first + 250 for _, port in found) >= 2:
            return {address for address, _ in found}
        time.sleep(0.1)
    raise AssertionError("the node opened no sockets")


def test_an_executable_listens_on_this_machine_alone(start, tmp_path):
    assert _addresses(_node(start)) == {"127.0.0.1"}
    assert "0.0.0.0" in _addresses(_node(start, **{VARIABLE: "SUBNET"}))
    own = tmp_path / "own.xml"
    own.write_text("<dds/>")
    variables = dict.fromkeys(PROFILE_VARIABLES, str(own))
    assert "0.0.0.0" in _addresses(_node(start, **variables))


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {VARIABLE: "SUBNET"},
        {VARIABLE: "LOCALHOST"},
        {VARIABLE: "SYSTEM_DEFAULT"},
        {"FASTDDS_BUILTIN_TRANSPORTS": "UDPv4"},  # no shared memory
        dict.fromkeys(PROFILE_VARIABLES, str(PROFILE)),
    ],
    ids=lambda variables: " ".join(f"{k}={Path(v).name}" for k, v in variables.items()) or "plain",
)
def test_nodes_of_this_machine_reach_it_whatever_they_set(start, variables):
    _addresses(_node(start))
    seen = _seen(_neighbour(start, BOUND, "speak", 20, **variables))
    assert seen["frames"] >= 20
    assert "smoothing_node" in seen["nodes"]
    assert "/hands/raw" in seen["topics"]


@pytest.fixture
def machines(start):
    """Return the prefixes of commands that run on two machines joined by a cable.

    They are network namespaces, each with a shared memory of its own.
    """
    is_root = os.geteuid() == 0
    user = [] if is_root else ["--user", "--map-root-user"]
    into_user = [] if is_root else ["--user", "--preserve-credentials"]
    try:
        here = _machine(start, ["unshare", *user])
        into = ["nsenter", f"--target={here}", *into_user]
        there = _machine(start, [*into, "unshare"])
        places = [
            ["nsenter", f"--target={pid}", *into_user, "--net", "--mount", f"--wd={Path.cwd()}"]
            for pid in (here, there)
        ]
        pair = f"link add cable type veth peer name cable netns {there}"
        subprocess.run([*places[0], "ip", *pair.split()], check=True)
        for place, address in zip(places, (ADDRESS, OTHER_ADDRESS)):
            add = f"ip address add {address}/24 dev cable && ip link set cable up"
            subprocess.run([*place, "sh", "-c", add], check=True)
        for place in places:
            _wait_for_cable(place)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"network namespaces are not permitted here: {error}")
    return places


def _wait_for_cable(place):
    """Wait until the kernel reports the cable as running: the middleware ignores it until then."""
    end = time.monotonic() + BOUND
    show = [*place, "ip", "link", "show", "cable"]
    while "state UP" not in subprocess.run(show, stdout=subprocess.PIPE, text=True).stdout:
        assert time.monotonic() < end, "the cable did not come up"
        time.sleep(0.1)


def _machine(start, command):
    """Start a process in a network namespace of its own and return its id."""
    process = start([*command, "--net", "--mount", "sh", "-c", SHARED_MEMORY])
    if not process.stdout.readline():
        raise OSError(f"{command[0]} ended with {process.wait()}")
    return process.pid


@pytest.mark.slow
@pytest.mark.parametrize("walled", [True, False])
def test_a_peer_on_another_machine_is_kept_out(start, machines, tmp_path, walled):
    here, there = machines
    own = tmp_path / "own.xml"
    own.write_text("<dds/>")
    # A user's own empty profile takes the wall away: the peer must get through then.
    variables = {} if walled else dict.fromkeys(PROFILE_VARIABLES, str(own))
    _addresses(_node(start, here, **variables))
    peers = {"ROS_STATIC_PEERS": ADDRESS}

    outside = _neighbour(start, SEARCH, "speak", place=there, **peers)
    inside = _seen(_neighbour(start, SEARCH, place=here))
    outside = _seen(outside)
    assert "smoothing_node" in inside["nodes"]
    assert inside["reports"]
    received = inside["frames"], outside["frames"], outside["reports"]
    if not walled:
        assert all(received)
        return
    assert received == (0, 0, 0)
    assert outside["nodes"] == outside["topics"] == []

    outside = _neighbour(start, SEARCH, place=there, **peers)
    assert _seen(_neighbour(start, SEARCH, "speak", place=here))["frames"]
    seen = _seen(outside)
    assert not any(seen.values()), seen
