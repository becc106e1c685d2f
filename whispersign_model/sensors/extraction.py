# SPDX-License-Identifier: MIT
"""Extract recordings from videos: one skeleton per picture, with the stamps of the file."""

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from whispersign_model.errors import SensorError, WhisperSignError
from whispersign_model.recordings.bags.bag import write_bag
from whispersign_model.recordings.bags.files import read_metadata
from whispersign_model.recordings.labels import labelled
from whispersign_model.recordings.recording import Recording, Segment
from whispersign_model.sensors.camera import CameraOptions, CameraSensor
from whispersign_model.sensors.collection import Clip, Labelling, find_clips
from whispersign_model.sensors.frame_source import FrameSource
from whispersign_model.sensors.picture_files import (
    ASSUMED_RATE,
    Excerpt,
    ImageFolder,
    VideoFile,
    open_file,
)
from whispersign_model.sensors.sensor import Observation, SensorEndError
from whispersign_model.skeleton import LEFT, RIGHT

# Keys in a bag's custom data, for the extraction options and the identity of the clip.
MADE_WITH, CLIP = "extraction", "clip"

Advance = Callable[[int, int], None]  # arguments: pictures done, total (0: unknown)


@dataclass(frozen=True)
class ExtractionOptions:
    """Options for an extraction.

    Attributes:
        camera: options for converting pictures to skeletons.
        rate: pictures per second for folders of images.
        storage: storage format of the bags.
    """

    camera: CameraOptions = field(default_factory=CameraOptions)
    rate: float = ASSUMED_RATE
    storage: str = "mcap"

    @property
    def text(self) -> str:
        """The options that affect skeletons, as text to store in a bag."""
        fields = asdict(self)
        del fields["storage"], fields["camera"]["detector"]["model_file"]
        return json.dumps(fields, sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True)
class Outcome:
    """The outcome of an extraction for one clip.

    Attributes:
        name: the clip's name.
        frames, with_hands: number of pictures, and of pictures with a hand.
        seconds: time from the first picture to the last.
        notes: notes for the user about defects of the file.
        fault: reason why there is no bag; None if there is one.
        known: whether the bag already existed.
    """

    name: str
    frames: int = 0
    with_hands: int = 0
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    fault: WhisperSignError | None = None
    known: bool = False


def extract(
    clip: Clip, options: ExtractionOptions | None = None, advance: Advance | None = None
) -> tuple[Recording, tuple[str, ...]]:
    """Extract a recording from a clip.

    Stamps count from the start of the file.

    Returns:
        the recording, and notes about defects of the file.

    Raises:
        SensorError: the file cannot be read, or the detector fails.
        LabelError: a time in the label table lies outside the file.
    """
    options = options or ExtractionOptions()
    source = open_file(clip.path, options.rate)
    recording = record(
        source, options, clip.name, lambda done, _: advance and advance(done, source.number)
    )
    return labelled_as(clip, recording), defects(source)


def record(
    source: FrameSource,
    options: ExtractionOptions,
    name: str,
    looked: Callable[[int, CameraSensor], object] = lambda done, sensor: None,
) -> Recording:
    """Extract a recording from a finite source.

    Args:
        source: the source of pictures, which is opened and closed here.
        options: see ``ExtractionOptions``.
        name: name of the recording, also used in errors.
        looked: function to call after each picture, with the number of pictures done.

    Raises:
        SensorError: the source or the detector fails.
    """
    sensor = CameraSensor(source, options.camera)
    frames: list[Observation] = []
    try:
        sensor.open()
        for observation in _all(sensor):
            frames.append(observation)
            looked(len(frames), sensor)
    finally:
        sensor.close()
        sensor.release()
    if not frames and isinstance(source, Excerpt):
        raise SensorError(name, "has no picture there", "look earlier")
    if not frames:
        raise SensorError(name, "holds no picture that can be read", "replace it")
    return Recording(
        stamps=np.array([frame.stamp for frame in frames], dtype=np.int64),
        positions=np.stack([frame.positions for frame in frames]),
        confidence=np.stack([frame.confidence for frame in frames]),
        name=name,
        source=sensor.source,
        coordinates=sensor.coordinates,
        meta={MADE_WITH: options.text},
    )


def labelled_as(clip: Clip, recording: Recording) -> Recording:
    """Return the recording of a clip with the clip's labels.

    Raises:
        LabelError: a time in the label table lies outside the recording.
    """
    stamps = recording.stamps
    whole = Segment((clip.gloss,), int(stamps[0]), int(stamps[-1])) if clip.gloss else None
    known = replace(
        recording,
        segments=() if whole is None else (whole,),
        signer=clip.signer,
        meta=recording.meta | {"file": clip.path.name, CLIP: _clip_identity(clip)},
    )
    return labelled(known, clip.rows) if clip.rows else known


