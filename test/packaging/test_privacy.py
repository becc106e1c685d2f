# SPDX-License-Identifier: MIT
"""No entry looks up a name, sends anything, or leaves files that the user has not asked for."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from whispersign_model.bundled import ASSETS
from whispersign_model.cli.main import VERBS as GROUP
from whispersign_model.cli.main import main
from whispersign_model.sensors.detector import CACHES
from whispersign_ros.node.entry_points import NODES

ROOT = Path(__file__).resolve().parents[2]
RECORDER = Path(__file__).with_name("recorder.py")
# Neither the variables that set up the tests, nor those of a build server, where some libraries
# send nothing anyway.
KEPT = ("AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH", "LD_LIBRARY_PATH", "PATH", "RMW_IMPLEMENTATION")
KEPT += ("ROS_DISTRO", "ROS_PYTHON_VERSION", "ROS_VERSION", "OMP_NUM_THREADS")
LEFT = (".cache/matplotlib", ".config/matplotlib", ".ros/log")  # in the home; the page names them
TEMPORARY = "torchinductor_"  # an empty folder that PyTorch leaves
OWN_NAMES = {socket.gethostname(), "1.0.0.127.in-addr.arpa"}
BOUND = 400.0  # seconds: only how long a failing test waits
RUNS = 4.0  # seconds that a node runs after its start
DEMO = str(ASSETS / "demo_model")
RECIPE = """
size: tiny
batch_size: 8
workers: 0
averaging: 0.9
stages: [{name: joint, epochs: 1, learning_rate: 1.0e-3, alpha: 0.5}]
"""
PROTOCOL = "{title: Mine, archive: signs.npz, folds: {signers: 2}, val_every: 5}"
RECOGNITION = f"""
from pathlib import Path
from whispersign_model.runtime.onnx_backend import OnnxBackend
OnnxBackend(Path({DEMO!r}, "model.onnx"), "cpu")
"""
DETECTION = """
import numpy
from whispersign_model.sensors.detector import HandDetector
detector = HandDetector()
detector.detect(numpy.zeros((48, 64, 3), numpy.uint8), 0)
detector.close()
"""
LIBRARY = f"""
from pathlib import Path
import torch
from whispersign_model.network.model import WhisperSignModel
model, _ = WhisperSignModel.load_checkpoint(Path({DEMO!r}))
model.decode(torch.zeros(1, 40, 42, 7), torch.tensor([40]))
"""
TALKATIVE = """
import socket
from contextlib import suppress
with suppress(OSError):
    socket.getaddrinfo("example.org", 80)
for address in ("198.51.100.7", "239.255.0.1"):
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"", (address, 9))
with suppress(OSError):
    socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(b"", ("2001:db8:7::1", 9))
with suppress(OSError):
    socket.create_connection(("198.51.100.8", 443), timeout=0.1)
"""


class Machine:
    """A machine of its own with an empty home, on which one command runs at a time."""

    def __init__(self, folder):
        self.home, self.work, self.temporary, self.out = (
            folder / name for name in ("home", "work", "temporary", "out")
        )
        for path in (self.home, self.work, self.temporary, self.out):
            path.mkdir()

    def run(self, *command, interrupted=False):
        """Run a command, a node only until it has run for a while, and return the report."""
        environment = {name: os.environ[name] for name in KEPT if name in os.environ}
        environment |= {"HOME": str(self.home), "TMPDIR": str(self.temporary)}
        paths = filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))
        environment |= {"PYTHONPATH": os.pathsep.join(paths), "LANG": "C.UTF-8"}
        user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        process = subprocess.Popen(
            ["unshare", "--net", "--mount", *user, sys.executable, RECORDER, self.out, *command],
            cwd=self.work,
            env=environment,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            if interrupted:
                self.wait_for_start(process)
                os.killpg(process.pid, signal.SIGINT)
            output, _ = process.communicate(timeout=BOUND)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
        report = self.out / "report.json"
        if not report.exists():
            pytest.skip(f"network namespaces are not permitted here: {output.strip()}")
        return process.returncode, output, json.loads(report.read_text())

    def wait_for_start(self, process):
        """Wait until a node has begun its log, and a while longer."""
        end = time.monotonic() + BOUND
        while time.monotonic() < end and process.poll() is None:
            if any(self.home.glob(".ros/log/*")):
                time.sleep(RUNS)
                return
            time.sleep(0.1)

    def check(self, *command, codes=(0,), **options):
        """Run a command, and require that it sends nothing and leaves only what the page names."""
        code, output, report = self.run(*command, **options)
        assert code in codes, output
        assert (set(report["names"]) - OWN_NAMES, report["packets"]) == (set(), []), output
        left = {path.relative_to(self.home) for path in self.home.rglob("*") if path.is_file()}
        assert {path for path in left if not str(path).startswith(LEFT)} == set()
        assert list(self.work.iterdir()) == []
        files = [path.name for path in self.temporary.rglob("*")]
        assert [name for name in files if not name.startswith(TEMPORARY)] == []
        return left


@pytest.fixture
def machine(tmp_path):
    for tool in ("ip", "unshare"):
        if shutil.which(tool) is None:
            pytest.skip(f"'{tool}' is missing")
    return Machine(tmp_path)


@pytest.fixture
def python(machine):
    """Return a function that checks a program in Python."""
    return lambda program: machine.check(sys.executable, "-c", program)


def _require_detector():
    pytest.importorskip("mediapipe")
    if not Path(CACHES[0]).is_file():
        pytest.skip("no detector model: run tools/hand_landmarker.py")


def test_the_recorder_hears_names_and_packets(machine):
    code, output, report = machine.run(sys.executable, "-c", TALKATIVE)
    assert code == 0, output
    assert report["names"] == ["example.org"]
    sent = {"tcp 198.51.100.8", "udp 198.51.100.7", "udp 239.255.0.1"}
    assert set(report["packets"]) - {"udp 2001:db8:7::1"} == sent  # IPv6 may be turned off


def test_recognition_is_private(python):
    assert python(RECOGNITION) == set()


def test_detection_is_private(python):
    _require_detector()
    python(DETECTION)


@pytest.mark.slow
def test_the_python_api_is_private(python):
    python(LIBRARY)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Return the paths of small inputs by name."""
    folder = tmp_path_factory.mktemp("inputs")
    paths = {
        name: folder / name for name in ("bags", "data", "recipe", "protocol", "film.mp4", "filmed")
    }
    sign = ["synthesize", "--glosses", "HELLO"]
    assert main([*sign, "--out", str(paths["bags"]), "--signers", "3", "--takes", "2"]) == 0
    film = ["--video", str(paths["film.mp4"]), "--size", "160x120", "--fps", "10"]
    assert main([*sign, "--out", str(paths["filmed"]), *film]) == 0
    assert main(["convert", str(paths["bags"]), "--out", str(paths["data"])]) == 0
    for name, text in (("recipe", RECIPE), ("protocol", PROTOCOL)):
        paths[name] = folder / f"{name}.yaml"
        paths[name].write_text(text)
    return {name.partition(".")[0]: str(path) for name, path in paths.items()}


