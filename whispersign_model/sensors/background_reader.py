# SPDX-License-Identifier: MIT
"""Read pictures in a background thread, so that a slow detector always gets the latest one."""

import threading
from collections import Counter
from typing import Generic, TypeVar

from whispersign_model.sensors.frame_source import FrameSource, Picture

Item = TypeVar("Item")


class LatestValue(Generic[Item]):
    """A slot for one item; a new item replaces one that nobody has taken."""

    def __init__(self) -> None:
        self.dropped = 0
        self._item: Item | None = None
        self._error: Exception | None = None
        self._changed = threading.Condition()

    def put(self, item: Item) -> None:
        """Store an item, replacing one that nobody has taken."""
        with self._changed:
            self.dropped += self._item is not None
            self._item = item
            self._changed.notify()

    def fail(self, error: Exception) -> None:
        """Make ``take`` raise ``error`` after the stored item has been taken."""
        with self._changed:
            self._error = error
            self._changed.notify()

    def take(self, timeout: float) -> Item | None:
        """Wait for an item; raise the error passed to ``fail``."""
        with self._changed:
            self._changed.wait_for(lambda: self._item is not None or self._error, timeout)
            item, self._item = self._item, None
            if item is None and self._error is not None:
                error, self._error = self._error, None
                raise error
            return item


class BackgroundReader:
    """Reads a source in its own thread and provides the latest picture."""

    def __init__(self, source: FrameSource) -> None:
        self._source = source
        self.host_clock = source.host_clock
        self._latest: LatestValue[Picture] = LatestValue()
        self._too_fast = 0  # losses from earlier openings
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def drops(self) -> Counter[str]:
        """Return lost pictures by cause: those of the source, and ``pictures_too_fast``."""
        too_fast = self._too_fast + self._latest.dropped
        return self._source.drops + Counter(pictures_too_fast=too_fast)

    def open(self) -> None:
        """Open the source; the first call to ``read`` starts the thread."""
        self._latest = LatestValue()
        self._source.open()

    def read(self, timeout: float) -> Picture | None:
        """Return the latest picture, or None after ``timeout`` seconds."""
        if self._thread is None:
            self._stop.clear()
            self._thread = threading.Thread(target=self._run, name="grabber", daemon=True)
            self._thread.start()
        return self._latest.take(timeout)

    def close(self) -> None:
        """Stop reading and close the source."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._thread = None
        self._too_fast += self._latest.dropped
        self._latest = LatestValue()
        self._source.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                picture = self._source.read(0.1)
            except Exception as error:  # ``read`` raises it in the caller's thread
                self._latest.fail(error)
                return
            if picture is not None:
                self._latest.put(picture)
