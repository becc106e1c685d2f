# SPDX-License-Identifier: MIT
"""Run the nodes of an executable: start, spin, stop on a signal, return an exit code."""

import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from inspect import signature
from typing import Any

import rclpy
from rclpy.exceptions import NameValidationException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args

from whispersign_model.errors import WhisperSignError
from whispersign_ros.node.diagnostics import LogThrottle
from whispersign_ros.node.entry_points import NODES
from whispersign_ros.node.parameter_files import check_files
from whispersign_ros.node.parameters import ParameterSpec, table_text

EXIT_FAULT = 2
LONGEST = 100  # characters of a path in an error
SIGNAL_POLL = 0.1  # seconds; maximum delay of a reaction to a signal

Create = Callable[[Callable[[], None]], Sequence[Node]]


def main(name: str) -> int:
    """Run the executable whose module is ``name`` and return its exit code."""
    module = import_module(f"whispersign_ros.nodes.{name}")
    create = getattr(module, "create", lambda end: [create_node(name, end)])
    return run(name, create, module.__doc__ or "", module.PARAMETERS)


def create_node(name: str, end: Callable[[], None], **arguments: Any) -> Node:
    """Create the node of a module; the class is named after it, such as ``LeapNode``.

    Args:
        name: of the module in ``whispersign_ros.nodes``.
        end: called by a node whose work is done.
        arguments: for ``rclpy.node.Node``.
    """
    kind = getattr(import_module(f"whispersign_ros.nodes.{name}"), name.title().replace("_", ""))
    if "on_end" in signature(kind).parameters:
        arguments["on_end"] = end
    node: Node = kind(**arguments)
    return node


def run(name: str, create: Create, summary: str, table: Sequence[ParameterSpec]) -> int:
    """Run the nodes of one executable and return its exit code.

    Returns 0 on SIGINT, SIGTERM or a node's request, and 2 with one line on stderr if a file or
    parameter is invalid.

    Args:
        name: of the executable.
        create: creates the nodes; its argument is a function that ends the process.
        summary: text of ``--help``.
        table: parameters in ``--help``.
    """
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        words = _other_arguments()
        if {"-h", "--help"} & set(words):
            print(f"{name}: {summary}\n\n{table_text(table)}")
            return 0
        if words:
            raise WhisperSignError(
                f"argument '{words[0]}'", "is not known", "use --ros-args -p NAME:=VALUE"
            )
        check_files(sys.argv, NODES)
        _spin(create, stop)
    except WhisperSignError as error:
        print(f"{name}: error: {error}", file=sys.stderr)
        return EXIT_FAULT
    return 0


def _other_arguments() -> list[str]:
    """Return the arguments that are not for ROS, and check the ROS arguments."""
    try:
        return remove_ros_args(sys.argv)[1:]
    except RuntimeError as error:  # base class of rclpy's own errors
        raise WhisperSignError("--ros-args", str(error), "correct the arguments") from error


def _spin(create: Create, stop: threading.Event) -> None:
    try:
        rclpy.init(args=sys.argv, signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:
        raise WhisperSignError("--ros-args", str(error), "correct the argument or file") from error
    nodes: Sequence[Node] = ()
    threads: list[threading.Thread] = []
    faults: list[WhisperSignError] = []
    try:
        with translate_ros_errors():
            nodes = create(stop.set)
        threads = [
            threading.Thread(target=_serve, args=(node, stop, faults), name=node.get_name())
            for node in nodes
        ]
        for thread in threads:
            thread.start()
        while not stop.is_set():
            stop.wait(SIGNAL_POLL)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        for node in nodes:
            node.destroy_node()
        if rclpy.ok():
            rclpy.shutdown()
    if faults:
        raise faults[0]


def _serve(node: Node, stop: threading.Event, faults: list[WhisperSignError]) -> None:
    try:
        serve(node, stop)
    except WhisperSignError as error:
        faults.append(error)


def serve(node: Node, stop: threading.Event) -> None:
    """Spin one node until ``stop``; log exceptions of callbacks and continue.

    Each node has its own executor. A shared one would check all 150 entities of a pipeline for
    every message.

    Raises:
        WhisperSignError: a callback found an invalid file or parameter; all nodes end.
    """
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    throttle = LogThrottle()
    try:
        while not stop.is_set():
            try:
                executor.spin_once(timeout_sec=SIGNAL_POLL)
            except ExternalShutdownException:
                stop.set()  # another owner shut the context down: end as on a signal
            except WhisperSignError:
                stop.set()
                raise
            except Exception as error:  # whatever it is, the next message may do better
                if not rclpy.ok():
                    stop.set()
                elif throttle.allows(f"{type(error).__name__}: {error}"):
                    node.get_logger().error(f"a callback failed: {traceback.format_exc()}")
    finally:
        executor.shutdown()


@contextmanager
def translate_ros_errors() -> Iterator[None]:
    """Turn errors into one line: of ROS (a wrong enclave or name, an empty list), of a path.

    Raises:
        WhisperSignError: ROS or the file system raised an error.
    """
    try:
        yield
    except OSError as error:
        path = str(error.filename or "file system")
        short = path if len(path) <= LONGEST else f"{path[:LONGEST]}..."
        raise WhisperSignError(short, error.strerror or str(error), "check the path") from error
    except (RuntimeError, ValueError, NameValidationException) as error:  # RCLError is the first
        raise WhisperSignError("ROS", " ".join(str(error).split()), _remedy(error)) from error


def _remedy(error: Exception) -> str:
    text = str(error)
    if "PARAMETER_NOT_SET" in text:
        return 'write [""] for a list without words'
    if "enclave" in text or "security" in text or "context" in text:
        return "check the environment variables ROS_* and RMW_*"
    return "correct the parameter, name or qos_overrides that it names"
