# SPDX-License-Identifier: MIT
"""The thread that reads a sensor and, when it is gone, opens it again with growing retry."""

import threading
import time
from dataclasses import dataclass
from typing import Protocol

from whispersign_model.errors import SensorError, WhisperSignError
from whispersign_model.sensors.sensor import Observation, Sensor, SensorEndError

READ_TIMEOUT = 0.2  # seconds; a stop is noticed after this long, with a stalled camera after 1


@dataclass(frozen=True)
class RetryPolicy:
    """Seconds to wait.

    Attributes:
        first, longest: before the first new attempt to open, and the most; it doubles in between.
        silence: without an observation after which an open sensor is called silent.
    """

    first: float = 0.5
    longest: float = 8.0
    silence: float = 2.0


class ReaderCallbacks(Protocol):
    """Callbacks of a reader; every method is called in the reader's thread."""

    def observed(self, observation: Observation) -> None:
        """Take an observation."""

    def opened(self) -> None:
        """Learn that the sensor is open; what comes is a new stream."""

    def lost(self, error: WhisperSignError) -> None:
        """Learn why there is nothing: the sensor is not there, is gone, or is silent."""

    def ended(self) -> None:
        """Learn that nothing will come any more."""


class Reader:
    """Reads a sensor in a thread of its own until it ends or is stopped.

    Args:
        sensor: used by this thread alone from now on.
        callbacks: called for every event.
        retry: how long to wait for what.
    """

    def __init__(
        self, sensor: Sensor, callbacks: ReaderCallbacks, retry: RetryPolicy | None = None
    ) -> None:
        self._sensor = sensor
        self._callbacks = callbacks
        self._retry = retry or RetryPolicy()
        self._stop = threading.Event()
        self._fruitful = False  # the open sensor has given something
        self._thread = threading.Thread(target=self._run, name="sensor", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """End reading, close the sensor and wait for the thread."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        wait = self._retry.first
        while not self._stop.is_set():
            self._fruitful = False
            try:
                self._sensor.open()
                self._callbacks.opened()
                self._read()
            except SensorEndError:
                self._callbacks.ended()
                return
            except WhisperSignError as error:
                self._callbacks.lost(error)
            except Exception as error:  # whatever a driver raises: the next attempt may do better
                fault = f"failed with {type(error).__name__}: {error}"
                self._callbacks.lost(SensorError(self._sensor.source, fault))
            finally:
                self._close()
            wait = self._retry.first if self._fruitful else wait
            self._stop.wait(wait)
            wait = min(2 * wait, self._retry.longest)

    def _close(self) -> None:
        """Close the sensor; a driver that cannot even do that must not end the thread."""
        try:
            self._sensor.close()
        except Exception as error:
            fault = f"cannot be closed: {type(error).__name__}: {error}"
            self._callbacks.lost(SensorError(self._sensor.source, fault))

    def _read(self) -> None:
        """Read until stopped, and report when an open sensor is silent."""
        last = time.monotonic()
        silent = False
        while not self._stop.is_set():
            observation = self._sensor.read(READ_TIMEOUT)
            if observation is not None:
                self._fruitful = True
                self._callbacks.observed(observation)
                last, silent = time.monotonic(), False
            elif not silent and time.monotonic() - last > self._retry.silence:
                silent = True
                fault = f"is connected but has sent nothing for {self._retry.silence:g} s"
                remedy = "check that the device is plugged in and not in use elsewhere"
                self._callbacks.lost(SensorError(self._sensor.source, fault, remedy))
