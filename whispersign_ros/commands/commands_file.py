# SPDX-License-Identifier: MIT
"""Read a commands file and check it for contradictions."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from whispersign_model.recordings.spelling import did_you_mean, normalized
from whispersign_ros.commands.schema import VELOCITY_TYPES, Commands, Publish, Stop
from whispersign_ros.commands.source_map import CommandsError, Place, SourceMap, read_source_map

_IN_OUR_WORDS = {"missing": "is missing", "extra_forbidden": "is not a known key"}


@dataclass(frozen=True)
class CommandsFile:
    """A commands file without contradictions; its glosses and message types may be unknown.

    Attributes:
        commands: the parsed content.
        source_map: file and line of each value.
    """

    commands: Commands
    source_map: SourceMap

    def check_glosses(self, vocabulary: Collection[str]) -> None:
        """Check that the model can recognize every gloss.

        Raises:
            CommandsError: a gloss is not in the vocabulary.
        """
        known, otherwise = set(map(normalized, vocabulary)), "use a gloss the model knows"
        faults = [
            self.source_map.fault(place, f"gloss '{gloss}' is not in the vocabulary", remedy)
            for place, gloss in self.commands.placed_glosses()
            if gloss not in known and (remedy := did_you_mean(gloss, known, otherwise))
        ]
        if faults:
            raise CommandsError(faults)


def read_commands(path: Path) -> CommandsFile:
    """Read and check a commands file.

    Raises:
        CommandsError: lists the first faults with file and line.
    """
    source_map = read_source_map(path)
    try:
        commands = Commands.model_validate(source_map.content)
    except ValidationError as error:
        faults = [
            source_map.fault(each["loc"], _words(each["type"], each["msg"]))
            for each in error.errors()
        ]
        raise CommandsError(faults) from error
    found = [source_map.fault(place, fault) for place, fault in _contradictions(commands)]
    if found:
        raise CommandsError(found)
    return CommandsFile(commands, source_map)


def _words(kind: str, message: str) -> str:
    """Rephrase a pydantic error message for the user."""
    return _IN_OUR_WORDS.get(kind, message.removeprefix("Value error, "))


def _contradictions(commands: Commands) -> Iterator[tuple[Place, str]]:
    """Yield the contradictions between the entries of a file."""
    reserved = dict.fromkeys(commands.stop.gloss, "is already a stop sign")
    if commands.arming:
        if commands.arming.gloss in reserved:
            yield ("arming", "gloss"), f"{commands.arming.gloss} is already a stop sign"
        reserved.setdefault(commands.arming.gloss, "is already the arming sign")
    seen: dict[tuple[str, ...], int] = {}
    for index, command in enumerate(commands.commands):
        place: Place = ("commands", index)
        for gloss in sorted(set(command.pattern) & set(reserved)):
            yield place, f"{gloss} {reserved[gloss]}"
        if command.pattern in seen:
            yield place, f"{command.name} is already defined in entry {seen[command.pattern]}"
        seen.setdefault(command.pattern, index)
        if command.confidence < commands.stop.confidence:
            yield (*place, "confidence"), "is lower than the confidence of the stop entry"
        if "cooldown" in command.model_fields_set and commands.only_stops(command):
            yield (*place, "cooldown"), "does not apply to a command that only stops"
        ended = commands.stop.topics | commands.stop.services
        for name in sorted(commands.moved_by(command) - ended):
            yield place, f"uses {command.mode} on '{name}', but stop does not publish on it"
    yield from _types(commands)
    yield from _contradictory_stops(commands.stop)


def _contradictory_stops(stop: Stop) -> Iterator[tuple[Place, str]]:
    """Yield stop messages that move the robot, and two that differ on one topic or service."""
    seen: dict[tuple[str, str], dict[str, Any]] = {}
    for index, publish in enumerate(stop.publish or ()):
        place: Place = ("stop", "publish", index, "message")
        if seen.setdefault(("topic", publish.topic), publish.message) != publish.message:
            yield place, f"contradicts the other stop message on topic '{publish.topic}'"
        if publish.type in VELOCITY_TYPES and not publish.is_zero_velocity:
            yield place, "is a velocity other than zero, which is no stop"
    for index, call in enumerate(stop.call or ()):
        if seen.setdefault(("service", call.service), call.request) != call.request:
            place = ("stop", "call", index, "request")
            yield place, f"contradicts the other stop call of service '{call.service}'"


def _types(commands: Commands) -> Iterator[tuple[Place, str]]:
    """Yield the topics and services that have two different types."""
    types: dict[tuple[type, str], str] = {}
    for place, action in commands.placed_actions():
        name = action.topic if isinstance(action, Publish) else action.service
        known = types.setdefault((type(action), name), action.type)
        if known != action.type:
            yield (*place, "type"), f"'{name}' has type {known} elsewhere in this file"
