# SPDX-License-Identifier: MIT
"""Read and validate the commands file, which maps glosses to actions."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from whispersign_model.recordings.spelling import did_you_mean, normalized
from whispersign_ros.commands.source_map import CommandsError, Place, SourceMap, read_source_map

DEFAULT_RATE = 10.0  # Hz; most base drivers stop after 0.5 s without a command
DEFAULT_WITHIN, BASE_TIMEOUT = 5.0, 0.5  # seconds; the latter assumed where the file states none
MIN_RATE, MAX_RATE = 0.1, 100.0
TWIST, TWIST_STAMPED = "geometry_msgs/msg/Twist", "geometry_msgs/msg/TwistStamped"
VELOCITY_TYPES = (TWIST, TWIST_STAMPED)

_IN_OUR_WORDS = {"missing": "is missing", "extra_forbidden": "is not a known key"}
Item = TypeVar("Item")
Word = Annotated[str, Field(min_length=1)]
_FILLED = StringConstraints(strip_whitespace=True, min_length=1)
Gloss = Annotated[str, _FILLED, AfterValidator(normalized)]
Confidence = Annotated[float, Field(ge=0.0, le=1.0)]
Seconds = Annotated[float, Field(gt=0.0, le=3600.0)]


_LISTED = BeforeValidator(lambda value: value if isinstance(value, list) else [value])
Some = Annotated[list[Item], Field(min_length=1), _LISTED]  # or one item


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Publish(_Section):
    """A message to publish on a topic.

    Attributes:
        topic: topic name; without a leading slash it is relative to the node's namespace.
        type: message type, such as ``geometry_msgs/msg/Twist``.
        message: values of nested fields; omitted fields are zero, and the node sets header stamps.
    """

    topic: Word
    type: Annotated[str, Field(pattern=r"^[a-z]\w*/msg/[A-Z]\w*$")]
    message: dict[str, Any] = {}


class Call(_Section):
    """A service call.

    Attributes:
        service: service name.
        type: service type, such as ``std_srvs/srv/Trigger``.
        request: values of the request's fields.
    """

    service: Word
    type: Annotated[str, Field(pattern=r"^[a-z]\w*/srv/[A-Z]\w*$")]
    request: dict[str, Any] = {}


Action = Publish | Call


class _Actions(_Section):
    publish: Some[Publish] | None = None
    call: Some[Call] | None = None

    @model_validator(mode="after")
    def _something(self) -> _Actions:
        if not self.actions:
            raise ValueError("needs 'publish' or 'call'")
        return self

    @property
    def actions(self) -> list[Action]:
        """The actions to carry out, in order."""
        return [*(self.publish or ()), *(self.call or ())]

    @property
    def topics(self) -> set[str]:
        """The topics to publish on."""
        return {publish.topic for publish in self.publish or ()}

    @property
    def services(self) -> set[str]:
        """The services to call."""
        return {call.service for call in self.call or ()}


class Stop(_Actions):
    """The stop entry, which ends any command.

    Attributes:
        gloss: the stop sign, or a list of stop signs.
        confidence: minimum confidence; must not exceed the minimum of any command.
        disarms: whether the arming sign is required again after a stop.
        base_timeout: seconds without a command after which the base stops by itself; None if the
            file does not say. Only the base can stop a robot whose computer has failed.
    """

    gloss: Some[Gloss]
    confidence: Confidence = 0.3
    disarms: bool = True
    base_timeout: Annotated[float, Field(ge=0.05, le=10.0)] | None = None


class Arming(_Section):
    """The arming sign; until it is recognized, only a stop sign has an effect.

    Attributes:
        gloss: the sign.
        confidence: minimum confidence.
        timeout: seconds without an accepted sign after which the node disarms.
    """

    gloss: Gloss
    confidence: Confidence = 0.8
    timeout: Seconds = 30.0


class Command(_Actions):
    """A command triggered by one or more signs.

    Attributes:
        gloss, sequence: one sign, or several signs in order; set exactly one of the two.
        repeats: number of times the pattern must occur in a row.
        within: maximum seconds from the start of the first sign to the end of the last.
        confidence: minimum confidence of each sign.
        cooldown: minimum seconds between two triggers, measured between the ends of the signs.
        mode: ``once`` sends one message, ``hold`` publishes until another command or a stop, and
            ``repeat`` publishes for ``duration``.
        publish_rate: messages per second in modes ``hold`` and ``repeat``.
        duration: seconds in mode ``repeat``.
        stops_itself: a one-time message describes a motion that the robot ends by itself, so no
            stop follows.
    """

    gloss: Gloss | None = None
    sequence: Annotated[list[Gloss], Field(min_length=2, max_length=10)] | None = None
    repeats: Annotated[int, Field(ge=1, le=5)] = 1
    within: Seconds = DEFAULT_WITHIN
    confidence: Confidence = 0.8
    cooldown: Annotated[float, Field(ge=0.0, le=3600.0)] = 0.0
    mode: Literal["once", "hold", "repeat"] = "once"
    publish_rate: Annotated[float, Field(ge=MIN_RATE, le=MAX_RATE)] = DEFAULT_RATE
    duration: Seconds | None = None
    stops_itself: bool = False

    @model_validator(mode="after")
    def _whole(self) -> Command:
        given = self.model_fields_set
        if (self.gloss is None) == (self.sequence is None):
            raise ValueError("needs either 'gloss' or 'sequence'")
        if "within" in given and len(self.pattern) == 1:
            raise ValueError("'within' applies only to a sequence or repeats")
        if "publish_rate" in given and self.mode == "once":
            raise ValueError("'publish_rate' applies only to mode hold or repeat")
        if (self.duration is not None) != (self.mode == "repeat"):
            raise ValueError("'duration' is required in mode repeat and applies only to it")
        if self.stops_itself and self.mode != "once":
            raise ValueError("'stops_itself' is for mode once")
        if self.mode != "once" and not self.publish:
            raise ValueError(f"mode {self.mode} needs 'publish': a service is called only once")
        return self

    @property
    def pattern(self) -> tuple[str, ...]:
        """The glosses that must be signed, in order."""
        glosses = [self.gloss] if self.gloss else self.sequence or []
        return tuple(glosses) * self.repeats

    @property
    def name(self) -> str:
        """The glosses of the pattern, joined by spaces."""
        return " ".join(self.pattern)


class Commands(_Section):
    """The content of a commands file."""

    stop: Stop
    arming: Arming | None = None
    commands: Annotated[list[Command], Field(min_length=1)]

    @property
    def moved(self) -> set[str]:
        """The topics and services on which a stop must follow a command."""
        return {name for command in self.commands for name in self.moved_by(command)}

    def moved_by(self, command: Command) -> set[str]:
        """Return the topics and services by which a command moves the robot until a stop.

        These are all topics of hold and repeat, and of a one-time command those that the stop entry
        also uses or that carry velocities.
        """
        if command.stops_itself:
            return set()
        if command.mode != "once":
            return command.topics
        velocities = {each.topic for each in command.publish or () if each.type in VELOCITY_TYPES}
        ended = self.stop.topics | self.stop.services
        return velocities | ((command.topics | command.services) & ended)

    def placed_glosses(self) -> Iterator[tuple[Place, str]]:
        """Yield every gloss with its place in the file."""
        for index, gloss in enumerate(self.stop.gloss):
            yield ("stop", "gloss", index), gloss
        if self.arming:
            yield ("arming", "gloss"), self.arming.gloss
        for index, command in enumerate(self.commands):
            if command.gloss:
                yield ("commands", index, "gloss"), command.gloss
            for position, gloss in enumerate(command.sequence or ()):
                yield ("commands", index, "sequence", position), gloss

    def placed_actions(self) -> Iterator[tuple[Place, Action]]:
        """Yield every action with its place in the file."""
        sections: list[tuple[Place, _Actions]] = [(("stop",), self.stop)]
        sections += [(("commands", index), each) for index, each in enumerate(self.commands)]
        for place, section in sections:
            for position, publish in enumerate(section.publish or ()):
                yield (*place, "publish", position), publish
            for position, call in enumerate(section.call or ()):
                yield (*place, "call", position), call


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
        if publish.type in VELOCITY_TYPES and _moves(publish):
            yield place, "is a velocity other than zero, which is no stop"
    for index, call in enumerate(stop.call or ()):
        if seen.setdefault(("service", call.service), call.request) != call.request:
            place = ("stop", "call", index, "request")
            yield place, f"contradicts the other stop call of service '{call.service}'"


def _moves(publish: Publish) -> bool:
    """Return whether a velocity message has a component other than zero."""
    twist = publish.message.get("twist", {}) if publish.type == TWIST_STAMPED else publish.message
    parts = [twist.get(name) for name in ("linear", "angular")] if isinstance(twist, dict) else []
    values = [value for part in parts if isinstance(part, dict) for value in part.values()]
    return any(value != 0 for value in values)


def _types(commands: Commands) -> Iterator[tuple[Place, str]]:
    """Yield the topics and services that have two different types."""
    types: dict[tuple[type, str], str] = {}
    for place, action in commands.placed_actions():
        name = action.topic if isinstance(action, Publish) else action.service
        known = types.setdefault((type(action), name), action.type)
        if known != action.type:
            yield (*place, "type"), f"'{name}' has type {known} elsewhere in this file"
