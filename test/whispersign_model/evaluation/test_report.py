# SPDX-License-Identifier: MIT
"""The report of an evaluation: what is counted, what is printed, and that JSON can be read."""

from __future__ import annotations

import io
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from whispersign_model.decoding.confidence import ConfidenceScale
from whispersign_model.evaluation.evaluate import Reading
from whispersign_model.evaluation.report import ROWS, Evaluation

FIXED = ("wer", "accuracy", "sequences", "substitutions", "deletions", "insertions")


def reading(signed: str, recognized: str, signer: str = "", confidence: float = 0.9) -> Reading:
    glosses = tuple(recognized)
    return Reading(
        signed + recognized, signer, tuple(signed), glosses, (confidence,) * len(glosses)
    )


RESCORED = [reading("AB", "AB", "ann"), reading("AB", "A", "bob"), reading("C", "AC", "bob")]
GREEDY = [reading("AB", "", "ann"), reading("AB", "A", "bob"), reading("C", "AA", "bob")]
LIVE = [reading("AB", "AB", "ann"), reading("AB", "A", "bob"), reading("C", "C", "bob")]


@pytest.fixture(name="evaluation")
def evaluation_fixture() -> Evaluation:
    readings = {"greedy": GREEDY, "beam": RESCORED, "rescore": RESCORED}
    return Evaluation("test", readings, "rescore", ConfidenceScale())


def printed(evaluation: Evaluation, width: int = 80) -> str:
    out = io.StringIO()
    evaluation.show(Console(file=out, width=width, highlight=False))
    return out.getvalue()


def test_the_headline_is_at_the_top_and_all_methods_are_beside_it(evaluation: Evaluation) -> None:
    report = evaluation.report()
    assert [report[key] for key in FIXED] == [
        pytest.approx(2 / 5),
        pytest.approx(1 / 3),
        3,
        0,
        1,
        1,
    ]
    assert {name: each["wer"] for name, each in report["methods"].items()} == {
        "greedy": pytest.approx(5 / 5),
        "beam": pytest.approx(2 / 5),
        "rescore": pytest.approx(2 / 5),
    }
    assert report["method"] == "rescore"
    assert replace(evaluation, headline="greedy").report()["wer"] == 1


def test_signers_are_counted_apart(evaluation: Evaluation) -> None:
    signers = evaluation.report()["by_signer"]
    assert {name: (each["wer"], each["sequences"]) for name, each in signers.items()} == {
        "ann": (0, 1),
        "bob": (pytest.approx(2 / 3), 2),
    }
    interval = replace(evaluation, over="signers").interval()
    assert (interval.over, interval.units) == ("signers", 2)
    assert interval.wer == pytest.approx((0, 0.8684), abs=1e-4)


def test_live_is_compared_with_whole_clips(evaluation: Evaluation) -> None:
    readings = {**evaluation.readings, "live": LIVE}
    live = replace(evaluation, readings=readings, headline="live")
    report = live.report()
    assert report["wer"] == pytest.approx(1 / 5)
    assert report["wer_live_minus_offline"] == pytest.approx(-1 / 5)
    assert report["agreement"] == pytest.approx(2 / 3)
    assert "WER -0.200; the same glosses in 66.7% of the sequences" in printed(live)


def test_calibrated_confidences_are_scaled_once(evaluation: Evaluation) -> None:
    scaled = replace(evaluation, scale=ConfidenceScale(slope=0.5))
    raw, calibrated = scaled.reliabilities().values()
    assert (raw.bins[9].glosses, calibrated.bins[7].glosses) == (5, 5)
    live = replace(scaled, readings={**scaled.readings, "live": LIVE}, headline="live")
    assert [each.bins[9].glosses for each in live.reliabilities().values()] == [4]
    assert list(replace(scaled, headline="greedy").reliabilities()) == ["raw"]


def test_json_has_no_nan_where_nothing_was_signed(evaluation: Evaluation) -> None:
    nothing = Evaluation("test", {"rescore": [reading("", "")]}, "rescore", ConfidenceScale())
    text = json.dumps(nothing.report(), allow_nan=False)
    assert json.loads(text)["wer"] is None
    assert json.loads(text)["accuracy"] == 1
    assert "WER nan" in printed(nothing)


def test_clips_say_what_was_signed_and_recognised(evaluation: Evaluation) -> None:
    assert evaluation.report()["clips"][1] == {
        "name": "ABA",
        "signer": "bob",
        "signed": ["A", "B"],
        "recognized": ["A"],
        "confidences": [0.9],
    }


def test_tables_show_the_worst_and_say_what_they_leave_out() -> None:
    letters = [chr(ord("a") + number) for number in range(26)]
    readings = [reading(letter, "") for letter in letters] + [reading("Z", "Z")]
    text = printed(Evaluation("val", {"rescore": readings}, "rescore", ConfidenceScale()))
    assert f"lowest F1 ({ROWS} of 26; --json has all)" in text
    assert "Z " not in text
    assert text.startswith("val: WER 0.963 (S 0, D 26, I 0), exact 0.037 of 27 sequences")


@pytest.mark.parametrize("width", [30, 80, 200])
def test_brackets_and_long_names_are_printed_whole_at_any_width(width: int) -> None:
    name = "[bold]MOTHER-IN-LAW-OF-A-FRIEND[/bold]"
    wrong = Reading("x", "[red]", (name,), (), ())
    text = printed(Evaluation("test", {"rescore": [wrong]}, "rescore", ConfidenceScale()), width)
    assert name in "".join(line[: len(name)].split(" ")[0] for line in text.splitlines())
    assert max(len(line) for line in text.splitlines() if "|" in line or "  " in line) <= width


def test_figures_are_written(evaluation: Evaluation, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    evaluation.write_figures(tmp_path / "figures")
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == [
        "confusions.png",
        "reliability.png",
    ]


def test_the_interval_holds_the_figure(evaluation: Evaluation) -> None:
    interval = evaluation.interval()
    assert interval.wer[0] <= 2 / 5 <= interval.wer[1]
    assert interval.units == 3
    assert not math.isnan(interval.accuracy[0])
