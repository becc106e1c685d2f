# SPDX-License-Identifier: MIT
"""Keep a graph to this machine, apart from every other: a free domain and local discovery."""

import os
import random
import socket
from collections.abc import Mapping, MutableMapping, Sequence

DOMAINS = range(1, 102)  # the domain ids that are safe on every platform
RANGES = ("localhost", "subnet", "system_default")  # how far nodes may be found
VARIABLE, OLDER = "ROS_AUTOMATIC_DISCOVERY_RANGE", "ROS_LOCALHOST_ONLY"  # Humble has the latter
FIRST_PORT, PORTS_PER_DOMAIN, FIRST_UNICAST = 7400, 250, 10  # of the RTPS specification


def isolate(environment: MutableMapping[str, str], domain: int | None = None) -> int:
    """Set discovery to this machine and a domain of one's own, and return the domain's id.

    Args:
        environment: changed in place; ``os.environ`` before rclpy starts, or a child's.
        domain: the id to use; by default one that nobody on this machine uses.
    """
    chosen = free_domain() if domain is None else domain
    environment["ROS_DOMAIN_ID"] = str(chosen)
    environment.update(range_variables(environment, "localhost"))
    return chosen


def range_variables(environment: Mapping[str, str], chosen: str = "") -> dict[str, str]:
    """Return the variables that say how far the nodes started with them may be found.

    Args:
        environment: they may be set in it already.
        chosen: one of ``RANGES``; empty: as the environment says, this machine where it does not.
    """
    if not chosen and (VARIABLE in environment or OLDER in environment):
        return {}
    chosen = chosen or "localhost"
    if os.environ.get("ROS_DISTRO") == "humble":
        return {OLDER: "1" if chosen == "localhost" else "0"}
    # The older variable, where it is set, has precedence over the newer one.
    silent = {OLDER: ""} if OLDER in environment else {}
    return {VARIABLE: chosen.upper(), **silent}


def free_domain(domains: Sequence[int] = DOMAINS) -> int:
    """Return one of some domain ids whose first participant's port is free on this machine."""
    candidates = random.sample(domains, len(domains))
    for domain in candidates:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("", FIRST_PORT + PORTS_PER_DOMAIN * domain + FIRST_UNICAST))
            except OSError:
                continue
        return domain
    return candidates[0]
