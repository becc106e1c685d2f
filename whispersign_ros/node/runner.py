# SPDX-License-Identifier: MIT
"""Run the nodes of an executable until a signal arrives or their work is done."""

import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
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
from whispersign_model.streams import EXIT_FAULT, EXIT_PIPE, described, tell, tell_error
from whispersign_ros.node.diagnostics import LogThrottle
from whispersign_ros.node.discovery import DOMAIN, check_domain, range_variables
from whispersign_ros.node.entry_points import NODES
from whispersign_ros.node.parameter_files import check_files, require_files
from whispersign_ros.node.parameters import YAML_RULE, ParameterSpec, quote_hint, table_text
from whispersign_ros.node.shutdown import Shutdown

SPIN_POLL = 0.1  # seconds; a thread of a node notices the end within this time
CALLBACK_TIMEOUT = 1.0  # seconds that callbacks have to return when the process ends

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

    Returns 0 after a signal, the end of the launch or a node's request. Any error is one line on
    stderr and returns 2. If a callback never returns, the process ends here.

    Args:
        name: name of the executable.
        create: creates the nodes; receives a function that ends the process.
        summary: text for ``--help``.
        table: parameters for ``--help``.
    """
    hanging: list[str] = []
    with Shutdown(name) as shutdown:
        try:
            require_files(sys.argv)
            words = _other_arguments()
            if {"-h", "--help"} & set(words):
                print(f"{name}: {summary}\n\n{table_text(table)}")
                return 0
            if words:
                raise WhisperSignError(
                    f"argument '{words[0]}'", "is not known", "use --ros-args -p NAME:=VALUE"
                )
            check_files(sys.argv, NODES)
            hanging = _spin(name, create, shutdown)
        except BrokenPipeError:
            shutdown.exit_code = EXIT_PIPE
        except Exception as error:
            shutdown.exit_code = EXIT_FAULT
            tell_error(name, error, _files(sys.argv))
        if hanging:  # the interpreter cannot be torn down beside a running callback
            tell(f"{name}: a callback of {', '.join(hanging)} did not return")
            os._exit(shutdown.exit_code)
        return shutdown.exit_code


def _files(arguments: Sequence[str]) -> list[str]:
    """Return the names of existing files and folders among arguments and ``NAME:=VALUE``."""
    values = [argument.rpartition(":=")[2] for argument in arguments[1:]]
    return [value for value in values if "/" in value and os.path.exists(value)]


def _other_arguments() -> list[str]:
    """Check the ROS arguments, and return all other arguments."""
    try:
        return remove_ros_args(sys.argv)[1:]
    except RuntimeError as error:  # base class of rclpy's own errors
        raise WhisperSignError("--ros-args", str(error), _ros_remedy(error)) from error


def _ros_remedy(error: Exception) -> str:
    """Return what to do about arguments or parameter files that ROS cannot parse."""
    text = str(error)
    if "Sequence should be of same type" in text:  # YAML read some words of a list as other types
        rule = re.search(r"override rule: '-p (.*?)'\. Error", text)
        return quote_hint(rule[1]) if rule else f"{YAML_RULE}; put them in quotes"
    if re.search(r"override rule: '-p [^ ]*:='\. Error: error not set", text):
        return "an empty value is written \"NAME:=''\""
    return "correct the argument or file"


def _spin(name: str, create: Create, shutdown: Shutdown) -> list[str]:
    """Run the nodes until the shutdown; return the names of those whose callbacks hang.

    Raises:
        WhisperSignError: ROS or a node found an invalid file or parameter.
    """
    os.environ.update(range_variables(os.environ))
    initialize(sys.argv)
    nodes: Sequence[Node] = ()
    threads: list[threading.Thread] = []
    faults: list[BaseException] = []
    try:
        with translate_ros_errors():
            nodes = create(lambda: shutdown.request("the work is done"))
        threads = [
            threading.Thread(
                target=_serve, args=(node, shutdown, faults), name=node.get_name(), daemon=True
            )
            for node in nodes
        ]
        for thread in threads:
            thread.start()
        shutdown.wait()
    except BaseException as error:
        faults.append(error)
        shutdown.request(f"an error: {error}")
    shutdown.exit_code = EXIT_FAULT if faults else 0
    hanging = end_nodes(nodes, threads, shutdown.cause)
    if faults and hanging:
        tell_error(name, faults[0], _files(sys.argv))
    elif faults:
        raise faults[0]
    return hanging


def initialize(arguments: Sequence[str]) -> None:
    """Initialize ROS in this process, which handles signals itself.

    Args:
        arguments: command line with ROS arguments; see ``rclpy.init``.

    Raises:
        WhisperSignError: an argument is invalid, or the environment does not let ROS start.
    """
    check_domain(os.environ.get(DOMAIN, ""), DOMAIN)
    try:
        rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:
        if re.search(r"initialize logging|Failed opening file .*\.log ", str(error)):
            remedy = "set ROS_LOG_DIR, ROS_HOME or HOME to a folder that can be written"
            raise WhisperSignError("ROS's log folder", str(error), remedy) from error
        raise WhisperSignError("--ros-args", str(error), _ros_remedy(error)) from error


def end_nodes(nodes: Sequence[Node], threads: Sequence[threading.Thread], cause: str) -> list[str]:
    """Halt all nodes, wait for their threads for a limited time, and destroy the nodes.

    A node that can move something has a method ``halt(cause)``, which stops that at once. It is
    called before anything that may wait for a callback.

    Args:
        nodes: the nodes.
        threads: their threads, in the same order, or none if they have not started.
        cause: a sentence that says why the process ends.

    Returns:
        the names of the nodes whose callbacks have not returned; they are not destroyed.
    """
    for node in nodes:
        halt = getattr(node, "halt", None)
        if halt is not None:
            _guarded(node, partial(halt, cause))
    deadline = time.monotonic() + CALLBACK_TIMEOUT
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    hanging = [index for index, thread in enumerate(threads) if thread.is_alive()]
    for index, node in enumerate(nodes):
        if index not in hanging:
            _guarded(node, node.destroy_node)
    if rclpy.ok():
        rclpy.shutdown()
    return [threads[index].name for index in hanging]


def _guarded(node: Node, action: Callable[[], None]) -> None:
    """Call an action of an ending node; a failure is logged and ends no other node's ending."""
    try:
        action()
    except Exception as error:
        node.get_logger().error(f"shutdown failed: {described(error)}")


