# SPDX-License-Identifier: MIT
"""The benchmark of the stop: its figures are of the right signs, and none is left out."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise

import pytest

from whispersign_model.decoding.result import RecognizedGloss, Result
from whispersign_model.errors import WhisperSignError
from whispersign_ros.benchmarks import stop
from whispersign_ros.benchmarks.stop import _figures, _joined, _matched, _signing, table
from whispersign_ros.node.assets import DEMO_MODEL

MS = 1_000_000
FIGURES = {"from_frame", "from_end", "from_begin"}


def _result(stamp, *glosses, confidence=0.9):
    """Return a partial result of a frame; each gloss has begin and end, milliseconds."""
    return Result(
        glosses=tuple(
            RecognizedGloss(name, 1, begin * MS, end * MS, confidence, ())
            for name, begin, end in glosses
        ),
        final=False,
        utterance_id=0,
        stamp=stamp * MS,
    )


def test_each_sign_has_its_frame_and_its_message():
    signs = [(1000 * MS, 1450 * MS), (9000 * MS, 9450 * MS)]
    results = [
        _result(700, ("GO", 100, 500)),
        _result(1300, ("STOP", 1010, 1290)),
        _result(1400, ("STOP", 1010, 1390)),
        _result(9500, ("HELLO", 8000, 8500), ("STOP", 9010, 9450)),
    ]
    stops, false = _matched(signs, [1330 * MS, 5000 * MS, 9600 * MS], results)
    assert [(told // MS, there // MS) for _, told, there in stops] == [(1300, 1330), (9500, 9600)]
    assert false == 1
    figures = _figures(stops, false)
    assert figures["from_frame_ms_p50"] == pytest.approx((30 + 100) / 2)
    assert figures["from_end_ms_p50"] == pytest.approx((-120 + 150) / 2)
    assert figures["from_begin_ms_p50"] == pytest.approx((330 + 600) / 2)
    assert {key: figures[key] for key in ("stops", "missed", "false", "late")} == {
        "stops": 2,
        "missed": 0,
        "false": 1,
        "late": 0.0,
    }


def test_a_stop_that_did_not_come_is_told_and_in_no_time():
    signs = [(1000 * MS, 1450 * MS), (9000 * MS, 9450 * MS)]
    unsure = _result(1200, ("STOP", 1010, 1190), confidence=0.2)
    told = _result(9400, ("STOP", 9010, 9390))
    stops, false = _matched(signs, [9750 * MS], [unsure, told])
    assert stops[0][1:] == (9400 * MS, None)
    figures = _figures(stops, false)
    assert (figures["stops"], figures["missed"], figures["late"]) == (2, 1, 1.0)
    assert figures["from_end_ms_p95"] == pytest.approx(300)
    assert len(table(figures)) == 7


def test_without_any_stop_there_are_no_times():
    figures = _figures([((0, 1), None, None)], 0)
    assert {figures[f"{name}_ms_p95"] for name in FIGURES} == {None}
    assert "| the sign's last frame | - | - |" in table(figures)


def test_half_of_the_stops_follow_another_sign():
    recording = _signing([901, 902], 4, ["HELLO", "YES"])
    glosses = recording.glosses
    assert glosses.count("STOP") == glosses.count("GO") == 8
    assert glosses[:2] == ("GO", "STOP")
    assert glosses[2] == "GO"
    assert glosses[3] in ("HELLO", "YES")
    assert not recording.out_of_order
    assert all(after.start > before.end for before, after in pairwise(recording.segments))
    one = _signing([902], 4, ["HELLO", "YES"])
    assert _joined([one]).duration == one.duration


def test_a_model_that_cannot_stop_is_refused(tmp_path, model):
    with pytest.raises(WhisperSignError, match="does not know GO"):
        stop.measure(model, lambda: None)


@pytest.mark.graph
@pytest.mark.slow
def test_the_real_graph_stops():
    rounds = []
    figures = stop.measure(DEMO_MODEL, lambda: rounds.append(1), signers=[901], stops=2)
    assert len(rounds) == stop.ROUNDS
    assert (figures["stops"], figures["missed"]) == (2, 0)
    assert 0 < figures["from_frame_ms_p50"] <= figures["from_frame_ms_p95"]
    assert figures["from_begin_ms_p50"] > figures["from_end_ms_p50"]


def test_a_robot_without_pytorch_can_measure_it():
    code = (
        "import sys\n"
        "from whispersign_model.cli.main import main\n"
        "from whispersign_ros.benchmarks import stop\n"
        "stop.measure = lambda model, advance: {}\n"
        "stop.table = lambda figures: ['measured']\n"
        "sys.exit(main(['bench', '--only', 'stop']) or 'torch' in sys.modules)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert (answer.returncode, answer.stdout) == (0, "measured\n"), answer.stderr
