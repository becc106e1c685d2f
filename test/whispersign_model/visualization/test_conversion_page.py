# SPDX-License-Identifier: MIT
"""The report's page holds everything in one file: figures, skeletons and what was left out."""

from __future__ import annotations

import base64
import re
from html import escape

import numpy as np
import pytest

from whispersign_model.datasets.conversion import ConversionOptions, Source, convert
from whispersign_model.datasets.splits import SplitPolicy
from whispersign_model.errors import DatasetError
from whispersign_model.recordings.recording import Segment
from whispersign_model.visualization.conversion_page import draw_hands, write_page

figure = pytest.importorskip("matplotlib.figure")


def test_page_shows_the_dataset(tmp_path, make_recording):
    stamps = make_recording(120).stamps.tolist()
    kept = [
        make_recording(120, name=f"r{place}", segments=(Segment((gloss,), stamps[0], stamps[90]),))
        for place, gloss in enumerate(("A", "B", "<b>&"))
    ]
    idle = make_recording(120, name="idle", segments=(Segment((), stamps[0], stamps[90]),))
    given = [*kept, idle, make_recording(name="<script>", segments=())]
    report = convert(
        tmp_path / "set",
        [Source(each.name, lambda each=each: each) for each in given],
        ConversionOptions(splits=SplitPolicy(test_every=2)),
    )
    page = tmp_path / "new" / "page.html"
    write_page(page, tmp_path / "set", report)
    text = page.read_text()
    pictures = re.findall(r'<img alt="(\w+)" src="data:image/png;base64,([^"]+)">', text)
    assert [name for name, _ in pictures] == ["histograms", "glosses", "signers", "skeletons"]
    assert all(base64.b64decode(data).startswith(b"\x89PNG") for _, data in pictures)
    assert "http" not in re.sub(r"base64,[^\"]+", "", text)
    assert "<td>&lt;script&gt;</td><td>no annotation</td>" in text
    assert "<td>no annotation</td><td>1</td>" in text
    assert "<script>" not in text
    for warning in report.warnings:
        assert f"<p class=warning>{escape(warning)}</p>".replace("&#x27;", "&#39;") in text


def test_page_that_cannot_be_written(tmp_path, make_recording):
    source = Source("take", make_recording)
    report = convert(
        tmp_path / "set", [source], ConversionOptions(splits=SplitPolicy(test_every=1))
    )
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match=r"page.html: cannot be written"):
        write_page(tmp_path / "file" / "page.html", tmp_path / "set", report)


def test_only_tracked_bones_are_drawn(make_recording):
    recording = make_recording(90)  # the left hand is lost in frames 30 to 44
    frames = np.concatenate(
        [recording.positions, np.zeros_like(recording.positions), recording.confidence[..., None]],
        axis=-1,
    )
    row = figure.Figure().subplots(1, 2)
    draw_hands(row, frames[[0, 40]], flat=False)
    bones = [sum(len(line.get_xdata()) // 3 for line in axes.lines) for axes in row]
    assert bones == [46, 23]
    assert row[0].get_ylim() == row[1].get_ylim()
    flat = figure.Figure().subplots(1, 1, squeeze=False)[0]
    draw_hands(flat, frames[:1], flat=True)
    drawn = flat[0].lines[0].get_ydata()[0]
    assert drawn == -recording.positions[0, 0, 1]  # an image's y points down
