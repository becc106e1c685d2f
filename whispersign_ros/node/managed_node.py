# SPDX-License-Identifier: MIT
"""Base class of lifecycle nodes, which can start themselves and log failed transitions."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from whispersign_model.errors import WhisperSignError
from whispersign_model.streams import described
from whispersign_ros.node.diagnostics import Condition
from whispersign_ros.node.parameters import Change, ParameterSpec, declare

ACTIVE = "active"
AUTOSTART = ParameterSpec(
    "autostart", True, "configure and activate at startup, without a lifecycle manager"
)


class ManagedNode(LifecycleNode):
    """A node that holds a resource, such as a device or a network.

    A subclass includes ``AUTOSTART`` in its parameter table, implements ``_configure``,
    ``_activate`` and ``_release``, and calls ``begin`` at the end of its constructor. If one of
    these methods raises an exception, the node logs it, the transition fails, and the resource is
    released.

    Attributes:
        values: parameter values by name.

    Args:
        name: node name.
        table: all its parameters.
        also_known: names of parameters that other nodes in the process declare.
        arguments: passed to ``rclpy.node.Node``.

    Raises:
        ConfigError: a parameter is invalid.
    """

    def __init__(
        self,
        name: str,
        table: Sequence[ParameterSpec],
        also_known: Sequence[str] = (),
        **arguments: Any,
    ) -> None:
        self._fault: Exception | None = None
        self._starting = False
        super().__init__(name, automatically_declare_parameters_from_overrides=True, **arguments)
        self.values = declare(self, table, also_known, self._changes())

    def begin(self) -> None:
        """Configure and activate if ``autostart`` is set.

        Raises:
            WhisperSignError: a transition failed.
        """
        if not self.values["autostart"]:
            return
        self._starting = True
        for trigger in (self.trigger_configure, self.trigger_activate):
            if trigger() != TransitionCallbackReturn.SUCCESS:
                assert self._fault is not None
                raise self._fault
        self._starting = False

    @property
    def state(self) -> str:
        """The lifecycle state, such as ``active``."""
        return str(self._state_machine.current_state[1])

    def condition(self) -> Condition | None:
        """Return the diagnostics condition of a node that is not active."""
        return None if self.state == ACTIVE else (DiagnosticStatus.OK, self.state)

    def _changes(self) -> Mapping[str, Change]:
        """Return a handler for each parameter that may change at runtime, by name."""
        return {}

    def _configure(self) -> None:
        """Check the resource without acquiring it."""
        raise NotImplementedError

    def _activate(self) -> None:
        """Acquire the resource and start working."""
        raise NotImplementedError

    def _release(self) -> None:
        """Stop working and free the resource, if the node holds it.

        rclpy may destroy a node whose construction failed, so every attribute that this method
        reads must exist before the constructor of this class is called.
        """
        raise NotImplementedError

    def _forget(self) -> None:
        """Discard the data that ``_configure`` read."""
        raise NotImplementedError

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Transition from unconfigured to inactive."""
        return self._attempt(self._configure)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Transition from inactive to active."""
        result = self._attempt(self._activate)
        if result != TransitionCallbackReturn.SUCCESS:
            self._release()
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Transition from active to inactive."""
        return self._attempt(self._release)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Transition from inactive to unconfigured."""
        return self._attempt(self._forget)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Transition from any state to finalized."""
        return self._attempt(self._release)

    def destroy_node(self) -> None:
        """Stop working, and destroy the node and its lifecycle services, which rclpy leaves."""
        self._release()
        super().destroy_node()
        self._state_machine.destroy_when_not_in_use()

    def _attempt(self, action: Callable[[], None]) -> TransitionCallbackReturn:
        """Call ``action`` and return the result for a transition callback."""
        self._fault = None
        try:
            action()
        except WhisperSignError as error:
            self._fault = error
        except (OSError, RuntimeError, ValueError) as error:  # of ROS or the file system
            fault = f"{type(error).__name__}: {error}"
            self._fault = WhisperSignError(self.get_name(), fault, "correct what it names")
            self._fault.__cause__ = error
        except Exception as error:  # rclpy would swallow it
            self._fault = error
        if self._fault is None:
            return TransitionCallbackReturn.SUCCESS
        if not self._starting:  # at startup, the caller of begin reports it
            self.get_logger().error(described(self._fault))
        return TransitionCallbackReturn.FAILURE
