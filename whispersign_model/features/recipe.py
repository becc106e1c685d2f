# SPDX-License-Identifier: MIT
"""The preprocessing recipe: all parameters that turn sensor frames into network input."""

from __future__ import annotations

import hashlib
import json
import reprlib
from typing import Any, Literal, TypeVar

import numpy as np
from pydantic import ConfigDict, Field, ValidationError, model_validator

from whispersign_model.configuration import StrictModel
from whispersign_model.errors import RecipeError
from whispersign_model.files import parse_json
from whispersign_model.recordings.recording import Coordinates
from whispersign_model.skeleton import CONFIDENCE, FEATURES, JOINTS

Values = tuple[float, ...] | tuple[tuple[float, ...], ...]
Model = TypeVar("Model", bound="SensorRecipe")


SmoothingKind = Literal["none", "one_euro", "moving_average"]
Scaling = Literal["standard", "minmax", "motion", "none"]


class Smoothing(StrictModel):
    """A causal filter for joint positions.

    ``one_euro`` is the filter of Casiez, Roussel and Vogel ("1 Euro Filter", CHI 2012). The cut-off
    frequency of each coordinate is ``min_cutoff + beta * speed``; ``d_cutoff`` is the cut-off
    frequency for the speed. ``moving_average`` is the mean of the last ``window_size`` frames.
    """

    model_config = ConfigDict(allow_inf_nan=False)

    kind: SmoothingKind = "one_euro"
    min_cutoff: float = Field(default=3.0, gt=0, le=100, description="Hz, for a hand at rest")
    beta: float = Field(default=40.0, ge=0, le=1000, description="Hz per (m/s)")
    d_cutoff: float = Field(default=5.0, gt=0, le=100, description="Hz")
    window_size: int = Field(default=5, ge=1, le=100, description="frames")

    @property
    def name(self) -> str:
        """The filter and its parameters as text, as in ``HandFrame.smoothing``; "" for none."""
        if self.kind == "one_euro":
            return f"one_euro({self.min_cutoff!r},{self.beta!r},{self.d_cutoff!r})"
        if self.kind == "moving_average":
            return f"moving_average({self.window_size})"
        return ""


class SensorRecipe(StrictModel):
    """The part of a recipe that determines a processed dataset."""

    model_config = ConfigDict(allow_inf_nan=False)

    rate: float = Field(default=60.0, ge=10, le=240, description="frames per second of the grid")
    max_gap: float = Field(default=0.1, ge=0.02, le=1.0, description="longest bridged gap, seconds")
    max_speed: float | None = Field(
        default=10.0, gt=0, le=1000, description="fastest wrist, sensor units/s; null = any speed"
    )
    smoothing: Smoothing = Smoothing()
    coordinates: Literal["metric_sensor", "metric_hand_centred", "image_normalised"] = (
        "metric_sensor"
    )

    def check_source(self, subject: str, coordinates: Coordinates, smoothing: str) -> None:
        """Reject frames that do not fit this recipe.

        Args:
            subject: name of the recording or topic, for the error message.
            coordinates: coordinates of the positions; UNKNOWN always fits.
            smoothing: filter already applied to the frames; "" for none.

        Raises:
            RecipeError: the coordinates or the filter differ from the recipe's.
        """
        if coordinates != Coordinates.UNKNOWN and coordinates.name.lower() != self.coordinates:
            raise RecipeError(
                subject,
                f"coordinates are {coordinates.name.lower()}, the recipe's {self.coordinates}",
                "use a recording or a model with the same coordinates",
            )
        if smoothing not in ("", self.smoothing.name):
            raise RecipeError(
                subject,
                f"smoothed by {smoothing}, the recipe has {self.smoothing.name or 'no smoothing'}",
                "use unsmoothed frames (hands/raw) or the recipe's filter",
            )

    def changed(self: Model, **fields: Any) -> Model:
        """Return a copy with some fields replaced, validated like a new recipe.

        Raises:
            RecipeError: names the field and its allowed values.
        """
        return parse(type(self), {**self.model_dump(), **fields}, "recipe")


