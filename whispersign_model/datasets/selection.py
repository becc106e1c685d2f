"""Which stretches of a recording become examples: whole, without discarded takes, cut or idle."""

from __future__ import annotations

from dataclasses import replace

from whispersign_model.recordings.recording import Recording
from whispersign_model.timestamps import NANOSECONDS

IDLE_LEAST = 1.0  # seconds; a shorter stretch between two segments is no example of its own


def labelled_parts(recording: Recording) -> list[Recording]:
    """Return a recording without its discarded takes: the labelled stretches between them."""
    if not recording.discarded or not len(recording):
        return [] if recording.discarded else [recording]
    stretches = []
    start = int(recording.stamps.min())
    for bad_start, bad_end in (
        *sorted(recording.discarded),
        (int(recording.stamps.max()) + 1,) * 2,
    ):
        stretch = recording.between(start, bad_start - 1)
        if stretch.segments and len(stretch):
            stretches.append(replace(stretch, discarded=()))
        start = max(start, bad_end + 1)
    return _named(recording.name, stretches)


def cut_segments(recording: Recording, margin: float) -> list[Recording]:
    """Return each segment of a recording as a recording of its own.

    Args:
        recording: its discarded takes are in none of the results.
        margin: seconds added before and after, but never into another segment.
    """
    edge = round(margin * NANOSECONDS)
    cuts = []
    for stretch in labelled_parts(recording):
        for segment in stretch.segments:
            others = [other for other in stretch.segments if other != segment]
            before = [other.end + 1 for other in others if other.end <= segment.start]
            after = [other.start - 1 for other in others if other.start >= segment.end]
            start = min(max([segment.start - edge, *before]), segment.start)
            end = max(min([segment.end + edge, *after]), segment.end)
            cuts.append(replace(stretch.between(start, end), segments=(segment,)))
    return _named(recording.name, cuts)


def idle_parts(recording: Recording, margin: float) -> list[Recording]:
    """Return the stretches between and around a recording's segments, in which nothing is signed.

    Args:
        recording: one with discarded takes gives none, since those hold signs without labels.
        margin: seconds around each segment that are left to it.
    """
    if recording.discarded or not len(recording):
        return []
    edge, least = round(margin * NANOSECONDS), round(IDLE_LEAST * NANOSECONDS)
    stretches = []
    start, last = int(recording.stamps.min()), int(recording.stamps.max())
    ends = [(segment.start - edge - 1, segment.end + edge + 1) for segment in recording.segments]
    for end, following in (*sorted(ends), (last, last)):
        if end - start >= least:
            stretches.append(replace(recording.between(start, end), segments=()))
        start = max(start, following)
    return _named(f"{recording.name}-idle", [part for part in stretches if len(part)])


def _named(name: str, parts: list[Recording]) -> list[Recording]:
    """Number the parts' names, where there are several."""
    if len(parts) < 2:
        return [replace(part, name=name) for part in parts]
    return [replace(part, name=f"{name}-{place}") for place, part in enumerate(parts, start=1)]
