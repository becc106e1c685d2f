# SPDX-License-Identifier: MIT
"""Progress bars, shown on stderr if it is a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """Yield an empty progress display, which disappears at the end of the block."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bars:
        yield bars


@contextmanager
def progress(description: str, total: int) -> Iterator[Callable[[], None]]:
    """Show a bar with ``total`` steps and yield a function that advances it by one step."""
    with progress_bars() as bars:
        yield partial(bars.advance, bars.add_task(description, total=total))


@contextmanager
def picture_progress(description: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar and yield a function that sets the pictures done and the total (0: unknown)."""
    with progress_bars() as bars:
        task = bars.add_task(description, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total or None)
