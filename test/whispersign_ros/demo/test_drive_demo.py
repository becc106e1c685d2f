# SPDX-License-Identifier: MIT
"""Signs drive a robot through the real graph, and it is told whether they did."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from whispersign_model.cli.main import main
from whispersign_model.errors import WhisperSignError
from whispersign_model.recordings.bags.bag import write_bag
from whispersign_model.synthesis.signer import Signer
from whispersign_ros.commands.commands_file import read_commands
from whispersign_ros.demo.drive_demo import DriveMonitor, Leg, _base, _report
from whispersign_ros.demo.expected_commands import Event
from whispersign_ros.graph.child_processes import Children
from whispersign_ros.graph.monitor import GraphMonitor
from whispersign_ros.node.assets import DEMO_BAG
from whispersign_ros.nodes.robot_node import RobotNode

COMMANDS = """\
stop: {gloss: STOP, publish: {topic: base/drive, type: geometry_msgs/msg/TwistStamped}}
commands:
  - gloss: GO
    mode: hold
    publish:
      topic: base/drive
      type: geometry_msgs/msg/TwistStamped
      message: {twist: {linear: {x: 0.2}}}
  - gloss: LEFT
    mode: hold
    publish:
      topic: base/drive
      type: geometry_msgs/msg/TwistStamped
      message: {twist: {angular: {z: 0.5}}}
