# SPDX-License-Identifier: MIT
"""Leap Motion through LeapC, with Ultraleap's Python bindings (package ``leap``)."""

import importlib
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from whispersign_model.errors import SensorError
from whispersign_model.recordings.recording import Coordinates
from whispersign_model.sensors.clock import DeviceClock
from whispersign_model.sensors.leap_hands import LeapHand, observe
from whispersign_model.sensors.sensor import Observation

MICROSECONDS = 1000  # nanoseconds
MODES = {"desktop": "Desktop", "hmd": "HMD", "screentop": "ScreenTop"}  # names in leap.TrackingMode


def import_leap() -> Any:
    """Import the bindings.

    Raises:
        SensorError: the bindings or the tracking service's library are missing.
    """
    try:
        return importlib.import_module("leap")
    except Exception as error:  # without the library, the bindings raise a bare Exception
        raise SensorError(
            "leap",
            f"Ultraleap's Python bindings cannot be imported ({error})",
            "install its tracking software and bindings, or use transport:=websocket",
        ) from error


class LeapCLeap:
    """A ``Sensor`` that polls the tracking service.

    Args:
        mode: one of ``leap_hands.MODES``.

    Raises:
        SensorError: the bindings are missing.
    """

    source = "leap"
    coordinates = Coordinates.METRIC_SENSOR
    host_clock = True

    def __init__(self, mode: str) -> None:
        self._leap = import_leap()
        self._mode = mode
        self._connection: Any = None
        self._clock = DeviceClock()
        self._last = 0
        self._repeated = 0

    def open(self) -> None:
        """Connect to the service; events report the connection and the device."""
        try:
            self._connection = self._leap.Connection()
            self._connection.connect(auto_poll=False)
        except self._leap.LeapError as error:
            raise SensorError(
                "leap", f"no tracking service ({type(error).__name__})", "start it"
            ) from error
        self._clock, self._last = DeviceClock(), 0

    def read(self, timeout: float) -> Observation | None:
        """Wait for the next frame."""
        try:
            event = self._connection.poll(timeout)
            kind = event.type
            if kind == self._leap.EventType.Connection:
                name = MODES[self._mode]
                self._connection.set_tracking_mode(getattr(self._leap.TrackingMode, name))
        except self._leap.LeapError as error:
            if type(error).__name__ == "LeapTimeoutError":
                return None
            raise SensorError(
                "leap", f"the tracking service failed ({type(error).__name__})", "is it running?"
            ) from error
        if kind == self._leap.EventType.ConnectionLost:
            raise SensorError("leap", "the tracking service has closed", "is it running?")
        if kind in (self._leap.EventType.DeviceLost, self._leap.EventType.DeviceFailure):
            raise SensorError("leap", "the device is unplugged", "plug it in; the service is there")
        if kind != self._leap.EventType.Tracking:
            return None
        arrival, device = time.monotonic_ns(), int(event.timestamp) * MICROSECONDS
        if device <= self._last:
            self._repeated += 1
            return None
        self._last = device
        hands = [self._hand(hand) for hand in event.hands]
        return observe(self._clock.host(device, arrival), hands, self._mode)

    def close(self) -> None:
        """Disconnect from the service."""
        if self._connection is not None:
            self._connection.disconnect()
        self._connection = None

    def drops(self) -> Mapping[str, int]:
        """Return lost frames by cause."""
        return {"frames_repeated": self._repeated}

    def values(self) -> Mapping[str, object]:
        """Return the delivery jitter."""
        return {"transport": "leapc", "delivery_jitter_ms": f"{1e3 * self._clock.jitter:.1f}"}

    def _hand(self, hand: Any) -> LeapHand:
        return LeapHand(
            right=hand.type == self._leap.HandType.Right,
            wrist=np.array(list(hand.arm.next_joint), dtype=np.float64),
            fingers=np.array(
                [[list(bone.next_joint) for bone in digit.bones] for digit in hand.digits],
                dtype=np.float64,
            ),
            confidence=float(hand.confidence),
            seen_for=int(hand.visible_time) * 1e-6,
        )
