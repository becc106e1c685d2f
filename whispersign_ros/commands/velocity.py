# SPDX-License-Identifier: MIT
"""Velocity commands: Twist or TwistStamped, whichever the subscribers of a topic expect."""

from collections.abc import Collection
from typing import Any

from geometry_msgs.msg import Twist, TwistStamped

from whispersign_ros.commands.schema import TWIST, TWIST_STAMPED
from whispersign_ros.node.parameters import ParameterSpec

TYPES = {TWIST: Twist, TWIST_STAMPED: TwistStamped}  # message class of each velocity type
SETTINGS = {"twist": TWIST, "twist_stamped": TWIST_STAMPED}  # values of velocity_type
AUTO = "auto"
FRAME_ID = "base_link"  # frame of a stamped velocity for which the commands file names no frame
VELOCITY_TYPE = ParameterSpec(
    "velocity_type",
    AUTO,
    "message type of velocity topics; the commands file may contain either type; auto uses the type"
    " that the subscribers expect",
    choices=(AUTO, *SETTINGS),
)


def convert(message: Twist | TwistStamped) -> dict[str, Any]:
    """Return a velocity as a message of each velocity type, by the name of the type."""
    stamped = message
    if isinstance(message, Twist):
        stamped = TwistStamped(twist=message)
    stamped.header.frame_id = stamped.header.frame_id or FRAME_ID
    return {TWIST: stamped.twist, TWIST_STAMPED: stamped}


def choose_type(setting: str, current: str, subscribed: Collection[str]) -> str:
    """Return the type to publish on a velocity topic.

    Args:
        setting: value of the parameter ``velocity_type``.
        current: type that the topic has now.
        subscribed: types that its subscribers expect.
    """
    if setting != AUTO:
        return SETTINGS[setting]
    wanted = set(subscribed) & set(TYPES)
    return wanted.pop() if len(wanted) == 1 else current


def setting_for(velocity_type: str) -> str:
    """Return the value of ``velocity_type`` that selects a message type."""
    return next(setting for setting, name in SETTINGS.items() if name == velocity_type)
