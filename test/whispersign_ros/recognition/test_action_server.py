# SPDX-License-Identifier: MIT
"""The action ``recognize``: goals that wait for the next utterance."""

from __future__ import annotations

import threading

import pytest
from action_msgs.msg import GoalStatus
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.action import ActionClient
from rclpy.node import Node

from whispersign_model.network.checkpoint import read_metadata
from whispersign_msgs.action import Recognize
from whispersign_msgs.msg import Gloss, HandFeatures
from whispersign_ros.conversions.messages import nanoseconds, time_message
from whispersign_ros.nodes.recognition_node import RecognitionNode
from whispersign_ros.recognition import action_server
from whispersign_ros.recognition.action_server import RecognizeServer

Result = Recognize.Result
SECOND = 1_000_000_000
LONG = 600.0  # seconds that do not pass during a test


class Client:
    """Sends goals to a server in the same executor."""

    def __init__(self, graph):
        self.graph = graph
        self.client = ActionClient(graph.probe, Recognize, "recognize")
        graph.until(self.client.server_is_ready)

    def ask(self, *glosses, timeout=LONG, node=None):
        """Send a goal, wait until it waits, and return it with its feedback."""
        feedback = []
        goal = Recognize.Goal(timeout=timeout, glosses=list(glosses))
        sent = self.client.send_goal_async(
            goal, feedback_callback=lambda message: feedback.append(message.feedback)
        )
        self.graph.until(sent.done)
        handle = sent.result()
        assert handle.accepted
        return Asked(self.graph, handle, feedback)


class Asked:
    def __init__(self, graph, handle, feedback):
        self.graph, self.handle, self.feedback = graph, handle, feedback
        self.future = handle.get_result_async()

    def result(self):
        """Return the status and the result."""
        self.graph.until(self.future.done)
        return self.future.result().status, self.future.result().result


class Rig:
    """A server with a vocabulary that the test sets."""

    def __init__(self, graph):
        self.graph, self.vocabulary = graph, ["YES", "NO", "HELLO"]
        node = graph.add(Node("recognizer"))
        self.server = RecognizeServer(node, lambda: self.vocabulary)
        self.client = Client(graph)

    def ask(self, *glosses, **options):
        asked = self.client.ask(*glosses, **options)
        self.graph.until(lambda: self.waiting or asked.future.done())
        return asked

    @property
    def waiting(self):
        return len(self.server._waiting)

    def give(self, *words, final=True, end=100):
        """Recognise words, the last of which ends at a time in seconds; from another thread."""
        glosses = [
            Gloss(gloss=word, end_time=time_message((end - len(words) + index + 1) * SECOND))
            for index, word in enumerate(words)
        ]
        thread = threading.Thread(target=self.server.give, args=(final, glosses))
        thread.start()
        thread.join()


@pytest.fixture
def rig(graph):
    return Rig(graph)


def _words(result):
    return [gloss.gloss for gloss in result.glosses]


def test_the_next_utterance_is_the_result_and_partials_are_feedback(rig):
    asked = rig.ask()
    rig.give("YES", final=False)
    rig.give("YES", "NO", final=True)
    status, result = asked.result()
    assert (status, result.outcome) == (GoalStatus.STATUS_SUCCEEDED, Result.RECOGNISED)
    assert _words(result) == ["YES", "NO"]
    assert result.message == ""
    rig.graph.until(lambda: asked.feedback)
    assert _words(asked.feedback[0]) == ["YES"]
    assert rig.waiting == 0


def test_only_what_is_asked_for_counts(rig):
    asked = rig.ask("YES", "NO")
    rig.give("HELLO", final=False)
    rig.give("HELLO", final=True)
    rig.give("HELLO", "NO", final=False)
    rig.give("HELLO", "NO", "HELLO", final=True)
    _, result = asked.result()
    assert _words(result) == ["NO"]
    rig.graph.until(lambda: asked.feedback)
    assert [_words(feedback) for feedback in asked.feedback] == [["NO"]]


def test_what_was_signed_before_the_goal_came_does_not_count(rig):
    rig.server.heard(50 * SECOND, False)
    asked = rig.ask()
    rig.give("HELLO", end=50)
    rig.give("HELLO", "YES", end=51)
    assert _words(asked.result()[1]) == ["YES"]


def test_after_a_step_back_in_time_everything_counts(rig):
    rig.server.heard(50 * SECOND, False)
    asked = rig.ask()
    rig.server.heard(1 * SECOND, True)
    rig.give("YES", end=2)
    assert _words(asked.result()[1]) == ["YES"]


