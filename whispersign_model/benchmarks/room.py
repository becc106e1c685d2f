# SPDX-License-Identifier: MIT
"""What networks do in a room: false glosses while nothing is signed, and signs in odd ways.

All situations are made from recordings of signs (:mod:`whispersign_model.benchmarks.situations`):
bundled takes or made-up signs, and recordings in archives.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator

from whispersign_model.arrays import Doubles
from whispersign_model.benchmarks import situations
from whispersign_model.benchmarks.room_figures import SETTLED, SURE, FalseGlosses, Share
from whispersign_model.benchmarks.situations import posture
from whispersign_model.decoding.result import RecognizedGloss
from whispersign_model.decoding.streaming import StreamingRecognizer, recognize_recording
from whispersign_model.evaluation.metrics import GlossErrors
from whispersign_model.features.preprocessor import Preprocessor
from whispersign_model.network.checkpoint import read_metadata
from whispersign_model.recordings.recording import Recording
from whispersign_model.runtime.loading import load_backend
from whispersign_model.timestamps import NANOSECONDS, seconds

POSTURES, REST = 60, 60.0  # number of postures at each level of noise, and seconds of each
NOISE = (0.0, 0.0002, 0.0005, 0.001)  # meters, for each coordinate of each joint
NOISE_OF_IMAGE = 2.0  # image heights of noise that correspond to a meter of it
SMALL_NOISE = 0.0002  # meters, in a hold
BEGUN = (1 / 16, 1 / 8)  # shares of a sign after which a coming hand stops
STOP_SECONDS = 6.0  # time that it stays
HOLDS, HELD_AT = (0.6, 1.0, 2.0, 5.0), (0.5, 0.75, 1.0)  # seconds, and shares of a sign
VISITS, VISIT_GAP = 30, 0.7  # number of visitors at each size, and seconds between two of them
SIZES = (0.5, 0.75, 1.0, 1.33, 2.0)  # hand length of a visitor, relative to the one before
RATES = (8.0, 10.0, 12.0, 15.0, 30.0, 60.0)  # frames per second
LOST = 0.2  # share of frames that a lossy sensor loses
MINUTES = 60  # length of the rest whose cost is measured
REST_NOISE = 0.0005  # meters, in that rest


class Listener:
    """A network that recognizes recordings as the live graph does, on one thread of the CPU.

    Args:
        checkpoint: the network.
    """

    def __init__(self, checkpoint: Path) -> None:
        metadata = read_metadata(checkpoint)
        self._recognizer = StreamingRecognizer(
            load_backend(checkpoint, "cpu"),
            metadata.glosses,
            recipe=metadata.recipe,
            scale=metadata.confidence,
        )
        self._preprocessor = Preprocessor(metadata.recipe)

    def __call__(self, recording: Recording) -> list[RecognizedGloss]:
        """Return the final glosses of a recording."""
        results = recognize_recording(self._recognizer, self._preprocessor, recording)
        return [gloss for result in results if result.final for gloss in result.glosses]

    def costs(self, recording: Recording, times: int) -> Doubles:
        """Return the seconds of processor time for each frame of a recording that repeats.

        Args:
            recording: a hand that rests, so that its end continues in its start.
            times: number of repetitions.
        """
        self._recognizer.reset()
        block = self._preprocessor.process(recording)
        period = round(NANOSECONDS / self._preprocessor.recipe.rate)
        length = int(block.stamps[-1] - block.stamps[0]) + period
        found = []
        for delay in range(0, times * length, length):
            for frame, stamp in zip(block.frames, block.stamps.tolist()):
                start = time.process_time()
                self._recognizer.push(frame[None], [stamp + delay])
                found.append(time.process_time() - start)
        return np.array(found)


@dataclass(frozen=True)
class Room:
    """A network and the recordings that it is tried on.

    Attributes:
        listen: the network.
        signs: recordings of signs of its vocabulary.
        others: recordings without such a sign, by what they show.
        noise_scale: units of its coordinates in a meter of tracking noise.
        costs: returns the processor time of each frame, see :meth:`Listener.costs`.
    """

    listen: Callable[[Recording], list[RecognizedGloss]]
    signs: Sequence[Recording]
    others: Mapping[str, Sequence[Recording]]
    noise_scale: float
    costs: Callable[[Recording, int], Doubles]


@dataclass
class Signs:
    """How signs are recognized as recorded; the baseline for all other situations."""

    exact: Share = field(default_factory=Share)
    kept: Share = field(default_factory=Share)  # correct glosses at confidence SURE and above
    right: list[Recording] = field(default_factory=list)  # recordings without an error


def names(found: Sequence[RecognizedGloss]) -> tuple[str, ...]:
    """Return the names of glosses in order."""
    return tuple(gloss.gloss for gloss in found)


def signs(room: Room) -> Signs:
    """Recognize all signs as they are recorded."""
    found = Signs()
    for recording in room.signs:
        heard = room.listen(recording)
        found.exact.add(names(heard) == recording.glosses)
        if names(heard) == recording.glosses:
            found.right.append(recording)
        for gloss in heard:
            if gloss.gloss in recording.glosses:
                found.kept.add(gloss.confidence >= SURE)
    return found


def still(room: Room, generator: Generator) -> dict[str, Any]:
    """Count glosses of a hand that is motionless from the first frame on, by level of noise."""

    def motionless(recording: Recording, noise: float) -> tuple[Recording, int]:
        frame = posture(recording, generator.uniform(0.05, 0.95))
        hand = situations.motionless(recording, frame, REST, noise, generator)
        return hand, int(hand.stamps[0])

    return _by_noise(room, generator, motionless)


def rest(room: Room, generator: Generator) -> dict[str, Any]:
    """Count glosses of a hand that comes, stops before a sign, and rests, by level of noise."""

    def comes(recording: Recording, noise: float) -> tuple[Recording, int]:
        return situations.comes_to_rest(recording, BEGUN[-1], REST, noise, generator)

    return _by_noise(room, generator, comes)


def _by_noise(
    room: Room, generator: Generator, make: Callable[[Recording, float], tuple[Recording, int]]
) -> dict[str, Any]:
    """Count glosses of resting hands.

    Args:
        room: the network.
        generator: draws the signs that the hands are taken from.
        make: returns a resting hand with that noise, and when it came to rest.
    """
    figures = {}
    for noise in NOISE:
        tally, late = FalseGlosses(), 0
        for recording in _drawn(room.signs, POSTURES, generator):
            hand, stop = make(recording, noise * room.noise_scale)
            found = room.listen(hand)
            tally.add(hand, found)
            late += _late(found, stop)
        figures[_millimeters(noise)] = {**tally.report(), "late": late}
    return figures


def cost_of_rest(room: Room, generator: Generator) -> dict[str, float]:
    """Return the cost of an hour of a resting hand: share of a core, and longest frame."""
    recording = room.signs[0]
    noise = REST_NOISE * room.noise_scale
    minute = situations.motionless(recording, posture(recording, 0.5), REST, noise, generator)
    costs = room.costs(minute, MINUTES)
    return {
        "minutes": MINUTES * REST / 60,
        "share_of_core": float(costs.sum()) / (MINUTES * REST),
        "longest_ms": 1000 * float(costs.max()),
    }


def comings(room: Room, generator: Generator) -> dict[str, Any]:
    """Count the hands that come, stop before a sign, and yield a sure gloss.

    A posture that is held is a sign from its first frame on. Signs that hardly move after the hand
    has stopped are therefore excluded, and so are hands that stop in another sign's posture.
    """
    tally = Share()
    postures = situations.held_postures(room.signs)
    for index, recording in enumerate(room.signs):
        for share in BEGUN:
            if not situations.stops_before_sign(recording, share, postures):
                continue
            noise = NOISE[index % len(NOISE)] * room.noise_scale
            hand, _ = situations.comes_to_rest(recording, share, STOP_SECONDS, noise, generator)
            tally.add(any(gloss.confidence >= SURE for gloss in room.listen(hand)))
    return tally.report()


def other_movement(room: Room) -> dict[str, Any]:
    """Count glosses of movement without any of the network's signs."""
    figures = {}
    for name, recordings in room.others.items():
        tally = FalseGlosses()
        for recording in recordings:
            tally.add(recording, room.listen(recording))
        figures[name] = tally.report()
    return figures


