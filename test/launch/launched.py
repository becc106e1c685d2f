# SPDX-License-Identifier: MIT
"""Helpers of the launch tests: load a launch file, and subscribe to its nodes."""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path

import rclpy
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

from launch import LaunchContext

FOLDER = Path(__file__).parents[2] / "launch"
PATIENCE = 120.0  # maximum wait in seconds


def included(name, **arguments):
    """Return a launch file as an action."""
    file = PythonLaunchDescriptionSource(str(FOLDER / f"{name}.launch.py"))
    return IncludeLaunchDescription(file, launch_arguments=arguments.items())


def module(name):
    """Return a launch file as a module."""
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.launch.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def declared(module):
    """Return the arguments that a launch file declares."""
    entities = module.generate_launch_description().entities
    return [entity for entity in entities if isinstance(entity, DeclareLaunchArgument)]


def configured(module, **given):
    """Return a context with the arguments of a launch file, some of them set."""
    context = LaunchContext()
    for argument in declared(module):
        argument.execute(context)
    context.launch_configurations.update(given)
    return context


def wait(condition, look):
    """Poll until a condition holds or ``PATIENCE`` seconds have passed."""
    end = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < end:
        look()


class Listener:
    """A node in its own context; use it in a ``with`` statement, or ``close`` it."""

    def __init__(self, **options):
        self._context = rclpy.Context()
        rclpy.init(context=self._context)
        self.node = rclpy.create_node("listener", context=self._context, **options)
        self._executor = rclpy.executors.SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def close(self):
        self.node.destroy_node()
        rclpy.shutdown(context=self._context)

    def until(self, condition):
        """Process messages until a condition holds or ``PATIENCE`` seconds have passed."""
        wait(condition, lambda: self._executor.spin_once(timeout_sec=0.1))
