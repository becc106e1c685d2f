# SPDX-License-Identifier: MIT
"""The demonstration: the real graph as processes, and its exit codes."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from whispersign_model.bundled import takes
from whispersign_model.cli.main import main
from whispersign_model.datasets.archive import read_archive
from whispersign_model.decoding.streaming import StreamingRecognizer, recognize_recording
from whispersign_model.features.preprocessor import Preprocessor
from whispersign_model.network.checkpoint import read_metadata
from whispersign_model.recordings.bags.bag import write_bag
from whispersign_model.recordings.recording import Segment
from whispersign_model.runtime.loading import load_backend
from whispersign_ros.demo.graph_demo import _compare
from whispersign_ros.node.assets import DEMO_BAG
from whispersign_ros.node.discovery import free_domain

pytestmark = pytest.mark.graph


def _command(*arguments):
    return [sys.executable, "-m", "whispersign_model.cli.main", "demo", *map(str, arguments)]


def _demo(*arguments):
    return subprocess.run(_command(*arguments), capture_output=True, text=True)


@pytest.fixture(scope="module")
def recognised(model, recipe, recording):
    """Return what the random network sees in the sentence, as segments."""
    recognizer = StreamingRecognizer(
        load_backend(model, "cpu"), read_metadata(model).glosses, recipe=read_metadata(model).recipe
    )
    results = recognize_recording(recognizer, Preprocessor(recipe), recording)
    return tuple(
        Segment((gloss.gloss,), gloss.start, gloss.end)
        for result in results
        if result.final
        for gloss in result.glosses
    )


def test_right_glosses_give_0_and_are_shown_with_their_times(
    tmp_path, recording, recognised, model
):
    write_bag(tmp_path / "bag", replace(recording, segments=recognised))
    domain = free_domain()
    done = _demo("--model", model, "--bag", tmp_path / "bag", "--verbose", "--domain-id", domain)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[recognition_node]: recognizing" in done.stderr
    rows = re.findall(r"^ *([\d.]+) s +([\d.]+) s +(\w+) +[\d.]+$", done.stdout, re.MULTILINE)
    origin = int(recording.stamps[0])
    for (start, end, gloss), segment in zip(rows, recognised):
        assert gloss == segment.glosses[0]
        assert float(start) == pytest.approx((segment.start - origin) / 1e9, abs=0.006)
        assert float(end) == pytest.approx((segment.end - origin) / 1e9, abs=0.006)
    names = " ".join(segment.glosses[0] for segment in recognised)
    assert f"expected:   {names}\nrecognized: {names}\n" in done.stdout
    assert "the gloss sequence is right" in done.stdout


def test_wrong_glosses_give_1(capsys):
    assert _compare(["HELLO", "HOME"], ["HOME"]) == 1
    said = capsys.readouterr().out
    assert said == "expected:   HELLO HOME\nrecognized: HOME\nthe gloss sequence is WRONG\n"


def test_what_is_missing_is_one_line_and_2(tmp_path, bag, model, recording, capsys):
    write_bag(tmp_path / "unlabelled", replace(recording, segments=()))
    for arguments, text in (
        (("--model", tmp_path / "none", "--bag", bag), "none: does not exist"),
        (("--model", "none"), "none: does not exist; give a folder with model.safetensors, or "),
        (("--bag", "none"), "none: does not exist"),
        (("--json", bag / "metadata.yaml/out.json"), "metadata.yaml: cannot be written"),
        (("--drive", "--picture", tmp_path), f"{tmp_path}: is a folder"),
        (("--drive", "--picture", tmp_path / "x.xyz"), "x.xyz: is not a name of a picture"),
        (("--drive", "--picture", bag / "metadata.yaml/x.png"), "metadata.yaml: cannot be written"),
        (("--model", "german", "--bag", DEMO_BAG), "demo_bag: coordinates are metric_sensor"),
        (("--model", "thai", "--bag", DEMO_BAG), "demo_bag: has no sign that thai@"),
        (("--takes", "3"), "--takes: applies only to bundled takes; choose `--model german` or "),
        (
            ("--takes", "3", "--model", "german", "--drive"),
            "--takes: applies only to bundled takes",
        ),
        (("--takes", "3", "--model", "german", "--bag", bag), "--takes: applies only to bundled"),
        (("--model", model, "--bag", tmp_path / "none"), "none: does not exist"),
        (("--model", model, "--bag", tmp_path / "unlabelled"), "has no labels"),
    ):
        assert main(["demo", *map(str, arguments)]) == 2
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert text in line


@pytest.mark.parametrize("more", [(), ("--drive",)])
def test_a_domain_that_does_not_exist_is_one_line(capsys, more):
    assert main(["demo", "--domain-id", "400", *more]) == 2
    said = capsys.readouterr().err
    assert said.startswith("whispersign: error: --domain-id: '400' is not a ROS domain id; give a ")
    assert said.count("\n") == 1


def _children(parent):
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent and fields[0] != "Z":
            found.append(int(path.parent.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux' /proc")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 130), (signal.SIGINT, 130), (signal.SIGKILL, -9)]
)
def test_no_child_outlives_it(bag, model, number, code):
    demo = subprocess.Popen(
        _command("--model", model, "--bag", bag), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    while len(children := _children(demo.pid)) < 4:
        assert demo.poll() is None
        time.sleep(0.05)
    demo.send_signal(number)
    _, errors = demo.communicate()
    assert demo.returncode == code
    assert b"Traceback" not in errors
    while any(Path(f"/proc/{child}").exists() for child in children):
        time.sleep(0.05)


@pytest.mark.slow
def test_the_bundled_recording_is_recognised():
    done = _demo()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the gloss sequence is right" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", ["german", "thai"])
def test_bundled_takes_are_played_to_their_network(name, tmp_path):
    done = _demo("--model", name, "--takes", "4", "--json", tmp_path / "out.json")
    assert done.returncode in (0, 1), done.stdout + done.stderr
    clips = json.loads((tmp_path / "out.json").read_text())
    recordings = read_archive(takes(name))[:4]
    assert [clip["name"] for clip in clips] == [recording.name for recording in recordings]
    assert [tuple(clip["signed"]) for clip in clips] == [each.glosses for each in recordings]
    right = sum(clip["signed"] == clip["recognized"] for clip in clips)
    assert right >= 2
    assert done.stdout.splitlines()[-1].startswith(f"right: {right} of 4 recordings")
    assert done.returncode == (right < 4)
