"""The program that docs/how-to/kiosk.md shows, as it stands there."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from whispersign_msgs.msg import Gloss, Vocabulary
from whispersign_ros.node import qos

GUIDE = Path(__file__).parents[2] / "docs/how-to/kiosk.md"


@pytest.fixture
def kiosk(tmp_path):
    """Start the program, and end it."""
    (program,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    (tmp_path / "kiosk.py").write_text(program)
    process = subprocess.Popen(
        [sys.executable, "-u", str(tmp_path / "kiosk.py")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(os.environ),
    )
    yield process
    process.kill()
    process.wait()


def test_it_shows_what_can_be_signed_what_is_signed_and_asks_where_it_is_unsure(graph, kiosk):
    known = graph.probe.create_publisher(Vocabulary, "vocabulary", qos.VOCABULARY)
    known.publish(Vocabulary(glosses=["HELLO", "YES"]))
    partials = graph.speak(Gloss, "gloss_partial", qos.GLOSS_PARTIAL)
    glosses = graph.speak(Gloss, "gloss", qos.GLOSS)
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
