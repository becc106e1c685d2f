# SPDX-License-Identifier: MIT
"""The policy of SROS 2: as the nodes are, and as its schema wants it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
TOOL = ROOT / "tools" / "sros2_policy.py"
FILE = ROOT / "config" / "sros2" / "whispersign.policy.xml"


@pytest.fixture(scope="module")
def of_a_robot():
    """Return the policy of a robot in a namespace, made anew from the nodes."""
    done = subprocess.run(
        [sys.executable, str(TOOL), "robot1"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout[done.stdout.index("<?xml") :]


def _rules(text):
    """Return what each enclave and node may do: a set of (kind, may, name)."""
    found = {}
    for enclave in ElementTree.fromstring(text).iter("enclave"):
        for profile in enclave.iter("profile"):
            found[enclave.get("path"), profile.get("ns"), profile.get("node")] = {
                (rules.tag, *rules.attrib, rule.text) for rules in profile for rule in rules
            }
    return found


def test_the_policy_is_as_the_nodes_are(of_a_robot):
    expected = of_a_robot.replace('path="/robot1/', 'path="/whispersign/')
    assert FILE.read_text() == expected.replace('ns="/robot1"', 'ns="/"')


def test_a_node_may_do_what_it_does_and_nothing_else(of_a_robot):
    rules = _rules(of_a_robot)
    robot = rules["/robot1/recognition_node", "/robot1", "recognition_node"]
    assert ("topics", "publish", "gloss") in robot
    assert ("topics", "subscribe", "hands/features") in robot
    assert ("actions", "execute", "recognize") in robot
    assert ("services", "reply", "recognition_node/set_parameters") in robot
    assert ("services", "reply", "recognition_node/change_state") in robot
    assert not {name for _, may, name in robot if may == "request"}
    assert ("topics", "publish", "hands/features") not in robot
    moving = {path for (path, _, _), r in rules.items() if ("topics", "publish", "cmd_vel") in r}
    assert moving == {"/robot1/command_node"}
    operator = rules["/robot1/operator", "/robot1", "operator"]
    assert ("actions", "call", "recognize") in operator
    published = {name for _, may, name in operator if may == "publish"}
    assert published == {"/rosout", "/parameter_events"}


def test_every_node_reports_on_diagnostics_and_has_an_enclave(of_a_robot):
    rules = _rules(of_a_robot)
    nodes = {node for _, _, node in rules} - {"operator", "pipeline"}
    assert {"camera_node", "command_node", "replay_node", "annotation_node"} <= nodes
    for node in nodes:
        allowed = rules[f"/robot1/{node}", "/robot1", node]
        assert ("topics", "publish", "/diagnostics") in allowed, node


def test_sros2_accepts_it():
    policy = pytest.importorskip("sros2.policy", reason="sros2 comes with a ROS 2 distribution")
    enclaves = policy.load_policy(FILE)
    assert len(list(enclaves.iter("enclave"))) == len(
        {path for path, _, _ in _rules(FILE.read_text())}
    )


def test_sros2_signs_permissions_for_every_enclave(tmp_path):
    reason = "sros2 comes with a ROS 2 distribution"
    keystore = pytest.importorskip("sros2.keystore._keystore", reason=reason)
    artifacts = pytest.importorskip("sros2.api._artifact_generation", reason=reason)
    keystore.create_keystore(tmp_path / "keys")
    artifacts.generate_artifacts(tmp_path / "keys", [], [FILE])
    for path, _, _ in _rules(FILE.read_text()):
        folder = tmp_path / "keys" / "enclaves" / path.lstrip("/")
        assert {"cert.pem", "key.pem", "permissions.p7s"} <= {p.name for p in folder.iterdir()}
