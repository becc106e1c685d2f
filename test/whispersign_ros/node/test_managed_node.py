# SPDX-License-Identifier: MIT
"""A node that holds a resource: what its transitions call, and what a fault in one does."""

from __future__ import annotations

import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState

from whispersign_model.errors import ISSUES, WhisperSignError
from whispersign_ros.node.managed_node import AUTOSTART, ManagedNode

UNPLUGGED = WhisperSignError("device", "is unplugged", "plug it in")


class Holder(ManagedNode):
    def __init__(self, fault=None, **arguments):
        self.done, self.fault = [], fault
        super().__init__("holder", (AUTOSTART,), **arguments)
        self.begin()

    def _configure(self):
        self.done.append("configure")

    def _activate(self):
        self.done.append("activate")
        if self.fault:
            raise self.fault

    def _release(self):
        self.done.append("release")

    def _forget(self):
        self.done.append("forget")


@pytest.fixture
def change(graph):
    def ask(kind, topic, **fields):
        return graph.call(kind, topic, kind.Request(**fields))

    def one(transition):
        wanted = Transition(id=transition)
        accepted = ask(ChangeState, "holder/change_state", transition=wanted).success
        return accepted, ask(GetState, "holder/get_state").current_state.id

    return one


def test_every_transition_calls_its_part(graph, change):
    node = graph.start(Holder)
    assert node.done == ["configure", "activate"]
    assert change(Transition.TRANSITION_DEACTIVATE) == (True, State.PRIMARY_STATE_INACTIVE)
    assert change(Transition.TRANSITION_CLEANUP) == (True, State.PRIMARY_STATE_UNCONFIGURED)
    assert node.done == ["configure", "activate", "release", "forget"]
    shut = change(Transition.TRANSITION_UNCONFIGURED_SHUTDOWN)
    assert shut == (True, State.PRIMARY_STATE_FINALIZED)
    assert node.done[4:] == ["release"]


def test_without_autostart_it_waits_for_a_manager(graph):
    node = graph.start(Holder, autostart=False)
    assert node.done == []
    assert node.condition() == (DiagnosticStatus.OK, "unconfigured")


def test_a_node_that_works_has_nothing_to_say(graph):
    assert graph.start(Holder).condition() is None


def test_a_fault_at_the_start_is_raised(graph):
    with pytest.raises(WhisperSignError, match=r"device: is unplugged; plug it in"):
        graph.start(Holder, UNPLUGGED)


def test_an_unforeseen_fault_at_the_start_is_raised_as_it_is(graph):
    with pytest.raises(KeyError, match="odd"):
        graph.start(Holder, KeyError("odd"))


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (UNPLUGGED, "device: is unplugged; plug it in"),
        (RuntimeError("qos"), "holder: RuntimeError: qos; correct what it names"),
        (
            KeyError("odd"),
            "unexpected error (KeyError: 'odd'); repeat with WHISPERSIGN_DEBUG=1 and report it at "
            f"{ISSUES}",
        ),
    ],
)
def test_a_fault_in_a_transition_is_logged_and_may_be_mended(
    graph, change, monkeypatch, fault, told
):
    node = graph.start(Holder, fault, autostart=False)
    said = []
    monkeypatch.setattr(node.get_logger(), "error", said.append)
    assert change(Transition.TRANSITION_CONFIGURE) == (True, State.PRIMARY_STATE_INACTIVE)
    assert change(Transition.TRANSITION_ACTIVATE) == (False, State.PRIMARY_STATE_INACTIVE)
    assert said == [told]
    assert node.done == ["configure", "activate", "release"]  # what it had taken is freed
    node.fault = None
    assert change(Transition.TRANSITION_ACTIVATE) == (True, State.PRIMARY_STATE_ACTIVE)


def test_a_node_that_is_destroyed_frees_what_it_holds(graph):
    node = graph.start(Holder)
    graph.until(lambda: graph.probe.count_services("/holder/change_state") == 1)
    graph.executor.remove_node(node)
    node.destroy_node()
    assert node.done[2:] == ["release"]
    graph.until(lambda: graph.probe.count_services("/holder/change_state") == 0)
