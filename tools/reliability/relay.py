# SPDX-License-Identifier: MIT
"""A relay between the stages of a graph that can spoil features and add glosses.

The stages run as ``hidden_preprocessing`` and ``hidden_recognition``, whose topics only the relay
knows. So each spoiled message comes from the one known publisher of its topic.
"""

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from std_msgs.msg import String

from reliability.intruder import spin
from whispersign_model.timestamps import NANOSECONDS
from whispersign_msgs.msg import Gloss, HandFeatures
from whispersign_ros.conversions.messages import nanoseconds, time_message
from whispersign_ros.node import qos

HIDDEN = "_hidden"  # suffix of the topics that only the relay knows
NAN, RECIPE, SHIFT = "nan", "recipe", "shift"  # "shift N": stamps are N nanoseconds later


class Relay(Node):
    """Passes features, glosses and reports on, as ``tamper`` says."""

    def __init__(self) -> None:
        super().__init__("relay")
        self._tampering = ""
        self._features = qos.publish(self, HandFeatures, "hands/features", qos.FEATURES)
        gloss = qos.publish(self, Gloss, "gloss", qos.GLOSS)
        partial = qos.publish(self, Gloss, "gloss_partial", qos.GLOSS_PARTIAL)
        hidden = f"hands/features{HIDDEN}"
        qos.subscribe(self, HandFeatures, hidden, qos.FEATURES_INPUT, self._on_features)
        qos.subscribe(self, Gloss, f"gloss{HIDDEN}", qos.GLOSS, gloss.publish)
        qos.subscribe(self, Gloss, f"gloss_partial{HIDDEN}", qos.GLOSS_PARTIAL, partial.publish)
        # Glosses count only from the process that reports as the recognizer.
        reports = qos.publish(self, DiagnosticArray, "/diagnostics", qos.DIAGNOSTICS)
        hidden = f"/diagnostics{HIDDEN}"
        qos.subscribe(self, DiagnosticArray, hidden, qos.DIAGNOSTICS, reports.publish)
        self.create_subscription(Gloss, "inject", gloss.publish, 50)
        self.create_subscription(Gloss, "inject_partial", partial.publish, 50)
        self.create_subscription(String, "tamper", self._on_tamper, 10)

    def _on_tamper(self, message: String) -> None:
        self._tampering = message.data

    def _on_features(self, message: HandFeatures) -> None:
        self._features.publish(tampered(message, self._tampering))


def tampered(message: HandFeatures, tampering: str) -> HandFeatures:
    """Spoil features; "" leaves them as they are."""
    word, _, number = tampering.partition(" ")
    if word == NAN:
        message.features.fill(float("nan"))
    elif word == RECIPE:
        message.recipe_id = "another"
    elif word == SHIFT:
        message.header.stamp = time_message(nanoseconds(message.header.stamp) + int(number))
    return message


def shift(seconds: float) -> str:
    """Return the request to shift the stamps of features."""
    return f"{SHIFT} {round(seconds * NANOSECONDS)}"


if __name__ == "__main__":
    spin(Relay)
