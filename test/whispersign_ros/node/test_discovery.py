# SPDX-License-Identifier: MIT
"""A graph by itself: a free domain, and nobody from other machines."""

from __future__ import annotations

import os
import socket
from importlib import metadata
from xml.etree import ElementTree

import pytest

from whispersign_model.errors import ConfigError
from whispersign_ros.node import discovery
from whispersign_ros.node.discovery import OLDER, PROFILE, VARIABLE, range_variables

NEWER_PROFILE, OLDER_PROFILE = discovery.PROFILE_VARIABLES
LOCAL = {VARIABLE: "LOCALHOST"}
WALL = {NEWER_PROFILE: str(PROFILE)}
CYCLONE, ZENOH = ({"RMW_IMPLEMENTATION": f"rmw_{name}_cpp"} for name in ("cyclonedds", "zenoh"))


@pytest.fixture(autouse=True)
def _kilted(monkeypatch, tmp_path):
    monkeypatch.setenv("ROS_DISTRO", "kilted")
    monkeypatch.chdir(tmp_path)


def test_a_graph_of_its_own_is_in_one_domain_on_one_machine(monkeypatch):
    environment = {}
    domain = discovery.isolate(environment)
    assert domain in discovery.DOMAINS
    assert environment == {"ROS_DOMAIN_ID": str(domain), **LOCAL, **WALL}
    assert discovery.isolate(environment, 7) == 7
    assert environment == {"ROS_DOMAIN_ID": "7", **LOCAL, **WALL}
    environment = {VARIABLE: "SUBNET"}
    discovery.isolate(environment, 7)
    assert environment == {"ROS_DOMAIN_ID": "7", **LOCAL, **WALL}
    monkeypatch.setenv("ROS_DISTRO", "humble")
    environment = {}
    discovery.isolate(environment, 7)
    assert environment == {"ROS_DOMAIN_ID": "7", OLDER: "1"}


@pytest.mark.parametrize("domain", [-1, 233, 400])
def test_a_domain_that_does_not_exist_is_refused(domain):
    environment = {}
    with pytest.raises(ConfigError, match=f"^--domain-id: '{domain}' is not a ROS domain id; give"):
        discovery.isolate(environment, domain)
    assert environment == {}
    for known in ("", "0", "232"):
        discovery.check_domain(known, "ROS_DOMAIN_ID")


def test_a_domain_that_is_in_use_is_not_chosen(monkeypatch):
    first = discovery.free_domain()
    monkeypatch.setattr(discovery.random, "sample", lambda domains, count: [first, *domains])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        try:
            holder.bind(("", 7400 + 250 * first + 10))
        except OSError:
            pytest.skip("somebody took the domain meanwhile")
        assert discovery.free_domain() != first


@pytest.mark.parametrize(
    ("environment", "range_"),
    [
        ({}, LOCAL),
        ({VARIABLE: ""}, LOCAL),
        ({VARIABLE: "LOCALHOST"}, LOCAL),
        ({VARIABLE: "subnet"}, LOCAL),  # rcl reads an invalid value as LOCALHOST
        ({VARIABLE: "OFF"}, {VARIABLE: "OFF"}),
        ({OLDER: "1"}, {**LOCAL, OLDER: ""}),  # Kilted does not read it
        ({OLDER: "1", VARIABLE: "SUBNET"}, {**LOCAL, OLDER: ""}),
        ({OLDER: "0", VARIABLE: "LOCALHOST"}, {**LOCAL, OLDER: ""}),
        ({"ROS_STATIC_PEERS": "192.0.2.1"}, LOCAL),
    ],
)
def test_nodes_are_reached_from_this_machine_alone(environment, range_):
    assert range_variables(environment) == {**range_, **WALL}
    assert range_variables(environment, "localhost").items() >= {**LOCAL, **WALL}.items()
    applied = {**environment, **range_variables(environment)}
    again = {**applied, **range_variables(applied)}  # as a node does that a launch file starts
    assert again == applied


@pytest.mark.parametrize(
    "environment", [{VARIABLE: "SUBNET"}, {VARIABLE: "SYSTEM_DEFAULT"}, {OLDER: "0"}]
)
@pytest.mark.parametrize("middleware", [{}, CYCLONE, ZENOH])
def test_a_range_that_is_set_already_stays(environment, middleware):
    assert range_variables({**environment, **middleware}) == {}


