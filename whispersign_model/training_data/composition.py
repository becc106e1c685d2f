# SPDX-License-Identifier: MIT
"""Composition: the parts of a training clip, which are drawn before any data is read."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from whispersign_model.arrays import Doubles, Ints
from whispersign_model.datasets.short_clips import required_steps
from whispersign_model.skeleton import JOINTS
from whispersign_model.training_data.augmentation import Augmentation, Pace
from whispersign_model.training_data.background import fitted
from whispersign_model.training_data.clip_store import ClipStore
from whispersign_model.training_data.concatenation import TYPICAL, away, join, resting
from whispersign_model.training_data.postures import begun_frames
from whispersign_model.training_data.rejection import disguised
from whispersign_model.training_data.variations import Array, Motion, hand_length, interpolate
from whispersign_model.training_data.windows import Span, StreamWindow, draw_window

SHORTEST_PAUSE = 0.1  # shortest pause in seconds
UNSEEN = 0.3  # share of the pauses between signs without a tracked hand
BEGUN = (1 / 24, 1 / 6)  # range of the share of a sign after which it is given up
REST_SECONDS = (0.1, 2.0)  # range of the rest after it in seconds
IDLE, ABORTED = 0.25, 0.4  # shares of idle movement and of signs given up in rejected movement
CANDIDATES = 8  # number of takes of the same signer to look at for one that can be given up
DISGUISED = 3  # largest number of disguised signs in a row
DISTRACTORS = 3  # largest number of distractor segments in a row
DISTRACTOR_SECONDS = (0.05, 0.35)  # range of the length of a distractor segment in seconds
DISTRACTOR_SHARE = 1 / 3  # largest share of a take in one distractor segment


@dataclass(frozen=True)
class PlacedSign:
    """A take, with the pace at which it is read.

    Attributes:
        take: number of the take in the clip store.
        pace: times at which the take is sampled.
        labelled: whether its glosses are labels; False for movement that is not a sign.
        path: number of the take whose trajectories replace those of the take; None keeps them.
        background: index of an idle movement that replaces the take; None keeps it.
    """

    take: int
    pace: Pace
    labelled: bool = True
    path: int | None = None
    background: int | None = None


@dataclass(frozen=True)
class Pause:
    """Frames in which the hands rest or are out of view."""

    frames: int
    seen: bool


@dataclass(frozen=True)
class Composition:
    """The parts of a clip in order, and the length of a window to cut from it.

    Attributes:
        parts: signs and pauses, with at least one sign.
        window: length of the window in frames; 0 keeps the whole clip.
        transition: typical number of frames between two parts.
    """

    parts: tuple[PlacedSign | Pause, ...]
    window: int
    transition: int

    @property
    def frames(self) -> int:
        """The length of the clip in frames, which is an estimate if there are several parts."""
        own = sum(p.pace.frames if isinstance(p, PlacedSign) else p.frames for p in self.parts)
        total = own + self.transition * (len(self.parts) - 1)
        return min(total, self.window) if self.window else total


@dataclass(frozen=True)
class Composed:
    """A clip with one or more signs.

    Attributes:
        positions, confidence: ``(T, 42, 3)`` in meters, and ``(T, 42)``.
        labels: ``(L,)`` gloss ids.
        restarts: frames at which a stream starts.
        spans: first frame of each gloss and the frame after its last; None if unknown.
    """

    positions: Array
    confidence: Array
    labels: Ints
    restarts: NDArray[np.intp]
    spans: tuple[Span, ...] | None


def draw_composition(
    augmentation: Augmentation, store: ClipStore, take: int, rate: float, generator: Generator
) -> Composition:
    """Draw the composition of a clip that starts with the given take."""
    if augmentation.reject and generator.random() < augmentation.reject:
        return Composition(
            draw_rejected(augmentation, store, take, rate, generator), 0, round(TYPICAL * rate)
        )
    numbers = _sentence(augmentation, store, take, generator)
    parts: list[PlacedSign | Pause] = []
    for place, number in enumerate(numbers):
        parts += _between(augmentation, store, numbers, place, rate, generator)
        length, least = store.lengths[number], store.least_frames[number]
        parts.append(PlacedSign(number, augmentation.pace(length, rate, generator, least)))
    parts += _between(augmentation, store, numbers, len(numbers), rate, generator)
    window = 0
    if augmentation.window and generator.random() < augmentation.window:
        window = round(augmentation.window_seconds * rate)
    return Composition(tuple(parts), window, round(TYPICAL * rate))


def draw_rejected(
    augmentation: Augmentation, store: ClipStore, take: int, rate: float, generator: Generator
) -> tuple[PlacedSign | Pause, ...]:
    """Draw movement that is not a sign: idle movement, an abandoned sign, or disguised signs.

    Args:
        augmentation: the paces and the pauses.
        store: the takes.
        take: number of the take that gives the size and the place of the hands.
        rate: frames per second.
        generator: random source.
    """
    kind = generator.random()
    seconds = generator.uniform(*REST_SECONDS)
    if kind < IDLE and store.background:
        number = int(generator.integers(len(store.background)))
        pace = augmentation.pace(len(store.background[number][0]), rate, generator)
        return (PlacedSign(take, pace, False, background=number),)
    pool = store.by_signer[store.examples[take].signer] or [take]
    if kind < IDLE + ABORTED:
        for candidate in [take, *generator.choice(pool, CANDIDATES).tolist()]:
            if begun := _begun(store, candidate, generator):
                pace = Pace(0.0, begun - 1, begun, 0.0, 0.0, 1.0, round(seconds * rate))
                pace = replace(pace, withdraws=generator.random() < 0.5)
                return (PlacedSign(candidate, pace, False),)
    alone = len(store.examples[take].labels) == 1
    parts: list[PlacedSign | Pause] = []
    for _ in range(int(generator.integers(1, DISGUISED + 1)) if alone else 1):
        path = pool[int(generator.integers(len(pool)))]
        pace = augmentation.pace(store.lengths[take], rate, generator)
        parts.append(PlacedSign(take, pace, False, path))
        if generator.random() < augmentation.idle:
            parts.append(Pause(max(1, round(seconds * rate)), True))
        take = pool[int(generator.integers(len(pool)))]
    return tuple(parts)


def _begun(store: ClipStore, take: int, generator: Generator) -> int:
    """Return the number of frames of a take that only begin its first sign; 0 if none do."""
    spans = store.spans[take]
    if not spans:
        return 0
    return begun_frames(*store.motion(take), generator.uniform(*BEGUN), spans[0])


def _sentence(
    augmentation: Augmentation, store: ClipStore, take: int, generator: Generator
) -> list[int]:
    """Return the takes in a sentence; only an isolated sign can be followed by others."""
    example = store.examples[take]
    isolated = len(example.labels) == 1
    if not (augmentation.sentence and isolated and generator.random() < augmentation.sentence):
        return [take]
    numbers = [take]
    gloss = int(example.labels[0])
    for _ in range(int(generator.integers(1, augmentation.sentence_signs))):
        pool = store.by_signer[example.signer]
        if generator.random() < augmentation.repeat:
            pool = store.by_gloss[example.signer, gloss]
        numbers.append(pool[int(generator.integers(len(pool)))])
        gloss = int(store.examples[numbers[-1]].labels[0])
    return numbers


def _between(
    augmentation: Augmentation,
    store: ClipStore,
    numbers: list[int],
    place: int,
    rate: float,
    generator: Generator,
) -> list[PlacedSign | Pause]:
    """Return the parts before sign ``place`` of a sentence, or after its last sign."""
    if len(numbers) == 1:
        return []
    pause = _pause(augmentation, len(numbers), place, rate, generator)
    pool = store.by_signer[store.examples[numbers[0]].signer]
    return [*_distractors(augmentation, store, pool, rate, generator), *pause]


def _distractors(
    augmentation: Augmentation, store: ClipStore, pool: list[int], rate: float, generator: Generator
) -> list[PlacedSign]:
    """Return the distractor segments between two signs, possibly none."""
    if (
        not augmentation.distractor_segments
        or generator.random() >= augmentation.distractor_segments
    ):
        return []
    segments = []
    for _ in range(int(generator.integers(1, DISTRACTORS + 1))):
        take = pool[int(generator.integers(len(pool)))]
        last = store.lengths[take] - 1
        span = min(generator.uniform(*DISTRACTOR_SECONDS) * rate, DISTRACTOR_SHARE * last)
        first = generator.uniform(0, last - span)
        pace = Pace(first, span, round(span) + 1, 0.0, 0.0)
        segments.append(PlacedSign(take, pace, labelled=False))
    return segments


def _pause(
    augmentation: Augmentation, signs: int, place: int, rate: float, generator: Generator
) -> list[Pause]:
    """Return a pause, or none, before sign ``place``; ``place == signs`` is the end."""
    if not augmentation.idle or generator.random() >= augmentation.idle:
        return []
    longest = max(SHORTEST_PAUSE, augmentation.idle_seconds)
    frames = max(1, round(generator.uniform(SHORTEST_PAUSE, longest) * rate))
    return [Pause(frames, place in (0, signs) or generator.random() >= UNSEEN)]


def compose(
    plan: Composition, store: ClipStore, rate: float, patch_size: int, generator: Generator
) -> Composed:
    """Read the takes of a composition at their paces, join them, and cut the window."""
    signs = [part for part in plan.parts if isinstance(part, PlacedSign)]
    times = [sign.pace.times(generator) for sign in signs]
    read = [_read(sign, at, store, generator) for sign, at in zip(signs, times)]
    restarts = np.zeros(1, np.intp)
    if len(signs) == 1:
        (positions, confidence), starts = read[0], [0]
        if signs[0].labelled:
            restarts = np.searchsorted(times[0], store.restarts(signs[0].take))
            restarts = restarts[restarts < len(positions)]
    else:
        positions, confidence, starts = _joined(plan, read, rate, patch_size, generator)
    labels = np.concatenate(
        [np.zeros(0, np.int64)]
        + [store.examples[sign.take].labels for sign in signs if sign.labelled]
    )
    known = [store.spans[sign.take] if sign.labelled else () for sign in signs]
    spans = tuple(
        _retimed(span, at, start)
        for of_take, at, start in zip(known, times, starts)
        for span in of_take or ()
    )
    if None in known:
        return Composed(positions, confidence, labels, restarts, None)
    if plan.window and len(positions) > plan.window:
        window = draw_window(spans, len(positions), plan.window, generator)
        kept = labels[list(window.glosses)]
        if window.last - window.first >= required_steps(kept.tolist()) * patch_size:
            inside = slice(window.first, window.last)
            positions, confidence, labels = positions[inside], confidence[inside], kept
            spans = tuple(_within(spans[number], window) for number in window.glosses)
            later = restarts[(restarts > window.first) & (restarts < window.last)]
            restarts = np.append(0, later - window.first)
    return Composed(positions, confidence, labels, restarts, spans)


def _read(sign: PlacedSign, times: Doubles, store: ClipStore, generator: Generator) -> Motion:
    """Read a take, or what replaces it, at fractional frames."""
    take = store.motion(sign.take)
    if sign.background is not None:
        return interpolate(*fitted(store.background[sign.background], take), times)
    motion = interpolate(*take, times)
    return motion if sign.path is None else disguised(motion, store.motion(sign.path), generator)


def _joined(
    plan: Composition, read: list[Motion], rate: float, patch_size: int, generator: Generator
) -> tuple[Array, Array, list[int]]:
    """Join the signs and the pauses; also return the first frame of each sign."""
    lengths = [hand_length(*motion) for motion in read]
    hand = float(np.mean([length for length in lengths if length] or [1.0]))
    parts: list[Motion] = []
    places: list[int] = []
    done = 0
    for part in plan.parts:
        if isinstance(part, PlacedSign):
            places.append(len(parts))
            parts.append(read[done])
            done += 1
        elif not part.seen:
            parts.append(away(part.frames, JOINTS))
        else:
            positions, confidence = read[max(done - 1, 0)]
            at = -1 if done else 0
            pose = positions[at], confidence[at]
            parts.append(resting(pose, part.frames, hand, rate, generator))
    stream = join(parts, hand, rate, generator, patch_size)
    return stream.positions, stream.confidence, [stream.starts[place] for place in places]


def _retimed(span: Span, times: Doubles, start: int) -> Span:
    """Map a span of a take that was sampled at ``times`` to frames of a stream."""
    first = min(int(np.searchsorted(times, span[0])), len(times) - 1)
    last = max(first + 1, int(np.searchsorted(times, span[1] - 1, side="right")))
    return start + first, start + last


def _within(span: Span, window: StreamWindow) -> Span:
    """Map a span of the whole stream to frames of a window."""
    first = max(span[0], window.first)
    return first - window.first, min(span[1], window.last) - window.first
