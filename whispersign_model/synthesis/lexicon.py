# SPDX-License-Identifier: MIT
"""The lexicon: synthetic signs, each with handshape, orientation, location and movement.

The lexicon is read from YAML. Its signs do not belong to any natural sign language. They are
written for a right-handed signer; a left-handed signer mirrors everything except the absolute
directions ``left`` and ``right``.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from whispersign_model.arrays import Doubles
from whispersign_model.configuration import StrictModel, load_yaml
from whispersign_model.errors import ConfigError
from whispersign_model.synthesis.hand import check_limits

Direction = Literal["up", "down", "in", "out", "left", "right", "forward", "back"]
# Directions in the sensor frame for a right hand: "in" points toward the left hand.
DIRECTIONS: dict[str, tuple[float, float, float]] = {
    "up": (0, 1, 0),
    "down": (0, -1, 0),
    "in": (-1, 0, 0),
    "out": (1, 0, 0),
    "left": (-1, 0, 0),
    "right": (1, 0, 0),
    "forward": (0, 0, -1),
    "back": (0, 0, 1),
}
ABSOLUTE = ("left", "right")  # directions that a left-handed signer does not mirror

FingerAngles = Annotated[list[float], Field(min_length=4, max_length=4)]
Point = Annotated[list[float], Field(min_length=3, max_length=3)]


class Handshape(StrictModel):
    """The angles of the five fingers in degrees, four per finger as in ``synthesis.hand``."""

    thumb: FingerAngles
    index: FingerAngles
    middle: FingerAngles
    ring: FingerAngles
    pinky: FingerAngles

    def radians(self) -> Doubles:
        """Return the angles as ``(5, 4)`` radians."""
        degrees = [self.thumb, self.index, self.middle, self.ring, self.pinky]
        return np.deg2rad(np.array(degrees, dtype=np.float64))


class Movement(StrictModel):
    """The movement of hand, wrist and fingers during the stroke.

    Attributes:
        path: "straight" runs along ``direction``. "arc" also bends toward ``bulge``. "circle" turns
            about ``direction``. "zigzag" runs along ``direction`` and swings toward ``bulge``.
            "tap" comes from behind, touches the location, and goes back.
        size: length of the path, or diameter of the circle, in meters.
        wrist: "wave" turns the hand about the palm normal, "nod" up and down, and "twist" about the
            forearm, each by ``degrees`` from end to end.
        fingers: "change" goes from the first handshape to the second. "wiggle" moves the fingers.
        repeats: number of repetitions. 1 goes one way (or makes one tap or circle); larger numbers
            go back and forth.
    """

    path: Literal["none", "straight", "arc", "circle", "zigzag", "tap"] = "none"
    direction: Direction = "forward"
    bulge: Direction = "up"
    size: float = Field(default=0.0, ge=0.0, le=0.3)
    wrist: Literal["none", "wave", "nod", "twist"] = "none"
    degrees: float = Field(default=0.0, ge=-120.0, le=120.0)
    fingers: Literal["still", "change", "wiggle"] = "still"
    repeats: int = Field(default=1, ge=1, le=4)

    def describe(self) -> str:
        """Describe the movement in words."""
        words = []
        if self.path != "none":
            words.append(f"{self.path} {self.direction} {round(100 * self.size)} cm")
        if self.path in ("arc", "zigzag"):
            words[-1] += f" by way of {self.bulge}"
        if self.wrist != "none":
            words.append(f"{self.wrist} {abs(self.degrees):.0f} degrees")
        if self.fingers != "still":
            words.append("fingers " + self.fingers)
        return ", ".join(words) + (f", {self.repeats} times" if self.repeats > 1 else "")

    @model_validator(mode="after")
    def _is_complete(self) -> Movement:
        if (self.path == "none") != (self.size == 0):
            raise ValueError("a path has a size and no path has none")
        if (self.wrist == "none") != (self.degrees == 0):
            raise ValueError("a wrist movement has degrees and no wrist movement has none")
        if self.path == "none" and self.wrist == "none" and self.fingers == "still":
            raise ValueError("nothing moves")
        along, aside = (DIRECTIONS[word] for word in (self.direction, self.bulge))
        if self.path in ("arc", "zigzag") and np.dot(along, aside) != 0:
            raise ValueError("bulge is not at right angles to direction")
        return self


class BaseHand(StrictModel):
    """A second hand that serves as a base for the first hand."""

    handshape: str
    palm: Direction
    fingers: Direction
    location: str
    follows: bool = False  # whether it moves along the path of the first hand


class Sign(StrictModel):
    """One sign. ``handshape`` has two names if the ``fingers`` of the movement are "change"."""

    handshape: str | tuple[str, str]
    palm: Direction
    fingers: Direction
    location: str
    movement: Movement
    duration: float = Field(ge=0.2, le=2.0)  # duration of the stroke in seconds at tempo 1
    other: Literal["none", "mirror", "alternate"] | BaseHand = "none"

    @model_validator(mode="after")
    def _fits_together(self) -> Sign:
        if isinstance(self.handshape, tuple) != (self.movement.fingers == "change"):
            raise ValueError("two handshapes go with fingers: change, and only with it")
        directions = [(self.palm, self.fingers)]
        if isinstance(self.other, BaseHand):
            directions.append((self.other.palm, self.other.fingers))
        for palm, fingers in directions:
            if np.dot(DIRECTIONS[palm], DIRECTIONS[fingers]) != 0:
                raise ValueError(f"palm {palm} is not at right angles to fingers {fingers}")
        words = {self.palm, self.fingers, self.movement.direction, self.movement.bulge}
        if self.other != "none" and words & set(ABSOLUTE):
            raise ValueError("left and right are for one-handed signs; say in and out")
        if self.other == "alternate" and self.movement.repeats < 2:
            raise ValueError("alternating hands need a repeated movement")
        return self

    @property
    def handshapes(self) -> tuple[str, str]:
        """The handshapes at the beginning and at the end of the stroke."""
        if isinstance(self.handshape, tuple):
            return self.handshape
        return self.handshape, self.handshape

    def describe(self) -> dict[str, str]:
        """Describe handshape, orientation, location, movement and second hand in words."""
        second = "" if self.other == "none" else str(self.other)
        if isinstance(self.other, BaseHand):
            base = self.other
            second = f"{base.handshape}, palm {base.palm}, fingers {base.fingers}, {base.location}"
            second += ", follows" if base.follows else ""
        return {
            "handshape": " to ".join(dict.fromkeys(self.handshapes)),
            "palm, fingers": f"{self.palm}, {self.fingers}",
            "location": self.location,
            "movement": self.movement.describe(),
            "second hand": second,
        }

    @property
    def two_handed(self) -> bool:
        """Whether the sign uses the second hand."""
        return self.other != "none"


class Lexicon(StrictModel):
    """All signs, with the handshapes and locations that they use."""

    handshapes: dict[str, Handshape]
    locations: dict[str, Point]
    signs: dict[str, Sign]

    @model_validator(mode="after")
    def _names_exist(self) -> Lexicon:
        for name, handshape in self.handshapes.items():
            check_limits(handshape.radians(), f"handshape {name}")
        for gloss, sign in self.signs.items():
            parts: list[Sign | BaseHand] = [sign]
            if isinstance(sign.other, BaseHand):
                parts.append(sign.other)
            used = {*sign.handshapes, *(p.handshape for p in parts if isinstance(p, BaseHand))}
            if unknown := used - set(self.handshapes):
                raise ValueError(f"{gloss}: no handshape {sorted(unknown)}")
            if unknown := {p.location for p in parts} - set(self.locations):
                raise ValueError(f"{gloss}: no location {sorted(unknown)}")
        return self

    @property
    def glosses(self) -> tuple[str, ...]:
        """All glosses in the order of the file."""
        return tuple(self.signs)

    def sign(self, gloss: str) -> Sign:
        """Look up one sign.

        Raises:
            ConfigError: there is no such gloss; the message lists the existing ones.
        """
        if gloss not in self.signs:
            raise ConfigError(
                gloss, "is not a sign of the lexicon", f"choose from {', '.join(self.glosses)}"
            )
        return self.signs[gloss]

    def table(self) -> str:
        """Return all signs as a Markdown table."""
        rows = [{"gloss": gloss, **sign.describe()} for gloss, sign in self.signs.items()]
        lines = ["| " + " | ".join(rows[0]) + " |", "|" + " --- |" * len(rows[0])]
        lines += ["| " + " | ".join(row.values()) + " |" for row in rows]
        return "\n".join(lines) + "\n"


@cache
def default_lexicon() -> Lexicon:
    """Return the package's lexicon."""
    return load_yaml(Lexicon, Path(str(files(__package__) / "lexicon.yaml")))
