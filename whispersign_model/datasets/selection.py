# SPDX-License-Identifier: MIT
"""Select the parts of a recording that become examples."""

from dataclasses import replace

from whispersign_model.recordings.recording import Recording
from whispersign_model.timestamps import NANOSECONDS

IDLE_LEAST = 1.0  # seconds; a shorter idle part does not become an example


def labelled_parts(recording: Recording) -> list[Recording]:
    """Return the labeled parts of a recording, without its discarded takes."""
    if not recording.discarded or not len(recording):
        return [] if recording.discarded else [recording]
    parts = []
    start = int(recording.stamps.min())
    for bad_start, bad_end in (
        *sorted(recording.discarded),
        (int(recording.stamps.max()) + 1,) * 2,
    ):
        part = recording.between(start, bad_start - 1)
        if part.segments and len(part):
            parts.append(replace(part, discarded=()))
        start = max(start, bad_end + 1)
    return _named(recording.name, parts)


def cut_segments(recording: Recording, margin: float) -> list[Recording]:
    """Return each segment of a recording as a separate recording.

    Args:
        recording: the recording to cut; its discarded takes are left out.
        margin: seconds added before and after each segment, at most up to the adjacent segment.
    """
    edge = round(margin * NANOSECONDS)
    cuts = []
    for part in labelled_parts(recording):
        for segment in part.segments:
            others = [other for other in part.segments if other != segment]
            before = [other.end + 1 for other in others if other.end <= segment.start]
            after = [other.start - 1 for other in others if other.start >= segment.end]
            start = min(max([segment.start - edge, *before]), segment.start)
            end = max(min([segment.end + edge, *after]), segment.end)
            cuts.append(replace(part.between(start, end), segments=(segment,)))
    return _named(recording.name, cuts)


def idle_parts(recording: Recording, margin: float) -> list[Recording]:
    """Return the parts of a recording in which nothing is signed.

    Args:
        recording: the recording to cut. If it has discarded takes, there are no idle parts, because
            discarded takes hold signs without labels.
        margin: seconds around each segment that count as part of the segment.
    """
    if recording.discarded or not len(recording):
        return []
    edge, least = round(margin * NANOSECONDS), round(IDLE_LEAST * NANOSECONDS)
    parts = []
    start, last = int(recording.stamps.min()), int(recording.stamps.max())
    ends = [(segment.start - edge - 1, segment.end + edge + 1) for segment in recording.segments]
    for end, next_start in (*sorted(ends), (last, last)):
        if end - start >= least:
            parts.append(replace(recording.between(start, end), segments=()))
        start = max(start, next_start)
    return _named(f"{recording.name}-idle", [part for part in parts if len(part)])


def _named(name: str, parts: list[Recording]) -> list[Recording]:
    """Append a number to each part's name if there are several parts."""
    if len(parts) < 2:
        return [replace(part, name=name) for part in parts]
    return [replace(part, name=f"{name}-{number}") for number, part in enumerate(parts, start=1)]
