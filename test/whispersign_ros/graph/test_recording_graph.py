# SPDX-License-Identifier: MIT
"""What a recording session starts, and for whom."""

from __future__ import annotations

import os

import pytest

from whispersign_ros.graph import recording_graph
from whispersign_ros.graph.recording_graph import record


@pytest.fixture
def started(monkeypatch):
    """Record without processes; return the parameters of the sensor's node and of the session."""
    started = {}

    def lead(children, parameters, verbose):
        started["session"] = parameters
        return 0

    def start(children, executable, parameters):
        started[executable] = parameters

    monkeypatch.setattr(recording_graph, "_run_session", lead)
    monkeypatch.setattr(recording_graph.Children, "start", start)
    monkeypatch.setenv("ROS_DOMAIN_ID", os.environ["ROS_DOMAIN_ID"])  # put back what it chooses
    return started


@pytest.mark.parametrize("seed", [1, 2])
def test_a_made_up_person_is_that_of_the_seed(started, seed):
    assert record("synthetic", "", {"glosses": ["HELLO"]}, {}, seed) == 0
    assert started["synthetic_node"] == {"prompted": True, "seed": seed}
    assert started["session"] == {"glosses": ["HELLO"], "signer": f"synthetic{seed}"}


def test_nodes_that_run_already_are_recorded_in_their_domain(started, monkeypatch):
    monkeypatch.setenv("ROS_DOMAIN_ID", "7")
    assert record("none", "anna", {"glosses": ["HELLO"]}, {}) == 0
    assert started == {"session": {"glosses": ["HELLO"], "signer": "anna"}}
    assert os.environ["ROS_DOMAIN_ID"] == "7"


@pytest.mark.parametrize("source", ["leap", "camera", "synthetic", "none"])
def test_glosses_joined_by_commas_are_separate(started, source):
    given = ["HELLO,NO", "YES, HELLO|HOME,", "STOP"]
    assert record(source, "anna", {"glosses": given}, {}) == 0
    assert started["session"]["glosses"] == ["HELLO", "NO", "YES", "HELLO|HOME", "STOP"]
