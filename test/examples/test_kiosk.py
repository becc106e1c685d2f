# SPDX-License-Identifier: MIT
"""The kiosk example, beside a publisher that speaks as the recognizer does."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rclpy
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from whispersign_msgs.msg import Gloss, Vocabulary
from whispersign_ros.node import qos

PROGRAM = Path(__file__).parents[2] / "examples/kiosk.py"
BOUND = 300.0  # seconds after which the program will not subscribe any more


@pytest.fixture
def graph() -> Iterator[Node]:
    """Return a node in the place of ``recognition_node``."""
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    node = Node("recognizer")
    yield node
    node.destroy_node()
    rclpy.shutdown()


@pytest.fixture
def kiosk() -> Iterator[subprocess.Popen[bytes]]:
    """Start the program, and end it."""
    process = subprocess.Popen(
        [sys.executable, "-u", str(PROGRAM)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    yield process
    process.kill()
    process.wait()


def publisher(node: Node, topic: str, profile: Any) -> Any:
    """Return a publisher of glosses that the program has subscribed to."""
    made = node.create_publisher(Gloss, topic, profile)
    deadline = time.monotonic() + BOUND
    while not made.get_subscription_count():
        assert time.monotonic() < deadline, f"nothing subscribes to {topic}"
        time.sleep(0.02)
    return made


def test_it_shows_what_can_be_signed_what_is_signed_and_asks_where_it_is_unsure(graph, kiosk):
    known = graph.create_publisher(Vocabulary, "vocabulary", qos.VOCABULARY)
    known.publish(Vocabulary(glosses=["HELLO", "YES"]))
    partials = publisher(graph, "gloss_partial", qos.GLOSS_PARTIAL)
    glosses = publisher(graph, "gloss", qos.GLOSS)
    assert kiosk.stdout.readline() == b"You can sign: HELLO, YES\n"
    partials.publish(Gloss(gloss="HELLO", confidence=0.5))
    shown = b"... HELLO\r"  # the cursor goes back
    assert kiosk.stdout.read(len(shown)) == shown
    glosses.publish(Gloss(gloss="HELLO", confidence=0.9, final=True))
    assert kiosk.stdout.readline() == b"You signed HELLO.\n"
    glosses.publish(Gloss(gloss="YES", confidence=0.5, alternatives=["NO", "ON"], final=True))
    assert kiosk.stdout.readline() == b"Did you sign YES or NO or ON?\n"
    kiosk.send_signal(signal.SIGINT)
    assert b"Traceback" not in kiosk.communicate()[1]
