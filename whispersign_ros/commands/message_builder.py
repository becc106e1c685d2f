# SPDX-License-Identifier: MIT
"""Fill messages of any type from YAML, after checking every type and field."""

import math
import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from whispersign_ros.commands.commands_file import CommandsFile
from whispersign_ros.commands.schema import Publish
from whispersign_ros.commands.source_map import CommandsError, Place

HEADER = "std_msgs/Header"
_ARRAY = re.compile(r"^(?P<item>[^<\[]+)\[(?P<size>\d+)\]$")
_SEQUENCE = re.compile(r"^sequence<(?P<item>[^,]+)(?:, *(?P<most>\d+))?>$")
_INTEGER = re.compile(r"^(?P<unsigned>u?)int(?P<bits>8|16|32|64)$")
_TEXT = re.compile(r"^w?string(?:<(?P<most>\d+)>)?$")
_LARGEST_FLOAT = 3.4028235e38

Fault = tuple[Place, str]


def interface(name: str) -> Any:
    """Return the class of a message or service such as ``std_msgs/msg/String``.

    Raises:
        LookupError: the type does not exist; the message says why.
    """
    package, kind, word = name.split("/")
    try:
        module = import_module(f"{package}.{kind}")
    except ImportError as error:
        raise LookupError(
            f"package '{package}' is not installed, or has no {kind} types"
        ) from error
    found = getattr(module, word, None)
    parts = found if kind == "msg" else getattr(found, "Request", None)
    if not hasattr(parts, "get_fields_and_field_types"):
        raise LookupError(f"package '{package}' has no {kind} type '{word}'")
    return found


def build_messages(file: CommandsFile) -> dict[int, tuple[Any, Any]]:
    """Map the ``id`` of each action to its message or service class and its filled message.

    Raises:
        CommandsError: lists every unknown type, unknown field and value of the wrong type.
    """
    built, faults = {}, []
    for place, action in file.commands.placed_actions():
        publish = isinstance(action, Publish)
        try:
            kind = interface(action.type)
        except LookupError as error:
            faults.append((((*place, "type")), str(error.args[0])))
            continue
        message = kind() if publish else kind.Request()
        values = action.message if isinstance(action, Publish) else action.request
        faults += fill(message, values, (*place, "message" if publish else "request"))
        built[id(action)] = kind, message
    if faults:
        raise CommandsError([file.source_map.fault(place, fault) for place, fault in faults])
    return built


def is_stamped(message: Any) -> bool:
    """Return whether a message starts with a header, so that its stamp must be set."""
    return bool(message.get_fields_and_field_types().get("header") == HEADER)


def fill(message: Any, values: object, place: Place) -> Iterator[Fault]:
    """Write nested values into a message; yield each fault with its place."""
    types = message.get_fields_and_field_types()
    if not isinstance(values, dict):
        yield place, f"should be a mapping with these fields: {', '.join(types)}"
        return
    for name, value in values.items():
        where = (*place, name)
        if name not in types:
            yield where, f"is not a field; the fields are: {', '.join(types)}"
        elif types[name] == HEADER and isinstance(value, dict) and "stamp" in value:
            yield (*where, "stamp"), "cannot be set: it is filled in when the message is sent"
        else:
            written, faults = _value(types[name], value, where)
            yield from faults
            if not faults:
                setattr(message, name, written)


def _value(kind: str, value: object, place: Place) -> tuple[Any, list[Fault]]:
    """Convert a value to the field type ``kind``; return it with any faults."""
    if "/" in kind and not kind.startswith("sequence") and not kind.endswith("]"):
        package, name = kind.split("/")
        message = interface(f"{package}/msg/{name}")()
        return message, list(fill(message, value, place))
    array = _ARRAY.match(kind) or _SEQUENCE.match(kind)
    if array:
        return _items(array, value, place)
    wrong = _wrong(kind, value)
    if wrong:
        return None, [(place, f"should be {wrong}, not {value!r}")]
    if kind in ("float", "double"):
        return _number(value), []
    return (bytes([value]) if kind == "octet" and isinstance(value, int) else value), []


def _items(
    array: re.Match[str], value: object, place: Place
) -> tuple[list[Any] | None, list[Fault]]:
    limits = array.groupdict()
    size, most = limits.get("size"), limits.get("most")
    if not isinstance(value, list):
        return None, [(place, f"should be a list of {limits['item']}, not {value!r}")]
    if (size and len(value) != int(size)) or (most and len(value) > int(most)):
        wanted = f"{size}" if size else f"at most {most}"
        return None, [(place, f"should have {wanted} items, not {len(value)}")]
    pairs = [_value(limits["item"], item, (*place, index)) for index, item in enumerate(value)]
    return [written for written, _ in pairs], [fault for _, found in pairs for fault in found]


def _wrong(kind: str, value: object) -> str:
    """Describe the scalars that ``kind`` allows; return "" if the value is one of them."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    if kind == "boolean":
        return "" if isinstance(value, bool) else "true or false"
    if kind in ("float", "double"):
        most = _LARGEST_FLOAT if kind == "float" else math.inf
        number = abs(_number(value))
        return "" if number <= most and math.isfinite(number) else "a finite number"
    text = _TEXT.match(kind)
    if text:
        most_text = text["most"]
        fits = isinstance(value, str) and (not most_text or len(value) <= int(most_text))
        return "" if fits else "text" + (f" of at most {most_text}" if most_text else "")
    integer = _INTEGER.match(kind)
    bits = int(integer["bits"]) if integer else 8
    signed = integer is not None and not integer["unsigned"]
    least, greatest = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    fits = isinstance(value, int) and whole and least <= value <= greatest
    return "" if fits else f"a whole number from {least} to {greatest}"


def _number(value: object) -> float:
    """Convert a number to a float; return NaN for any other value."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf
