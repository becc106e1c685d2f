#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Generate the tables in docs/reference/training-keys.md from the classes that validate the keys.

key_tables.py           # update the page
key_tables.py --check   # report a stale page; exit code 1
"""

import inspect
import json
import re
from pathlib import Path
from typing import Any

import pages
from pydantic import BaseModel

from whispersign_model.network.config import DecoderConfig, EncoderConfig, FrontendConfig
from whispersign_model.training.config import FeatureConfig, StageConfig, TrainingConfig
from whispersign_model.training_data.augmentation import Augmentation

PAGE = Path(__file__).resolve().parents[1] / "docs/reference/training-keys.md"
SECTIONS: dict[str, type[BaseModel]] = {
    "recipe": TrainingConfig,
    "stages": StageConfig,
    "features": FeatureConfig,
    "augmentation": Augmentation,
    "frontend": FrontendConfig,
    "encoder": EncoderConfig,
    "decoder": DecoderConfig,
}
HEAD = "| key | default | allowed | meaning |\n|---|---|---|---|\n"
TABLE = r"(?<=^<!-- tools/key_tables.py: {} -->\n\n)(?:\|.*\n)*"
ENTRY = re.compile(r"^ {4}(\w+): (.+(?:\n {8}.+)*)", re.M)
KINDS = {"integer": "whole number", "number": "number", "string": "text", "object": "keys"}
LIMITS = {
    "minimum": "from {:.10g}",
    "exclusiveMinimum": "above {:.10g}",
    "maximum": "to {:.10g}",
    "exclusiveMaximum": "below {:.10g}",
    "multipleOf": "in steps of {:.10g}",
}


def renewed(text: str) -> str:
    """Return the page with current tables.

    Raises:
        ValueError: the page lacks the marker of a section.
    """
    for name, model in SECTIONS.items():
        parts = re.split(TABLE.format(name), text, flags=re.M)
        if len(parts) != 2:
            raise ValueError(f"{PAGE.name}: no marker of section '{name}'")
        text = table(model).join(parts)
    return text


def table(model: type[BaseModel]) -> str:
    """Return a table of a class's keys, with descriptions from "Attributes" in its docstring.

    Raises:
        ValueError: the docstring does not describe a key.
    """
    _, _, attributes = (inspect.getdoc(model) or "").partition("Attributes:\n")
    meanings = {
        name: " ".join(text.split()).removesuffix(".") for name, text in ENTRY.findall(attributes)
    }
    rows = []
    for name, schema in model.model_json_schema(ref_template="{model}")["properties"].items():
        if name not in meanings:
            raise ValueError(f"{model.__name__}: the docstring does not describe '{name}'")
        default = f"`{json.dumps(schema['default'])}`" if "default" in schema else "required"
        if "$ref" in schema or "$ref" in schema.get("items", {}):
            default = ""  # a section with its own table
        meaning = meanings[name].replace("``", "`").replace("|", "\\|")
        rows.append(f"| `{name}` | {default} | {allowed(schema)} | {meaning} |\n")
    return HEAD + "".join(rows)


def allowed(schema: dict[str, Any]) -> str:
    """Describe the values that a JSON schema allows."""
    if "$ref" in schema:
        return "section"
    if "anyOf" in schema:
        return " or ".join(map(allowed, schema["anyOf"]))
    if "prefixItems" in schema:
        return f"list of {len(schema['prefixItems'])} numbers"
    if "items" in schema:
        return f"list of {allowed(schema['items']).replace('number', 'numbers')}"
    if "enum" in schema or "const" in schema:
        values = schema.get("enum") or [schema["const"]]
        return ", ".join(f"`{json.dumps(value)}`".replace('"', "") for value in values)
    if schema["type"] == "boolean":
        return "`true`, `false`"
    limits = [text.format(schema[key]) for key, text in LIMITS.items() if key in schema]
    return " ".join([KINDS[schema["type"]], *limits])


def main() -> int:
    """Write or check the page."""
    return pages.renew({PAGE: renewed})


if __name__ == "__main__":
    raise SystemExit(main())
