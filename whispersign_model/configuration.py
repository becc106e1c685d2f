# SPDX-License-Identifier: MIT
"""Load and validate YAML configuration files; errors name the file and the key."""

import os
import sys
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from whispersign_model.errors import ConfigError, printable
from whispersign_model.files import read_yaml

Model = TypeVar("Model", bound=BaseModel)
LONGEST_NAME = 200  # characters of a gloss or a name


class StrictModel(BaseModel):
    """Immutable, validated values; unknown keys are rejected."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _distinct_glosses(glosses: tuple[str, ...]) -> tuple[str, ...]:
    seen: set[str] = set()
    for number, gloss in enumerate(glosses, 1):
        if not gloss.strip():
            raise ValueError(f"gloss {number} is empty")
        if gloss in seen:
            raise ValueError(f"the gloss {gloss} is named twice")
        seen.add(_readable(gloss))
    return glosses


def _readable(name: str) -> str:
    """Reject names that are long or contain control characters, which terminals obey."""
    if len(name) > LONGEST_NAME:
        raise ValueError(f"a name of {len(name)} characters, more than {LONGEST_NAME}")
    if printable(name) != name:
        raise ValueError(f"the name {printable(name)} contains a control character")
    return name


Name = Annotated[str, AfterValidator(_readable)]
Glosses = Annotated[tuple[str, ...], AfterValidator(_distinct_glosses)]


def config_file(name: str) -> Path:
    """Find a file in the project's ``config`` folder, in a source tree or an installation.

    Args:
        name: relative to ``config``, e.g. ``model/tiny.yaml``.

    Raises:
        ConfigError: there is no such file.
    """
    if (path := _find(name)) is None:
        raise ConfigError(name, "is not in the config folder", "check the name, or install again")
    return path


def find_config(text: str) -> Path:
    """Resolve a user's file name: an existing path, or else a file in ``config``.

    ``config/train.yaml`` therefore works from every working directory. A name that matches nothing
    is returned as a path, and reading it then fails.
    """
    path = Path(text).expanduser()
    if not path.exists() and path.parts[:1] == ("config",):
        return _find(path.relative_to("config")) or path
    return path


def _find(name: str | Path) -> Path | None:
    prefixes = [Path(p) for p in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if p]
    installed = [p / "share/whispersign_ros/config" for p in (Path(sys.prefix), *prefixes)]
    paths = [folder / name for folder in (Path(__file__).parents[1] / "config", *installed)]
    return next((path for path in paths if path.is_file()), None)


def load_yaml(model: type[Model], path: Path) -> Model:
    """Read a YAML file into a pydantic model.

    Raises:
        ConfigError: the file is missing or is not YAML, or a key is unknown or out of range.
    """
    content = read_yaml(path, ConfigError)
    return validate(model, content if content is not None else {}, path)


def validate(model: type[Model], content: object, subject: str | Path) -> Model:
    """Validate a mapping as ``model``.

    Raises:
        ConfigError: a value is invalid; names ``subject``, the first bad key and what it allows.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise ConfigError(subject, describe(error)) from error


def describe(error: ValidationError) -> str:
    """Describe the first invalid key and say how many more there are."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    fault = first["msg"].removeprefix("Value error, ")
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{key + ': ' if key else ''}{fault}{more}"
