"""How the nodes before a recogniser follow it when it changes its model."""

from __future__ import annotations

import time
from collections.abc import Callable

from rclpy.node import Node

from whispersign_model.errors import RecipeError
from whispersign_model.features.recipe import Recipe
from whispersign_msgs.msg import Recipe as RecipeMessage
from whispersign_ros.node import qos
from whispersign_ros.node.diagnostics import Diagnostics
from whispersign_ros.node.parameters import ParameterSpec

MOMENT = 2.0  # seconds in which the other nodes may follow a change of the model
FOLLOW = ParameterSpec(
    "follow", True, "take the recipe that the recogniser tells of, also when its model is changed"
)


class GracePeriod:
    """Remembers for a moment what was right before the last change."""

    def __init__(self) -> None:
        self._grace_period: str | None = None
        self._changed = 0.0

    def becomes(self, former: str) -> None:
        """Something else than ``former`` is right from now on."""
        self._grace_period, self._changed = former, time.monotonic()

    def was(self, value: str) -> bool:
        """Whether a value is only the rest of what was right a moment ago."""
        return value == self._grace_period and time.monotonic() - self._changed < MOMENT


def follow(node: Node, diagnostics: Diagnostics, adopt: Callable[[Recipe, str], None]) -> None:
    """Call ``adopt`` with each recipe and its model's id that a recogniser tells of.

    Args:
        node: hears the topic ``recipe``.
        diagnostics: told of a recipe that cannot be used.
        adopt: called with what may be the recipe in use already.
    """
    topic = node.resolve_topic_name("recipe")

    def hear(message: RecipeMessage) -> None:
        try:
            recipe = Recipe.from_json(message.json, topic)
        except RecipeError as error:
            diagnostics.dropped("recipes_unreadable", str(error))
            return
        adopt(recipe, message.model_id)

    qos.subscribe(node, RecipeMessage, "recipe", qos.RECIPE, hear)
