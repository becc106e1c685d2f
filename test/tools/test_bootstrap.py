# SPDX-License-Identifier: MIT
"""The set-up: what it does when, over which ROS, and what it says when it cannot."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture(scope="module")
def tools():
    """Import the set-up's modules, which are scripts in a folder of their own."""
    names = ("bootstrap", "commands", "machine")
    sys.path.insert(0, str(TOOLS))
    try:
        yield {name: __import__(name) for name in names}
    finally:
        sys.path.remove(str(TOOLS))
        for name in names:
            sys.modules.pop(name)


def copy_tree(root: Path) -> None:
    """Copy what the set-up reads, but for the launch files."""
    for name in ("requirements", "tools", "whispersign_msgs"):
        shutil.copytree(
            TOOLS.parent / name, root / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    (root / "whispersign_model").mkdir()
    for name in ("setup.cfg", "setup.py", "pyproject.toml", "whispersign_model/__init__.py"):
        shutil.copy(TOOLS.parent / name, root / name)


@pytest.fixture
def bootstrap(tools, tmp_path, monkeypatch):
    """Return the set-up, in a copy of the tree whose stages only write down that they ran."""
    module = tools["bootstrap"]
    copy_tree(tmp_path)
    venv = tmp_path / ".venv"
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "VENV", venv)
    monkeypatch.setattr(module, "STAMP", venv / "setup.json")
    monkeypatch.setattr(module, "REQUIREMENTS", tmp_path / "requirements")
    monkeypatch.delenv("AMENT_PREFIX_PATH", raising=False)
    monkeypatch.setattr(module, "check_machine", lambda ros: None)
    module.ran = ran = []

    def make_environment(over_system):
        shutil.rmtree(venv, ignore_errors=True)
        venv.mkdir()
        ran.append("environment")

    def install_requirements(ros, extras):
        ran.append(f"requirements {' '.join(sorted(extras))}")

    monkeypatch.setattr(module, "make_environment", make_environment)
    monkeypatch.setattr(module, "install_requirements", install_requirements)
    monkeypatch.setattr(module, "build_messages", lambda ros: ran.append("messages"))
    monkeypatch.setattr(module, "install_packages", lambda ros: ran.append("packages"))
    return module


ALL = ["environment", "requirements train", "messages", "packages"]


def run_again(bootstrap, extras=("train",)):
    bootstrap.ran.clear()
    bootstrap.set_up(set(extras))
    return list(bootstrap.ran)


def test_a_first_run_does_everything_and_a_second_nothing(bootstrap):
    assert run_again(bootstrap) == ALL
    assert run_again(bootstrap) == []


@pytest.mark.parametrize(
    ("stage", "left"),
    [
        ("make_environment", ALL),
        ("install_requirements", ALL),
        ("build_messages", ["messages", "packages"]),
        ("install_packages", ["packages"]),
    ],
)
def test_an_interrupted_run_is_finished_by_the_next(bootstrap, monkeypatch, stage, left):
    def interrupt(*_, **__):
        bootstrap.VENV.mkdir(exist_ok=True)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(bootstrap, stage, interrupt)
        with pytest.raises(KeyboardInterrupt):
            bootstrap.set_up({"train"})
    assert run_again(bootstrap) == left
    assert run_again(bootstrap) == []


