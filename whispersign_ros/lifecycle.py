"""Lifecycle nodes that start themselves and say why a transition failed."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn

from whispersign_model.errors import WhisperSignError


class Transitions:
    """Runs what a transition does; a fault of the user's becomes a log line and FAILURE."""

    def __init__(self, node: LifecycleNode) -> None:
        self._node = node
        self._fault: WhisperSignError | None = None
        self._starting = False

    def attempt(self, action: Callable[[], None]) -> TransitionCallbackReturn:
        """Call ``action`` and return what the transition callback must return."""
        self._fault = None
        try:
            action()
        except WhisperSignError as error:
            self._fault = error
            if not self._starting:  # else the caller of autostart says it
                self._node.get_logger().error(str(error))
            return TransitionCallbackReturn.FAILURE
        return TransitionCallbackReturn.SUCCESS

    def autostart(self) -> None:
        """Configure and activate the node.

        Raises:
            WhisperSignError: what made a transition fail.
        """
        self._starting = True
        for trigger in (self._node.trigger_configure, self._node.trigger_activate):
            if trigger() != TransitionCallbackReturn.SUCCESS:
                raise self._fault or WhisperSignError(
                    self._node.get_name(), "cannot be activated", "see its log"
                )
        self._starting = False
