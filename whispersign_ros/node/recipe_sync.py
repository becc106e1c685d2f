# SPDX-License-Identifier: MIT
"""Recipe sync: the nodes upstream of recognition_node adopt the recipe of its model."""

import time
from collections.abc import Callable

from rclpy.node import Node

from whispersign_model.errors import RecipeError
from whispersign_model.features.recipe import Recipe
from whispersign_msgs.msg import Recipe as RecipeMessage
from whispersign_ros.node import qos
from whispersign_ros.node.diagnostics import Diagnostics
from whispersign_ros.node.parameters import ParameterSpec

GRACE_TIME = 2.0  # seconds for the other nodes to adopt a new model's recipe
FOLLOW = ParameterSpec(
    "follow", True, "adopt the recognizer's recipe, including when its model changes"
)


class GracePeriod:
    """Accepts the previous value for ``GRACE_TIME`` after a change of value."""

    def __init__(self) -> None:
        self._previous: str | None = None
        self._changed = 0.0

    def start(self, previous: str) -> None:
        """Start the grace period of a value that has just been replaced."""
        self._previous, self._changed = previous, time.monotonic()

    def extend(self) -> None:
        """Start the period again for the same value."""
        self._changed = time.monotonic()

    def accepts(self, value: str) -> bool:
        """Return whether a value is still in its grace period."""
        return value == self._previous and time.monotonic() - self._changed < GRACE_TIME


def follow(node: Node, diagnostics: Diagnostics, adopt: Callable[[Recipe, str], None]) -> None:
    """Call ``adopt`` with each recipe from recognition_node and the id of its model.

    Args:
        node: subscribes to ``recipe``.
        diagnostics: counts unreadable recipes.
        adopt: must ignore a recipe that is already in use.
    """
    topic = node.resolve_topic_name("recipe")

    def on_recipe(message: RecipeMessage) -> None:
        try:
            recipe = Recipe.from_json(message.json, topic)
        except RecipeError as error:
            diagnostics.dropped("recipes_unreadable", str(error))
            return
        adopt(recipe, message.model_id)

    qos.subscribe(node, RecipeMessage, "recipe", qos.RECIPE, on_recipe)
