# SPDX-License-Identifier: MIT
"""The recognition thread, which turns queued features into results."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from whispersign_model.decoding.result import Result
from whispersign_model.decoding.streaming import StreamingRecognizer
from whispersign_ros.node.diagnostics import Diagnostics

BEHIND = 1.0  # seconds that a step may wait until recognition counts as behind


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
    """

    recognizer: StreamingRecognizer
    publish: Callable[[Result], None]


class RecognitionWorker:
    """Feeds a recognizer from a bounded queue in its own thread.

    Args:
        recognition: the first recognizer to use.
        diagnostics: receives inference times, dropped steps and failures.
        capacity: maximum number of waiting steps.
    """

    def __init__(self, recognition: Recognition, diagnostics: Diagnostics, capacity: int) -> None:
        self._recognition = recognition
        self._reported: Counter[str] = Counter()  # losses that were already reported
        self._diagnostics = diagnostics
        self._capacity = capacity
        self._queue: deque[Step | Recognition | None] = deque()  # None: the stream has ended
        self._changed = threading.Condition()
        self._stopping = False
        self._busy = False
        self._fault = ""  # fault of the last batch
        self._first_waiting = self._first_worked_on = 0.0  # arrival times
        self._seam_owed = False  # a dropped step started a stream
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
            since = self._first_worked_on if self._busy else self._first_waiting
            waited = time.monotonic() - since if self._busy or self._queue else 0.0
            if waited > BEHIND:
                return f"recognition is {waited:.0f} s behind"
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
            self._wait(None)

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

    def _wait(self, item: Step | Recognition | None) -> None:
        """Append an item to the queue; the caller must hold the lock."""
        if not self._queue:
            self._first_waiting = time.monotonic()
        self._queue.append(item)
        self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                while not self._queue and not self._stopping:
                    self._changed.wait()
                if self._stopping:
                    return
                waiting = list(self._queue)
                self._queue.clear()
                self._busy = True
                self._first_worked_on = self._first_waiting
            fault = ""
            try:
                self._work(waiting)
            except Exception as error:  # the thread must survive errors of a runtime
                self._recognition.recognizer.reset()
                fault = f"{type(error).__name__}: {error}"
                self._diagnostics.dropped("utterances_failed", fault)
            with self._changed:
                self._fault = fault

    def _work(self, waiting: Sequence[Step | Recognition | None]) -> None:
        """Recognize a batch of steps, with one call per stream."""
        run: list[Step] = []
        for item in waiting:
            if self._stopping:
                return
            if not isinstance(item, Step) or item.restarts:
                self._recognize(run)
                run = []
                self._give_out(self._recognition.recognizer.finish())
            if isinstance(item, Recognition):
                item.recognizer.utterance_id = self._recognition.recognizer.utterance_id
                self._recognition, self._reported = item, Counter()
            elif item is not None:
                run.append(item)
        self._recognize(run)

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

    def _tell_losses(self) -> None:
        aligner = self._recognition.recognizer.aligner
        losses = {
            "steps_out_of_order": aligner.out_of_order,
            "steps_not_finite": aligner.not_finite,
        }
        for cause, total in losses.items():
            if new := total - self._reported[cause]:
                self._reported[cause] = total
                self._diagnostics.dropped(cause, count=new)
        self._diagnostics.show("steps_filled_in", aligner.filled)

    def _give_out(self, results: Sequence[Result]) -> None:
        for result in results:
            if not self._stopping:
                self._recognition.publish(result)
