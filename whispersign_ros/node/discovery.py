# SPDX-License-Identifier: MIT
"""Isolate a graph from others: choose a free domain id and restrict discovery."""

import os
import random
import socket
from collections.abc import Mapping, MutableMapping

DOMAINS = range(1, 102)  # domain ids that are safe on every platform
RANGES = ("localhost", "subnet", "system_default")  # discovery ranges
VARIABLE, OLDER = "ROS_AUTOMATIC_DISCOVERY_RANGE", "ROS_LOCALHOST_ONLY"  # Humble uses the older one
FIRST_PORT, PORTS_PER_DOMAIN, FIRST_UNICAST = 7400, 250, 10  # from the RTPS specification


def isolate(environment: MutableMapping[str, str], domain: int | None = None) -> int:
    """Restrict discovery to this machine and one domain; return the domain id.

    Args:
        environment: environment to change: ``os.environ`` before rclpy starts, or a child's.
        domain: domain id; None chooses one that is free on this machine.
    """
    chosen = free_domain() if domain is None else domain
    environment["ROS_DOMAIN_ID"] = str(chosen)
    environment.update(range_variables(environment, "localhost"))
    return chosen


def range_variables(environment: Mapping[str, str], chosen: str = "") -> dict[str, str]:
    """Return the environment variables that set a node's discovery range.

    Args:
        environment: current environment, which may already set the range.
        chosen: one of ``RANGES``; "" keeps the range of the environment, by default ``localhost``.
    """
    if not chosen and (VARIABLE in environment or OLDER in environment):
        return {}
    chosen = chosen or "localhost"
    if os.environ.get("ROS_DISTRO") == "humble":
        return {OLDER: "1" if chosen == "localhost" else "0"}
    # If the older variable is set, it overrides the newer one.
    silent = {OLDER: ""} if OLDER in environment else {}
    return {VARIABLE: chosen.upper(), **silent}


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
