# SPDX-License-Identifier: MIT
"""Node ``leap_node``: publishes hands from a Leap Motion on ``hands/raw``."""

from collections.abc import Callable, Sequence
from typing import Any

from whispersign_model.errors import SensorError, WhisperSignError, install_extra
from whispersign_model.sensors.leap_hands import MODES
from whispersign_model.sensors.sensor import Sensor
from whispersign_ros.node.parameters import ParameterSpec
from whispersign_ros.nodes.sensor_base import SHARED_PARAMETERS, SensorNode

PARAMETERS = (
    ParameterSpec(
        "transport",
        "auto",
        "connection to the tracking service: leapc (Ultraleap's Python bindings), websocket, or"
        " auto (leapc if the bindings are installed)",
        choices=("auto", "leapc", "websocket"),
    ),
    ParameterSpec("url", "ws://127.0.0.1:6437/v6.json", "address of the WebSocket service"),
    ParameterSpec(
        "tracking_mode",
        "desktop",
        "mounting position: on a desk, on the forehead, or above a screen (facing down)",
        choices=MODES,
    ),
    *SHARED_PARAMETERS,
)


class LeapNode(SensorNode):
    """Publishes each frame of a Leap Motion, with or without hands.

    Args:
        on_end: never called, because a device's stream does not end.
        also_known: names of parameters that other nodes in the process declare.
        arguments: passed to ``rclpy.node.Node``.

    Raises:
        WhisperSignError: a parameter is invalid, or ``autostart`` is set and the bindings are not
            installed.
    """

    def __init__(
        self, on_end: Callable[[], None], also_known: Sequence[str] = (), **arguments: Any
    ) -> None:
        super().__init__("leap_node", PARAMETERS, on_end, also_known, **arguments)
        self.begin()

    def make_sensor(self) -> Sensor:
        """Create the transport that the parameters select."""
        transport, mode = self.values["transport"], self.values["tracking_mode"]
        if transport != "websocket":
            from whispersign_model.sensors.leap_leapc import LeapCLeap

            try:
                return LeapCLeap(mode)
            except SensorError:
                if transport == "leapc":
                    raise
        try:
            from whispersign_model.sensors.leap_websocket import WebSocketLeap
        except ModuleNotFoundError as error:
            raise WhisperSignError(
                self.get_name(),
                f"the Python package '{error.name}' is missing",
                install_extra("leap"),
            ) from error
        return WebSocketLeap(self.values["url"], mode)
