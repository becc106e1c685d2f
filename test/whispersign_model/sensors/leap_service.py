# SPDX-License-Identifier: MIT
"""A Leap service for tests, which speaks JSON protocol version 6 and sends known joints."""

from __future__ import annotations

import json
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
