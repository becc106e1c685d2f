# SPDX-License-Identifier: MIT
"""Figures: what is drawn of many confusions, what is left out, and that no display is needed."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from matplotlib.figure import Figure

from whispersign_model.decoding.confidence import ConfidenceScale
from whispersign_model.errors import ConfigError
from whispersign_model.evaluation.calibration import Emission, reliability
from whispersign_model.evaluation.figures import (
    Pairs,
    confusion_figure,
    reliability_figure,
    write_figure,
)
from whispersign_model.evaluation.metrics import MISSED, NOT_SIGNED

PAIRS: Pairs = {
    ("STOP", "STOP"): 3,
    ("STOP", "GO"): 2,
    ("GO", None): 4,
    (None, "HOME"): 5,
    ("HOME", "HOME"): 7,
}


def numbers(figure: Figure) -> dict[tuple[str, str], str]:
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
        ("GO", MISSED): "4",
        (NOT_SIGNED, "HOME"): "5",
        ("HOME", "HOME"): "7",
    }
    assert figure.axes[0].get_title() == "errors: 11"


def test_of_a_large_vocabulary_the_most_confused_are_drawn_and_the_rest_is_counted() -> None:
    many: Pairs = {(f"SIGN-{i}", f"SIGN-{i}"): 9 for i in range(300)}
    figure = confusion_figure({**many, **PAIRS, ("SIGN-1", "SIGN-2"): 1}, shown=3)
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == [
        "GO",
        "HOME",
        "STOP",
        NOT_SIGNED,
    ]
    assert figure.axes[0].get_title() == "errors: 12; not drawn: 300 of 303 glosses, errors 1"


@pytest.mark.parametrize("pairs", [{}, {("$a$b$", None): 1}, {("A", "A"): 1}])
def test_any_pairs_can_be_drawn(tmp_path: Path, pairs: Pairs) -> None:
    write_figure(tmp_path / "new" / "confusions.png", confusion_figure(pairs))
    assert (tmp_path / "new" / "confusions.png").read_bytes().startswith(b"\x89PNG")


def test_reliability_is_drawn_with_its_figures(tmp_path: Path) -> None:
    found = [Emission("A", 0.95, True), Emission("A", 0.95, False), Emission("B", 0.25, False)]
    measured = {"raw": reliability(found), "calibrated": reliability(found, ConfidenceScale())}
    figure = reliability_figure(measured)
    above, below = figure.axes
    assert [line.get_label() for line in above.lines][1:] == [
        "raw: calibration error 0.383, Brier 0.323",
        "calibrated: calibration error 0.383, Brier 0.323",
    ]
    assert np.asarray(above.lines[1].get_xydata()).tolist() == [[0.25, 0.0], [0.95, 0.5]]
    assert [patch.get_height() for patch in below.containers[0]] == [0, 0, 1, 0, 0, 0, 0, 0, 0, 2]
    write_figure(tmp_path / "nothing.png", reliability_figure({"raw": reliability([])}))


def test_pyplot_is_left_alone() -> None:
    before = "matplotlib.pyplot" in sys.modules
    confusion_figure(PAIRS).canvas.draw()
    assert ("matplotlib.pyplot" in sys.modules) == before


def test_a_picture_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="not a picture format"):
        write_figure(tmp_path / "confusions.docx", confusion_figure(PAIRS))
    with pytest.raises(ConfigError, match="cannot be written"):
        write_figure(tmp_path / "file" / "confusions.png", confusion_figure(PAIRS))
