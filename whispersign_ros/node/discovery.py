# SPDX-License-Identifier: MIT
"""Isolate a graph from others: choose a free domain id and keep other machines out.

A discovery range limits which machines a node looks for. It does not limit who may connect: the
middleware listens on all addresses and serves every peer that names this machine. Therefore the
functions here also configure the middleware to listen on the loopback interface only.
"""

import os
import random
import socket
from collections.abc import Mapping, MutableMapping
from importlib import metadata
from pathlib import Path

from whispersign_model.errors import ConfigError

DOMAIN = "ROS_DOMAIN_ID"  # environment variable
DOMAINS = range(1, 102)  # domain ids that are safe on every platform
LARGEST_DOMAIN = 232  # the last whose ports exist
RANGES = ("localhost", "subnet", "system_default")  # discovery ranges
OPEN = ("subnet", "system_default")  # ranges that reach other machines
VARIABLE, OLDER = "ROS_AUTOMATIC_DISCOVERY_RANGE", "ROS_LOCALHOST_ONLY"  # Humble uses the older one
FIRST_PORT, PORTS_PER_DOMAIN, FIRST_UNICAST = 7400, 250, 10  # from the RTPS specification

PROFILE = Path(__file__).with_name("loopback.xml")  # of Fast DDS
PROFILE_VARIABLES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
PROFILES_IN_FOLDER = ("DEFAULT_FASTDDS_PROFILES.xml", "DEFAULT_FASTRTPS_PROFILES.xml")
OLDER_FAST_DDS = ("iron", "jazzy")  # distributions that read the second variable
FIRST_WITH_FAST_DDS_3 = 9  # major version of rclpy: Kilted's

# Tried with Cyclone DDS 11 without ROS, where it keeps a peer out. Untried with rmw_cyclonedds.
CYCLONE_DDS = (
    '<CycloneDDS><Domain><General><Interfaces><NetworkInterface address="127.0.0.1"/>'
    "</Interfaces></General></Domain></CycloneDDS>"
)
# Zenoh 1.10 accepts this. Untried with rmw_zenoh, whose router is a process with its own settings.
ZENOH = (
    'listen/endpoints=["tcp/127.0.0.1:0"];connect/endpoints=["tcp/127.0.0.1:7447"];'
    "scouting/multicast/enabled=false"
)


def isolate(environment: MutableMapping[str, str], domain: int | None = None) -> int:
    """Restrict a graph to this machine and one domain; return the domain id.

    Args:
        environment: environment to change: ``os.environ`` before rclpy starts, or a child's.
        domain: domain id; None chooses one that is free on this machine.

    Raises:
        ConfigError: the domain id is out of range.
    """
    chosen = free_domain() if domain is None else domain
    check_domain(str(chosen), "--domain-id")
    environment[DOMAIN] = str(chosen)
    environment.update(range_variables(environment, "localhost"))
    return chosen


def check_domain(text: str, subject: str) -> None:
    """Check a domain id before the middleware rejects it or ROS misreads it.

    Args:
        text: the id; "" is ROS's default.
        subject: the variable or option that sets it, for the error message.

    Raises:
        ConfigError: it is not a number from 0 to 232.
    """
    if text and text not in map(str, range(LARGEST_DOMAIN + 1)):
        fault = f"'{text}' is not a ROS domain id"
        raise ConfigError(subject, fault, f"give a whole number from 0 to {LARGEST_DOMAIN}")


def range_variables(environment: Mapping[str, str], chosen: str = "") -> dict[str, str]:
    """Return the environment variables that set which machines reach a node.

    For this machine alone, they set the discovery range and make the middleware listen on the
    loopback interface only. They keep a middleware configuration of the user's own.

    Args:
        environment: current environment, which may already set the range or configure the
            middleware.
        chosen: one of ``RANGES``; "" keeps the range of the environment, by default ``localhost``.
    """
    reach = chosen or _range(environment)
    if reach in OPEN:
        return _range_settings(environment, reach) if chosen else {}
    return {**_range_settings(environment, reach), **loopback_variables(environment)}


def loopback_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that make the middleware listen on the loopback interface only.

    The result is empty if the environment or a file in the working directory configures the
    middleware, and for an unknown middleware. It is also empty on Humble, where
    ``ROS_LOCALHOST_ONLY`` restricts the interface.

    Args:
        environment: names the middleware in ``RMW_IMPLEMENTATION``; the default is Fast DDS.
    """
    middleware = environment.get("RMW_IMPLEMENTATION") or "rmw_fastrtps_cpp"
    if _is_humble():
        return {}
    if "cyclonedds" in middleware:
        return {} if environment.get("CYCLONEDDS_URI") else {"CYCLONEDDS_URI": CYCLONE_DDS}
    if "zenoh" in middleware:
        own = environment.get("ZENOH_CONFIG_OVERRIDE") or environment.get(
            "ZENOH_SESSION_CONFIG_URI"
        )
        return {} if own else {"ZENOH_CONFIG_OVERRIDE": ZENOH}
    if "fastrtps" not in middleware or _has_profile(environment):
        return {}
    return {_profile_variable(): str(PROFILE)}


def _range(environment: Mapping[str, str]) -> str:
    """Return the range that the environment sets, by default this machine."""
    if environment.get(OLDER) == "1":
        return "localhost"
    name = environment.get(VARIABLE)
    if not name:
        return "subnet" if environment.get(OLDER) else "localhost"
    known = {reach.upper(): reach for reach in (*RANGES, "off")}
    return known.get(name, "localhost")  # rcl reads an invalid value as LOCALHOST


def _range_settings(environment: Mapping[str, str], reach: str) -> dict[str, str]:
    if _is_humble():
        return {OLDER: "0" if reach in OPEN else "1"}
    # Jazzy lets the older variable override the newer one; Kilted does not know it.
    silent = {OLDER: ""} if OLDER in environment else {}
    return {VARIABLE: reach.upper(), **silent}


def _is_humble() -> bool:
    return os.environ.get("ROS_DISTRO") == "humble"


def _has_profile(environment: Mapping[str, str]) -> bool:
    """Return whether Fast DDS would read a profile already."""
    named = any(environment.get(name) for name in PROFILE_VARIABLES)
    return named or any(Path(name).exists() for name in PROFILES_IN_FOLDER)


def _profile_variable() -> str:
    """Return the variable that names Fast DDS's profile: the one that this distribution reads.

    Packages from PyPI do not set ``ROS_DISTRO``. Setting both variables would make Kilted warn.
    """
    newer, older = PROFILE_VARIABLES
    if distribution := os.environ.get("ROS_DISTRO"):
        return older if distribution in OLDER_FAST_DDS else newer
    try:
        major = int(metadata.version("rclpy").split(".")[0])
    except metadata.PackageNotFoundError:
        return newer
    return newer if major >= FIRST_WITH_FAST_DDS_3 else older


def free_domain() -> int:
    """Return a random domain id whose first port is free on this machine."""
    candidates = random.sample(DOMAINS, len(DOMAINS))
    for domain in candidates:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("", FIRST_PORT + PORTS_PER_DOMAIN * domain + FIRST_UNICAST))
            except OSError:
                continue
        return domain
    return candidates[0]