def test_time_runs_out(rig):
    status, result = rig.ask(timeout=0.1).result()
    assert (status, result.outcome) == (GoalStatus.STATUS_ABORTED, Result.TIMED_OUT)
    assert result.message == "no gloss within 0.1 s"
    assert _words(result) == []
    assert rig.waiting == 0
    assert rig.server._timer.is_canceled()


def test_goals_wait_beside_each_other_and_one_may_be_cancelled(rig):
    first, second, third = rig.ask(), rig.ask("NO"), rig.ask()
    rig.graph.until(lambda: rig.waiting == 3)
    cancelled = third.handle.cancel_goal_async()
    status, result = third.result()
    assert (status, result.outcome) == (GoalStatus.STATUS_CANCELED, Result.CANCELED)
    assert cancelled.done()
    rig.give("YES")
    assert _words(first.result()[1]) == ["YES"]
    assert not second.future.done()
    rig.give("NO")
    assert _words(second.result()[1]) == ["NO"]


@pytest.mark.parametrize(
    ("goal", "says"),
    [
        ({"timeout": 0.0}, "timeout 0; allowed: 0.1 to 3600 seconds"),
        ({"timeout": float("nan")}, "timeout nan; allowed"),
        ({"timeout": float("inf")}, "timeout inf; allowed"),
        ({"glosses": ["HELO"]}, "gloss 'HELO' is not in the vocabulary; did you mean 'HELLO'?"),
        ({"glosses": ["hello"]}, "gloss 'hello' is not in the vocabulary; did you mean 'HELLO'?"),
        ({"glosses": ["YES", "x"]}, "gloss 'x' is not in the vocabulary; see the topic"),
    ],
)
def test_a_goal_at_fault_is_refused_and_told_why(rig, goal, says):
    asked = rig.ask(*goal.get("glosses", ()), timeout=goal.get("timeout", LONG))
    status, result = asked.result()
    assert (status, result.outcome) == (GoalStatus.STATUS_ABORTED, Result.REFUSED)
    assert result.message.startswith(says)


def test_too_many_goals_are_refused(rig, monkeypatch):
    monkeypatch.setattr(action_server, "MOST", 1)
    rig.ask()
    assert rig.ask().result()[1].message == "1 goals are waiting already; cancel some"


def test_a_change_of_the_model_ends_goals_that_it_cannot_meet(rig):
    either, lost = rig.ask(), rig.ask("NO", "YES")
    rig.graph.until(lambda: rig.waiting == 2)
    rig.server.changed(["YES", "HOME"])
    status, result = lost.result()
    assert (status, result.outcome) == (GoalStatus.STATUS_ABORTED, Result.STOPPED)
    assert result.message == "the model was changed and does not know NO"
    rig.give("HOME")
    assert _words(either.result()[1]) == ["HOME"]


def test_a_client_that_waits_for_nothing_costs_nothing(rig):
    rig.give("YES")
    assert not rig.server._events


def _change(graph, transition):
    request = ChangeState.Request(transition=Transition(id=transition))
    assert graph.call(ChangeState, "recognition_node/change_state", request).success


def test_the_recogniser_serves_it_while_it_is_active(graph, model, feature_messages):
    node = graph.start(
        RecognitionNode,
        model=str(model),
        device="cpu",
        autostart=False,
        idle_timeout=0.3,
        max_age=0.0,
    )
    client = Client(graph)
    status, result = client.ask().result()
    assert (status, result.outcome) == (GoalStatus.STATUS_ABORTED, Result.REFUSED)
    assert result.message == "recognition_node is not active; activate it first"
    _change(graph, Transition.TRANSITION_CONFIGURE)
    assert client.ask().result()[1].outcome == Result.REFUSED
    _change(graph, Transition.TRANSITION_ACTIVATE)
    asked = client.ask()
    glosses = graph.listen(Gloss, "gloss")
    publisher = graph.speak(HandFeatures, "hands/features")
    graph.heard_from("gloss")
    graph.send(publisher, feature_messages, node)
    status, result = asked.result()
    assert (status, result.outcome) == (GoalStatus.STATUS_SUCCEEDED, Result.RECOGNISED)
    graph.until(lambda: len(glosses) >= len(result.glosses))
    assert list(result.glosses) == glosses[: len(result.glosses)]
    assert asked.feedback
    later = client.ask()  # all that was signed is over
    assert node._server._newest == nanoseconds(feature_messages[-1].header.stamp)
    _change(graph, Transition.TRANSITION_DEACTIVATE)
    status, result = later.result()
    assert (status, result.outcome) == (GoalStatus.STATUS_ABORTED, Result.STOPPED)
    assert result.message == "recognition_node has been deactivated"
    unknown = client.ask(read_metadata(model).glosses[0])
    assert unknown.result()[1].outcome == Result.REFUSED