def holds(room: Room, right: Sequence[Recording], generator: Generator) -> dict[str, Any]:
    """Count held signs that are recognized once, and those recognized twice with high confidence.

    Args:
        room: the network.
        right: recordings that it recognizes without a hold.
        generator: source of the noise.
    """
    once, twice = Share(), Share()
    for index, recording in enumerate(right):
        share = HELD_AT[index % len(HELD_AT)]
        length = HOLDS[index // len(HELD_AT) % len(HOLDS)]
        noise = SMALL_NOISE * room.noise_scale
        found = room.listen(situations.held(recording, share, length, noise, generator))
        once.add(names(found) == recording.glosses)
        sure = names([gloss for gloss in found if gloss.confidence >= SURE])
        twice.add(any(sure.count(gloss) > recording.glosses.count(gloss) for gloss in sure))
    return {"once": once.report(), "twice": twice.report()}


def visitors(room: Room, generator: Generator) -> dict[str, Any]:
    """Count the right signs of a visitor after another one with larger or smaller hands."""
    chosen = list(_drawn(room.signs, VISITS, generator))
    figures = {"fresh": sum(names(room.listen(sign)) == sign.glosses for sign in chosen)}
    for size in SIZES:
        right = 0
        for index, sign in enumerate(chosen):
            before = situations.scaled(chosen[index - 1], 1 / size)
            both = situations.followed_by(before, sign, VISIT_GAP)
            start = int(both.stamps[-1]) - int(sign.stamps[-1] - sign.stamps[0])
            found = [gloss for gloss in room.listen(both) if gloss.start >= start]
            right += names(found) == sign.glosses
        figures[f"{size:g}"] = right
    return {"of": len(chosen), **figures}


def frame_rates(room: Room, generator: Generator) -> dict[str, Any]:
    """Return the WER of the signs by frame rate of the sensor, and with lost frames."""
    native = float(np.median([sign.frame_rate for sign in room.signs]))
    figures = {}
    for rate in RATES:
        if rate > native:
            continue
        figures[f"{rate:g} Hz"] = _errors_at(room, rate, 0.0, generator)
    lossy = f"{native:.0f} Hz, {100 * LOST:.0f} % lost"
    return {**figures, lossy: _errors_at(room, native, LOST, generator)}


def _errors_at(room: Room, rate: float, lost: float, generator: Generator) -> float:
    errors = GlossErrors()
    for sign in room.signs:
        seen = situations.at_rate(sign, rate, lost, generator)
        errors.add(sign.glosses, names(room.listen(seen)))
    return errors.wer


def measure(room: Room, done: Callable[[], None], seed: int = 0) -> dict[str, Any]:
    """Try a network in all situations.

    Args:
        room: the network and its recordings.
        done: called ``ROUNDS`` times, after each situation.
        seed: seed of postures, noise and frame times.

    Returns:
        the figures by situation.
    """
    as_recorded = signs(room)
    done()
    parts: dict[str, Callable[[Generator], dict[str, Any]]] = {
        "still": lambda drawn: still(room, drawn),
        "rest": lambda drawn: rest(room, drawn),
        "cost_of_rest": lambda drawn: cost_of_rest(room, drawn),
        "comings": lambda drawn: comings(room, drawn),
        "other_movement": lambda drawn: other_movement(room),
        "held": lambda drawn: holds(room, as_recorded.right, drawn),
        "visitors": lambda drawn: visitors(room, drawn),
        "frame_rates": lambda drawn: frame_rates(room, drawn),
    }
    figures: dict[str, Any] = {
        "signs": as_recorded.exact.report(),
        "kept": as_recorded.kept.report(),
    }
    for number, (name, part) in enumerate(parts.items()):
        figures[name] = part(np.random.default_rng([seed, number]))
        done()
    return figures


ROUNDS = 9  # calls of `done` for a network


def _drawn(
    recordings: Sequence[Recording], count: int, generator: Generator
) -> Sequence[Recording]:
    """Return recordings in random order, each again only after all others."""
    orders = [generator.permutation(len(recordings)) for _ in range(-(-count // len(recordings)))]
    return [recordings[index] for index in np.concatenate(orders)[:count].tolist()]


def _late(found: Sequence[RecognizedGloss], stop: int) -> int:
    """Return how many glosses start more than ``SETTLED`` seconds after a hand stopped."""
    return sum(seconds(gloss.start - stop) > SETTLED for gloss in found)


def _millimeters(noise: float) -> str:
    return f"{1000 * noise:g} mm"
