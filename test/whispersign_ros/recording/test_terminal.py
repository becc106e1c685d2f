# SPDX-License-Identifier: MIT
"""The prompts as plain lines, where standard output is no terminal."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from whispersign_model.recordings.takes import Take
from whispersign_ros.recording.session import COUNTDOWN, PAUSED, SIGNING, WAITING, PromptState
from whispersign_ros.recording.terminal import Terminal

TAKE = Take("NO|HOME", 0, "anna")


@pytest.fixture
def terminal():
    console = Console(file=StringIO(), soft_wrap=True, highlight=False)
    with Terminal(keys=False, console=console) as terminal:
        terminal.lines = lambda: console.file.getvalue().splitlines()
        yield terminal


@pytest.mark.parametrize(
    ("shown", "line"),
    [
        (PromptState(COUNTDOWN, TAKE, "", "", 2, 4), "    2/4  get ready: NO HOME   3"),
        (PromptState(SIGNING, TAKE, "", "", 2, 4), "    2/4  SIGN NOW: NO HOME"),
        (
            PromptState(WAITING, TAKE, "", "leap_node: no device", 0, 4),
            "    0/4  waiting  - leap_node: no device",
        ),
        (
            PromptState(PAUSED, TAKE, "", "bag: cannot be written (File too large)", 0, 4),
            "    0/4  paused  - bag: cannot be written (File too large)",
        ),
    ],
)
def test_a_prompt_is_one_line(terminal, shown, line):
    for left in (3.2, 2.6):  # the time left alone makes no other prompt
        terminal.show(shown, left)
    assert terminal.lines() == [line]
