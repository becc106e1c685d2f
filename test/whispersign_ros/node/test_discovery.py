# SPDX-License-Identifier: MIT
"""Graphs of one's own."""

from __future__ import annotations

import socket

import pytest

from whispersign_ros.node import discovery


def test_isolation_is_written_into_the_environment(monkeypatch):
    monkeypatch.setenv("ROS_DISTRO", "kilted")
    environment = {}
    domain = discovery.isolate(environment)
    assert environment == {
        "ROS_DOMAIN_ID": str(domain),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
    }
    assert discovery.isolate(environment, 7) == 7
    assert environment["ROS_DOMAIN_ID"] == "7"
    monkeypatch.setenv("ROS_DISTRO", "humble")
    environment = {}
    discovery.isolate(environment, 7)
    assert environment == {"ROS_DOMAIN_ID": "7", "ROS_LOCALHOST_ONLY": "1"}


def test_a_domain_that_is_in_use_is_not_chosen(monkeypatch):
    first = discovery.free_domain()
    monkeypatch.setattr(discovery.random, "sample", lambda domains, count: [first, *domains])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        try:
            holder.bind(("", 7400 + 250 * first + 10))
        except OSError:
            pytest.skip("somebody took the domain meanwhile")
        assert discovery.free_domain() != first


def test_what_is_set_already_stays_unless_a_range_is_asked_for(monkeypatch):
    monkeypatch.setenv("ROS_DISTRO", "kilted")
    name, older = "ROS_AUTOMATIC_DISCOVERY_RANGE", "ROS_LOCALHOST_ONLY"
    assert discovery.range_variables({}) == {name: "LOCALHOST"}
    assert discovery.range_variables({name: "SUBNET"}) == {}
    assert discovery.range_variables({older: "0"}) == {}
    assert discovery.range_variables({older: "1"}, "subnet") == {name: "SUBNET", older: ""}
    monkeypatch.setenv("ROS_DISTRO", "humble")
    assert discovery.range_variables({}) == {older: "1"}
    assert discovery.range_variables({}, "subnet") == {older: "0"}