COMMANDS = {
    "augment": "--out {out}/page.png",
    "bench": "--only parameters --json {out}/bench.json",
    "convert": "{bags} --out {out}/data --report {out}/page.html",
    "crossval": "{protocol} --archives {archives} --out {out}/folds --config {recipe} --quiet",
    "demo": "--drive --sign HELLO,GO,STOP --picture {out}/drive.png",
    "evaluate": "{demo} --data {data} --streaming --figures {out}/figures",
    "export": "{demo} --out {out}/model.onnx",
    "extract": "{film} --out {out}/bag",
    "import": "{archives}/signs.npz --dataset {out}/data",
    "recognize": "{demo} {film}",
    "record": "HELLO --source synthetic --takes 1 --countdown 0.1 --rest 0.1 --out {out}/takes",
    "synthesize": "--out {out}/bag --glosses HELLO --video {out}/film.mp4 --size 160x120",
    "train": "--data {data} --out {out}/run --config {recipe} --device cpu --devices 2",
    "view": "{film} --out {out}/film.mp4",
}
CAMERAS = ("extract", "recognize", "view", "camera_node", "pipeline")  # as given here
GRAPHS = ("demo", "record")


@pytest.mark.slow
@pytest.mark.parametrize(
    "verb", [pytest.param(verb, marks=[pytest.mark.graph] * (verb in GRAPHS)) for verb in COMMANDS]
)
def test_a_verb_is_private(machine, inputs, tmp_path, write_archive, verb):
    if verb in CAMERAS:
        _require_detector()
    archives = tmp_path / "archives"
    archives.mkdir()
    write_archive(archives / "signs.npz", list("AB" * 12), ["ada", "bo", "cy", "di"] * 6)
    command = COMMANDS[verb].format(out=machine.out, archives=archives, demo=DEMO, **inputs)
    # A network that did not learn makes mistakes, which is not the question here.
    machine.check(
        *(sys.executable, "-m", "whispersign_model.cli.main", verb), *command.split(), codes=(0, 1)
    )


PARAMETERS = {
    "annotation_node": "-p glosses:=HELLO -p keys:=false -p out:={out}/takes",
    "camera_node": "-p input:={film} -p every_frame:=true -p wait_timeout:=0.0",
    "pipeline": "-p source:=camera -p input:={film} -p every_frame:=true",
    "replay_node": "-p bag:=[{bags}] -p wait_timeout:=0.0",
}


@pytest.mark.slow
@pytest.mark.graph
@pytest.mark.parametrize("node", NODES)
def test_an_executable_is_private(machine, inputs, node):
    if node in CAMERAS:
        _require_detector()
    parameters = PARAMETERS.get(node, "").format(out=machine.out, **inputs)
    left = machine.check(
        *(sys.executable, "-m", "whispersign_ros.nodes", node, "--ros-args"),
        *parameters.split(),
        interrupted=node not in CAMERAS,
    )
    assert any(str(path).startswith(".ros/log/") for path in left)


def test_every_verb_is_tried():
    assert sorted(COMMANDS) == sorted(entry_points(group=GROUP).names)


def test_the_page_names_what_is_left():
    page = (ROOT / "docs" / "explanation" / "security.md").read_text()
    assert [name for name in (*LEFT, TEMPORARY) if name not in page] == []