def test_an_interrupted_upgrade_begins_anew(bootstrap, monkeypatch):
    """A package may have been replaced by half."""
    bootstrap.set_up({"train"})
    with monkeypatch.context() as patch:
        patch.setattr(bootstrap, "install_requirements", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            bootstrap.set_up({"dev"})
    assert run_again(bootstrap) == ALL


@pytest.mark.parametrize(
    ("file", "left"),
    [
        ("requirements/lock.txt", ["requirements train", "messages"]),
        ("setup.cfg", ["packages"]),
        ("whispersign_msgs/msg/Gloss.msg", ["messages"]),
        ("whispersign_msgs/CMakeLists.txt", ["messages"]),
        ("setup.py", ["packages"]),
    ],
)
def test_a_changed_file_brings_back_the_stages_made_from_it(bootstrap, file, left):
    bootstrap.set_up({"train"})
    with (bootstrap.ROOT / file).open("a") as handle:
        handle.write("# changed\n")
    assert run_again(bootstrap) == left


def test_a_new_dependency_is_installed(bootstrap):
    bootstrap.set_up({"train"})
    file = bootstrap.ROOT / "setup.cfg"
    file.write_text(file.read_text().replace("numpy >=", "attrs\n    numpy >="))
    assert run_again(bootstrap) == ["requirements train", "packages"]


def test_a_new_launch_file_is_put_where_ros_looks(bootstrap):
    bootstrap.set_up({"train"})
    (bootstrap.ROOT / "launch").mkdir()
    (bootstrap.ROOT / "launch" / "new.launch.py").touch()
    assert run_again(bootstrap) == ["packages"]


def test_more_extras_add_to_those_there_and_fewer_change_nothing(bootstrap):
    bootstrap.set_up({"train"})
    assert run_again(bootstrap, ["dev"]) == ["requirements dev train"]
    assert run_again(bootstrap, ["train"]) == []


def test_another_ros_begins_anew(bootstrap, monkeypatch):
    bootstrap.set_up({"train"})
    monkeypatch.setattr(bootstrap, "sourced_ros", lambda *_: "jazzy")
    assert run_again(bootstrap) == ALL


def test_a_damaged_stamp_begins_anew(bootstrap):
    bootstrap.set_up({"train"})
    bootstrap.STAMP.write_text('{"environment": ')
    assert run_again(bootstrap) == ALL


def test_a_full_disk_is_told_before_anything_is_made(tools, tmp_path):
    with pytest.raises(tools["machine"].SetupError, match="make room"):
        tools["machine"].check_room(tmp_path, 10**18)


@pytest.mark.parametrize("version", [(3, 9), (3, 15), (4, 0)])
def test_an_unsupported_python_is_refused(tools, version):
    with pytest.raises(tools["machine"].SetupError, match=r"install Python 3\.10 to 3\.14"):
        tools["machine"].check_python(version)


@pytest.mark.parametrize("version", [(3, 10), (3, 14)])
def test_a_supported_python_is_accepted(tools, version):
    tools["machine"].check_python(version)


def test_a_missing_compiler_is_one_line(tmp_path):
    """The real script, on a machine whose search path holds nothing."""
    copy_tree(tmp_path)
    answer = subprocess.run(
        [os.path.realpath(sys.executable), tmp_path / "tools/bootstrap.py"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 2
    assert answer.stderr == "set-up: error: g++, make missing; install: sudo apt install g++ make\n"
    assert not (tmp_path / ".venv").exists()


def test_missing_python_modules_name_their_packages(tools, monkeypatch):
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    version = f"python3.{sys.version_info[1]}"
    assert f"{version}-venv" in tools["machine"].missing_debian_packages("")


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ("OSError: [Errno 28] No space left on device", "the disk is full"),
        ("NewConnectionError('<...>: [Errno 111] Connection refused')", "cannot be reached"),
        ("ERROR: No matching distribution found for numpy==9.9", "has no numpy==9.9"),
        ("The user requested (constraint) numpy==9.9", "has no numpy==9.9"),
        ("fatal error: Python.h: No such file or directory", "sudo apt install python3-dev"),
        ("one\nERROR: something new\nthree", "ERROR: something new"),
    ],
)
def test_a_failed_command_is_explained_in_one_line(tools, output, told):
    line = tools["commands"].explain(output, ["pip", "install"])
    assert told in line
    assert "\n" not in line


def test_a_failing_command_says_where_its_log_is(tools, tmp_path):
    log = tmp_path / "log"
    with pytest.raises(tools["machine"].SetupError, match=re.escape(str(log))):
        tools["commands"].run(
            [sys.executable, "-c", "raise SystemExit('error: no')"], log, tmp_path
        )
    assert "error: no" in log.read_text()


def test_a_sourced_ros_is_one_that_has_rclpy_and_is_not_ours(tools, tmp_path):
    sourced_ros = tools["machine"].sourced_ros
    ours, theirs, tools_only = tmp_path / "ours", tmp_path / "theirs", tmp_path / "tools_only"
    tools_only.mkdir()
    for prefix in (ours, theirs):
        (prefix / "share/ament_index/resource_index/packages").mkdir(parents=True)
        (prefix / "share/ament_index/resource_index/packages/rclpy").touch()

    def name(*prefixes):
        path = os.pathsep.join(map(str, prefixes))
        return sourced_ros({"AMENT_PREFIX_PATH": path, "ROS_DISTRO": "jazzy"}, ours)

    assert name() == ""
    assert name(ours, tools_only) == ""
    assert name(ours, theirs) == "jazzy"


def test_over_a_sourced_ros_its_numpy_stays(tools):
    import numpy

    lock = "absl-py==2.5.1\nnumpy==0.0.1 ; python_version < '3.11'\nscipy==0.0.1\n"
    constraints = tools["bootstrap"].constraints_over_ros(lock).splitlines()
    assert "absl-py==2.5.1" in constraints
    assert f"numpy~={numpy.__version__}" in constraints
    assert not any("0.0.1" in line for line in constraints)


def test_include_paths_of_the_build_host_are_rewritten(tools, tmp_path, monkeypatch):
    module = tools["bootstrap"]
    export = tmp_path / "share/a/cmake/aExport.cmake"
    export.parent.mkdir(parents=True)
    export.write_text(
        'INCLUDES "/opt/python/cp311-cp311/lib/python3.11/site-packages/numpy/_core/include;'
        '/opt/python/cp311-cp311/include/python3.11;/usr/include"'
    )
    monkeypatch.setattr(module, "VENV", tmp_path)
    monkeypatch.setattr(module, "run", lambda *_: "/usr/include/python3.12 /venv/numpy/include\n")
    module.mend_exports()
    assert export.read_text() == (
        'INCLUDES "/venv/numpy/include;/usr/include/python3.12;/usr/include"'
    )


def test_two_set_ups_at_once_take_turns(bootstrap):
    bootstrap.VENV.mkdir()
    code = (
        f"import sys; sys.path.insert(0, {str(TOOLS)!r}); import bootstrap, pathlib\n"
        f"bootstrap.ROOT = pathlib.Path({str(bootstrap.ROOT)!r})\n"
        "with bootstrap.only_one_at_a_time(): print('in', flush=True)"
    )
    with bootstrap.only_one_at_a_time():
        other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        time.sleep(0.5)
        assert other.poll() is None
    assert other.communicate()[0] == "in\n"


def test_set_up_knows_the_extras_of_the_distribution_and_of_the_makefile(tools):
    options = configparser.ConfigParser()
    options.read(TOOLS.parent / "setup.cfg")
    known = set(tools["bootstrap"].EXTRAS)
    assert known == set(options["options.extras_require"])
    asked = re.findall(r"\$\(call set-up,([\w ]+)\)", (TOOLS.parent / "Makefile").read_text())
    assert asked
    assert {extra for words in asked for extra in words.split()} <= known