class Recipe(SensorRecipe):
    """All parameters that turn sensor frames into the network's input.

    The manifest of a dataset and every checkpoint contain one. ``fit_scaling`` sets ``offset`` and
    ``scale``, with one value per feature ``(7,)`` or per joint and feature ``(42, 7)``; None
    disables scaling. Confidence is never scaled: its entries are 0 and 1.
    """

    location: Literal["sensor", "entry"] = "entry"
    scaling: Scaling = "standard"
    offset: Values | None = None
    scale: Values | None = None

    @model_validator(mode="after")
    def _scaling_is_whole(self) -> Recipe:
        if (self.offset is None) != (self.scale is None):
            raise ValueError("offset and scale belong together: give both or neither")
        if self.offset is None or self.scale is None:
            return self
        if self.scaling == "none":
            raise ValueError("scaling is none, but offset and scale are given")
        try:
            offset, scale = np.array(self.offset), np.array(self.scale)
        except ValueError:
            raise ValueError("offset and scale have rows of unequal length") from None
        if offset.shape != scale.shape or offset.shape not in ((FEATURES,), (JOINTS, FEATURES)):
            raise ValueError(
                f"offset is {offset.shape} and scale {scale.shape}, not (7,) or (42, 7)"
            )
        if not (scale > 0).all():
            raise ValueError("scale holds values that are not above 0")
        if (offset[..., CONFIDENCE] != 0).any() or (scale[..., CONFIDENCE] != 1).any():
            raise ValueError("confidence (feature 6) must have offset 0 and scale 1")
        return self

    @property
    def id(self) -> str:
        """A fingerprint, which is the same for all recipes that give equal features."""
        canonical = json.dumps(_effective(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]

    def sensor_half(self) -> SensorRecipe:
        """The part that determines a dataset; recipes with equal parts can share a dataset."""
        return SensorRecipe(**{name: getattr(self, name) for name in SensorRecipe.model_fields})

    def to_json(self) -> str:
        """Return the recipe as one line of JSON."""
        return self.model_dump_json()

    @classmethod
    def from_json(cls, text: str, subject: str = "recipe") -> Recipe:
        """Parse a recipe, or its sensor half, from JSON; ``subject`` names the source in errors.

        Raises:
            RecipeError: the JSON is invalid, a field is unknown, or a value is out of range.
        """
        try:
            fields = parse_json(text)
        except ValueError as error:
            raise RecipeError(subject, f"the recipe is not JSON ({error})") from None
        return parse(cls, fields, subject)


def parse(model: type[Model], fields: object, subject: str) -> Model:
    """Validate a recipe from plain values.

    Raises:
        RecipeError: a field is invalid; the message names ``subject``, the field and its allowed
            values.
    """
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        fault = first["msg"].removeprefix("Value error, ")
        if first["loc"]:
            path = ".".join(str(part) for part in first["loc"])
            fault = f"{path}: {fault} (found {reprlib.repr(first['input'])})"
        raise RecipeError(subject, fault) from None


def require_same(subject: str, expected: SensorRecipe, found: SensorRecipe) -> None:
    """Reject data or a model with a different recipe, or two sensor halves that differ.

    Raises:
        RecipeError: a field differs; the message names ``subject``, the field and both values.
    """
    wanted, given = _effective(expected), _effective(found)
    for field in {**wanted, **given}:
        if wanted.get(field) != given.get(field):
            raise RecipeError(
                subject,
                f"{field} is {reprlib.repr(given.get(field))}, "
                f"expected {reprlib.repr(wanted.get(field))}",
                "convert the recordings again, or use the model's own recipe",
            )


def _effective(recipe: SensorRecipe) -> dict[str, Any]:
    """Return the fields as plain values, without smoothing parameters that have no effect."""
    return {**recipe.model_dump(mode="json"), "smoothing": recipe.smoothing.name}
