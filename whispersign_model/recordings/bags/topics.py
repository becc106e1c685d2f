# SPDX-License-Identifier: MIT
"""The topics of a bag: find those with frames and labels, and check that we can read them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rosbags.interfaces import Connection

from whispersign_model.errors import BagError, WhisperSignError
from whispersign_model.recordings.bags import messages as ros

RAW, FILTERED, ANNOTATION = "hands/raw", "hands/filtered", "annotation"  # match in any namespace


def choose_hands(path: Path, connections: list[Connection], wanted: Sequence[str]) -> str:
    """Choose the frames topic: the first wanted topic with messages, else the first that exists.

    A topic with the exact name wins; otherwise the name matches in any namespace.

    Raises:
        BagError: no topic or several topics match, or the topic has another type.
    """
    counts: dict[str, int] = {}
    for connection in connections:
        counts[connection.topic] = counts.get(connection.topic, 0) + connection.msgcount
    fitting = []
    for name in wanted:
        end = "/" + name.strip("/")
        endings = sorted(topic for topic in counts if f"/{topic}".endswith(end))
        fitting.append([end] if end in counts else endings)
    filled = [[topic for topic in topics if counts[topic]] for topics in fitting]
    topics = next((topics for topics in (*filled, *fitting) if topics), [])
    if not topics:
        names = ", ".join(sorted(counts)) or "no topic at all"
        raise BagError(path, f"has no topic {' or '.join(wanted)}", f"it holds {names[:200]}")
    if len(topics) > 1:
        raise BagError(path, f"has the topics {' and '.join(topics)}", "choose one with --topic")
    topic = topics[0]
    types = {connection.msgtype for connection in connections if connection.topic == topic}
    if types != {ros.HAND_FRAME}:
        raise BagError(path, f"topic {topic} is {' and '.join(types)}, not {ros.HAND_FRAME}")
    return topic


def choose_annotation(path: Path, connections: list[Connection], hands: str) -> str | None:
    """Choose the labels topic: in the namespace of the frames, else the only one, else None.

    Raises:
        BagError: there are several, and none is in the namespace of the frames.
    """
    topics = {
        connection.topic
        for connection in connections
        if connection.msgtype == ros.GLOSS_ANNOTATION
        and connection.topic.rpartition("/")[2] == ANNOTATION
    }
    beside = f"{hands.rsplit('/', 2)[0]}/{ANNOTATION}"
    if beside in topics or not topics:
        return beside if topics else None
    if len(topics) > 1:
        raise BagError(
            path,
            f"has the topics {' and '.join(sorted(topics))}, none in the namespace of {hands}",
            "record each pair of hands and annotation in its own namespace",
        )
    return topics.pop()


def check_definition(path: Path, connection: Connection) -> None:
    """Reject a topic of our type whose definition in the bag differs from ours.

    Raises:
        BagError: the definitions differ; the message names the topic and the field.
    """
    with damage_told(path):
        difference = ros.definition_difference(
            connection.msgtype, connection.msgdef, connection.digest
        )
    if difference:
        raise BagError(
            path,
            f"topic {connection.topic}: another definition of {connection.msgtype}: {difference}",
            "read it with the version of WhisperSign that recorded it",
        )


@contextmanager
def damage_told(path: Path) -> Iterator[None]:
    """Turn any error from reading a damaged file into a one-line BagError."""
    try:
        yield
    except WhisperSignError:
        raise
    except OSError as error:
        raise BagError(path, f"cannot be read ({error.strerror or error})") from error
    except Exception as error:  # on malformed bytes, the parsers raise almost any type
        reason = str(error) or type(error).__name__
        raise BagError(
            path, f"is damaged ({reason.rstrip('.')})", "record or copy it again"
        ) from error