@pytest.mark.parametrize("chosen", ["subnet", "system_default"])
@pytest.mark.parametrize("middleware", [{}, CYCLONE, ZENOH])
def test_a_range_that_is_asked_for_opens_the_nodes(chosen, middleware):
    assert range_variables(middleware, chosen) == {VARIABLE: chosen.upper()}
    environment = {OLDER: "1", **middleware}
    opened = range_variables(environment, chosen)
    assert opened == {VARIABLE: chosen.upper(), OLDER: ""}
    assert range_variables({**environment, **opened}) == {}


@pytest.mark.parametrize("name", discovery.PROFILE_VARIABLES)
def test_a_profile_of_the_users_own_stays(name):
    assert range_variables({name: "/own.xml"}) == LOCAL
    assert range_variables({name: "/own.xml"}, "localhost") == LOCAL
    assert range_variables({name: ""}) == {**LOCAL, **WALL}


@pytest.mark.parametrize("name", discovery.PROFILES_IN_FOLDER)
def test_a_profile_in_the_working_directory_stays(name, tmp_path):
    (tmp_path / name).write_text("<dds/>")
    assert range_variables({}) == LOCAL


def test_each_middleware_has_its_own_variable():
    cyclone = range_variables(CYCLONE)
    assert cyclone == {**LOCAL, "CYCLONEDDS_URI": discovery.CYCLONE_DDS}
    interfaces = ElementTree.fromstring(discovery.CYCLONE_DDS).iter("NetworkInterface")
    assert [interface.attrib for interface in interfaces] == [{"address": "127.0.0.1"}]
    assert range_variables({**CYCLONE, "CYCLONEDDS_URI": "file:///own.xml"}) == LOCAL
    assert range_variables(ZENOH) == {**LOCAL, "ZENOH_CONFIG_OVERRIDE": discovery.ZENOH}
    for name in ("ZENOH_CONFIG_OVERRIDE", "ZENOH_SESSION_CONFIG_URI"):
        assert range_variables({**ZENOH, name: "own"}) == LOCAL
    for name in ("rmw_fastrtps_cpp", "rmw_fastrtps_dynamic_cpp", ""):
        assert range_variables({"RMW_IMPLEMENTATION": name}) == {**LOCAL, **WALL}
    assert range_variables({"RMW_IMPLEMENTATION": "rmw_connextdds"}) == LOCAL


@pytest.mark.parametrize(
    ("distribution", "version", "expected"),
    [
        ("jazzy", "9.1", OLDER_PROFILE),
        ("kilted", "7.1", NEWER_PROFILE),
        ("rolling", "7.1", NEWER_PROFILE),
        ("", "7.1.5", OLDER_PROFILE),
        ("", "9.1.2", NEWER_PROFILE),
        ("", "10.0.0", NEWER_PROFILE),
        ("", None, NEWER_PROFILE),
    ],
)
def test_the_profile_is_named_by_the_variable_that_fast_dds_reads(
    monkeypatch, distribution, version, expected
):
    def installed(name):
        if version is None:
            raise metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(discovery.metadata, "version", installed)
    monkeypatch.setenv("ROS_DISTRO", distribution)
    assert range_variables({}) == {**LOCAL, expected: str(PROFILE)}


def test_humble_has_one_variable_for_all(monkeypatch):
    monkeypatch.setenv("ROS_DISTRO", "humble")
    for environment in ({}, {OLDER: "1"}, {VARIABLE: "LOCALHOST"}, {VARIABLE: "OFF"}, CYCLONE):
        assert range_variables(environment) == {OLDER: "1"}
    assert range_variables({OLDER: "0"}) == {}
    assert range_variables({}, "subnet") == {OLDER: "0"}
    assert range_variables({OLDER: "0"}, "localhost") == {OLDER: "1"}


def test_the_profile_is_read_by_every_user():
    assert os.access(PROFILE, os.R_OK)
    elements = ElementTree.parse(PROFILE).iter()
    texts = {element.tag.rpartition("}")[2]: element for element in elements}
    assert texts["useBuiltinTransports"].text == "false"
    assert [address.text for address in texts["interfaceWhiteList"]] == ["127.0.0.1"]
    assert texts["participant"].get("is_default_profile") == "true"
