# SPDX-License-Identifier: MIT
"""The recordings with which networks are tried in a room."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from whispersign_model import bundled
from whispersign_model.benchmarks import situations
from whispersign_model.benchmarks.room import NOISE_OF_IMAGE, Listener, Room
from whispersign_model.datasets.archive import read_archive
from whispersign_model.errors import WhisperSignError
from whispersign_model.network.checkpoint import CheckpointMetadata, read_metadata
from whispersign_model.recordings.recording import Coordinates, Recording
from whispersign_model.synthesis.corpus import CorpusOptions, synthesize_corpus
from whispersign_model.synthesis.lexicon import default_lexicon
from whispersign_model.synthesis.sensor import SensorModel

SEED, FIRST_SIGNER = 77, 900  # made-up people who trained nothing
SIGNS, OTHERS, IDLE = 340, 160, 108  # number of made-up recordings of each kind, about
IDLERS = 6  # number of made-up people who do not sign
RATE = 120.0  # frames per second of made-up recordings
FEWEST = 10  # frames with a hand, below which a recording is left out
IN_TRAINING = ("train", "val")  # splits whose recordings are left out


def room_of(checkpoint: Path, archives: Sequence[Path]) -> Room:
    """Return a room with a network, its signs, and other movement.

    Its signs are those recordings in ``archives`` that hold only its glosses. Without any, they are
    made up if the made-up signer knows all glosses, and else the takes that come with a bundled
    network.

    Args:
        checkpoint: the network.
        archives: recording archives; recordings of the splits train and val are left out.

    Raises:
        WhisperSignError: there is no recording of its signs, or an archive cannot be read.
    """
    metadata = read_metadata(checkpoint)
    image = metadata.recipe.coordinates == Coordinates.IMAGE_NORMALISED.name.lower()
    own, other = _from_archives(metadata, archives)
    if not own:
        own = _own(checkpoint, metadata)
    if not own:
        raise WhisperSignError(
            str(checkpoint),
            "has no recordings of its signs to be tried with",
            "give a folder with an archive of them: --archives DIR",
        )
    others = {**_made_up(metadata.glosses), **other}
    generator = np.random.default_rng(SEED)
    place = situations.median_wrist(own)
    placed = {}
    for name, recordings in others.items():
        placed[name] = [
            situations.as_camera_sees(each, generator)
            if image
            else situations.moved_to(each, place)
            for each in recordings
        ]
    noise_scale = NOISE_OF_IMAGE if image else 1.0
    listener = Listener(checkpoint)
    return Room(listener, own, placed, noise_scale, listener.costs)


def _from_archives(
    metadata: CheckpointMetadata, archives: Sequence[Path]
) -> tuple[list[Recording], dict[str, list[Recording]]]:
    """Return the recordings of a network's signs, and those of other signs in meters by archive.

    Two vocabularies can give one name to different signs. Only an archive most of whose recordings
    hold nothing but a network's glosses is therefore one of its signs.
    """
    own: list[Recording] = []
    others: dict[str, list[Recording]] = {}
    for path in archives:
        recordings = list(_usable(read_archive(path)))
        known = [recording for recording in recordings if _is_of(metadata, recording)]
        if len(known) > len(recordings) / 2:
            own += known
        foreign = [
            recording
            for recording in recordings
            if recording.coordinates is Coordinates.METRIC_SENSOR
            and not set(recording.glosses) & set(metadata.glosses)
        ]
        if foreign:
            others[path.stem] = foreign
    return own, others


def _is_of(metadata: CheckpointMetadata, recording: Recording) -> bool:
    """Return whether a recording holds nothing but signs of a network, in its coordinates."""
    return (
        recording.coordinates.name.lower() == metadata.recipe.coordinates
        and bool(recording.glosses)
        and set(recording.glosses) <= set(metadata.glosses)
    )


def _own(checkpoint: Path, metadata: CheckpointMetadata) -> list[Recording]:
    """Return made-up signs of a network's vocabulary, or its bundled takes; [] if neither."""
    if set(metadata.glosses) <= set(default_lexicon().glosses):
        return list(_made_up_signs(metadata.glosses, SIGNS, FIRST_SIGNER))
    takes = bundled.takes_of(checkpoint)
    return list(_usable(read_archive(takes))) if takes else []


def _made_up(glosses: Sequence[str]) -> dict[str, list[Recording]]:
    """Return made-up movement without a sign, by kind, and made-up signs other than these."""
    options = CorpusOptions(
        seed=SEED,
        signers=IDLERS,
        first_signer=FIRST_SIGNER,
        glosses=default_lexicon().glosses[:1],
        idle=IDLE // IDLERS,
        sensor=SensorModel.named("leap", RATE),
    )
    found: dict[str, list[Recording]] = {}
    for recording in _usable(synthesize_corpus(options)):
        found.setdefault(recording.name.rsplit("_", 1)[-1], []).append(recording)
    foreign = tuple(gloss for gloss in default_lexicon().glosses if gloss not in glosses)
    if foreign:
        found["made-up signs"] = list(_made_up_signs(foreign, OTHERS, FIRST_SIGNER))
    return found


def _made_up_signs(glosses: tuple[str, ...], count: int, first: int) -> Iterator[Recording]:
    options = CorpusOptions(
        seed=SEED,
        signers=max(1, round(count / len(glosses))),
        first_signer=first,
        glosses=glosses,
        takes=1,
        sensor=SensorModel.named("leap", RATE),
    )
    return _usable(synthesize_corpus(options))


def _usable(recordings: Sequence[Recording] | Iterator[Recording]) -> Iterator[Recording]:
    """Yield the recordings with enough frames that are in no training or validation split."""
    for recording in recordings:
        tracked = len(situations.tracked_frames(recording))
        if tracked >= FEWEST and recording.split not in IN_TRAINING:
            yield recording
