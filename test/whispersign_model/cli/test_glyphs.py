# SPDX-License-Identifier: MIT
"""Characters that a font lacks are told in one line, whatever a picture repeats."""

from __future__ import annotations

import warnings
from dataclasses import replace

import pytest

from whispersign_model.cli.glyphs import missing_glyphs_told
from whispersign_model.cli.main import main
from whispersign_model.recordings.bags.bag import write_bag
from whispersign_model.recordings.recording import Segment


@pytest.mark.parametrize("out", ["sheet.png", "sheet.pdf"])
def test_glosses_that_the_font_lacks(tmp_path, make_recording, capfd, out):
    recording = make_recording(40)
    span = (int(recording.stamps[0]), int(recording.stamps[-1]))
    signed = replace(recording, segments=(Segment(("你好 \U0001f44b",), *span),))
    write_bag(tmp_path / "take", signed)
    assert main(["view", str(tmp_path / "take"), "--out", str(tmp_path / out)]) == 0
    assert capfd.readouterr().err == (
        "whispersign: note: the font of pictures lacks 你好\U0001f44b; "
        "name another one as font.family in a matplotlibrc file\n"
    )


def test_other_warnings_stay():
    with pytest.warns(RuntimeWarning, match="Glyph of another kind"), missing_glyphs_told():
        warnings.warn("Glyph of another kind", RuntimeWarning, stacklevel=1)
