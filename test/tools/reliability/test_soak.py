# SPDX-License-Identifier: MIT
"""The soak: its figures tell what was lost, what grew and what was no longer recognised."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from reliability import soak
from reliability.soak import Sample, figures, main, table
from whispersign_ros.graph.monitor import Report, TimedGloss
from whispersign_ros.graph.process_usage import Usage

SECOND = 10**9
MINUTES = 2.0
RESTS = [(200 * SECOND, 230 * SECOND)]


def _sign(gloss, second):
    return TimedGloss(gloss, second * SECOND, (second + 1) * SECOND, 0.0)


def _watch(last_wrong=0):
    signed = [_sign(f"S{second}", second) for second in range(0, 120, 2)]
    finals = [
        _sign("ELSE" if place >= len(signed) - last_wrong else sign.gloss, sign.start // SECOND)
        for place, sign in enumerate(signed)
    ]
    reports = {
        "smoothing_node": Report(0, "", {"received": "14400"}, 0.0),
        "recognition_node": Report(0, "", {"received": "7200", "dropped_steps_missed": "0"}, 0.0),
        "command_node": Report(0, "", {"dropped_calls": "3"}, 0.0),  # nobody offers the service
    }
    return SimpleNamespace(annotated=signed, finals=finals, reports=reports)


def _samples(growth=0.0, begin=20.0):
    """Return 40 samples of a node of 100 MB: it grows until ``begin``, and by ``growth`` later."""
    samples = []
    for place in range(40):
        at = place * 3.0
        warming, growing = min(at, begin / 2) * 3, growth * place / 39
        samples.append(Sample(at, Usage({"a": 5 + 0.25 * at}, {"a": 100 + warming + growing})))
    return samples


def test_a_graph_that_keeps_its_promises(capsys):
    found = figures(_watch(), RESTS, _samples(), [1.0, 2.0], MINUTES)
    assert found.broken == []
    assert (found.frames, found.signs, found.load) == (14400, 60, 1.5)
    assert found.missed == {}
    assert (found.right_first, found.right_last) == (1.0, 1.0)
    assert found.cpu_percent == {"a": 25.0}
    assert found.growth_mb["a"] == pytest.approx(0, abs=0.1)
    assert "| no frame or step is lost within the graph | 0 lost |" in table(found)


def test_what_grows_after_the_warm_up_is_told():
    found = figures(_watch(), RESTS, _samples(growth=8.0), [1.0], MINUTES)
    assert found.growth_mb["a"] == pytest.approx(6.7, abs=0.5)
    assert found.broken == [f"a grew by {found.growth_mb['a']:.1f} MB"]


def test_glosses_that_go_wrong_towards_the_end_are_told():
    found = figures(_watch(last_wrong=3), RESTS, _samples(), [1.0], MINUTES)
    assert found.right_first == 1.0
    assert found.right_last == pytest.approx(1 - 3 / 30)
    assert found.broken == ["glosses right: 100.0%, then 90.0%"]


def test_a_gloss_of_a_resting_hand_breaks_a_promise():
    watch = _watch()
    found = figures(watch, RESTS, _samples(), [1.0], MINUTES)
    assert (found.rests, found.rest_glosses) == ([30.0], [])
    assert "| a resting hand makes no gloss | 0 in 1 rests of 0.5 minutes in all |" in table(found)
    watch.finals += [_sign("BEFORE", 199), _sign("WAIT", 200), _sign("GO", 229), _sign("NEXT", 230)]
    found = figures(watch, RESTS, _samples(), [1.0], MINUTES)
    assert found.rest_glosses == ["WAIT", "GO"]
    assert "a resting hand made the glosses WAIT, GO" in found.broken


def test_one_lost_step_breaks_a_promise(monkeypatch, tmp_path, capsys):
    watch = _watch()
    watch.reports["recognition_node"].values["dropped_steps_missed"] = "1"
    found = figures(watch, RESTS, _samples(), [1.0], MINUTES)
    monkeypatch.setattr(soak, "soak", lambda minutes, model: found)
    document = tmp_path / "R.md"
    document.write_text("before\n<!-- soak -->\nold\n<!-- /soak -->\nafter\n")
    out = tmp_path / "out.json"
    assert main(["--write", str(document), "--json", str(out)]) == 1
    assert (
        "GUARANTEE BROKEN: recognition_node missed {'steps_missed': 1}" in capsys.readouterr().err
    )
    assert json.loads(out.read_text())["missed"] == {"recognition_node": {"steps_missed": 1}}
    text = document.read_text()
    assert text.startswith("before\n<!-- soak -->\n\n2 minutes, 14400 frames, 60 signs;")
    assert text.endswith("<!-- /soak -->\nafter\n")
    assert "old" not in text


def test_a_document_without_marks_is_one_line(monkeypatch, tmp_path, capsys):
    found = figures(_watch(), RESTS, _samples(), [1.0], MINUTES)
    monkeypatch.setattr(soak, "soak", lambda minutes, model: found)
    document = tmp_path / "R.md"
    document.write_text("nothing")
    assert main(["--write", str(document)]) == 2
    assert "has no marks 'soak'; add <!-- soak --> and <!-- /soak -->" in capsys.readouterr().err


@pytest.mark.graph
@pytest.mark.slow
def test_the_real_graph_is_soaked():
    found = soak.soak(0.2, soak.DEMO_MODEL)
    assert set(found.resident_mb) == {*soak.GRAPH, "command_node", "reliability.room"}
    assert min(found.resident_mb.values()) > 10
    assert found.frames > 400
    assert found.signs >= 2
    assert found.right_first == 1.0
