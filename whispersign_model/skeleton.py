# SPDX-License-Identifier: MIT
"""The hand skeleton: joint order, bones, hand parts and frame layout.

A *frame* is a float32 array ``(42, 7)``. Joints 0-20 are the left hand and joints 21-41 the right
hand, both in MediaPipe order. The features are position (m, sensor frame), velocity (m/s) and
confidence in [0, 1]. A confidence of 0 means "not tracked"; position and velocity are then 0, never
NaN.
"""

from itertools import pairwise

HANDS = ("left", "right")
HAND_JOINTS = (
    "wrist",
    *(f"thumb_{joint}" for joint in ("cmc", "mcp", "ip", "tip")),
    *(
        f"{finger}_{joint}"
        for finger in ("index", "middle", "ring", "pinky")
        for joint in ("mcp", "pip", "dip", "tip")
    ),
)
JOINTS_PER_HAND = len(HAND_JOINTS)  # 21
JOINTS = len(HANDS) * JOINTS_PER_HAND  # 42

POSITION = slice(0, 3)  # x y z, meters
VELOCITY = slice(3, 6)  # meters per second
CONFIDENCE = 6  # in [0, 1]; 0 = not tracked
FEATURES = 7

LEFT = slice(0, JOINTS_PER_HAND)
RIGHT = slice(JOINTS_PER_HAND, JOINTS)

WRIST = HAND_JOINTS.index("wrist")
MIDDLE_MCP = HAND_JOINTS.index("middle_mcp")

FINGERS = {
    "thumb": (1, 2, 3, 4),
    "index": (5, 6, 7, 8),
    "middle": (9, 10, 11, 12),
    "ring": (13, 14, 15, 16),
    "pinky": (17, 18, 19, 20),
}

# The bones of one hand as (parent, child) joints: five finger chains and the palm's arch.
BONES = (
    *((0, chain[0]) for chain in FINGERS.values()),
    *(bone for chain in FINGERS.values() for bone in pairwise(chain)),
    (5, 9),
    (9, 13),
    (13, 17),
)
