# SPDX-License-Identifier: MIT
"""Leap Motion over WebSocket: the JSON protocol of LeapJS, version 6.

The Orion service uses this protocol, and so does UltraleapTrackingWebSocket with newer services.
The service first sends its version. The client requests background frames and sets the tracking
mode; its JSON must not contain spaces, because one service compares the text literally. The service
then sends a message for each frame. Some services also send one when a device is connected or
disconnected.
"""

import json
import socket
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import numpy as np
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.sync.client import ClientConnection, connect

from whispersign_model.errors import SensorError
from whispersign_model.files import parse_json
from whispersign_model.recordings.recording import Coordinates
from whispersign_model.sensors.clock import DeviceClock
from whispersign_model.sensors.leap_hands import LeapHand, observe
from whispersign_model.sensors.sensor import Observation

VERSION = 6
OPEN_TIMEOUT = 3.0  # seconds
CLOSE_TIMEOUT = 1.0  # seconds that a service has to answer the end of the connection
# Some services answer no WebSocket ping. The kernel asks the other machine whether it still runs:
# after 10 s of silence, every 5 s, up to 4 times.
KEEPALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
)
MICROSECONDS = 1000  # nanoseconds
JOINTS = ("mcpPosition", "pipPosition", "dipPosition", "btipPosition")
MODE_MESSAGES = {
    "desktop": {"optimizeHMD": False},
    "hmd": {"optimizeHMD": True},
    "screentop": {"optimizeScreentop": True},
}


class WebSocketLeap:
    """A ``Sensor`` that receives frames from a Leap service.

    Args:
        url: URL of the service, such as ``ws://127.0.0.1:6437/v6.json``.
        mode: one of ``leap_hands.MODES``.
    """

    source = "leap"
    coordinates = Coordinates.METRIC_SENSOR
    host_clock = True

    def __init__(self, url: str, mode: str) -> None:
        self._url = url
        self._mode = mode
        self._stack = ExitStack()
        self._socket: ClientConnection | None = None
        self._clock = DeviceClock()
        self._last = 0
        self._drops: Counter[str] = Counter()
        self._service = ""

    def open(self) -> None:
        """Connect and negotiate the version."""
        try:
            self._socket = self._stack.enter_context(
                connect(
                    self._url,
                    open_timeout=OPEN_TIMEOUT,
                    ping_interval=None,
                    close_timeout=CLOSE_TIMEOUT,
                    max_queue=4,
                    proxy=None,
                )
            )
            for option in KEEPALIVE:
                self._socket.socket.setsockopt(*option)
            header = parse_json(self._socket.recv(OPEN_TIMEOUT))
        except InvalidURI as error:
            raise SensorError(
                self._url, "is not an address", "such as ws://HOST:PORT/v6.json"
            ) from error
        except (OSError, InvalidHandshake, ConnectionClosed) as error:
            raise SensorError(
                self._url,
                f"no Leap service answers ({type(error).__name__})",
                "start the tracking service, or its WebSocket bridge",
            ) from error
        except ValueError as error:
            raise SensorError(self._url, "is not a Leap service: it sends no JSON") from error
        version = header.get("version") if isinstance(header, dict) else None
        if version != VERSION:
            raise SensorError(
                self._url, f"speaks version {version}", f"a service of version {VERSION} is needed"
            )
        self._service = str(header.get("serviceVersion", "unknown"))
        self._clock, self._last = DeviceClock(), 0
        for message in ({"background": True}, {"focused": True}, MODE_MESSAGES[self._mode]):
            self._socket.send(json.dumps(message, separators=(",", ":")))

    def read(self, timeout: float) -> Observation | None:
        """Wait for the next frame."""
        assert self._socket is not None
        try:
            text = self._socket.recv(timeout)
        except TimeoutError:
            return None
        except (ConnectionClosed, OSError) as error:
            raise SensorError(self._url, "the Leap service has closed", "is it running?") from error
        arrival = time.monotonic_ns()
        try:
            message = parse_json(text)
            if "event" in message:
                self._take_event(message["event"])
                return None
            hands = read_hands(message)
            device = round(message["timestamp"]) * MICROSECONDS
        except (ValueError, LookupError, TypeError, AttributeError, OverflowError):
            self._drops["unreadable_messages"] += 1
            return None
        if device <= self._last and self._last - device < MICROSECONDS * 1_000_000:
            self._drops["frames_repeated"] += 1
            return None
        self._last = device
        return observe(self._clock.host(device, arrival), hands, self._mode)

    def close(self) -> None:
        """Disconnect from the service."""
        self._stack.close()
        self._socket = None

    def drops(self) -> Mapping[str, int]:
        """Return lost messages by cause."""
        return self._drops

    def values(self) -> Mapping[str, object]:
        """Return the name of the service and the delivery jitter."""
        return {
            "transport": "websocket",
            "service": self._service,
            "delivery_jitter_ms": f"{1e3 * self._clock.jitter:.1f}",
        }

    def _take_event(self, event: Any) -> None:
        """Handle a device event.

        Raises:
            SensorError: the device was disconnected.
        """
        state = event["state"]
        if event["type"] == "deviceEvent" and not (state["attached"] and state["streaming"]):
            what = "is not streaming" if state["attached"] else "is unplugged"
            raise SensorError("leap", f"the device {what}", "plug it in; the service is there")


def read_hands(message: Any) -> list[LeapHand]:
    """Read the hands in a frame; skip hands that lack a finger.

    Raises:
        ValueError, LookupError, TypeError: the message is not a version 6 frame.
    """
    fingers: dict[Any, dict[int, list[Any]]] = {}
    for pointable in message["pointables"]:
        if not pointable.get("tool"):
            joints = [pointable[joint] for joint in JOINTS]
            fingers.setdefault(pointable["handId"], {})[pointable["type"]] = joints
    hands = []
    for hand in message["hands"]:
        own = fingers.get(hand["id"], {})
        if set(own) != set(range(5)):
            continue
        if hand["type"] not in ("left", "right"):
            raise ValueError("a hand is left or right")
        hands.append(
            LeapHand(
                right=hand["type"] == "right",
                wrist=np.array(hand["wrist"], dtype=np.float64).reshape(3),
                fingers=np.array([own[f] for f in range(5)], dtype=np.float64).reshape(5, 4, 3),
                confidence=None if hand.get("confidence") is None else float(hand["confidence"]),
                seen_for=float(hand.get("timeVisible", 0.0)),
            )
        )
    return hands
