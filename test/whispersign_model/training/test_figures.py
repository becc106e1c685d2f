"""Figures: what is drawn of many confusions, what is left out, and that no display is needed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

from whispersign_model.errors import ConfigError  # noqa: E402
from whispersign_model.training.figures import (  # noqa: E402
    DELETED,
    INSERTED,
    confusion_figure,
    write_figure,
)

PAIRS = {
    ("STOP", "STOP"): 3,
    ("STOP", "GO"): 2,
    ("GO", None): 4,
    (None, "HOME"): 5,
    ("HOME", "HOME"): 7,
}


def numbers(figure) -> dict[tuple[str, str], str]:
    """What each cell says, by signed and recognised."""
    axes = figure.axes[0]
    columns = [text.get_text() for text in axes.get_xticklabels()]
    rows = [text.get_text() for text in axes.get_yticklabels()]
    return {
        (rows[int(text.get_position()[1])], columns[int(text.get_position()[0])]): text.get_text()
        for text in axes.texts
    }


def test_rows_are_signed_columns_recognised_with_deletions_and_insertions() -> None:
    figure = confusion_figure(PAIRS)
    assert numbers(figure) == {
        ("STOP", "STOP"): "3",
        ("STOP", "GO"): "2",
        ("GO", DELETED): "4",
        (INSERTED, "HOME"): "5",
        ("HOME", "HOME"): "7",
    }
    assert figure.axes[0].get_title() == "11 errors"


def test_of_a_large_vocabulary_the_most_confused_are_drawn_and_the_rest_is_counted() -> None:
    many = {(f"SIGN-{i}", f"SIGN-{i}"): 9 for i in range(300)}
    figure = confusion_figure({**many, **PAIRS, ("SIGN-1", "SIGN-2"): 1}, shown=3)
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == [
        "GO",
        "HOME",
        "STOP",
        INSERTED,
    ]
    assert figure.axes[0].get_title() == "12 errors; left out: 300 of 303 glosses, 1 errors"


@pytest.mark.parametrize("pairs", [{}, {("$a$b$", None): 1}, {("A", "A"): 1}])
def test_any_pairs_can_be_drawn(tmp_path: Path, pairs: dict[tuple[str, str | None], int]) -> None:
    write_figure(tmp_path / "new" / "confusions.png", confusion_figure(pairs))
    assert (tmp_path / "new" / "confusions.png").read_bytes().startswith(b"\x89PNG")


def test_pyplot_is_left_alone() -> None:
    before = "matplotlib.pyplot" in sys.modules
    confusion_figure(PAIRS).canvas.draw()
    assert ("matplotlib.pyplot" in sys.modules) == before


def test_a_picture_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="no kind of picture"):
        write_figure(tmp_path / "confusions.docx", confusion_figure(PAIRS))
    with pytest.raises(ConfigError, match="cannot be written"):
        write_figure(tmp_path / "file" / "confusions.png", confusion_figure(PAIRS))
