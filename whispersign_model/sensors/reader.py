# SPDX-License-Identifier: MIT
"""A thread that reads a sensor and reopens it after failures, with growing delays."""

import threading
import time
from dataclasses import dataclass
from typing import Protocol

from whispersign_model.errors import SensorError, WhisperSignError
from whispersign_model.sensors.sensor import Observation, Sensor, SensorEndError, SensorSilentError

READ_TIMEOUT = 0.2  # seconds until a stop takes effect (1 with a stalled camera)


@dataclass(frozen=True)
class RetryPolicy:
    """Delays of a reader, in seconds.

    Attributes:
        first, longest: delay before the first retry, and its upper limit; the delay doubles each
            time.
        silence: time without an observation after which an open sensor counts as silent.
    """

    first: float = 0.5
    longest: float = 8.0
    silence: float = 2.0


class ReaderCallbacks(Protocol):
    """Callbacks that a reader calls in its own thread."""

    def observed(self, observation: Observation) -> None:
        """Handle an observation."""

    def opened(self) -> None:
        """Handle the opening of the sensor, which starts a new stream."""

    def lost(self, error: WhisperSignError) -> None:
        """Handle a missing, disconnected or silent sensor."""

    def ended(self) -> None:
        """Handle the end of the data."""


class Reader:
    """Reads a sensor in its own thread until the sensor ends or ``stop`` is called.

    Args:
        sensor: the sensor, which only this thread may use from now on.
        callbacks: callbacks for the reader's events.
        retry: see ``RetryPolicy``; None uses the defaults.
    """

    def __init__(
        self, sensor: Sensor, callbacks: ReaderCallbacks, retry: RetryPolicy | None = None
    ) -> None:
        self._sensor = sensor
        self._callbacks = callbacks
        self._retry = retry or RetryPolicy()
        self._stop = threading.Event()
        self._fruitful = False  # whether the open sensor has sent an observation
        self._thread = threading.Thread(target=self._run, name="sensor", daemon=True)

    def start(self) -> None:
        """Start reading."""
        self._thread.start()

    def stop(self) -> None:
        """Stop reading, close the sensor and wait for the thread."""
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
            except Exception as error:  # a driver may raise anything, and the next attempt may work
                fault = f"failed with {type(error).__name__}: {error}"
                self._callbacks.lost(SensorError(self._sensor.source, fault))
            finally:
                self._close()
            wait = self._retry.first if self._fruitful else wait
            self._stop.wait(wait)
            wait = min(2 * wait, self._retry.longest)

    def _close(self) -> None:
        """Close the sensor; ignore errors, which must not end the thread."""
        try:
            self._sensor.close()
        except Exception as error:
            fault = f"cannot be closed: {type(error).__name__}: {error}"
            self._callbacks.lost(SensorError(self._sensor.source, fault))

    def _read(self) -> None:
        """Read until stopped; report an open sensor that falls silent."""
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
                self._callbacks.lost(SensorSilentError(self._sensor.source, fault, remedy))
