# SPDX-License-Identifier: MIT
"""Read YAML and keep the line number of each value."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import AliasEvent
from yaml import YAMLError as PlainYAMLError

from whispersign_model.errors import ConfigError
from whispersign_model.files import YAML_BYTES, check_yaml, read_text

Place = tuple[str | int, ...]  # keys and indices from the root to a value


MOST_FAULTS = 20  # lines of an error


class CommandsError(ConfigError):
    """The faults of a commands file; ``str`` gives a line for each of the first, with its number.

    Attributes:
        faults: all of them.
    """

    def __init__(self, faults: Sequence[ConfigError]) -> None:
        self.faults = tuple(faults)
        super().__init__(faults[0].subject, faults[0].fault)

    def __str__(self) -> str:
        lines = [str(fault) for fault in self.faults[:MOST_FAULTS]]
        if len(self.faults) > MOST_FAULTS:
            file, more = self.subject.rpartition(":")[0], len(self.faults) - MOST_FAULTS
            lines.append(f"{file}: has {more} more faults")
        return "\n".join(lines)


@dataclass(frozen=True)
class SourceMap:
    """The content of a YAML file with its line numbers.

    Attributes:
        path: path of the file.
        content: mappings, lists and scalars.
    """

    path: Path
    content: Any

    def fault(self, place: Place, fault: str, remedy: str = "") -> ConfigError:
        """Return an error that names the file, line and keys of a value.

        For a missing key, the error names the line of the enclosing mapping. If the file has a
        single value where a list is allowed, the error omits the index.
        """
        node = self.content
        line = node.lc.line if isinstance(node, CommentedMap) else 0
        keys: list[str] = []
        for part in place:
            if isinstance(node, CommentedMap) and part in node:
                node, line = node[part], node.lc.key(part)[0]
            elif isinstance(node, CommentedSeq) and isinstance(part, int):
                node, line = node[part], node.lc.item(part)[0]
            elif isinstance(part, int):
                continue
            else:
                node = None
            keys.append(str(part))
        key = ".".join(keys)
        where = f"{self.path}:{line + 1}"
        return ConfigError(where, f"{key}: {fault}" if key else fault, remedy)


def read_source_map(path: Path) -> SourceMap:
    """Read a YAML 1.2 file; ON, OFF, YES and NO are strings, not booleans.

    Raises:
        CommandsError: the file is unreadable, is not YAML, or has an alias or a duplicate key.
    """
    try:
        return SourceMap(path, _read(read_text(path, ConfigError, YAML_BYTES)))
    except ConfigError as error:
        fault = error
    except UnicodeDecodeError:
        fault = ConfigError(path, "is not UTF-8 text", "correct it")
    except MarkedYAMLError as error:
        where = f"{path}:{error.problem_mark.line + 1 if error.problem_mark else 1}"
        if isinstance(error, DuplicateKeyError):
            fault = ConfigError(where, str(error.problem).partition(" with value")[0])
        else:
            fault = ConfigError(where, f"is not valid YAML here: {error.problem}", "correct it")
    except Exception as error:  # on odd scalars, ruamel.yaml raises almost any type
        fault = ConfigError(path, f"is not valid YAML ({error})")
    raise CommandsError([fault])


def _read(text: str) -> Any:
    with suppress(PlainYAMLError):  # ruamel.yaml names the line
        check_yaml(text)
    for event in YAML().parse(text):
        if isinstance(event, AliasEvent):
            raise MarkedYAMLError(problem="an alias (*name)", problem_mark=event.start_mark)
    content = YAML().load(text)
    return {} if content is None else content
