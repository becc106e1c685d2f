# SPDX-License-Identifier: MIT
"""Terminal display of a session, with prompts that update in place and single-key commands."""

from __future__ import annotations

import os
import select
import sys
import termios
import tty
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.text import Text

from whispersign_msgs.msg import Prompt
from whispersign_ros.recording.next_steps import next_steps
from whispersign_ros.recording.prompt_plan import PromptPlan
from whispersign_ros.recording.session import PromptState

KEYS = {"r": "repeat", "d": "discard", "p": "pause", " ": "pause", "n": "next", "q": "stop"}
HELP = "r repeat   d discard the last   p pause   n next   q stop"
STYLES = {
    Prompt.SIGNING: "bold green",
    Prompt.COUNTDOWN: "yellow",
    Prompt.KEPT: "blue",
    Prompt.ENDED: "blue",
}


class Terminal:
    """Shows the prompts on standard output, and reads keys from standard input.

    Use it as a context manager, which restores the terminal's state.

    Args:
        keys: whether to read keys; works only on the terminal of a foreground process.
        console: output console.
    """

    def __init__(self, keys: bool = True, console: Console | None = None) -> None:
        self._console = console or Console(soft_wrap=True, highlight=False)
        self._wants_keys = keys
        self._stack = ExitStack()
        self._keyboard: int | None = None
        self._live: Live | None = None
        self._about: tuple[object, ...] = ()  # identifies the last prompt
        self._message = ""
        self._out = Path()

    def __enter__(self) -> Terminal:
        with ExitStack() as stack:
            self._keyboard = _own_keyboard() if self._wants_keys else None
            if self._keyboard is not None:
                before = termios.tcgetattr(self._keyboard)
                stack.callback(termios.tcsetattr, self._keyboard, termios.TCSADRAIN, before)
                tty.setcbreak(self._keyboard)
            if self._console.is_terminal:
                live = Live(console=self._console, auto_refresh=False)
                self._live = stack.enter_context(live)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._keyboard = self._live = None
        self._stack.close()

    def commands(self) -> list[str]:
        """Return the commands whose keys were pressed since the last call."""
        if self._keyboard is None or not select.select([self._keyboard], [], [], 0)[0]:
            return []
        typed = os.read(self._keyboard, 64).decode(errors="replace")
        return [KEYS[key] for key in typed.lower() if key in KEYS]

    def welcome(self, plan: PromptPlan, out: Path, unfinished: int) -> None:
        """Print the plan of the session."""
        self._out = out
        who = f" by {plan.signer}" if plan.signer else ""
        self._console.print(
            f"{len(plan.glosses)} glosses, {plan.takes} takes of each{who}, to {out}: "
            f"{plan.done} of {plan.total} are recorded"
        )
        if unfinished:
            self._console.print(
                f"removed {unfinished} unfinished take of an interrupted session; it is due again"
            )

    def tell(self, text: str) -> None:
        """Show a message until the prompt changes."""
        self._message = text
        if self._live is None:
            self._console.print(text)

    def show(self, shown: PromptState, left: float) -> None:
        """Show a prompt in place, or if that is not possible, print a line per change."""
        about = (shown.phase, shown.take, shown.text)
        new, self._about = about != self._about, about
        if self._live is not None:
            self._message = "" if new else self._message
            self._live.update(self._panel(shown, left), refresh=True)
        elif new:
            self._console.print(_line(shown, left))

    def farewell(self, plan: PromptPlan) -> None:
        """Print the recorded takes, the missing takes and the next steps."""
        if self._live is not None:
            self._live.stop()
        for line in ["", *plan.summary(), "", *next_steps(self._out, plan)]:
            self._console.print(line)

    def _panel(self, shown: PromptState, left: float) -> Panel:
        head = Text(_headline(shown, left), style=STYLES.get(shown.phase, "bold red"))
        bar = ProgressBar(total=max(shown.total, 1), completed=shown.done, width=72)
        after = f"   then {shown.next_gloss}" if shown.next_gloss else ""
        count = Text(f"{shown.done} of {shown.total}{after}", style="dim")
        keys = [Text(HELP, style="dim")] if self._keyboard is not None else []
        body = Group(head, Text(self._message or shown.text), bar, count, *keys)
        return Panel(body, width=76, title="recording")


def _headline(shown: PromptState, left: float) -> str:
    gloss = shown.take.gloss.replace("|", " ") if shown.take else ""
    return {
        Prompt.WAITING: "waiting",
        Prompt.COUNTDOWN: f"get ready: {gloss}   {left:.0f}",
        Prompt.SIGNING: f"SIGN NOW: {gloss}",
        Prompt.KEPT: f"kept: {gloss}",
        Prompt.PAUSED: "paused",
        Prompt.ENDED: "the end",
    }[shown.phase]


def _line(shown: PromptState, left: float) -> str:
    """Return a prompt as a line of text."""
    place = f"{shown.done}/{shown.total}"
    words = [f"{place:>7}", _headline(shown, left)]
    if shown.text:
        words.append(f"- {shown.text}")
    return "  ".join(words)


def _own_keyboard() -> int | None:
    """Return the descriptor of standard input if it is a terminal and this process owns it."""
    try:
        descriptor = sys.stdin.fileno()
    except (AttributeError, OSError):  # there is no standard input
        return None
    in_front = os.isatty(descriptor) and os.tcgetpgrp(descriptor) == os.getpgrp()
    return descriptor if in_front else None
