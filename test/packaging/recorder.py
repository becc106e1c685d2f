# SPDX-License-Identifier: MIT
"""Run a command on a machine of its own and record the names it looks up and what it sends.

Usage: ``unshare --net --mount python recorder.py FOLDER COMMAND...``. SIGINT is the command's.

The machine has a loopback interface, and one interface whose cable ends nowhere. Its name server
knows no name. ``FOLDER/report.json`` then holds the names, and the addresses that packets went to.
"""

import json
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

INTERFACE = "outside"
NAME_SERVER = "127.0.0.1"
NO_SUCH_NAME = 0x8183  # flags of an answer: recursion is available, and the name does not exist
ALL_PROTOCOLS = 3  # ETH_P_ALL
PROTOCOLS = {6: "tcp", 17: "udp"}
ADDRESSES = {4: (9, 16, socket.AF_INET), 6: (6, 24, socket.AF_INET6)}  # offsets within the header
SETUP = f"""
set -e
ip link set lo up
ip link add name {INTERFACE} type veth peer name cable
ip link set {INTERFACE} arp off addrgenmode none up
ip link set cable addrgenmode none up
ip address add 192.0.2.1/24 dev {INTERFACE}
ip route add default dev {INTERFACE}
if ip address add 2001:db8::1/64 dev {INTERFACE} nodad; then  # not where IPv6 is turned off
    ip -6 route add default dev {INTERFACE}
fi
mount -t tmpfs tmpfs /dev/shm
for daemon in /run/systemd/resolve /run/nscd; do
    if [ -d $daemon ]; then mount -t tmpfs tmpfs $daemon; fi
done
resolver=$(readlink -f /etc/resolv.conf)
[ -e "$resolver" ] || touch "$resolver"
mount --bind "$1" "$resolver"
"""


def main(folder: Path, command: list[str]) -> int:
    """Run the command, write the report and return the command's exit code."""
    resolver = folder / "resolv.conf"
    resolver.write_text(f"nameserver {NAME_SERVER}\nsearch .\n")
    subprocess.run(["sh", "-c", SETUP, "sh", resolver], check=True)
    names: set[str] = set()
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((NAME_SERVER, 53))
    threading.Thread(target=serve, args=(server, names), daemon=True).start()
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ALL_PROTOCOLS))
    wire.bind((INTERFACE, ALL_PROTOCOLS))
    signal.signal(signal.SIGINT, lambda *_: None)  # unlike SIG_IGN, the command does not inherit it
    code = subprocess.run(command).returncode
    report = {"names": sorted(names), "packets": sorted(sent(wire))}
    (folder / "report.json").write_text(json.dumps(report))
    return code


def serve(server: socket.socket, names: set[str]) -> None:
    """Answer each query that its name does not exist, and add the name to ``names``."""
    while True:
        query, sender = server.recvfrom(4096)
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode(errors="replace"))
            at += 1 + query[at]
        names.add(".".join(labels))
        counts = (1).to_bytes(2, "big") + bytes(6)
        flags = NO_SUCH_NAME.to_bytes(2, "big")
        server.sendto(query[:2] + flags + counts + query[12 : at + 5], sender)


def sent(wire: socket.socket) -> set[str]:
    """Return the destinations of the packets that a socket of the interface has received."""
    found: set[str] = set()
    wire.setblocking(False)
    while True:
        try:
            packet, (_, _, kind, *_) = wire.recvfrom(65536)
        except BlockingIOError:
            return found
        version = packet[0] >> 4
        if kind == socket.PACKET_OUTGOING and version in ADDRESSES:
            protocol, begin, family = ADDRESSES[version]
            if packet[protocol] in PROTOCOLS:
                size = 4 if version == 4 else 16
                address = socket.inet_ntop(family, packet[begin : begin + size])
                found.add(f"{PROTOCOLS[packet[protocol]]} {address}")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
