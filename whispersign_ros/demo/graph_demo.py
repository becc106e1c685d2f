# SPDX-License-Identifier: MIT
"""Graph demo: play recordings through the live graph and print each recognized gloss."""

import json
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from whispersign_model.datasets.archive import read_archive
from whispersign_model.errors import RecordingError
from whispersign_model.network.checkpoint import CheckpointMetadata, read_metadata
from whispersign_model.recordings.atomic import replace_file
from whispersign_model.recordings.bags.bag import write_bag
from whispersign_model.recordings.bags.files import find_bags
from whispersign_model.recordings.recording import Recording
from whispersign_model.temporary import temporary_folder
from whispersign_model.timestamps import NANOSECONDS
from whispersign_msgs.msg import Gloss, HandFrame
from whispersign_ros.conversions.messages import nanoseconds
from whispersign_ros.graph.monitor import MONITOR, START_LIMIT, GraphMonitor, monitored
from whispersign_ros.node.entry_points import GRAPH, PLAYBACK
from whispersign_ros.node.stream_monitor import SequenceTracker
from whispersign_ros.nodes.replay_node import read_hands

EXIT_WRONG = 1


def demonstrate(
    model: Path,
    bags: Sequence[Path],
    domain: int | None = None,
    verbose: bool = False,
    out: Path | None = None,
) -> int:
    """Play bags through the graph and print glosses; return 0 if all match the labels, else 1.

    Args:
        model: checkpoint.
        bags: annotated bags, or folders of bags.
        domain: ROS domain id; None chooses a free one.
        verbose: show the nodes' logs.
        out: output file (JSON) for each recording's recognized glosses, or None.

    Raises:
        WhisperSignError: the model or a recording is unusable, or a node failed.
    """
    recordings = read_labelled(find_bags(bags))
    metadata = read_metadata(model)
    _check_known(recordings, metadata)
    seconds = sum(recording.duration for recording in recordings)
    what = recordings[0].name if len(recordings) == 1 else f"{len(recordings)} recordings"
    count = sum(len(recording.glosses) for recording in recordings)
    print(
        f"playing {what} ({seconds:.1f} s, {count} glosses) through the live graph, "
        f"model {metadata.model_id}",
        flush=True,
    )
    with monitored(domain, verbose) as monitor:
        recognised = _play(monitor, model, bags, recordings)
    if out is not None:
        clips = [
            {"name": recording.name, "signed": recording.glosses, "recognized": glosses}
            for recording, glosses in zip(recordings, recognised)
        ]
        replace_file(out, json.dumps(clips, indent=1).encode())
    if len(recordings) == 1:
        return _compare(recordings[0].glosses, recognised[0])
    return _count(recordings, recognised)


@contextmanager
def as_bags(archive: Path, count: int) -> Iterator[list[Path]]:
    """Yield an archive's first recordings, up to ``count``, as temporary bags; say how many.

    Raises:
        ArchiveError: the archive is invalid.
    """
    recordings = read_archive(archive)
    chosen = recordings[:count]
    print(f"{archive.stem}: {len(chosen)} of {len(recordings)} bundled test recordings")
    with temporary_folder() as folder:
        bags = [folder / recording.name for recording in chosen]
        for bag, recording in zip(bags, chosen):
            write_bag(bag, recording)
        yield bags


def _check_known(recordings: Sequence[Recording], metadata: CheckpointMetadata) -> None:
    """Check that the model matches each recording's sensor and knows one of its signs.

    Raises:
        WhisperSignError: a recording does not match; the message names the first.
    """
    for recording in recordings:
        metadata.recipe.check_source(recording.name, recording.coordinates, recording.smoothing)
        if not set(recording.glosses) & set(metadata.glosses):
            raise RecordingError(
                recording.name,
                f"has no sign that {metadata.model_id} knows",
                "choose recordings of its signs with --bag",
            )


def read_labelled(bags: Sequence[Path]) -> list[Recording]:
    """Read annotated bags.

    Raises:
        WhisperSignError: a bag is unreadable or has no labels.
    """
    recordings = [read_hands(bag) for bag in bags]
    for recording in recordings:
        if not recording.glosses:
            raise RecordingError(
                recording.name, "has no labels to compare with", "give an annotated recording"
            )
    return recordings


def _play(
    monitor: GraphMonitor, model: Path, bags: Sequence[Path], recordings: Sequence[Recording]
) -> list[list[str]]:
    """Play the recordings; return the recognized glosses of each."""
    results = _Results(monitor, recordings)
    for executable in GRAPH:
        monitor.children.start(executable, {"model": str(model), **PLAYBACK})
    waits = {"wait_for": [*GRAPH, MONITOR], "wait_timeout": START_LIMIT}
    monitor.children.start("replay_node", {"bag": [str(bag) for bag in bags], **waits})
    expected = sum(len(recording.glosses) for recording in recordings)
    monitor.wait_until_played("replay_node", recordings, lambda: len(monitor.finals) >= expected)
    return results.glosses()


class _Results:
    """Prints final glosses with times relative to the first frame of their recording."""

    def __init__(self, monitor: GraphMonitor, recordings: Sequence[Recording]) -> None:
        self._monitor = monitor
        self._recordings = recordings
        self._origins: list[int] = []  # first stamp of each played recording
        self._sequence = SequenceTracker()
        monitor.subscribe("hands/raw", self._on_hands)
        monitor.subscribe("gloss", self._on_gloss)

    def glosses(self) -> list[list[str]]:
        """Return the glosses recognized so far in each recording."""
        glosses: list[list[str]] = [[] for _ in self._recordings]
        for each in self._monitor.finals:
            glosses[self._index(each.start)].append(each.gloss)
        return glosses

    def _on_hands(self, message: HandFrame) -> None:
        if self._sequence.update(message.sequence) or not self._origins:
            self._origins.append(nanoseconds(message.header.stamp))

    def _index(self, start: int) -> int:
        """Return the index of the recording that contains a start time."""
        index = bisect_right(self._origins, start) - 1
        return min(max(index, 0), len(self._recordings) - 1)

    def _on_gloss(self, message: Gloss) -> None:
        start, end = nanoseconds(message.start_time), nanoseconds(message.end_time)
        index = self._index(start)
        origin = self._origins[index] if self._origins else start
        if len(self._monitor.finals) == 1:
            print(f"{'from':>9} {'to':>9}  {'gloss':<16} confidence", flush=True)
        name = f"  {self._recordings[index].name}" if len(self._recordings) > 1 else ""
        print(
            f"{(start - origin) / NANOSECONDS:7.2f} s {(end - origin) / NANOSECONDS:7.2f} s  "
            f"{message.gloss:<16} {message.confidence:10.2f}{name}",
            flush=True,
        )


def _compare(expected: Sequence[str], recognised: Sequence[str]) -> int:
    print(f"expected:   {' '.join(expected)}")
    print(f"recognized: {' '.join(recognised) or '(nothing)'}")
    right = list(expected) == list(recognised)
    print("the gloss sequence is right" if right else "the gloss sequence is WRONG", flush=True)
    return 0 if right else EXIT_WRONG


def _count(recordings: Sequence[Recording], recognised: Sequence[Sequence[str]]) -> int:
    right = 0
    for recording, glosses in zip(recordings, recognised):
        if list(recording.glosses) == list(glosses):
            right += 1
        else:
            signed, found = " ".join(recording.glosses), " ".join(glosses) or "(nothing)"
            print(f"{recording.name}: {signed} was recognized as {found}")
    total = len(recordings)
    print(f"right: {right} of {total} recordings ({right / total:.1%})", flush=True)
    return 0 if right == total else EXIT_WRONG
