"""What every executable does around its nodes: start, spin, stop on a signal, exit code."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Sequence

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args

from whispersign_model.errors import WhisperSignError
from whispersign_ros.executables import NODES
from whispersign_ros.parameter_files import check_files
from whispersign_ros.parameters import Setting, table_text

EXIT_FAULT = 2
SIGNAL_POLL = 0.1  # seconds; a signal is noticed after at most this long

Create = Callable[[Callable[[], None]], Sequence[Node]]


def run(name: str, create: Create, summary: str, table: Sequence[Setting]) -> int:
    """Run the nodes of one executable and return its exit code.

    Ends with 0 on SIGINT, SIGTERM or when a node asks for it, and with 2 and one line on stderr
    when a file or parameter is at fault.

    Args:
        name: of the executable.
        create: makes the nodes; it is given a function that ends the process when called.
        summary: what ``--help`` prints about it.
        table: the parameters that ``--help`` prints.
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
    """Return the words on the command line that are not for ROS, and check those that are."""
    try:
        return remove_ros_args(sys.argv)[1:]
    except RuntimeError as error:  # rclpy's own errors derive from it
        raise WhisperSignError("--ros-args", str(error), "correct the arguments") from error


def _spin(create: Create, stop: threading.Event) -> None:
    try:
        rclpy.init(args=sys.argv, signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:
        raise WhisperSignError("--ros-args", str(error), "correct the argument or file") from error
    executor = SingleThreadedExecutor()
    nodes: Sequence[Node] = ()
    try:
        nodes = create(stop.set)
        for node in nodes:
            executor.add_node(node)
        while not stop.is_set():
            executor.spin_once(timeout_sec=SIGNAL_POLL)
    except ExternalShutdownException:
        pass  # somebody else shut the context down: end as if asked to
    finally:
        for node in nodes:
            node.destroy_node()
        executor.shutdown()
        if rclpy.ok():
            rclpy.shutdown()
