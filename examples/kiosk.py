#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Show visitors which signs they can make, print what they sign, and ask if it is uncertain."""

from contextlib import suppress

import rclpy
from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data

from whispersign_msgs.msg import Gloss, Vocabulary

SURE = 0.8  # below this confidence, the kiosk asks the visitor
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def show_signs(vocabulary: Vocabulary) -> None:
    """Print every sign that the model knows."""
    print("You can sign:", ", ".join(vocabulary.glosses))


def show_partial(gloss: Gloss) -> None:
    """Print a sign that may still change, so that the next line overwrites it."""
    print(f"... {gloss.gloss}", end="\r", flush=True)


def act(gloss: Gloss) -> None:
    """Print a final sign, or ask which sign it was."""
    if gloss.confidence >= SURE:
        print(f"You signed {gloss.gloss}.")
    else:
        print(f"Did you sign {' or '.join([gloss.gloss, *gloss.alternatives[:2]])}?")


def main() -> None:
    """Subscribe to the recognizer's topics until Ctrl-C."""
    rclpy.init()
    node = rclpy.create_node("kiosk")
    node.create_subscription(Vocabulary, "vocabulary", show_signs, LATCHED)
    node.create_subscription(Gloss, "gloss_partial", show_partial, qos_profile_sensor_data)
    node.create_subscription(Gloss, "gloss", act, 50)
    with suppress(KeyboardInterrupt):
        rclpy.spin(node)


if __name__ == "__main__":
    main()
