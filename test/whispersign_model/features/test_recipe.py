# SPDX-License-Identifier: MIT
"""Recipes: what they refuse, how they travel, and when two of them are the same."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from whispersign_model.errors import RecipeError
from whispersign_model.features.recipe import Recipe, SensorRecipe, Smoothing, require_same
from whispersign_model.recordings.recording import Coordinates
from whispersign_model.skeleton import JOINTS

OFFSET = [0.1, -0.2, 0.3, 0.0, 1e-7, 2.0, 0.0]
SCALE = [1.5, 0.25, 3.0, 1.0, 4.0, 5.0, 1.0]


def fitted() -> Recipe:
    return Recipe(offset=[OFFSET] * JOINTS, scale=[SCALE] * JOINTS)


@pytest.mark.parametrize("recipe", [Recipe(), Recipe(offset=OFFSET, scale=SCALE), fitted()])
def test_json_keeps_every_value(recipe: Recipe) -> None:
    assert Recipe.from_json(recipe.to_json()) == recipe
    assert Recipe.from_json(recipe.to_json()).id == recipe.id


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"rate": 5}, "rate: Input should be greater than or equal to 10"),
        ({"rate": 500}, "rate"),
        ({"rate": float("nan")}, "rate"),
        ({"max_gap": 0}, "max_gap"),
        ({"max_gap": 2}, "max_gap"),
        ({"max_speed": 0}, "max_speed"),
        ({"max_speed": float("inf")}, "max_speed"),
        ({"coordinates": "pixels"}, "coordinates"),
        ({"location": "somewhere"}, "location"),
        ({"scaling": "robust"}, "scaling"),
        ({"sampling": 60}, "sampling: Extra inputs are not permitted"),
        ({"smoothing": {"kind": "kalman"}}, "smoothing.kind"),
        ({"smoothing": {"min_cutoff": 0}}, "smoothing.min_cutoff"),
        ({"smoothing": {"beta": -1}}, "smoothing.beta"),
        ({"smoothing": {"d_cutoff": 0}}, "smoothing.d_cutoff"),
        ({"smoothing": {"window_size": 0}}, "smoothing.window_size"),
        ({"smoothing": {"window": 5}}, "smoothing.window"),
        ({"offset": OFFSET}, "offset and scale belong together"),
        ({"offset": OFFSET[:6], "scale": SCALE[:6]}, "offset is (6,)"),
        ({"offset": OFFSET, "scale": [SCALE] * JOINTS}, "offset is (7,) and scale (42, 7)"),
        ({"offset": [OFFSET, [0.0]], "scale": [SCALE, [1.0]]}, "rows of unequal length"),
        ({"offset": OFFSET, "scale": [0.0, *SCALE[1:]]}, "scale holds values that are not above 0"),
        ({"offset": OFFSET, "scale": [*SCALE[:6], 2.0]}, "confidence (feature 6)"),
        ({"offset": [*OFFSET[:6], 1.0], "scale": SCALE}, "confidence (feature 6)"),
        ({"offset": OFFSET, "scale": SCALE, "scaling": "none"}, "scaling is none"),
    ],
)
def test_a_bad_field_is_named(fields: dict[str, object], named: str) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe().changed(**fields)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


def test_text_that_is_no_recipe_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"model\.json: the recipe is not JSON"):
        Recipe.from_json("{rate: 60", subject="model.json")
    with pytest.raises(RecipeError, match=r"^model\.json: "):
        Recipe.from_json("[1, 2]", subject="model.json")


def test_recipes_do_not_change_in_place() -> None:
    with pytest.raises(ValidationError):
        Recipe().rate = 30.0  # type: ignore[misc]


@pytest.mark.parametrize(
    "change",
    [
        {"rate": 30.0},
        {"max_gap": 0.2},
        {"max_speed": None},
        {"smoothing": {"kind": "none"}},
        {"coordinates": "image_normalised"},
        {"location": "sensor"},
        {"scaling": "minmax"},
        {"offset": OFFSET, "scale": SCALE},
    ],
)
def test_each_field_changes_the_fingerprint(change: dict[str, object]) -> None:
    recipe = Recipe(location="entry", scaling="standard")
    assert recipe.changed(**change).id != recipe.id


def test_parameters_that_a_filter_ignores_do_not_change_the_fingerprint() -> None:
    one = Recipe(smoothing=Smoothing(kind="none"))
    other = Recipe(smoothing=Smoothing(kind="none", min_cutoff=7.0, window_size=9))
    assert one.id == other.id
    require_same("run", one, other)


def test_the_fingerprint_is_the_same_in_every_version() -> None:
    recipe = Recipe(
        rate=60.0,
        max_gap=0.1,
        max_speed=10.0,
        smoothing=Smoothing(kind="one_euro", min_cutoff=1.0, beta=0.5, d_cutoff=1.0),
        coordinates="metric_sensor",
        location="entry",
        scaling="standard",
        offset=OFFSET,
        scale=SCALE,
    )
    assert recipe.id == "bfb4f65e8233"


def test_names_of_filters_carry_the_parameters_they_read() -> None:
    one_euro = Smoothing(kind="one_euro", min_cutoff=1, beta=0.3, d_cutoff=1)
    assert one_euro.name == "one_euro(1.0,0.3,1.0)"
    assert Smoothing(kind="moving_average", window_size=7).name == "moving_average(7)"
    assert Smoothing(kind="none").name == ""


def test_recipes_with_equal_sensor_halves_share_a_dataset() -> None:
    one = Recipe(location="sensor", scaling="none")
    other = Recipe(location="entry", scaling="minmax")
    assert one.sensor_half() == other.sensor_half()
    require_same("dataset", one.sensor_half(), other.sensor_half())
    with pytest.raises(RecipeError, match="location"):
        require_same("dataset", one, other)


def test_the_first_different_field_is_named_with_both_values() -> None:
    with pytest.raises(RecipeError, match=r"^dataset/manifest.json: max_gap is 0.2, expected 0.1"):
        require_same("dataset/manifest.json", Recipe(), Recipe(max_gap=0.2, location="sensor"))
    smoothed = Recipe(smoothing=Smoothing(kind="moving_average", window_size=5))
    with pytest.raises(RecipeError, match=r"smoothing is 'moving_average\(5\)', expected ''"):
        require_same("dataset", Recipe(smoothing=Smoothing(kind="none")), smoothed)


def test_a_manifest_holds_the_sensor_half_and_reads_as_a_recipe() -> None:
    recipe = Recipe(rate=50.0, max_speed=None, location="sensor")
    stored = json.loads(recipe.sensor_half().model_dump_json())
    assert stored == recipe.model_dump(exclude={"location", "scaling", "offset", "scale"})
    assert Recipe(**stored).sensor_half() == recipe.sensor_half()
    assert type(recipe.sensor_half()) is SensorRecipe


def test_frames_of_another_kind_are_refused() -> None:
    recipe = Recipe(smoothing=Smoothing(kind="moving_average"))
    recipe.check_source("bag", Coordinates.METRIC_SENSOR, "")
    recipe.check_source("bag", Coordinates.UNKNOWN, "moving_average(5)")
    with pytest.raises(RecipeError, match="bag: coordinates are image_normalised"):
        recipe.check_source("bag", Coordinates.IMAGE_NORMALISED, "")
    with pytest.raises(RecipeError, match=r"bag: smoothed by moving_average\(4\)"):
        recipe.check_source("bag", Coordinates.METRIC_SENSOR, "moving_average(4)")
