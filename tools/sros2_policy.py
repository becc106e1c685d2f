#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Generate config/sros2/whispersign.policy.xml with the permissions that every node needs.

sros2_policy.py                  # all nodes in the root namespace, enclaves /whispersign/NODE
sros2_policy.py robot1 > FILE    # all nodes in namespace robot1, enclaves /robot1/NODE
"""

import sys
from collections.abc import Iterable, Mapping
from xml.etree import ElementTree

from endpoints import ROOT, Endpoints, all_endpoints

FILE = ROOT / "config" / "sros2" / "whispersign.policy.xml"
VERSION = "0.2.0"  # version of the sros2 schema
NOTE = " Written by tools/sros2_policy.py; docs/explanation/security.md says how to use it. "
OPERATOR = "operator"  # enclave for tools such as ros2 topic, param and lifecycle
# Topics that nodes use only with certain parameters or while the topics have subscribers.
FURTHER_INPUT = {
    "annotation_node": ("/image", "/image/compressed", "/hands/image"),
    "camera_node": ("/image", "/image/compressed", "/camera_info"),
    "visualization_node": ("/hands/raw", "/hands/filtered", "/gloss", "/gloss_partial"),
}
PIPELINE = (  # nodes that share the process and enclave of `pipeline`
    *("pipeline", "camera_node", "leap_node", "replay_node", "synthetic_node"),
    *("smoothing_node", "preprocessing_node", "recognition_node"),
)
CLOCK = "/clock"  # use_sim_time needs it
PLAYED_CLOCK = ("replay_node",)  # nodes that may also publish it


def policy(found: Mapping[str, Endpoints], namespace: str = "") -> str:
    """Return the policy as XML.

    Args:
        found: each node's endpoints in the root namespace.
        namespace: namespace of the nodes without slashes; "" is the root namespace.
    """
    root = ElementTree.Element("policy", version=VERSION)
    root.append(ElementTree.Comment(NOTE))
    enclaves = ElementTree.SubElement(root, "enclaves")
    base = f"/{namespace or 'whispersign'}"
    for name in found:
        profiles = _enclave(enclaves, f"{base}/{name}")
        for node in PIPELINE if name == "pipeline" else (name,):
            _node(_profile(profiles, namespace, node), node, found[node])
    _operator(enclaves, base, namespace, found.values())
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, "unicode") + "\n"


def _node(profile: ElementTree.Element, name: str, points: Endpoints) -> None:
    played = (CLOCK,) if name in PLAYED_CLOCK else ()
    heard = [*points.hears, *FURTHER_INPUT.get(name, ()), CLOCK]
    _rules(profile, "topics", "topic", "publish", [*points.publishes, *played])
    _rules(profile, "topics", "topic", "subscribe", heard)
    _rules(profile, "services", "service", "reply", points.serves)
    _rules(profile, "services", "service", "request", points.calls)
    _rules(profile, "actions", "action", "execute", points.acts)


def _operator(
    enclaves: ElementTree.Element, base: str, namespace: str, found: Iterable[Endpoints]
) -> None:
    """Let an operator subscribe to all topics and use all services and actions, but not publish."""
    heard: set[str] = set()
    services: set[str] = set()
    actions: set[str] = set()
    for points in found:
        heard |= {*points.publishes, *points.hears}
        services |= set(points.serves)
        actions |= set(points.acts)
    profile = _profile(_enclave(enclaves, f"{base}/{OPERATOR}"), namespace, OPERATOR)
    _rules(profile, "topics", "topic", "publish", ["/rosout", "/parameter_events"])
    _rules(profile, "topics", "topic", "subscribe", [*heard, CLOCK])
    _rules(profile, "services", "service", "request", services)
    _rules(profile, "actions", "action", "call", actions)


def _enclave(enclaves: ElementTree.Element, path: str) -> ElementTree.Element:
    return ElementTree.SubElement(
        ElementTree.SubElement(enclaves, "enclave", path=path), "profiles"
    )


def _profile(profiles: ElementTree.Element, namespace: str, node: str) -> ElementTree.Element:
    return ElementTree.SubElement(profiles, "profile", ns=f"/{namespace}", node=node)


def _rules(
    profile: ElementTree.Element, kind: str, one: str, may: str, names: Iterable[str]
) -> None:
    """Allow some names, and move them into the namespace unless they are global."""
    every = sorted(set(names))
    if every:
        rules = ElementTree.SubElement(profile, kind, {may: "ALLOW"})
        for name in every:
            ElementTree.SubElement(rules, one).text = _expression(name)


def _expression(name: str) -> str:
    everywhere = ("/clock", "/diagnostics", "/parameter_events", "/rosout")
    return name if name in everywhere else name.removeprefix("/")


def main() -> int:
    """Write the file, or print the policy for a namespace."""
    found = all_endpoints()
    if len(sys.argv) > 1:
        print(policy(found, sys.argv[1].strip("/")), end="")
    else:
        FILE.write_text(policy(found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
