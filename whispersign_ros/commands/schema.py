# SPDX-License-Identifier: MIT
"""The content of a commands file, which maps glosses to actions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from whispersign_model.recordings.spelling import normalized
from whispersign_ros.commands.source_map import Place

DEFAULT_RATE = 10.0  # Hz; most base drivers stop after 0.5 s without a command
DEFAULT_WITHIN, BASE_TIMEOUT = 5.0, 0.5  # seconds; the latter assumed where the file states none
COOLDOWN = 1.0  # seconds; a sign read twice ends within it, a sign made twice does not
MIN_RATE, MAX_RATE = 0.1, 100.0
TWIST, TWIST_STAMPED = "geometry_msgs/msg/Twist", "geometry_msgs/msg/TwistStamped"
VELOCITY_TYPES = (TWIST, TWIST_STAMPED)

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

    @property
    def is_zero_velocity(self) -> bool:
        """Whether this is a velocity message whose components are all zero."""
        twist = self.message.get("twist", {}) if self.type == TWIST_STAMPED else self.message
        parts = twist.values() if isinstance(twist, dict) else ()
        values = [value for part in parts if isinstance(part, dict) for value in part.values()]
        return self.type in VELOCITY_TYPES and all(value == 0 for value in values)


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
        cooldown: minimum seconds between two triggers, measured between the ends of the signs; see
            :meth:`Commands.cooldown`.
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
    cooldown: Annotated[float, Field(ge=0.0, le=3600.0)] = COOLDOWN
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

    def only_stops(self, command: Command) -> bool:
        """Return whether a command only does what ``stop`` does, or sends zero velocities."""
        return all(
            action in self.stop.actions or (isinstance(action, Publish) and action.is_zero_velocity)
            for action in command.actions
        )

    def cooldown(self, command: Command) -> float:
        """Return the cooldown of a command in seconds; 0 if it only stops."""
        return 0.0 if self.only_stops(command) else command.cooldown

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
