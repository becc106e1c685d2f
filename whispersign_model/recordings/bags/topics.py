# SPDX-License-Identifier: MIT
"""The topics of a bag: which hold the frames and the labels, and whether we can read them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rosbags.interfaces import Connection

from whispersign_model.errors import BagError, WhisperSignError
from whispersign_model.recordings.bags import messages as ros

RAW, FILTERED, ANNOTATION = "hands/raw", "hands/filtered", "annotation"  # in any namespace


def choose_hands(path: Path, connections: list[Connection], wanted: Sequence[str]) -> str:
    """Choose the one topic of frames: the first wanted that holds messages, or is there at all.

    A topic of exactly this name fits, else those that end in it, in any namespace.

    Raises:
        BagError: when there is none, more than one, or its type is another.
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
    """Choose the topic of labels: the one in the frames' namespace, or the only one, or None.

    Raises:
        BagError: when there are several, none of them beside the frames.
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
            "record each pair of hands and annotation in a namespace of its own",
        )
    return topics.pop()


def check_definition(path: Path, connection: Connection) -> None:
    """Refuse a topic of our type whose definition in the bag is another than ours.

    Raises:
        BagError: naming topic and field.
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
    """Turn whatever a reader raises at a damaged file into one line."""
    try:
        yield
    except WhisperSignError:
        raise
    except OSError as error:
        raise BagError(path, f"cannot be read ({error.strerror or error})") from error
    except Exception as error:  # the parsers raise nearly anything at bytes they do not expect
        reason = str(error) or type(error).__name__
        raise BagError(
            path, f"is damaged ({reason.rstrip('.')})", "record or copy it again"
        ) from error
