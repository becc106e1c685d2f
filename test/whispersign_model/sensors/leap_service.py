# SPDX-License-Identifier: MIT
"""A Leap service for tests, which speaks JSON protocol version 6 and sends known joints."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import threading

import numpy as np
from websockets.sync.server import serve

NAMES = ("mcpPosition", "pipPosition", "dipPosition", "btipPosition")


def frame(timestamp, hands, **extra):
    """Return a frame message; ``hands`` has (id, "left" or "right", joints (21, 3) in meters)."""
    message = {"id": 1, "timestamp": timestamp, "hands": [], "pointables": [], "devices": []}
    for number, side, joints in hands:
        joints = np.asarray(joints, dtype=np.float64) * 1000
        message["hands"].append(
            {"id": number, "type": side, "wrist": joints[0].tolist(), "confidence": 0.8,
             "timeVisible": 1.0, "palmPosition": [0, 0, 0]}
        )  # fmt: skip
        for finger in range(5):
            own = joints[1 + 4 * finger : 5 + 4 * finger]
            pointable = dict(zip(NAMES, own.tolist()))
            # The thumb's metacarpal has no length; a fingertip's flesh ends beyond its bone.
            pointable["carpPosition"] = own[0].tolist() if finger == 0 else joints[0].tolist()
            pointable["tipPosition"] = (own[3] + 5).tolist()
            message["pointables"].append({"handId": number, "type": finger, **pointable})
    return message | extra


class Service:
    """Sends a list of messages to each client that requests frames."""

    def __init__(self, *scripts, version=6):
        self.scripts, self.version = list(scripts), version
        self.asked, self.paths, self.release = [], [], threading.Event()
        self._server = serve(self._talk, "127.0.0.1", 0)
        self.url = f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}/v6.json"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _talk(self, client):
        self.paths.append(client.request.path)
        client.send(json.dumps({"version": self.version, "serviceVersion": "2.3.1+33747"}))
        while len(self.asked) < 3:
            self.asked.append(client.recv())
        for message in self.scripts.pop(0) if self.scripts else []:
            client.send(message if isinstance(message, str) else json.dumps(message))
        if not self.scripts:
            self.release.wait(60)

    def close(self):
        self.release.set()
        self._server.shutdown()


GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # of the WebSocket handshake, RFC 6455


class DeafService:
    """Accepts one client and sends frames, but reads nothing: no ping, and no close."""

    def __init__(self, period):
        self._period = period
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"ws://127.0.0.1:{self._listening.getsockname()[1]}/v6.json"
        self._end = threading.Event()
        threading.Thread(target=self._talk, daemon=True).start()

    def _talk(self):
        client, _ = self._listening.accept()
        request = b""
        while b"\r\n\r\n" not in request:
            request += client.recv(4096)
        lines = dict(line.split(b": ", 1) for line in request.split(b"\r\n")[1:] if line)
        key = {name.lower(): value for name, value in lines.items()}[b"sec-websocket-key"]
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
        client.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        messages = [{"version": 6, "serviceVersion": "2.3.1+33747"}]
        number = 0
        while not self._end.is_set():
            messages.append(frame(number := number + 8000, []))
            for text in map(json.dumps, messages):
                head = bytes([0x81, 126]) + len(text).to_bytes(2, "big")
                client.sendall(head + text.encode())
            messages.clear()
            self._end.wait(self._period)
        client.close()

    def close(self):
        self._end.set()
        self._listening.close()
