# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest

from whispersign_model.cli.progress import picture_progress, progress, progress_bars


def test_a_bar_counts_its_steps_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with progress("Measuring", 4) as advance:
        advance()
        advance()
    captured = capsys.readouterr()
    assert not captured.out
    assert "Measuring" in captured.err
    assert "50%" in captured.err


def test_pictures_count_as_they_are_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with picture_progress("Looking") as advance:
        advance(1, 0)
        advance(3, 4)
    assert "75%" in capsys.readouterr().err


def test_a_log_gets_no_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    with progress_bars() as bars:
        bars.advance(bars.add_task("Measuring", total=1))
    assert not capsys.readouterr().err.strip()