def read_video(
    path: Path, options: ExtractionOptions | None = None, advance: Advance | None = None
) -> tuple[Recording, tuple[str, ...]]:
    """Extract a recording from a video or folder of images, with labels from a table beside it.

    Returns:
        the recording, and notes about defects of the file.

    Raises:
        SensorError: the file cannot be read, or the detector fails.
        LabelError: the label table is invalid.
    """
    clips, _ = find_clips(path, Labelling())
    if len(clips) > 1:
        raise SensorError(path, "is a folder of several videos", "name one of them")
    return extract(clips[0], options, advance)


def extract_all(
    clips: list[Clip],
    out: Path,
    options: ExtractionOptions,
    jobs: int,
    advance: Advance | None = None,
) -> Iterator[Outcome]:
    """Write one bag per clip to a folder, with ``jobs`` processes; yield each outcome.

    Existing bags with the same options are kept, so an interrupted extraction resumes where it
    stopped. With a single process, ``advance`` is called after each picture.

    Raises:
        SensorError: an existing bag has different options or labels, or a process died.
    """
    todo = []
    for clip in clips:
        if _is_there(out / clip.name, clip, options):
            yield Outcome(clip.name, known=True)
        else:
            todo.append(clip)
    work = partial(_to_bag, out=out, options=options)
    if jobs == 1 or len(todo) < 2:
        yield from map(partial(work, advance=advance), todo)
        return
    workers = min(jobs, len(todo))
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_hush)
    try:
        for future in as_completed([pool.submit(work, clip) for clip in todo]):
            yield future.result()
    except BrokenProcessPool as error:
        raise SensorError(out, "a process died", "start again with fewer --jobs") from error
    finally:
        pool.shutdown(cancel_futures=True)


def write_clip(
    clip: Clip, path: Path, options: ExtractionOptions, advance: Advance | None = None
) -> Outcome:
    """Extract one clip to a bag at ``path``.

    Raises:
        WhisperSignError: the file cannot be read, the detector fails, or the bag cannot be written.
    """
    recording, notes = extract(clip, options, advance)
    write_bag(path, recording, options.storage)
    confidence = recording.confidence
    hands = confidence[:, LEFT].any(axis=1) | confidence[:, RIGHT].any(axis=1)
    return Outcome(clip.name, len(recording), int(hands.sum()), recording.duration, notes)


def _to_bag(
    clip: Clip, out: Path, options: ExtractionOptions, advance: Advance | None = None
) -> Outcome:
    try:
        return write_clip(clip, out / clip.name, options, advance)
    except WhisperSignError as error:
        return Outcome(clip.name, fault=error)


def _hush() -> None:
    """Discard the stderr of a worker process, where MediaPipe prints irrelevant warnings."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _clip_identity(clip: Clip) -> str:
    """Return the labels and the file size of a clip, as text to store in a bag."""
    size = clip.path.stat().st_size if clip.path.is_file() else 0
    rows = [(row.glosses, row.span, row.signer, row.split, row.discard) for row in clip.rows]
    return json.dumps([clip.gloss, clip.signer, rows, size], separators=(",", ":"))


def _is_there(bag: Path, clip: Clip, options: ExtractionOptions) -> bool:
    metadata = read_metadata(bag)
    if metadata is None:
        return False
    for key, now, what in (
        (MADE_WITH, options.text, "with other options"),
        (CLIP, _clip_identity(clip), "with other labels or of another file"),
    ):
        if metadata.custom.get(key) != now:
            fault = f"already exists, made {what}"
            raise SensorError(bag, fault, "choose another --out, or remove it")
    return True


def _all(sensor: CameraSensor) -> Iterator[Observation]:
    while True:
        try:
            observation = sensor.read(0.0)
        except SensorEndError:
            return
        if observation is not None:
            yield observation


def defects(source: VideoFile | ImageFolder) -> tuple[str, ...]:
    """Return notes for the user about pictures that are missing or have no time stamp."""
    if isinstance(source, ImageFolder):
        unreadable = source.drops["unreadable_pictures"]
        return (f"{unreadable} of {source.number} pictures cannot be read",) if unreadable else ()
    loss, invented = source.loss(), source.invented_stamps
    notes = [str(loss)] if loss else []
    return (*notes, f"{invented} pictures without a time stamp") if invented else tuple(notes)
