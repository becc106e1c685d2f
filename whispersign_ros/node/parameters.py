# SPDX-License-Identifier: MIT
"""Declare and validate a node's parameters from a table."""

import json
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import pairwise
from textwrap import wrap
from types import MappingProxyType
from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.parameter import Parameter

from whispersign_model.bundled import DEMO
from whispersign_model.errors import ConfigError
from whispersign_ros.node.entry_points import NODES
from whispersign_ros.node.parameter_files import parameters_of, shared_parameters

Value = bool | int | float | str | list[str]

# Parameters that rclpy gives every node, depending on the distribution.
BUILT_IN = ("use_sim_time", "start_type_description_service")
QOS_OVERRIDES = "qos_overrides."
PARAMETER_FLAGS = ("-p", "--param")
YAML_RULE = "YAML reads unquoted words such as NO, 1 or 007 as other types"


@dataclass(frozen=True)
class ParameterSpec:
    """One parameter of a node.

    Attributes:
        name: key in the parameter file.
        default: default value, which also sets the type.
        description: effect and unit, shown in the parameter file and the reference.
        limits: inclusive range of a number.
        choices: allowed values of a string.
        one_or_many: accept a list of strings as well as a string.
        or_number: accept an integer as well as a string, e.g. a camera's number.
        changes: whether the parameter can be set while the node runs.
    """

    name: str
    default: Value
    description: str
    limits: tuple[float, float] | None = None
    choices: tuple[str, ...] = ()
    one_or_many: bool = False
    or_number: bool = False
    changes: bool = False

    @property
    def allowed(self) -> str:
        """The allowed values, as text."""
        if self.choices:
            return " or ".join(f"'{choice}'" for choice in self.choices)
        kinds = {bool: "true or false", int: "integer", float: "float", str: "string"}
        kind = kinds.get(type(self.default), "list of strings")
        if self.one_or_many:
            kind += " or list of strings"
        if self.or_number:
            kind += " or integer"
        if self.limits:
            kind += f" from {self.limits[0]} to {self.limits[1]}"
        return kind

    def descriptor(self) -> ParameterDescriptor:
        """Return the descriptor that ``ros2 param describe`` shows."""
        descriptor = ParameterDescriptor(
            description=self.description,
            additional_constraints=f"allowed: {self.allowed}",
            read_only=not self.changes,
            dynamic_typing=self.one_or_many or self.or_number,
        )
        if self.limits and isinstance(self.default, int):
            low, high = map(int, self.limits)
            descriptor.integer_range = [IntegerRange(from_value=low, to_value=high)]
        elif self.limits:
            least, most = map(float, self.limits)
            descriptor.floating_point_range = [FloatingPointRange(from_value=least, to_value=most)]
        return descriptor


MODEL = ParameterSpec(
    "model",
    DEMO,
    "exported network (.onnx), checkpoint folder, weights file, or name of a bundled model;"
    " can be set while the node runs",
    changes=True,
)
Change = Callable[[Any], None]


def declare(
    node: Node,
    table: Sequence[ParameterSpec],
    also_known: Collection[str] = (),
    changes: Mapping[str, Change] = MappingProxyType({}),
) -> dict[str, Any]:
    """Declare a table of parameters and return their values by name.

    The node must be created with ``automatically_declare_parameters_from_overrides``, so that
    unknown names are detected.

    Args:
        node: the node that owns the parameters.
        table: its parameters.
        also_known: names set for the whole process that other nodes in it read.
        changes: handlers of new values by the name of a parameter that may change at runtime; an
            exception keeps the old value and becomes the reply.

    Raises:
        ConfigError: a value is not allowed or a name is unknown; the message lists what is allowed.
    """
    given = {
        name: parameter.value
        for name, parameter in node.get_parameters_by_prefix("").items()
        if not _is_built_in(name)
    }
    for name in given:
        node.undeclare_parameter(name)
    _refuse_unknown(node, list(given), [setting.name for setting in table], also_known)
    settings = {setting.name: setting for setting in table}
    values: dict[str, Any] = {}

    def check(parameters: list[Parameter]) -> SetParametersResult:
        for parameter in parameters:
            setting = settings.get(parameter.name)
            if setting and not _is_choice(setting, parameter.value):
                return SetParametersResult(successful=False, reason=f"allowed: {setting.allowed}")
        if len(values) < len(settings):
            return SetParametersResult(successful=True)  # during declaration
        return _change([parameter for parameter in parameters if parameter.name in changes])

    def _change(parameters: list[Parameter]) -> SetParametersResult:
        if len(parameters) > 1:
            names = " and ".join(parameter.name for parameter in parameters)
            return SetParametersResult(successful=False, reason=f"set {names} one after the other")
        for parameter in parameters:
            try:
                changes[parameter.name](parameter.value)
            except Exception as error:  # without an answer, the client of the service would hang
                allowed = settings[parameter.name].allowed
                return SetParametersResult(successful=False, reason=f"{error}; allowed: {allowed}")
            values[parameter.name] = parameter.value
        return SetParametersResult(successful=True)

    node.add_on_set_parameters_callback(check)
    values.update(
        {setting.name: _declare_one(node, setting, given.get(setting.name)) for setting in table}
    )
    return values