"""


def _demo(*arguments):
    command = [sys.executable, "-m", "whispersign_model.cli.main", "demo", "--drive"]
    return subprocess.run([*command, *map(str, arguments)], capture_output=True, text=True)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(COMMANDS)
    return path


@pytest.mark.graph
@pytest.mark.slow
def test_a_made_up_person_drives_by_the_bundled_commands(tmp_path):
    pytest.importorskip("matplotlib")
    done = _demo(
        *("--sign", "HELLO,GO,LEFT,STOP", "--picture", tmp_path / "way.svg"),
        *("--json", tmp_path / "out.json"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "expected:  GO LEFT STOP\ncommanded: GO LEFT STOP\n" in done.stdout
    assert done.stdout.endswith("the robot did what was signed\n")
    assert "<!-- LEFT, STOP -->" in (tmp_path / "way.svg").read_text()
    out = json.loads((tmp_path / "out.json").read_text())
    assert (out["signed"], out["right"]) == (["HELLO", "GO", "LEFT", "STOP"], True)
    ahead, left, stop = out["legs"]
    assert ahead["distance_m"] > 0.05
    assert left["turn_degrees"] > 5
    assert stop["distance_m"] < ahead["distance_m"]


@pytest.mark.graph
@pytest.mark.slow
def test_recordings_drive_a_stamped_base_by_other_commands_and_a_wrong_label_gives_1(
    tmp_path, file
):
    """The label says LEFT where GO is signed."""
    recording = Signer(86).sign_sentence(["GO"])
    wrong = replace(recording.segments[0], glosses=("LEFT",))
    write_bag(tmp_path / "1", replace(recording, segments=(wrong,)))
    write_bag(tmp_path / "2", Signer(86).sign_sentence(["STOP"]))
    done = _demo("--bag", tmp_path / "1", tmp_path / "2", "--commands", file)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "expected:  LEFT STOP\ncommanded: GO STOP\n" in done.stdout
    assert "m ahead" in done.stdout
    assert "did NOT do what was signed" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--sign", "HELLO,SING"), "SING"),
        (("--commands", "FILE", "--model", "MODEL"), "mine.yaml:9: .*gloss 'LEFT' is not in"),
        (("--commands", "NONE"), "does not exist|No such file|cannot be read"),
        (("--bag", DEMO_BAG, "--sign", "GO"), "--sign: applies only to the synthetic signer"),
    ],
)
def test_what_is_at_fault_is_one_line_and_2(arguments, says, file, model, tmp_path, capsys):
    names = {"FILE": file, "MODEL": model, "NONE": tmp_path / "none.yaml"}
    file.write_text(COMMANDS.replace("STOP", "NO").replace("GO", "YES"))
    words = [str(names.get(word, word)) for word in arguments]
    assert main(["demo", "--drive", *words]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert re.search(says, line)


def test_commands_that_drive_nothing_or_two_robots_are_refused(file):
    text = COMMANDS.replace("geometry_msgs/msg/TwistStamped", "std_msgs/msg/String")
    file.write_text(re.sub(r"message: .*", "message: {data: a}", text))
    with pytest.raises(WhisperSignError, match=r"mine.yaml: drives no robot"):
        _base(read_commands(file), file)
    text = COMMANDS.replace("stop: {gloss: STOP, publish: {", "stop: {gloss: STOP, publish: [{")
    twin = "{topic: other, type: geometry_msgs/msg/Twist}"
    file.write_text(text.replace("Stamped}}", f"Stamped}}, {twin}]}}", 1))
    with pytest.raises(
        WhisperSignError, match=r"mine.yaml: drives several robots \(base/drive, oth"
    ):
        _base(read_commands(file), file)


def test_options_of_driving_need_it(capsys):
    assert main(["demo", "--picture", "a.png"]) == 2
    assert "--picture: requires --drive" in capsys.readouterr().err


@pytest.fixture
def driven(graph):
    monitor = graph.add(GraphMonitor(Children()))
    return DriveMonitor(monitor, graph.start(RobotNode).robot)


def _state(**values):
    pairs = {"armed": "true", "active": "", "last_gloss": "", "last_command": ""}
    pairs |= {"ignored": "", "stopped": "", **values}
    return DiagnosticStatus(values=[KeyValue(key=k, value=v) for k, v in pairs.items()])


def test_a_stop_by_silence_counts_while_signs_are_played_and_not_after(driven):
    driven._on_command_state(_state())
    driven._on_command_state(_state(active="GO", last_command="GO"))
    driven._on_command_state(_state(last_command="GO", stopped="x is silent"))
    assert [str(leg.event) for leg in driven.legs()] == ["GO", "(x is silent)"]
    driven._on_command_state(_state(active="GO", last_command="GO", stopped="x is silent"))
    driven._monitor.source_ended = True
    driven._on_command_state(_state(last_command="GO", stopped="y is silent"))
    assert [str(leg.event) for leg in driven.legs()] == ["GO", "(x is silent)", "GO"]


@pytest.mark.parametrize(
    ("legs", "wanted", "right"),
    [
        ([("GO", 0.3, 0.0), ("LEFT", 0.0, 0.5)], ["GO", "LEFT"], True),
        ([("GO", 0.3, 0.0)], ["GO", "LEFT"], False),
        ([("GO", 0.3, 0.0), ("LEFT", 0.0, 0.5)], ["LEFT", "GO"], False),
        ([("GO", -0.3, 0.0)], ["GO"], False),
        ([("GO", 0.001, 0.0)], ["GO"], False),
        ([("LEFT", 0.0, -0.5)], ["LEFT"], False),
        ([("LEFT", 0.0, 0.001)], ["LEFT"], False),
    ],
)
def test_it_is_right_where_all_was_done_in_order_and_as_commanded(
    driven, file, legs, wanted, right, capsys
):
    done = [Leg(Event(name, True), 0.0, distance, turn) for name, distance, turn in legs]
    commands = read_commands(file).commands
    assert _report([Event(name, True) for name in wanted], done, driven.robot, commands) is right
    assert capsys.readouterr().out.startswith(f"expected:  {' '.join(wanted)}\n")


def test_a_robot_that_nobody_stopped_is_not_right(driven, file):
    commands = read_commands(file).commands
    leg = Leg(Event("GO", True), 0.0, 0.3, 0.0)
    driven.robot.command(0.2, 0.0, 1.0)
    assert _report([leg.event], [leg], driven.robot, commands) is False


def test_a_leg_in_words():
    assert str(Leg(Event("GO", True), 0.0, 0.5, 0.0)) == "0.50 m ahead"
    both = Leg(Event("BACK", True), 0.0, -0.5, math.radians(-30))
    assert str(both) == "0.50 m backwards, 30 degrees to the right"
    assert str(Leg(Event("STOP", False), 0.0, 0.0, 0.0)) == "stands"
