"""The newest picture wins: a slow detector never falls behind."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Generic, TypeVar

from whispersign_model.sensors.frame_source import FrameSource, Picture

Item = TypeVar("Item")


class LatestValue(Generic[Item]):
    """A place for one picture or message: the newest wins, those that nobody took are counted."""

    def __init__(self) -> None:
        self.dropped = 0
        self._item: Item | None = None
        self._error: Exception | None = None
        self._changed = threading.Condition()

    def put(self, item: Item) -> None:
        """Replace what is there."""
        with self._changed:
            self.dropped += self._item is not None
            self._item = item
            self._changed.notify()

    def fail(self, error: Exception) -> None:
        """Let ``take`` raise once what is there has been taken."""
        with self._changed:
            self._error = error
            self._changed.notify()

    def take(self, timeout: float) -> Item | None:
        """Wait for an item, or raise what ``fail`` was given."""
        with self._changed:
            self._changed.wait_for(lambda: self._item is not None or self._error, timeout)
            item, self._item = self._item, None
            if item is None and self._error is not None:
                error, self._error = self._error, None
                raise error
            return item


class BackgroundReader:
    """Pictures read in a thread of their own, so that a slow detector gets the newest one."""

    def __init__(self, pictures: FrameSource) -> None:
        self._pictures = pictures
        self.host_clock = pictures.host_clock
        self._newest: LatestValue[Picture] = LatestValue()
        self._too_fast = 0  # of earlier openings
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def drops(self) -> Counter[str]:
        """Pictures lost, by cause: those of the source, and those that came too fast."""
        too_fast = self._too_fast + self._newest.dropped
        return self._pictures.drops + Counter(pictures_too_fast=too_fast)

    def open(self) -> None:
        """Open the source; it is read from the first ``read`` on."""
        self._newest = LatestValue()
        self._pictures.open()

    def read(self, timeout: float) -> Picture | None:
        """Return the newest picture."""
        if self._thread is None:
            self._stop.clear()
            self._thread = threading.Thread(target=self._run, name="grabber", daemon=True)
            self._thread.start()
        return self._newest.take(timeout)

    def close(self) -> None:
        """Stop reading and close the source."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._thread = None
        self._too_fast += self._newest.dropped
        self._newest = LatestValue()
        self._pictures.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                picture = self._pictures.read(0.1)
            except Exception as error:  # handed on to whoever reads
                self._newest.fail(error)
                return
            if picture is not None:
                self._newest.put(picture)
