# SPDX-License-Identifier: MIT
"""A second publisher on one topic of the graph, which sends while it is asked to.

On hands and features it is a forgotten sensor before which nobody stands; on ``gloss`` it is a
recognizer that sees somebody else sign GO.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions
from std_msgs.msg import String

from whispersign_model.recordings.recording import Coordinates
from whispersign_model.timestamps import NANOSECONDS
from whispersign_msgs.msg import Gloss, HandFeatures, HandFrame, Recipe, Vocabulary
from whispersign_ros.conversions.messages import frame_message, time_message
from whispersign_ros.node import qos

ON, OFF = "on", "off"
RATE = {"hands/raw": 60.0, "hands/filtered": 60.0, "hands/features": 60.0, "gloss": 5.0}
TYPES: dict[str, Any] = {
    "hands/raw": (HandFrame, qos.HANDS),
    "hands/filtered": (HandFrame, qos.HANDS),
    "hands/features": (HandFeatures, qos.FEATURES),
    "gloss": (Gloss, qos.GLOSS),
}
NO_HANDS = np.zeros((42, 3), np.float32), np.zeros(42, np.float32)


class Intruder(Node):
    """Sends on the topic of parameter ``topic``, and notes each begin in the file ``out``.

    With parameter ``at_once`` it does not wait to be asked.
    """

    def __init__(self) -> None:
        super().__init__("intruder", automatically_declare_parameters_from_overrides=True)
        self._topic: str = self.get_parameter("topic").value
        self._out = Path(self.get_parameter("out").value)
        self._sequence = 0
        self._noted = True
        self._recipe, self._vocabulary = Recipe(), Vocabulary()
        self._publisher = qos.publish(
            self, TYPES[self._topic][0], self._topic, TYPES[self._topic][1]
        )
        qos.subscribe(self, Recipe, "recipe", qos.STATE, self._on_recipe)
        qos.subscribe(self, Vocabulary, "vocabulary", qos.VOCABULARY, self._on_vocabulary)
        self.create_subscription(String, "intrude", self._on_request, 10)
        self._timer = self.create_timer(1 / RATE[self._topic], self._send)
        if not self.get_parameter_or("at_once", Parameter("at_once", value=False)).value:
            self._timer.cancel()

    def _on_recipe(self, message: Recipe) -> None:
        self._recipe = message

    def _on_vocabulary(self, message: Vocabulary) -> None:
        self._vocabulary = message

    def _on_request(self, message: String) -> None:
        if message.data == OFF:
            self._timer.cancel()
        elif self._timer.is_canceled():
            self._noted = False
            self._timer.reset()

    def _send(self) -> None:
        self._publisher.publish(self._message())
        self._sequence += 1
        if not self._noted:
            self._noted = True
            with self._out.open("a") as file:
                print(time.monotonic(), file=file)

    def _message(self) -> Any:
        now = time.time_ns()
        if self._topic.endswith(("raw", "filtered")):
            return frame_message(
                now,
                self._sequence,
                *NO_HANDS,
                frame_id="hands",
                coordinates=Coordinates.METRIC_SENSOR,
                source="intruder",
            )
        if self._topic == "hands/features":
            message = HandFeatures(sequence=self._sequence, recipe_id=self._recipe.recipe_id)
            message.header.stamp = time_message(now)
            return message
        return go_message(now, self._vocabulary.model_id, self._sequence)


def go_message(end: int, model_id: str, utterance: int, **fields: Any) -> Gloss:
    """Return a GO of 0.5 s that ends at a time (nanoseconds), with other fields as given."""
    message = Gloss(gloss="GO", confidence=0.95, utterance_length=1, final=True, model_id=model_id)
    message.utterance_id = 1_000_000 + utterance
    message.start_time = time_message(end - NANOSECONDS // 2)
    message.header.stamp = message.end_time = time_message(end)
    for name, value in fields.items():
        setattr(message, name, value)
    return message


def spin(create: Callable[[], Node]) -> None:
    """Run the node of a helper process until the process ends."""
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    node = create()
    print("ready", flush=True)
    rclpy.spin(node)


if __name__ == "__main__":
    spin(Intruder)
