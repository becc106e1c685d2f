"""Lifecycle nodes that start themselves and say why a transition failed."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn

from whispersign_model.errors import WhisperSignError


class Transitions:
    """Runs what a transition does; a fault of the user's becomes a log line and FAILURE.

    Attributes:
        fault: why the last transition failed.
    """

    def __init__(self, node: LifecycleNode) -> None:
        self._node = node
        self.fault: WhisperSignError | None = None

    def attempt(self, action: Callable[[], None]) -> TransitionCallbackReturn:
        """Call ``action`` and return what the transition callback must return."""
        self.fault = None
        try:
            action()
        except WhisperSignError as error:
            self.fault = error
            self._node.get_logger().error(str(error))
            return TransitionCallbackReturn.FAILURE
        return TransitionCallbackReturn.SUCCESS

    def autostart(self) -> None:
        """Configure and activate the node.

        Raises:
            WhisperSignError: what made a transition fail.
        """
        for trigger in (self._node.trigger_configure, self._node.trigger_activate):
            if trigger() != TransitionCallbackReturn.SUCCESS:
                raise self.fault or WhisperSignError(
                    self._node.get_name(), "cannot be activated", "see its log"
                )
