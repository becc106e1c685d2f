# SPDX-License-Identifier: MIT
"""Read and write our ROS messages without ROS, and convert hands and labels to arrays."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.interfaces import MessageDefinition, MessageDefinitionFormat, Nodetype
from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from whispersign_model.recordings.frame_buffer import Frames
from whispersign_model.recordings.labels import Annotation, resolve_annotations
from whispersign_model.recordings.recording import Recording, Segment, tracked_frames
from whispersign_model.recordings.spelling import normalized
from whispersign_model.skeleton import JOINTS, LEFT, RIGHT
from whispersign_model.timestamps import NANOSECONDS

PACKAGE = "whispersign_msgs"
HAND_FRAME = f"{PACKAGE}/msg/HandFrame"
GLOSS_ANNOTATION = f"{PACKAGE}/msg/GlossAnnotation"
KEEP, DISCARD = 0, 1  # GlossAnnotation.status
DEFAULT_FRAME_ID = "hands"  # header.frame_id if the recording has none
SECONDS = range(-(2**31), 2**31)  # range of builtin_interfaces/Time

_TEXTS = Path(__file__).parent / "msg"
_SEPARATOR = "=" * 80 + "\n"  # separates a message definition from those of its nested types


@cache
def typestore() -> Typestore:
    """Return the ROS 2 standard types and our own, which all distributions share."""
    store = get_typestore(Stores.ROS2_HUMBLE)
    types: dict[str, Any] = {}
    for path in sorted(_TEXTS.glob("*.msg")):
        text = path.read_text(encoding="utf-8")
        types.update(get_types_from_msg(text, f"{PACKAGE}/msg/{path.stem}"))
    store.register(types)
    return store


@cache
def definition_text(message_type: str) -> str:
    """Return a type's definition as a bag stores it: text with comments, plus nested types."""
    text = (_TEXTS / f"{message_type.rpartition('/')[2]}.msg").read_text(encoding="utf-8")
    _, separator, parts = typestore().generate_msgdef(message_type, 2)[0].partition(_SEPARATOR)
    return text + separator + parts


@lru_cache(maxsize=64)  # thousands of bags share a few definitions
def definition_difference(
    message_type: str, definition: MessageDefinition, digest: str
) -> str | None:
    """Compare a bag's definition of one of our types with our definition.

    Args:
        message_type: one of our types.
        definition: the bag's definition; its format is NONE if the bag has none.
        digest: type hash in the bag (REP 2011), or "".

    Returns:
        None if they agree or the bag has no definition; otherwise a description that names the
        field.

    Raises:
        TypesysError: the bag's definition cannot be parsed.
    """
    if definition.format == MessageDefinitionFormat.NONE:
        same = not digest or digest == typestore().hash_rihs01(message_type)
        return None if same else f"its type hash is {digest}, not ours"
    types = dict(_parse(definition, message_type))
    ours = typestore().fielddefs
    if message_type not in types:
        return f"its definition does not define {message_type}"
    theirs_flat = list(_fields(types, message_type))
    for mine, theirs in zip_longest(_fields(ours, message_type), theirs_flat):
        if mine == theirs:
            continue
        if mine is not None and mine[0] not in dict(theirs_flat):
            return f"field '{mine[0]}' is missing"
        assert theirs is not None
        if mine is None or mine[0] != theirs[0]:
            return f"field '{theirs[0]}' is not where ours has '{mine[0] if mine else 'nothing'}'"
        return f"field '{theirs[0]}' is {theirs[1]}, ours is {mine[1]}"
    return None


def _parse(definition: MessageDefinition, message_type: str) -> Mapping[str, Any]:
    text = "\n".join(line.rstrip() for line in definition.data.lstrip("\ufeff").splitlines()) + "\n"
    if definition.format == MessageDefinitionFormat.MSG:
        return get_types_from_msg(text, message_type)
    if not text.startswith(f"{_SEPARATOR}IDL: "):
        return get_types_from_idl(text)
    types: dict[str, Any] = {}
    for part in text.split(_SEPARATOR)[1:]:
        types.update(get_types_from_idl(part.split("\n", 1)[1]))
    return types


