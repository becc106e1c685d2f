# SPDX-License-Identifier: MIT
"""What every storage file of a bag offers: its channels and their messages."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from rosbags.interfaces import MessageDefinition, MessageDefinitionFormat

CDR = "cdr"  # encoding of the messages of ROS 2
_FORMATS = {
    "": MessageDefinitionFormat.NONE,
    "ros2msg": MessageDefinitionFormat.MSG,
    "ros2idl": MessageDefinitionFormat.IDL,
    "omgidl": MessageDefinitionFormat.IDL,
}


class Channel(NamedTuple):
    """A topic in one storage file.

    Attributes:
        id: number of the channel within the file.
        topic, msgtype: name and message type.
        encoding: serialization of the messages; only ``CDR`` can be read.
        definition: the type's definition; None if it is not in a format of ROS 2.
        digest: type hash (REP 2011), or "".
        stated: number of messages, as the file states it.
    """

    id: int
    topic: str
    msgtype: str
    encoding: str
    definition: MessageDefinition | None
    digest: str = ""
    stated: int = 0


class StorageFile(Protocol):
    """An open storage file.

    Attributes:
        channels: the topics of the file, of any type and encoding.
        fault: contradiction within the file that means lost messages, or "".
    """

    channels: list[Channel]
    fault: str

    def messages(self, wanted: Sequence[Channel]) -> Iterator[tuple[Channel, bytes]]:
        """Yield the messages of some channels in the order of their log times."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...


def definition(encoding: str, text: str) -> MessageDefinition | None:
    """Return a type's definition, or None if it is not in a format of ROS 2."""
    form = _FORMATS.get(encoding)
    return None if form is None else MessageDefinition(form, text)
