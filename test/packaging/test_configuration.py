# SPDX-License-Identifier: MIT
"""No dead options: every configuration key is read by some line of code."""

from __future__ import annotations

import ast
import importlib
import re
from typing import Literal, get_args, get_origin

from pydantic import BaseModel


def models(sources) -> dict[str, type[BaseModel]]:
    """Return every configuration model that the model package defines, by dotted name."""
    found = {}
    for path, tree in sources.trees("whispersign_model").items():
        classes = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
        if not classes or not re.search("pydantic|_Section", path.read_text()):
            continue
        name = ".".join(path.relative_to(sources.root).with_suffix("").parts)
        module = importlib.import_module(name)
        for class_name in classes:
            defined = getattr(module, class_name)
            if isinstance(defined, type) and issubclass(defined, BaseModel):
                found[f"{name}.{class_name}"] = defined
    return found


def read_names(sources) -> set[str]:
    """Return every name that code reads: as attribute or subscript, by ``getattr`` or ``get``."""
    read = set()
    for folder in ("whispersign_model", "whispersign_ros"):
        for tree in sources.trees(folder).values():
            for node in ast.walk(tree):
                if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                    read.add(node.attr)
                elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
                    read.add(node.slice.value)
                elif isinstance(node, ast.Call) and called(node) in ("getattr", "get"):
                    read |= {n.value for n in ast.walk(node) if isinstance(n, ast.Constant)}
    return read


def called(node: ast.Call) -> str:
    """Return the last part of the name of what is called."""
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def has_one_value(annotation: object) -> bool:
    """Whether a key allows one value only: it is there for readers of other programs' files."""
    return get_origin(annotation) is Literal and len(get_args(annotation)) == 1


def test_every_key_of_every_configuration_is_read(sources):
    read = read_names(sources)
    found = models(sources)
    assert any(name.endswith("TrainingConfig") for name in found)
    unread = {
        f"{name}.{field}"
        for name, model in found.items()
        for field, about in model.model_fields.items()
        if field not in read and not has_one_value(about.annotation)
    }
    assert unread == set()


def test_every_node_parameter_is_read(sources):
    settings, read = set(), read_names(sources)
    for tree in sources.trees("whispersign_ros").values():
        declared = set()
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and called(node) in ("ParameterSpec", "_field")
                and node.args
                and isinstance(node.args[0], ast.Constant)
            ):
                settings.add(node.args[0].value)
                declared.add(id(node.args[0]))
        read |= {
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and id(node) not in declared
        }
    assert {"kind", "loop"} <= settings
    assert settings - read == set()