def table_text(table: Sequence[ParameterSpec]) -> str:
    """Format a parameter table as Markdown for docs/reference/nodes.md."""
    rows = ["| parameter | default | allowed | meaning |", "|---|---|---|---|"]
    for setting in table:
        default = json.dumps(setting.default)
        meaning = setting.description.replace("|", "\\|")
        rows.append(f"| `{setting.name}` | `{default}` | {setting.allowed} | {meaning} |")
    return "\n".join(rows)


def file_text(table: Sequence[ParameterSpec]) -> str:
    """Format a parameter table as lines of config/whispersign.yaml."""
    lines = []
    for setting in table:
        lines += wrap(setting.description, 98, initial_indent="    # ", subsequent_indent="    # ")
        lines.append(f"    {setting.name}: {json.dumps(setting.default)}")
    return "".join(f"{line}\n" for line in lines)


def _is_built_in(name: str) -> bool:
    return name in BUILT_IN or name.startswith(QOS_OVERRIDES)


def _is_choice(setting: ParameterSpec, value: object) -> bool:
    if setting.one_or_many:
        return isinstance(value, str) or (
            isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value)
        )
    if setting.or_number:
        return isinstance(value, (str, int)) and not isinstance(value, bool)
    return not setting.choices or value in setting.choices


def _declare_one(node: Node, setting: ParameterSpec, given: object) -> object:
    try:
        value = node.declare_parameter(setting.name, setting.default, setting.descriptor()).value
    except ParameterException as error:
        subject = f"parameter '{setting.name}' of {node.get_name()}"
        remedy = f"{_type_hint(setting, given)}allowed: {setting.allowed}"
        raise ConfigError(subject, str(error), remedy) from error
    return str(value) if setting.or_number else value


def quote_hint(rule: str) -> str:
    """Return advice for text that YAML reads as another type.

    Args:
        rule: the parameter as written on the command line, ``NAME:=VALUE``; the advice repeats it
            with quotes.
    """
    name, _, text = rule.partition(":=")
    if text.startswith("[") and text.endswith("]"):
        items = ",".join(_quoted(item) for item in text[1:-1].split(","))
        return f'{YAML_RULE}; write -p "{name}:=[{items}]"'
    return f'{YAML_RULE}; write -p "{name}:={_quoted(text)}"'


def _quoted(text: str) -> str:
    return "'" + text.strip().strip("'\"").replace("'", "''") + "'"


def _type_hint(setting: ParameterSpec, given: object) -> str:
    """Return advice if YAML read another type than the user meant, or ""."""
    if isinstance(setting.default, float) and type(given) is int:
        return f"write {given}.0; "
    items = given if isinstance(given, (list, tuple)) else [given]
    text = isinstance(setting.default, (str, list))
    if not text or given is None or all(isinstance(item, str) for item in items):
        return ""
    for flag, rule in pairwise(sys.argv):
        if flag in PARAMETER_FLAGS and rule.partition(":=")[0].split(":")[-1] == setting.name:
            return f"{quote_hint(rule)}; "
    return f"{YAML_RULE}; put the text of '{setting.name}' in quotes; "


def _is_for_others(name: str) -> bool:
    """Return whether a file sets this parameter for all nodes and one of our nodes has it."""
    return name in shared_parameters(sys.argv) and any(
        name in parameters_of(node) for node in NODES
    )


def _refuse_unknown(
    node: Node, given: Sequence[str], known: Sequence[str], also_known: Collection[str]
) -> None:
    for name in given:
        if name in known or name in also_known or _is_for_others(name):
            continue
        near = get_close_matches(name, known, n=1)
        remedy = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(sorted(known))}"
        raise ConfigError(f"parameter '{name}' of {node.get_name()}", "is not known", remedy)
