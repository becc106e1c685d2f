# SPDX-License-Identifier: MIT
"""Commands files of the faults about driving."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

COMMANDED = "commanded"  # topic of `every_sign`
ZERO = """
    - topic: cmd_vel
      type: geometry_msgs/msg/Twist"""
STOP = f"""
stop:
  gloss: STOP
  disarms: true
  publish:{ZERO}
"""
DRIVE = """
    publish:
      topic: cmd_vel
      type: geometry_msgs/msg/Twist
      message: {linear: {x: 0.2}}
"""
HOLD = f"""
commands:
  - gloss: GO
    confidence: 0.3
    mode: hold{DRIVE}"""
ARMING = """
arming:
  gloss: HELLO
  confidence: 0.3
"""
ONCE = f"""
  - gloss: HELLO
    confidence: 0.3
    mode: once{DRIVE}"""
TWICE = HOLD.replace("    mode: hold", "    repeats: 2\n    mode: hold")
SURROGATE = f"""
stop:
  gloss: STOP
  publish:
    - topic: speech
      type: std_msgs/msg/String
      message: {{data: "\\ud800"}}{ZERO}
"""
NO_SERVER = f"""
stop:
  gloss: STOP
  publish:{ZERO}
  call:
    service: nobody_offers_this
    type: std_srvs/srv/Trigger
"""
TEN_TOPICS = (
    """
stop:
  gloss: STOP
  publish:"""
    + "".join(
        f"""
    - topic: stop{number}
      type: std_msgs/msg/String
      message: {{data: "{"x" * 60}"}}"""
        for number in range(9)
    )
    + ZERO
    + "\n"
)

FILES = {
    "hold": STOP + HOLD,
    "arming": STOP + ARMING + HOLD,
    "once": STOP + HOLD + ONCE,
    "twice": STOP + TWICE,
    "surrogate": SURROGATE + HOLD,
    "no_server": NO_SERVER + HOLD,
    "ten_topics": TEN_TOPICS + HOLD,
}


def write_commands(folder: Path) -> dict[str, Path]:
    """Write the commands files; return their paths by name."""
    folder.mkdir()
    paths = {name: folder / f"{name}.yaml" for name in FILES}
    for name, text in FILES.items():
        paths[name].write_text(text)
    return paths


def every_sign(glosses: Sequence[str]) -> str:
    """Return a commands file in which each gloss publishes its name on ``COMMANDED``; STOP stops.

    Args:
        glosses: the network's vocabulary, with STOP.
    """
    stop = {"gloss": "STOP", "publish": {"topic": "cmd_vel", "type": "geometry_msgs/msg/Twist"}}
    publish = {"topic": COMMANDED, "type": "std_msgs/msg/String"}
    commands: list[dict[str, Any]] = [
        {"gloss": gloss, "publish": {**publish, "message": {"data": gloss}}}
        for gloss in glosses
        if gloss != stop["gloss"]
    ]
    return yaml.safe_dump({"stop": stop, "commands": commands})
