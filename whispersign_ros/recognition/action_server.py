# SPDX-License-Identifier: MIT
"""Action ``recognize``, which returns the next utterance or times out."""

import math
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial

from rclpy.action import ActionServer, CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.task import Future

from whispersign_model.recordings.spelling import did_you_mean, normalized
from whispersign_msgs.action import Recognize
from whispersign_msgs.msg import Gloss
from whispersign_ros.conversions.messages import nanoseconds

LOOK = 0.05  # seconds between two checks for timeouts and cancellations
MOST = 32  # maximum number of waiting goals
SHORTEST, LONGEST = 0.1, 3600.0  # range of a goal's timeout in seconds

Result = Recognize.Result


@dataclass
class _Waiting:
    """A waiting goal.

    Attributes:
        goal: the client's goal handle.
        deadline: time on the monotonic clock, seconds.
        after: capture time, nanoseconds; only glosses that end later count.
        answer: future that receives the result.
    """

    goal: ServerGoalHandle
    deadline: float
    after: int
    answer: Future

    def counts(self, gloss: Gloss) -> bool:
        wanted = set(map(normalized, self.goal.request.glosses))
        name = normalized(gloss.gloss)
        return nanoseconds(gloss.end_time) > self.after and (not wanted or name in wanted)


class RecognizeServer:
    """Answers each goal with the next utterance that contains one of its glosses.

    Goals wait in parallel. Each has its own timeout and can be canceled.

    Args:
        node: owns the server.
        vocabulary: returns the glosses that can be recognized, or None if recognition is off.
    """

    def __init__(self, node: Node, vocabulary: Callable[[], Collection[str] | None]) -> None:
        self._node = node
        self._vocabulary = vocabulary
        self._waiting: list[_Waiting] = []
        self._events: deque[Callable[[], None]] = deque()  # results and changes, in order
        self._newest = 0
        self._arrival = node.create_guard_condition(self._on_events)
        self._timer = node.create_timer(
            LOOK, self._look, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )
        self._timer.cancel()
        self._server = ActionServer(
            node,
            Recognize,
            "recognize",
            self._execute,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
        )

    def heard(self, stamp: int, restarts: bool) -> None:
        """Record the newest step's capture time (ns); if a new stream starts, all glosses count."""
        self._newest = stamp
        if restarts:
            for waiting in self._waiting:
                waiting.after = 0

    def give(self, final: bool, glosses: Sequence[Gloss]) -> None:
        """Pass a result to the waiting goals; any thread may call this."""
        if self._waiting:
            self._events.append(partial(self._hand_out, final, glosses))
            self._arrival.trigger()

    def stop(self, why: str) -> None:
        """Abort all waiting goals, because recognition has stopped."""
        for waiting in list(self._waiting):
            self._answer(waiting, Result(outcome=Result.STOPPED, message=why))

    def changed(self, vocabulary: Collection[str]) -> None:
        """Abort goals for glosses that a new model does not know; may be called from any thread."""
        self._events.append(partial(self._abort_unknown, vocabulary))
        self._arrival.trigger()

    def _abort_unknown(self, vocabulary: Collection[str]) -> None:
        for waiting in list(self._waiting):
            lacking = sorted(set(waiting.goal.request.glosses) - set(vocabulary))
            if lacking:
                message = f"the model was changed and does not know {', '.join(lacking)}"
                self._answer(waiting, Result(outcome=Result.STOPPED, message=message))

    def destroy(self) -> None:
        """Destroy the server without answering waiting clients."""
        self._waiting.clear()
        self._server.destroy()

    async def _execute(self, goal: ServerGoalHandle) -> Recognize.Result:
        fault = self._fault(goal.request)
        if fault:
            self._node.get_logger().warning(f"recognize: refused: {fault}")
            goal.abort()
            return Result(outcome=Result.REFUSED, message=fault)
        deadline = time.monotonic() + goal.request.timeout
        answer = Future(executor=self._node.executor)
        waiting = _Waiting(goal, deadline, self._newest, answer)
        self._waiting.append(waiting)
        self._timer.reset()
        result: Recognize.Result = await waiting.answer
        ends = {Result.RECOGNISED: goal.succeed, Result.CANCELED: goal.canceled}
        ends.get(result.outcome, goal.abort)()
        return result

    def _fault(self, request: Recognize.Goal) -> str:
        """Return why a goal is refused, or "" if it is valid."""
        vocabulary = self._vocabulary()
        if vocabulary is None:
            return f"{self._node.get_name()} is not active; activate it first"
        if not (math.isfinite(request.timeout) and SHORTEST <= request.timeout <= LONGEST):
            return f"timeout {request.timeout:g}; allowed: {SHORTEST:g} to {LONGEST:g} seconds"
        for gloss in request.glosses:
            if normalized(gloss) not in map(normalized, vocabulary):
                hint = did_you_mean(gloss, vocabulary, "see the topic vocabulary")
                return f"gloss '{gloss}' is not in the vocabulary; {hint}"
        if len(self._waiting) >= MOST:
            return f"{MOST} goals are waiting already; cancel some"
        return ""

    def _look(self) -> None:
        now = time.monotonic()
        for waiting in list(self._waiting):
            if waiting.goal.is_cancel_requested:
                self._answer(waiting, Result(outcome=Result.CANCELED, message="cancelled"))
            elif now >= waiting.deadline:
                message = f"no gloss within {waiting.goal.request.timeout:g} s"
                self._answer(waiting, Result(outcome=Result.TIMED_OUT, message=message))
        if not self._waiting:
            self._timer.cancel()

    def _on_events(self) -> None:
        while self._events:
            self._events.popleft()()

    def _hand_out(self, final: bool, glosses: Sequence[Gloss]) -> None:
        """Answer the goals that a result counts for."""
        for waiting in list(self._waiting):
            counted = [gloss for gloss in glosses if waiting.counts(gloss)]
            if counted and final:
                self._answer(waiting, Result(outcome=Result.RECOGNISED, glosses=counted))
            elif counted:
                waiting.goal.publish_feedback(Recognize.Feedback(glosses=counted))

    def _answer(self, waiting: _Waiting, result: Recognize.Result) -> None:
        self._waiting.remove(waiting)
        waiting.answer.set_result(result)