def _fields(types: Mapping[str, Any], name: str, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield (path, type) of each primitive field of a message, including nested messages."""
    for field, (node, detail) in types[name][1] if name in types else ():
        if node == Nodetype.NAME:
            yield from _fields(types, detail, f"{prefix}{field}.")
        elif node == Nodetype.BASE:
            yield f"{prefix}{field}", detail[0]
        else:
            (_, element), length = detail
            element = element if isinstance(element, str) else element[0]
            yield f"{prefix}{field}", f"{element}[{length or ''}]"


def read_frames(messages: Sequence[Any]) -> Frames:
    """Convert one or more HandFrame objects to arrays, and apply the tracked flags."""
    seconds, remainders = (
        np.array([getattr(message.header.stamp, part) for message in messages], dtype=np.int64)
        for part in ("sec", "nanosec")
    )
    positions, confidence = (
        np.concatenate(
            [np.stack([getattr(m, f"{hand}_{part}") for m in messages]) for hand in _HANDS], axis=1
        )
        for part in ("positions", "confidence")
    )
    for hand, joints in _HANDS.items():
        tracked = np.array([getattr(message, f"{hand}_tracked") for message in messages])
        confidence[~tracked, joints] = 0
    return Frames(
        seconds * NANOSECONDS + remainders,
        *tracked_frames(positions.reshape(-1, JOINTS, 3), confidence),
    )


_HANDS = {"left": LEFT, "right": RIGHT}


def write_frames(recording: Recording) -> Iterator[Any]:
    """Yield one HandFrame object per frame; ``sequence`` starts at 0."""
    types = typestore().types
    frame_type, header_type = types[HAND_FRAME], types["std_msgs/msg/Header"]
    frame_id = recording.meta.get("frame_id", DEFAULT_FRAME_ID)
    hands = [
        (
            np.ascontiguousarray(
                recording.positions[:, joints].reshape(len(recording), -1), np.float32
            ),
            np.ascontiguousarray(recording.confidence[:, joints], np.float32),
            np.any(recording.confidence[:, joints] > 0, axis=1).tolist(),
        )
        for joints in _HANDS.values()
    ]
    (left, left_confidence, left_tracked), (right, right_confidence, right_tracked) = hands
    for index, stamp in enumerate(recording.stamps.tolist()):
        yield frame_type(
            header=header_type(stamp=_time(stamp), frame_id=frame_id),
            sequence=index,
            left_positions=left[index],
            right_positions=right[index],
            left_confidence=left_confidence[index],
            right_confidence=right_confidence[index],
            left_tracked=left_tracked[index],
            right_tracked=right_tracked[index],
            coordinates=int(recording.coordinates),
            source=recording.source,
            smoothing=recording.smoothing,
        )


def read_annotations(
    messages: Sequence[Any], first: int, last: int
) -> tuple[tuple[Segment, ...], tuple[tuple[int, int], ...]]:
    """Convert GlossAnnotation objects, in order of publication, to segments.

    ``start_time == end_time`` stands for the whole recording, ``first`` to ``last``.
    :func:`~whispersign_model.recordings.labels.resolve_annotations` resolves conflicts.

    Returns:
        the segments and the discarded ``(start, end)`` spans, each sorted by start.
    """

    def annotation(message: Any) -> Annotation:
        start, end = nanoseconds(message.start_time), nanoseconds(message.end_time)
        if start == end:
            start, end = first, last
        glosses = tuple(normalized(str(gloss)) for gloss in message.glosses)
        return Annotation(start, end, glosses, message.status == DISCARD)

    return resolve_annotations(map(annotation, messages))


def write_annotations(recording: Recording) -> Iterator[Any]:
    """Yield one GlossAnnotation object per segment and discarded span."""
    glosses: dict[tuple[int, int], tuple[str, ...]] = {}
    for segment in recording.segments:  # only one per span: the last one wins
        span = segment.start, segment.end
        glosses[span] = glosses.get(span, ()) + segment.glosses
    for (start, end), signed in glosses.items():
        yield _annotation(recording, start, end, signed, status=KEEP)
    for start, end in recording.discarded:
        yield _annotation(recording, start, end, (), status=DISCARD)


def _annotation(
    recording: Recording, start: int, end: int, glosses: tuple[str, ...], status: int
) -> Any:
    types = typestore().types
    if start == end and recording.duration > 0:
        end += 1  # a span of one frame; equal times would mean the whole recording
    return types[GLOSS_ANNOTATION](
        header=types["std_msgs/msg/Header"](
            stamp=_time(end), frame_id=recording.meta.get("frame_id", DEFAULT_FRAME_ID)
        ),
        start_time=_time(start),
        end_time=_time(end),
        glosses=list(glosses),
        signer=recording.signer,
        take=0,
        status=status,
    )


def nanoseconds(time: Any) -> int:
    """Convert a ``builtin_interfaces/Time`` object to nanoseconds."""
    return int(time.sec) * NANOSECONDS + int(time.nanosec)


def _time(stamp: int) -> Any:
    seconds, remainder = divmod(int(stamp), NANOSECONDS)
    return typestore().types["builtin_interfaces/msg/Time"](sec=seconds, nanosec=remainder)
