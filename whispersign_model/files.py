# SPDX-License-Identifier: MIT
"""Read files from strangers: JSON, YAML and text of bounded size, depth and memory.

Every reader of JSON or YAML in both packages goes through this module. It refuses a file that would
take minutes, gigabytes or the interpreter's stack before a parser builds anything from it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from whispersign_model.errors import WhisperSignError

MEGABYTE = 1 << 20
JSON_BYTES = 32 * MEGABYTE  # a manifest of 100 000 recordings
YAML_BYTES = MEGABYTE
TEXT_BYTES = 64 * MEGABYTE  # tables
YAML_DEPTH = 50
YAML_VALUES = 20_000
LONGEST_NUMBER = 400  # digits of a number in YAML; a float has at most 309 before its point

Kind = type[WhisperSignError]

_JSON: TypeAdapter[Any] = TypeAdapter(Any)
_EVENTS = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TEXT_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


def require_file(path: Path, kind: Kind) -> None:
    """Reject whatever is not a regular file, such as a FIFO, a device, or a link to one.

    Opening a FIFO blocks until somebody writes to it; a device can be endless.

    Raises:
        WhisperSignError: of type ``kind``: the file is missing or not a regular file.
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as error:
        raise _unreadable(path, kind, error) from error
    if stat.S_ISDIR(mode):
        raise kind(path, "cannot be read (Is a directory)", "check the path")
    if not stat.S_ISREG(mode):
        raise kind(path, "cannot be read (it is a FIFO, a device or a socket)", "give a file")


def read_bytes(path: Path, kind: Kind, limit: int) -> bytes:
    """Read a regular file of at most ``limit`` bytes.

    Raises:
        WhisperSignError: of type ``kind``: the file is unreadable, not regular, or larger.
    """
    require_file(path, kind)
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise _unreadable(path, kind, error) from error
    if len(content) > limit:
        raise kind(
            path, f"is larger than {limit // MEGABYTE} MB", "check that it is the right file"
        )
    return content


def read_text(path: Path, kind: Kind, limit: int = TEXT_BYTES) -> str:
    """Read a UTF-8 file of at most ``limit`` bytes.

    Raises:
        WhisperSignError: of type ``kind``: as in :func:`read_bytes`.
        UnicodeDecodeError: the file is not UTF-8.
    """
    return read_bytes(path, kind, limit).decode("utf-8")


def parse_json(text: str | bytes) -> Any:
    """Parse JSON that is nested at most some 200 deep.

    Raises:
        ValueError: the text is not JSON, is nested deeper, or is larger than ``JSON_BYTES``.
    """
    if len(text) > JSON_BYTES:
        raise ValueError(f"it is larger than {JSON_BYTES // MEGABYTE} MB")
    try:
        return _JSON.validate_json(text)
    except ValidationError as error:
        fault = error.errors(include_input=False)[0]["msg"]
        raise ValueError(fault.removeprefix("Invalid JSON: ")) from None


def read_json(path: Path, kind: Kind, remedy: str = "") -> Any:
    """Read a JSON file.

    Raises:
        WhisperSignError: of type ``kind``: the file is unreadable, too large, or not JSON.
    """
    content = read_bytes(path, kind, JSON_BYTES)
    try:
        return parse_json(content)
    except ValueError as error:
        raise kind(path, f"is not valid JSON ({error})", remedy) from error


def parse_yaml(text: str, *, plain: bool = False, values: int = YAML_VALUES) -> Any:
    """Parse YAML of bounded depth and size, in which aliases count as what they stand for.

    Args:
        text: the document.
        plain: whether to leave all scalars as text.
        values: highest number of mappings, lists and scalars.

    Raises:
        ValueError: the text is not YAML or exceeds a bound.
    """
    try:
        check_yaml(text, plain=plain, values=values)
        return yaml.load(text, Loader=_TEXT_LOADER) if plain else yaml.load(text, Loader=_LOADER)
    except ValueError:
        raise
    except Exception as error:  # on odd scalars, PyYAML raises almost any type
        raise ValueError(str(error) or type(error).__name__) from error


def check_yaml(text: str, *, plain: bool = False, values: int = YAML_VALUES) -> None:
    """Reject YAML that :func:`parse_yaml` would reject for its depth or size.

    Raises:
        ValueError: the text exceeds a bound; the message names the line.
        yaml.YAMLError: the text is not YAML.
    """
    sizes: dict[str, int] = {}  # number of values that each anchor stands for
    collections: list[tuple[str | None, int]] = []  # anchor, and the total before it
    total = 0
    for event in yaml.parse(text, Loader=_EVENTS):
        line = event.start_mark.line + 1  # type: ignore[union-attr]
        if isinstance(event, yaml.CollectionStartEvent):
            collections.append((event.anchor, total))
            total += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = collections.pop()
            if anchor:
                sizes[anchor] = total - before
        elif isinstance(event, yaml.ScalarEvent):
            total += 1
            if event.anchor:
                sizes[event.anchor] = 1
            if not plain and event.implicit[0] and _is_long_number(event.value):
                raise ValueError(f"line {line}: a number of {len(event.value)} digits")
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                raise ValueError(f"line {line}: the alias *{event.anchor} has no value before it")
            total += sizes[event.anchor]
        if len(collections) > YAML_DEPTH:
            raise ValueError(f"line {line}: nested deeper than {YAML_DEPTH}")
        if total > values:
            raise ValueError(f"line {line}: more than {values} values")


def read_yaml(path: Path, kind: Kind, remedy: str = "correct the file") -> Any:
    """Read a YAML file into plain values.

    Raises:
        WhisperSignError: of type ``kind``: the file is unreadable, too large, or not YAML.
    """
    try:
        return parse_yaml(read_text(path, kind, YAML_BYTES))
    except ValueError as error:
        raise kind(path, f"is not valid YAML ({error})", remedy) from error


@contextmanager
def damage_told(path: Path, kind: Kind, remedy: str) -> Iterator[None]:
    """Turn any error from reading a damaged file into a one-line error of type ``kind``."""
    try:
        yield
    except WhisperSignError:
        raise
    except OSError as error:
        raise kind(path, f"cannot be read ({error.strerror or error})") from error
    except Exception as error:  # on malformed bytes, the parsers raise almost any type
        reason = str(error) or type(error).__name__
        raise kind(path, f"is damaged ({reason.rstrip('.')})", remedy) from error


def _is_long_number(text: str) -> bool:
    return len(text) > LONGEST_NUMBER and text[0] in "+-.0123456789"


def _unreadable(path: Path, kind: Kind, error: OSError | ValueError) -> WhisperSignError:
    reason = getattr(error, "strerror", None) or str(error)
    return kind(path, f"cannot be read ({reason})", "check the path")
