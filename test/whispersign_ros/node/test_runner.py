# SPDX-License-Identifier: MIT
"""Executables as processes: how they start, how they end, and what they say."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node

from whispersign_msgs.msg import HandFrame, Vocabulary
from whispersign_ros.node import qos
from whispersign_ros.node.runner import run, serve
from whispersign_ros.node.shutdown import Shutdown

pytestmark = pytest.mark.graph
SLOW = pytest.mark.slow  # starting them all takes half a minute; one node and the pipeline do not
EXECUTABLES = (
    "smoothing_node",
    "pipeline",
    pytest.param("replay_node", marks=SLOW),
    pytest.param("synthetic_node", marks=SLOW),
    pytest.param("preprocessing_node", marks=SLOW),
    pytest.param("recognition_node", marks=SLOW),
    pytest.param("command_node", marks=SLOW),
    pytest.param("annotation_node", marks=SLOW),
)


def _command(executable, *arguments):
    return [sys.executable, "-m", "whispersign_ros.nodes", executable, *arguments]


def _parameters(values):
    given = [
        ("-r" if name.startswith("__") else "-p", f"{name}:={value}")
        for name, value in values.items()
    ]
    return ["--ros-args", *(word for pair in given for word in pair)]


@pytest.fixture
def start(tmp_path):
    """Return a function that starts an executable; what still runs at the end is killed."""
    processes = []

    def start(executable, **values):
        log = (tmp_path / f"{len(processes)}.log").open("w+")
        process = subprocess.Popen(
            _command(executable, *_parameters(values)), stdout=log, stderr=subprocess.STDOUT
        )
        process.log = log
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()
        process.log.close()


def _said(process):
    process.log.seek(0)
    return process.log.read()


def test_help_tells_the_parameters():
    done = subprocess.run(_command("replay_node", "--help"), capture_output=True, text=True)
    assert done.returncode == 0
    assert "| parameter |" in done.stdout
    assert done.stderr == ""


def _fault(executable, *arguments, **environment):
    """Run an executable that cannot start; return the one line that it says."""
    done = subprocess.run(
        _command(executable, *arguments),
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,  # a node that starts all the same would run forever
    )
    assert done.returncode == 2
    lines = (done.stdout + done.stderr).strip().splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith(f"{executable}: error: ")
    return lines[0]


@pytest.mark.parametrize("executable", EXECUTABLES)
def test_unknown_parameters_are_refused(executable):
    line = _fault(executable, *_parameters({"sourcee": "replay"}))
    assert "parameter 'sourcee'" in line
    assert "is not known" in line


@pytest.mark.parametrize("domain", ["300", "-1", "abc", "0x1"])
def test_a_domain_that_does_not_exist_is_one_line(domain):
    line = _fault("smoothing_node", ROS_DOMAIN_ID=domain)
    assert f"ROS_DOMAIN_ID: '{domain}' is not a ROS domain id; give a whole number" in line


@pytest.mark.parametrize(
    "environment",
    [
        {"HOME": "/proc/nowhere"},
        {"ROS_HOME": "/proc/nowhere"},
        {"ROS_LOG_DIR": "/proc"},  # it exists, but no file can be made there
    ],
)
def test_a_log_folder_that_cannot_be_written_is_one_line(environment, monkeypatch):
    for name in ("ROS_HOME", "ROS_LOG_DIR"):
        monkeypatch.delenv(name, raising=False)
    line = _fault("smoothing_node", **environment)
    assert line.startswith("smoothing_node: error: ROS's log folder: ")
    assert line.endswith("; set ROS_LOG_DIR, ROS_HOME or HOME to a folder that can be written")


@pytest.mark.parametrize("debug", ["", "1"])
def test_an_unforeseen_error_is_one_line_with_the_files_in_use(
    monkeypatch, capsys, tmp_path, debug
):
    def create(end):
        raise KeyError("odd")

    words = ["node", "--ros-args", "-p", f"bag:={tmp_path}", "-r", "gloss:=/gloss"]
    monkeypatch.setattr(sys, "argv", words)
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)
    monkeypatch.setenv("WHISPERSIGN_DEBUG", debug)
    assert run("node", create, "", ()) == 2
    *traceback, line = capsys.readouterr().err.splitlines()
    assert line.startswith(
        f"node: error: {tmp_path}: unexpected error (KeyError: 'odd'); repeat wi"
    )
    assert bool(traceback) == bool(debug)


def test_a_missing_model_is_one_line(tmp_path):
    line = _fault("recognition_node", *_parameters({"model": tmp_path / "missing"}))
    assert f"{tmp_path}/missing: does not exist" in line


@pytest.mark.parametrize(
    ("executable", "name"),
    [
        ("command_node", "commands_file"),
        pytest.param("recognition_node", "model", marks=SLOW),
        pytest.param("replay_node", "bag", marks=SLOW),
        pytest.param("camera_node", "input", marks=SLOW),
        pytest.param("annotation_node", "out", marks=SLOW),
    ],
)
def test_a_path_that_is_too_long_is_one_line(executable, name):
    values = {name: "x" * 5000} | ({"glosses": "A"} if executable == "annotation_node" else {})
    line = _fault(executable, *_parameters(values))
    assert "name too long" in line


@pytest.mark.parametrize(
    ("executable", "name", "value", "says"),
    [
        ("replay_node", "wait_for", "[]", 'write [""] for an empty list'),
        (
            "smoothing_node",
            "qos_overrides./hands/raw.subscription.reliability",
            "bogus",
            "correct the parameter, name or qos_overrides",
        ),
        (
            "recognition_node",
            "qos_overrides./hands/features.subscription.reliability",
            "bogus",
            "correct what it names",
        ),
    ],
)
def test_what_ros_refuses_of_a_parameter_is_one_line(executable, name, value, says):
    command = _command(executable, "--ros-args", "-p", f"{name}:={value}")
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert says in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_missing_bag_is_one_line(tmp_path):
    line = _fault("replay_node", *_parameters({"bag": tmp_path / "missing"}))
    assert f"{tmp_path}/missing: does not exist" in line


def test_a_fault_of_a_later_node_ends_the_pipeline(tmp_path, model):
    values = {"model": model, "bag": tmp_path / "missing"}
    done = subprocess.run(
        _command("pipeline", *_parameters(values)), capture_output=True, text=True
    )
    assert done.returncode == 2
    assert f"{tmp_path}/missing: does not exist" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_misspelled_key_in_the_parameter_file_is_one_line(tmp_path, model):
    file = tmp_path / "parameters.yaml"
    file.write_text(
        f"/**/preprocessing_node:\n  ros__parameters:\n    model: {model}\n    idle_timout: 1.0\n"
    )
    line = _fault("preprocessing_node", "--ros-args", "--params-file", str(file))
    assert "'idle_timout'" in line
    assert "did you mean 'idle_timeout'?" in line


def test_a_misspelled_node_in_the_parameter_file_is_one_line(tmp_path):
    file = tmp_path / "parameters.yaml"
    file.write_text("/**/recogniton_node:\n  ros__parameters:\n    threads: 2\n")
    line = _fault("smoothing_node", "--ros-args", "--params-file", str(file))
    assert line.endswith(
        f"{file}: there is no node 'recogniton_node'; did you mean 'recognition_node'?"
    )


def test_a_fault_that_shows_later_ends_the_process_with_one_line(start, graph, tmp_path):
    file = tmp_path / "commands.yaml"
    publish = "publish: {topic: cmd_vel, type: geometry_msgs/msg/Twist}"
    file.write_text(f"stop:\n  gloss: STOP\n  {publish}\ncommands:\n  - gloss: GO\n    {publish}\n")
    process = start("command_node", commands_file=file)
    publisher = graph.probe.create_publisher(Vocabulary, "vocabulary", qos.VOCABULARY)
    publisher.publish(Vocabulary(glosses=["GO"], model_id="m"))
    graph.until(lambda: process.poll() is not None)
    assert process.returncode == 2
    last = _said(process).splitlines()[-1]
    assert last.startswith(f"command_node: error: {file}:2: ")
    assert "Traceback" not in _said(process)


def test_what_the_middleware_refuses_is_one_line(monkeypatch, capsys):
    def create(end):
        raise rclpy_implementation.RCLError("no security\nlibraries, at node.c:1")

    monkeypatch.setattr(sys, "argv", ["node"])
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)
    assert run("node", create, "", ()) == 2
    said = capsys.readouterr().err
    assert said.startswith("node: error: ROS: no security libraries, at node.c:1; check the env")
    assert said.count("\n") == 1


def test_an_enclave_without_keys_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv("ROS_SECURITY_KEYSTORE", str(tmp_path))
    monkeypatch.setenv("ROS_SECURITY_ENABLE", "true")
    monkeypatch.setenv("ROS_SECURITY_STRATEGY", "Enforce")
    assert "SECURITY ERROR" in _fault("smoothing_node", "--ros-args", "--enclave", "/none")


def test_faulty_arguments_are_one_line(tmp_path):
    file = tmp_path / "parameters.yaml"
    file.write_text("a: [1, 2\n")
    assert str(file) in _fault("smoothing_node", "--ros-args", "--params-file", str(file))
    assert "'surplus'" in _fault("smoothing_node", "surplus")
    assert "--log-levl" in _fault("smoothing_node", "--ros-args", "--log-levl", "info")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("executable", EXECUTABLES)
def test_a_signal_ends_a_working_node_with_0(
    graph, start, executable, number, model, bag, tmp_path
):
    values = {
        "replay_node": {"bag": bag, "loop": True, "wait_for": "[nobody]"},
        "synthetic_node": {"wait_for": "[nobody]"},
        "command_node": {"input_timeout": 5.0},
        "annotation_node": {"glosses": "HELLO", "out": tmp_path},
        "pipeline": {"bag": bag, "loop": True, "model": model},
    }
    # A namespace of its own: the node of an earlier test may be known to the graph for a while.
    own = {"__ns": f"/{executable}_{number.name}"}
    process = start(executable, **values.get(executable, {"model": model}), **own)
    graph.until(
        lambda: (
            (executable, own["__ns"]) in graph.probe.get_node_names_and_namespaces()
            or process.poll() is not None
        )
    )
    process.send_signal(number)
    process.send_signal(number)  # a terminal and a launch file may both send it
    assert process.wait() == 0, _said(process)
    assert "Traceback" not in _said(process)
    assert "error" not in _said(process).lower()


def test_a_signal_ends_a_playing_node_with_0(graph, start, bag):
    heard = graph.listen(HandFrame, "hands/raw")
    process = start("replay_node", bag=bag, loop=True, playback_speed=5.0)
    graph.until(lambda: len(heard) > 50)
    process.send_signal(signal.SIGINT)
    assert process.wait() == 0, _said(process)
    assert "Traceback" not in _said(process)


@pytest.mark.parametrize("debug", ["", "1"])
def test_a_callback_that_fails_is_told_once_and_the_node_goes_on(graph, capfd, monkeypatch, debug):
    monkeypatch.setenv("WHISPERSIGN_DEBUG", debug)
    heard = []

    def fail(message):
        heard.append(message.sequence)
        if message.sequence < 3:
            raise RuntimeError("nobody expected this")

    node = Node("weak")
    node.create_subscription(HandFrame, "hands/raw", fail, 10)
    shutdown = Shutdown("weak")
    thread = threading.Thread(target=serve, args=(node, shutdown))
    thread.start()
    publisher = graph.speak(HandFrame, "hands/raw", 10)
    for sequence in range(5):
        publisher.publish(HandFrame(sequence=sequence))
    graph.until(lambda: len(heard) == 5)
    shutdown.request("the test has ended")
    thread.join()
    node.destroy_node()
    said = capfd.readouterr().err
    assert said.count("a callback failed") == 1
    assert "unexpected error (RuntimeError: nobody expected this); repeat with WHISPER" in said
    assert ("Traceback" in said) == bool(debug)


@pytest.mark.parametrize(
    ("rule", "advice"),
    [
        ("glosses:=[HELLO,NO]", "write -p \"glosses:=['HELLO','NO']\""),
        ("glosses:=[A, 2]", "write -p \"glosses:=['A','2']\""),
        ("signer:=", "an empty value is written \"NAME:=''\""),
        ("glosses:={", "correct the argument or file"),
    ],
)
def test_arguments_that_ros_cannot_parse(monkeypatch, capfd, rule, advice):
    monkeypatch.setattr(sys, "argv", ["tested", "--ros-args", "-p", rule])
    assert run("tested", lambda end: [], "", ()) == 2
    (line,) = capfd.readouterr().err.strip().splitlines()
    assert line.endswith(f"; {advice}")
