# SPDX-License-Identifier: MIT
"""The topics of a bag: find those with frames and labels, and check that we can read them."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from whispersign_model.errors import BagError, WhisperSignError
from whispersign_model.recordings.bags import messages as ros
from whispersign_model.recordings.bags.files import METADATA, BagMetadata
from whispersign_model.recordings.bags.recovery import RECOVER_HINT
from whispersign_model.recordings.bags.storage import CDR, Channel

LONGEST_REASON = 200  # characters of a parser's own words; some quote the whole file
RAW, FILTERED, ANNOTATION = "hands/raw", "hands/filtered", "annotation"  # match in any namespace


def choose_hands(path: Path, channels: Sequence[Channel], wanted: Sequence[str]) -> str:
    """Choose the frames topic: the first wanted topic with messages, else the first that exists.

    A topic with the exact name wins; otherwise the name matches in any namespace. Topics of other
    types and encodings do not count.

    Raises:
        BagError: no topic or several topics match, or the topic has another type or encoding.
    """
    counts: Counter[str] = Counter()
    for channel in channels:
        if _is_ours(channel, ros.HAND_FRAME):
            counts[channel.topic] += channel.stated
    fitting = [_fitting(counts, name) for name in wanted]
    filled = [[topic for topic in topics if counts[topic]] for topics in fitting]
    topics = next((topics for topics in (*filled, *fitting) if topics), [])
    if not topics:
        raise _no_topic(path, channels, wanted)
    if len(topics) > 1:
        raise BagError(path, f"has the topics {' and '.join(topics)}", "choose one with --topic")
    return topics[0]


def _is_ours(channel: Channel, message_type: str) -> bool:
    return channel.msgtype == message_type and channel.encoding == CDR


def _fitting(topics: Collection[str], name: str) -> list[str]:
    """Return the topic with exactly this name, or the topics that have it in any namespace."""
    end = "/" + name.strip("/")
    if end in topics:
        return [end]
    return sorted(topic for topic in topics if f"/{topic}".endswith(end))


def _no_topic(path: Path, channels: Sequence[Channel], wanted: Sequence[str]) -> BagError:
    """Return an error that names the topics with a wanted name, or else all topics."""
    names = {channel.topic for channel in channels}
    for name in wanted:
        for topic in _fitting(names, name):
            namesakes = [channel for channel in channels if channel.topic == topic]
            types = sorted({channel.msgtype or "of no type" for channel in namesakes})
            if ros.HAND_FRAME not in types:
                return BagError(
                    path, f"topic {topic} is {' and '.join(types)}, not {ros.HAND_FRAME}"
                )
            return _encoding_error(path, namesakes)
    held = ", ".join(sorted(names)) or "no topic at all"
    return BagError(path, f"has no topic {' or '.join(wanted)}", f"it holds {held[:200]}")


def _encoding_error(path: Path, channels: Sequence[Channel]) -> BagError:
    encodings = " and ".join(sorted({channel.encoding or "nothing" for channel in channels}))
    return BagError(
        path,
        f"topic {channels[0].topic} is encoded as {encodings[:40]}, not {CDR}",
        "record it with `ros2 bag record`",
    )


def choose_annotation(path: Path, channels: Sequence[Channel], hands: str) -> str | None:
    """Choose the labels topic: in the namespace of the frames, else the only one, else None.

    Raises:
        BagError: there are several, and none is in the namespace of the frames, or the topic has
            another encoding.
    """
    named = [
        channel
        for channel in channels
        if channel.msgtype == ros.GLOSS_ANNOTATION
        and channel.topic.rpartition("/")[2] == ANNOTATION
    ]
    topics = {channel.topic for channel in named if channel.encoding == CDR}
    beside = f"{hands.rsplit('/', 2)[0]}/{ANNOTATION}"
    if beside in topics:
        return beside
    if not topics:
        if named:
            raise _encoding_error(path, named)
        return None
    if len(topics) > 1:
        raise BagError(
            path,
            f"has the topics {' and '.join(sorted(topics))}, none in the namespace of {hands}",
            "record each pair of hands and annotation in its own namespace",
        )
    return topics.pop()


def channels_to_read(
    path: Path, channels: Sequence[Channel], hands: str, labels: str | None
) -> list[Channel]:
    """Return the channels of the chosen topics, after a check of their definitions.

    Raises:
        BagError: a definition differs from ours; the message names the topic and the field.
    """
    wanted = [
        channel
        for channel in channels
        if (channel.topic == hands and _is_ours(channel, ros.HAND_FRAME))
        or (channel.topic == labels and _is_ours(channel, ros.GLOSS_ANNOTATION))
    ]
    for channel in wanted:
        _check_definition(path, channel)
    return wanted


def _check_definition(path: Path, channel: Channel) -> None:
    difference: str | None = "it is in a format that is not of ROS 2"
    if channel.definition is not None:
        with damage_told(path):
            difference = ros.definition_difference(
                channel.msgtype, channel.definition, channel.digest
            )
    if difference:
        raise BagError(
            path,
            f"topic {channel.topic}: another definition of {channel.msgtype}: {difference}",
            "read it with the version of WhisperSign that recorded it",
        )


def check_counts(
    path: Path, metadata: BagMetadata, frames: tuple[str, int], labels: tuple[str | None, int]
) -> None:
    """Compare what was read with the metadata.

    Args:
        path: the bag.
        metadata: its metadata.
        frames: topic of the frames, and number of messages read.
        labels: topic of the labels, or None, and number of messages read.

    Raises:
        BagError: there are fewer or more messages, or a topic with labels is gone.
    """
    topic = labels[0]
    if topic is None:  # no file holds such a topic; the metadata may name one
        named = [name for name, kind in metadata.types.items() if kind == ros.GLOSS_ANNOTATION]
        lost = [name for name in named if name.rpartition("/")[2] == ANNOTATION]
        topic = max(lost, key=lambda name: metadata.counts[name], default=None)
    read = ((frames[0], frames[1], "frames"), (topic, labels[1], "labels"))
    for name, count, kind in read:
        stated = metadata.counts.get(name or "", count)
        if count != stated:
            fault = f"holds {count} {kind} where its {METADATA} says {stated}"
            raise BagError(path, fault, RECOVER_HINT)


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
        reason = (str(error) or type(error).__name__)[:LONGEST_REASON]
        raise BagError(
            path, f"is damaged ({reason.rstrip('.')})", "record or copy it again"
        ) from error
