"""YAML whose values know the line they stand in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from whispersign_model.errors import ConfigError

_BOOL = "tag:yaml.org,2002:bool"
Place = tuple[str | int, ...]  # keys and indices on the way from the top to a value


class CommandsError(ConfigError):
    """Faults of a commands file, all of them: one line each, with file and line number."""

    def __init__(self, faults: Sequence[ConfigError]) -> None:
        self.faults = tuple(faults)
        super().__init__(faults[0].subject, faults[0].fault)

    def __str__(self) -> str:
        return "\n".join(map(str, self.faults))


class _Loader(yaml.SafeLoader):
    """Only true and false are booleans (as in YAML 1.2): ON, OFF, YES and NO are glosses."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.MarkedYAMLError(problem="a reference (*name)", problem_mark=mark)
        return super().compose_node(parent, index)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _BOOL]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_BOOL, re.compile("^(?:true|false)$"), ["t", "f"])


@dataclass(frozen=True)
class SourceMap:
    """The content of a YAML file.

    Attributes:
        path: of the file.
        content: mappings, lists and scalars.
    """

    path: Path
    content: Any
    _root: yaml.Node | None

    def fault(self, place: Place, fault: str, remedy: str = "") -> ConfigError:
        """Return an error that names the file, the line and the keys of a value.

        Where a key is missing the line is that of the mapping. An index into what may be a list
        but is not one is left out.
        """
        node, line = self._root, self._root.start_mark.line if self._root else 0
        keys: list[str] = []
        for part in place:
            below: yaml.Node | None = None
            if isinstance(node, yaml.MappingNode):
                found = [pair for pair in node.value if pair[0].value == str(part)]
                if isinstance(part, int) and not found:
                    continue
                if found:
                    below, line = found[0][1], found[0][0].start_mark.line
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
                below = node.value[part]
                line = below.start_mark.line
            elif isinstance(part, int):
                continue
            node = below
            keys.append(str(part))
        key = ".".join(keys)
        where = f"{self.path}:{line + 1}"
        return ConfigError(where, f"{key}: {fault}" if key else fault, remedy)


def read_located(path: Path) -> SourceMap:
    """Read a YAML file.

    Raises:
        CommandsError: it cannot be read, is no YAML, has a reference, or a key twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        fault = ConfigError(path, f"cannot be read ({error.strerror})", "check the path")
        raise CommandsError([fault]) from error
    except UnicodeDecodeError as error:
        raise CommandsError([ConfigError(path, "is no UTF-8 text", "correct it")]) from error
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        repeated = _repeated(root)
        content = loader.construct_document(root) if root is not None else {}
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{path}:{mark.line + 1 if mark else 1}"
        fault = ConfigError(where, f"is not YAML that is read here: {error.problem}", "correct it")
        raise CommandsError([fault]) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise CommandsError([ConfigError(path, f"is not valid YAML ({error})")]) from error
    finally:
        loader.dispose()
    if repeated:
        raise CommandsError(
            [ConfigError(f"{path}:{line}", f"'{key}' stands twice") for key, line in repeated]
        )
    return SourceMap(path, content, root)


def _repeated(node: yaml.Node | None) -> list[tuple[str, int]]:
    """Return keys that stand twice in one mapping, with the line of the second."""
    found: list[tuple[str, int]] = []
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            if name in seen:
                found.append((name, key.start_mark.line + 1))
            seen.add(name)
            found += _repeated(value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            found += _repeated(item)
    return found