def _serve(node: Node, shutdown: Shutdown, faults: list[BaseException]) -> None:
    try:
        serve(node, shutdown)
    except BaseException as error:  # a node without a thread would never stop anything
        faults.append(error)
        shutdown.request(f"an error: {error}")


def serve(node: Node, shutdown: Shutdown) -> None:
    """Spin one node until the shutdown; log exceptions of callbacks and continue.

    Each node has its own executor. A shared executor would check all 150 entities of a pipeline for
    every message.

    Raises:
        WhisperSignError: a callback found an invalid file or parameter.
    """
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    throttle = LogThrottle()
    try:
        while not shutdown.requested:
            try:
                executor.spin_once(timeout_sec=SPIN_POLL)
            except ExternalShutdownException:  # another owner shut the context down
                shutdown.request("the ROS context has ended")
            except WhisperSignError:
                raise
            except Exception as error:  # the next message may succeed
                if not rclpy.ok():
                    shutdown.request("the ROS context has ended")
                elif throttle.allows(f"{type(error).__name__}: {error}"):
                    node.get_logger().error(f"a callback failed: {described(error)}")
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
        raise WhisperSignError(path, error.strerror or str(error), "check the path") from error
    except (RuntimeError, ValueError, NameValidationException) as error:  # RCLError is the first
        raise WhisperSignError("ROS", " ".join(str(error).split()), _remedy(error)) from error


def _remedy(error: Exception) -> str:
    text = str(error)
    if "PARAMETER_NOT_SET" in text:
        return 'write [""] for an empty list'
    if "enclave" in text or "security" in text or "context" in text:
        return "check the environment variables ROS_* and RMW_*"
    return "correct the parameter, name or qos_overrides that it names"
