# SPDX-License-Identifier: MIT
"""The recognition thread, which turns queued features into results."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from whispersign_model.decoding.result import Result
from whispersign_model.decoding.streaming import StreamingRecognizer
from whispersign_model.timestamps import seconds
from whispersign_ros.node.diagnostics import Diagnostics
from whispersign_ros.node.live_gate import Admission, LiveGate

BEHIND = 1.0  # seconds that a step of a recording may wait for its result
# Seconds for which a failure is reported. The network runs once for a chunk of steps: a step may
# succeed only because it has not run.
FAULT_TIME = 1.0


class Step(NamedTuple):
    """One step of features.

    Attributes:
        stamp: capture time, nanoseconds.
        features: ``(42, 7)`` float32.
        restarts: whether the step starts another stream.
    """

    stamp: int
    features: NDArray[np.float32]
    restarts: bool


class Recognition(NamedTuple):
    """A recognizer and the function that receives its results.

    Attributes:
        recognizer: only the worker's thread may use it.
        publish: called in that thread with each result.
        announce: called in that thread when this recogniser takes over from another, after the last
            result of the other.
    """

    recognizer: StreamingRecognizer
    publish: Callable[[Result], None]
    announce: Callable[[], None] = lambda: None


class End(Enum):
    """An end of the stream, and what becomes of the open utterance."""

    FINISHED = "finished"
    DISCARDED = "discarded"


Item = Step | Recognition | End  # a recognition takes over from the one before


class _Waiting(NamedTuple):
    """An item in the queue, and when it arrived, ``time.monotonic()``."""

    item: Item
    arrival: float


class LiveClock(NamedTuple):
    """How long a step may wait.

    Attributes:
        now: returns the present on the clock of the stamps, nanoseconds.
        max_age: seconds since its capture after which a waiting step is skipped; 0 skips none.
    """

    now: Callable[[], int]
    max_age: float


class RecognitionWorker:
    """Feeds a recognizer from a bounded queue in its own thread.

    It shows two values on the diagnostics: ``stream``, which increases whenever the recogniser
    begins a new stream, and ``recognized_until``, the capture time (ns) of the newest usable step
    whose results are published.

    Args:
        recognition: the first recognizer to use.
        diagnostics: receives inference times, dropped steps and failures.
        capacity: maximum number of waiting steps.
        clock: how long a step may wait.
        stream: number of the last stream before.

    Attributes:
        stream: number of the current stream.
    """

    def __init__(
        self,
        recognition: Recognition,
        diagnostics: Diagnostics,
        capacity: int,
        clock: LiveClock,
        stream: int = 0,
    ) -> None:
        self.stream = stream
        self._clock = clock
        self._gate = LiveGate(clock.max_age)
        self._recognition = recognition
        self._reported: Counter[str] = Counter()  # losses that were already reported
        self._diagnostics = diagnostics
        self._capacity = capacity
        self._queue: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._busy = False
        self._oldest: _Waiting | None = None  # of the batch in progress
        self._fault = ""  # fault of the last batch that failed, for FAULT_TIME
        self._failed_at = -FAULT_TIME
        self._seam_owed = False  # a dropped step started a stream
        diagnostics.show("stream", stream)
        self._thread = threading.Thread(target=self._run, name="recognition", daemon=True)
        self._thread.start()

    @property
    def at_rest(self) -> bool:
        """Whether every step is processed."""
        with self._changed:
            return not self._queue and not self._busy

    @property
    def fault(self) -> str:
        """Why recognition is behind or fails, or "" if it works."""
        with self._changed:
            waiting = self._queue[0] if self._queue else None
            behind = self._age(self._oldest if self._busy else waiting)
            if behind > (self._clock.max_age or BEHIND):
                return f"recognition is {behind:.1f} s behind"
            return self._fault

    def push(self, step: Step) -> None:
        """Queue a step; drop and count it if the queue is full."""
        with self._changed:
            full = len(self._queue) >= self._capacity
            if full:
                self._seam_owed |= step.restarts
            else:
                self._wait(step._replace(restarts=step.restarts or self._seam_owed))
                self._seam_owed = False
        if full:
            self._diagnostics.dropped("steps_too_late", "recognition is slower than its input")

    def finish(self) -> None:
        """Close the utterance once all waiting steps are processed."""
        with self._changed:
            self._wait(End.FINISHED)

    def discard(self) -> None:
        """Discard the utterance after all waiting steps, without a result."""
        with self._changed:
            self._wait(End.DISCARDED)

    def switch(self, recognition: Recognition) -> None:
        """Close the utterance as in ``finish``, then switch to another recognizer."""
        with self._changed:
            self._wait(recognition)

    def stop(self) -> int:
        """End the thread, discard waiting steps, and return the next unused utterance number."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()
        return self._recognition.recognizer.utterance_id + 1

    def _age(self, waiting: _Waiting | None) -> float:
        """Return how many seconds an item has waited; a live step since its capture."""
        if waiting is None:
            return 0.0
        waited = time.monotonic() - waiting.arrival
        if not self._clock.max_age or not isinstance(waiting.item, Step):
            return waited
        return max(waited, seconds(self._clock.now() - waiting.item.stamp))

    def _wait(self, item: Item) -> None:
        """Append an item to the queue; the caller must hold the lock."""
        self._queue.append(_Waiting(item, time.monotonic()))
        self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                while not self._queue and not self._stopping:
                    self._changed.wait()
                if self._stopping:
                    return
                batch = self._skip_old(self._queue)
                self._queue.clear()
                self._busy = True
                self._oldest = batch[0] if batch else None
            fault = ""
            try:
                self._work([waiting.item for waiting in batch])
            except Exception as error:  # the thread must survive errors of a runtime
                self._recognition.recognizer.reset()
                self._begin_stream()
                fault = f"{type(error).__name__}: {error}"
                self._diagnostics.dropped("utterances_failed", fault)
            now = time.monotonic()
            with self._changed:
                if fault:
                    self._fault, self._failed_at = fault, now
                elif now - self._failed_at >= FAULT_TIME:
                    self._fault = ""

    def _skip_old(self, queue: Iterable[_Waiting]) -> list[_Waiting]:
        """Return the items without steps that waited too long; a new stream begins after these."""
        kept, skipped, now = [], 0, self._clock.now()
        for waiting in queue:
            if isinstance(waiting.item, Step):
                admission = self._gate.admit(waiting.item.stamp, now)
                if not admission.admitted:
                    skipped += 1
                    continue
                if admission is Admission.FIRST:
                    waiting = waiting._replace(item=waiting.item._replace(restarts=True))
            kept.append(waiting)
        if skipped:
            detail = f"they waited longer than {self._clock.max_age:g} s for the network"
            self._diagnostics.dropped("steps_too_old", detail, skipped)
        return kept

    def _work(self, batch: Sequence[Item]) -> None:
        """Recognize a batch of steps, with one call per stream."""
        run: list[Step] = []
        for item in batch:
            if self._stopping:
                return
            if not isinstance(item, Step) or item.restarts:
                self._recognize(run)
                run = []
                self._end(item)
            if isinstance(item, Step):
                run.append(item)
        self._recognize(run)

    def _end(self, item: Item) -> None:
        """End the stream before an item: publish its last result, or discard it."""
        if item is End.DISCARDED:
            self._recognition.recognizer.reset()
        else:
            self._give_out(self._recognition.recognizer.finish())
        if isinstance(item, Recognition):
            item.recognizer.utterance_id = self._recognition.recognizer.utterance_id
            self._recognition, self._reported = item, Counter()
            item.announce()
        self._begin_stream()

    def _begin_stream(self, count: int = 1) -> None:
        self.stream += count
        self._diagnostics.show("stream", self.stream)

    def _recognize(self, run: Sequence[Step]) -> None:
        if not run:
            return
        begin = time.perf_counter()
        results = self._recognition.recognizer.push(
            np.stack([step.features for step in run]),
            np.array([step.stamp for step in run], dtype=np.int64),
        )
        self._diagnostics.timed(time.perf_counter() - begin)
        self._tell_losses()
        self._give_out(results)
        newest = self._recognition.recognizer.aligner.newest
        if newest is not None and not self._stopping:
            self._diagnostics.show("recognized_until", newest)

    def _tell_losses(self) -> None:
        aligner = self._recognition.recognizer.aligner
        losses = {
            "steps_out_of_order": aligner.out_of_order,
            "steps_not_finite": aligner.not_finite,
        }
        for cause, total in losses.items():
            if new := self._count_new(cause, total):
                self._diagnostics.dropped(cause, count=new)
        if new := self._count_new("breaks", aligner.breaks):
            self._begin_stream(new)
        self._diagnostics.show("steps_filled_in", aligner.filled)

    def _count_new(self, cause: str, total: int) -> int:
        """Return by how much a count of the recogniser has grown."""
        new = total - self._reported[cause]
        self._reported[cause] = total
        return new

    def _give_out(self, results: Sequence[Result]) -> None:
        for result in results:
            if not self._stopping:
                self._recognition.publish(result)
