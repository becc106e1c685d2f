"""Keep a graph to this machine, apart from every other: a free domain and local discovery."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import MutableMapping

DOMAINS = range(1, 102)  # the domain ids that are safe on every platform
FIRST_PORT, PORTS_PER_DOMAIN, FIRST_UNICAST = 7400, 250, 10  # of the RTPS specification


def isolate(environment: MutableMapping[str, str], domain: int | None = None) -> int:
    """Set discovery to this machine and a domain of one's own, and return the domain's id.

    Args:
        environment: changed in place; ``os.environ`` before rclpy starts, or a child's.
        domain: the id to use; by default one that nobody on this machine uses.
    """
    chosen = free_domain() if domain is None else domain
    environment["ROS_DOMAIN_ID"] = str(chosen)
    if os.environ.get("ROS_DISTRO") == "humble":  # has only the older variable
        environment["ROS_LOCALHOST_ONLY"] = "1"
    else:
        environment["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    return chosen


def free_domain() -> int:
    """Return a domain id whose first participant's port nobody on this machine holds."""
    candidates = random.sample(DOMAINS, len(DOMAINS))
    for domain in candidates:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("", FIRST_PORT + PORTS_PER_DOMAIN * domain + FIRST_UNICAST))
            except OSError:
                continue
        return domain
    return candidates[0]
