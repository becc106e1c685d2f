# SPDX-License-Identifier: MIT
"""Run the nodes of an executable until a signal arrives or their work is done."""

import os
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
from whispersign_ros.node.discovery import range_variables
from whispersign_ros.node.entry_points import NODES
from whispersign_ros.node.parameter_files import check_files
from whispersign_ros.node.parameters import ParameterSpec, table_text

EXIT_FAULT = 2
LONGEST = 100  # characters of a path in an error
SIGNAL_POLL = 0.1  # seconds; maximum delay of the reaction to a signal

Create = Callable[[Callable[[], None]], Sequence[Node]]


def main(name: str) -> int:
    """Run the executable whose module is ``name`` and return its exit code."""
    module = import_module(f"whispersign_ros.nodes.{name}")
    create = getattr(module, "create", lambda end: [create_node(name, end)])
    return run(name, create, module.__doc__ or "", module.PARAMETERS)


def create_node(name: str, end: Callable[[], None], **arguments: Any) -> Node:
    """Create a module's node; its class has the module's name in camel case (``LeapNode``).

    Args:
        name: name of a module in ``whispersign_ros.nodes``.
        end: function that a node calls when its work is done.
        arguments: passed to ``rclpy.node.Node``.
    """
    kind = getattr(import_module(f"whispersign_ros.nodes.{name}"), name.title().replace("_", ""))
    if "on_end" in signature(kind).parameters:
        arguments["on_end"] = end
    node: Node = kind(**arguments)
    return node


def run(name: str, create: Create, summary: str, table: Sequence[ParameterSpec]) -> int:
    """Run the nodes of one executable and return its exit code.

    The code is 0 after SIGINT, SIGTERM or a node's request to end. It is 2, with one line on
    stderr, if a file or parameter is invalid.

    Args:
        name: name of the executable.
        create: creates the nodes; receives a function that ends the process.
        summary: text for ``--help``.
        table: parameters for ``--help``.
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
    """Check the ROS arguments, and return all other arguments."""
    try:
        return remove_ros_args(sys.argv)[1:]
    except RuntimeError as error:  # base class of rclpy's own errors
        raise WhisperSignError("--ros-args", str(error), "correct the arguments") from error


def _spin(create: Create, stop: threading.Event) -> None:
    os.environ.update(range_variables(os.environ))
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

    Each node has its own executor. A shared executor would check all 150 entities of a pipeline for
    every message.

    Raises:
        WhisperSignError: a callback found an invalid file or parameter.
    """
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    throttle = LogThrottle()
    try:
        while not stop.is_set():
            try:
                executor.spin_once(timeout_sec=SIGNAL_POLL)
            except ExternalShutdownException:
                stop.set()  # the context was shut down elsewhere
            except WhisperSignError:
                stop.set()
                raise
            except Exception as error:  # the next message may succeed
                if not rclpy.ok():
                    stop.set()
                elif throttle.allows(f"{type(error).__name__}: {error}"):
                    node.get_logger().error(f"a callback failed: {traceback.format_exc()}")
    finally:
        executor.shutdown()


@contextmanager
def translate_ros_errors() -> Iterator[None]:
    """Translate errors of ROS or of a path, such as an invalid name or enclave, into one line.

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
        return 'write [""] for an empty list'
    if "enclave" in text or "security" in text or "context" in text:
        return "check the environment variables ROS_* and RMW_*"
    return "correct the parameter, name or qos_overrides that it names"
