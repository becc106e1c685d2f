# SPDX-License-Identifier: MIT
import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tools" / "hand_landmarker.py"
sys.path.insert(0, str(SCRIPT.parent))
import hand_landmarker  # noqa: E402

NETWORKS = {"hand_detector.tflite": b"palm" * 1000, "hand_landmarks_detector.tflite": b"hand" * 99}


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel with small files in the networks' places, and the script expecting them."""
    members = {
        name: (path, hashlib.sha256(NETWORKS[name]).hexdigest())
        for name, (path, _) in hand_landmarker.MEMBERS.items()
    }
    monkeypatch.setattr(hand_landmarker, "MEMBERS", members)
    made = tmp_path / "mediapipe.whl"
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, (path, _) in members.items():
            archive.writestr(path, NETWORKS[name])
    return made


def test_the_bundle_is_a_stored_and_aligned_zip_of_both_networks(wheel: Path) -> None:
    bundle = wheel.parent / "deep" / "hand_landmarker.task"
    assert not hand_landmarker.is_complete(bundle)
    hand_landmarker.make(bundle, wheel)
    assert hand_landmarker.is_complete(bundle)
    assert list(bundle.parent.iterdir()) == [bundle]
    content = bundle.read_bytes()
    with zipfile.ZipFile(bundle) as archive:
        assert {member.filename: archive.read(member) for member in archive.infolist()} == NETWORKS
        assert all(m.compress_type == zipfile.ZIP_STORED for m in archive.infolist())
    for network in NETWORKS.values():
        assert content.index(network) % 16 == 0
    hand_landmarker.make(bundle, wheel)
    assert bundle.read_bytes() == content  # the same bytes every time


def test_another_wheel_is_refused_and_leaves_nothing(wheel: Path) -> None:
    other = wheel.parent / "other.whl"
    with zipfile.ZipFile(other, "w") as archive:
        for path, _ in hand_landmarker.MEMBERS.values():
            archive.writestr(path, b"something else")
    bundle = wheel.parent / "out" / "hand_landmarker.task"
    with pytest.raises(hand_landmarker.BundleError, match="differs from the one in mediapipe"):
        hand_landmarker.make(bundle, other)
    assert not bundle.exists()


def test_a_damaged_bundle_is_made_anew(wheel: Path) -> None:
    bundle = wheel.parent / "hand_landmarker.task"
    hand_landmarker.make(bundle, wheel)
    whole = bundle.read_bytes()
    for damage in (whole[:-500], whole.replace(b"palmpalm", b"palmpain", 1), b""):
        bundle.write_bytes(damage)
        assert not hand_landmarker.is_complete(bundle)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": "/dev/null"},
    )


def test_faults_are_one_line(tmp_path: Path) -> None:
    out = ("--out", str(tmp_path / "out.task"))
    no_zip = tmp_path / "no.whl"
    no_zip.write_text("text")
    for arguments, said in (
        ((), "cannot download mediapipe==0.10.21"),
        (("--wheel", str(no_zip)), "is not a wheel"),
        (("--wheel", str(tmp_path / "missing.whl")), "No such file"),
    ):
        done = run(*out, *arguments)
        assert done.returncode == 2
        assert said in done.stderr
        assert done.stderr.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["no.whl"]
