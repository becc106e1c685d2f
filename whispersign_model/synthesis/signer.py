# SPDX-License-Identifier: MIT
"""The synthetic signer: creates recordings of synthetic sentences from a seed.

It serves tests, demonstrations and first trials. It does not model real signing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from zlib import crc32

import numpy as np
from numpy.random import Generator

from whispersign_model.arrays import Doubles
from whispersign_model.recordings.recording import Coordinates, Recording, Segment
from whispersign_model.synthesis.hand_trajectory import GRID, HandTrajectory, SignAnimator
from whispersign_model.synthesis.idle import idle_trajectories
from whispersign_model.synthesis.lexicon import Lexicon, default_lexicon
from whispersign_model.synthesis.performance import (
    Performance,
    SignInterval,
    blended,
    drifting,
    transition,
    transition_samples,
)
from whispersign_model.synthesis.sensor import SensorModel
from whispersign_model.synthesis.style import SignerStyle, Variation
from whispersign_model.synthesis.vectors import normalise
from whispersign_model.timestamps import NANOSECONDS

SOURCE = "synthetic"
RETRACTION = np.array([0.0, -0.05, 0.04])  # meters, between two productions of a sign
RETRACTION_REST = 0.10  # seconds
RETRACTION_RELAXES = 0.4  # share by which the fingers relax between the two


@dataclass(frozen=True)
class SignItem:
    """Make one sign."""

    gloss: str


@dataclass(frozen=True)
class HoldItem:
    """Hold the hands still."""

    seconds: float


@dataclass(frozen=True)
class AwayItem:
    """Move both hands out of view, wait, and return."""

    seconds: float


@dataclass(frozen=True)
class IdleItem:
    """Make an idle movement, one of ``idle.IDLE_KINDS``."""

    kind: str
    seconds: float


Item = SignItem | HoldItem | AwayItem | IdleItem


@dataclass
class _Take:
    """The performance so far: trajectory parts of the dominant and the other hand."""

    parts: tuple[list[HandTrajectory], list[HandTrajectory]]
    signs: list[SignInterval] = field(default_factory=list)
    samples: int = 0

    def append(self, trajectories: Sequence[HandTrajectory]) -> None:
        for parts, trajectory in zip(self.parts, trajectories):
            parts.append(trajectory)
        self.samples += len(trajectories[0])

    @property
    def last(self) -> tuple[HandTrajectory, HandTrajectory]:
        return self.parts[0][-1], self.parts[1][-1]


class Signer:
    """A synthetic person who signs.

    Args:
        seed: seed of all variation and, if ``style`` is None, of the style.
        style: the signer's habits; None draws them from the seed.
        lexicon: the signs; None uses the package's lexicon.
        sensor: the sensor that records the hands; None uses the defaults.
        name: signer name in the recordings; "" derives one from the seed.
        naturalness: amount of variation; 0 makes each sign exactly as in the lexicon, 1 varies as
            people do.
    """

    def __init__(
        self,
        seed: int = 0,
        style: SignerStyle | None = None,
        lexicon: Lexicon | None = None,
        sensor: SensorModel | None = None,
        name: str = "",
        naturalness: float = 1.0,
    ) -> None:
        self.seed = seed
        self.style = style or SignerStyle.drawn(np.random.default_rng(seed))
        self.lexicon = lexicon or default_lexicon()
        self.sensor = sensor or SensorModel()
        self.name = name or f"synthetic{seed}"
        self.naturalness = naturalness
        self._animator = SignAnimator(self.lexicon, self.style)

    def sign_sentence(
        self,
        glosses: Sequence[str],
        take: int = 0,
        start: int = 0,
        lead: float = 0.4,
        tail: float = 0.7,
        name: str = "",
    ) -> Recording:
        """Sign one sentence that begins and ends with the hands out of view.

        Args:
            glosses: the sentence; a gloss may repeat.
            take: number of the take; takes of the same sentence differ, as they do with people.
            start: capture time of the start in nanoseconds.
            lead: seconds without hands at the beginning.
            tail: seconds without hands at the end.
            name: name of the recording; "" builds one from the signer, take and glosses.

        Raises:
            ConfigError: a gloss is not in the lexicon.
        """
        return self.sign_sentences([glosses], take, start, lead, tail, name=name)

    def sign_sentences(
        self,
        sentences: Sequence[Sequence[str]],
        take: int = 0,
        start: int = 0,
        lead: float = 0.4,
        tail: float = 0.7,
        between: float = 1.0,
        name: str = "",
    ) -> Recording:
        """Sign several sentences in one recording, with the hands out of view in between."""
        script: list[Item] = [AwayItem(lead)]
        for number, glosses in enumerate(sentences):
            if number:
                script.append(AwayItem(between))
            script.extend(SignItem(gloss) for gloss in glosses)
        script.append(AwayItem(tail))
        return self.record(script, take, start, name)

    def idle(
        self, kind: str, seconds: float, take: int = 0, start: int = 0, name: str = ""
    ) -> Recording:
        """Record an idle movement, one of ``idle.IDLE_KINDS``, labeled as containing no signs."""
        script: list[Item] = [AwayItem(0.4), IdleItem(kind, seconds), AwayItem(0.7)]
        recording = self.record(script, take, start, name)
        nothing = Segment((), int(recording.stamps[0]), int(recording.stamps[-1]))
        return replace(recording, segments=(nothing,))

    def record(
        self, script: Sequence[Item], take: int = 0, start: int = 0, name: str = ""
    ) -> Recording:
        """Perform a script and record it with the sensor.

        The same seed, style, sensor, script and take give a bit-identical recording.
        """
        performance = self.perform(script, take)
        rng = np.random.default_rng([self.seed, 2, take, _fingerprint(script)])
        stamps, positions, confidence = self.sensor.observe(performance, start, rng)
        glosses = [stroke.gloss for stroke in performance.signs]
        return Recording(
            stamps=stamps,
            positions=positions,
            confidence=confidence,
            segments=tuple(
                Segment(
                    (stroke.gloss,),
                    start + round(stroke.start * NANOSECONDS),
                    start + round(stroke.end * NANOSECONDS),
                )
                for stroke in performance.signs
            ),
            name=name or "_".join([self.name, f"take{take}", *(glosses or ["idle"])]),
            signer=self.name,
            source=SOURCE,
            coordinates=Coordinates.METRIC_SENSOR,
            meta={"sensor": self.sensor.name, "seed": str(self.seed), "take": str(take)},
        )

    def perform(self, script: Sequence[Item], take: int = 0) -> Performance:
        """Return the true movement of both hands for a script, independent of the sensor."""
        rng = np.random.default_rng([self.seed, 1, take, _fingerprint(script)])
        lap = self._animator.posture("relaxed", "down", "forward", "lap", 1)
        performed = _Take(([lap], [lap]), samples=1)
        before: Item | None = None  # the last item that is not a hold
        for item in script:
            if isinstance(item, SignItem):
                self._sign(item.gloss, performed, rng, again=item == before)
            elif isinstance(item, HoldItem):
                self._hold(item.seconds, performed)
            elif isinstance(item, AwayItem):
                away = lap.held(0, max(round(item.seconds * GRID), 1))
                self._move_to((away, away), performed, rng)
            else:
                trajectories = idle_trajectories(item.kind, item.seconds, self._animator, rng)
                self._move_to(trajectories, performed, rng)
            before = before if isinstance(item, HoldItem) else item
        hands = [
            drifting(
                blended(HandTrajectory.joined(parts), self.style.coarticulation / self.style.tempo),
                rng,
                self.naturalness,
            )
            for parts in performed.parts
        ]
        left, right = hands if self.style.left_handed else hands[::-1]
        return Performance((left, right), self.style.geometry, tuple(performed.signs))

    def _sign(self, gloss: str, performed: _Take, rng: Generator, again: bool) -> None:
        sign = self.lexicon.sign(gloss)
        variation = Variation.drawn(self.seed, gloss, rng, self.naturalness)
        main, other = self._animator.animate(sign, variation)
        if again:
            self._retract(performed, sign.two_handed)
        if other is None:
            begin = self._move_one_hand(main, performed, rng)
        else:
            begin = self._move_to((main, other), performed, rng)
        performed.signs.append(SignInterval(gloss, begin / GRID, (begin + len(main) - 1) / GRID))
        self._hold(self.style.hold, performed)

    def _retract(self, performed: _Take, both: bool) -> None:
        """Retract and relax the hands between two productions of the same sign."""
        relaxed = self.lexicon.handshapes["relaxed"].radians()
        targets = []
        for hand, last in enumerate(performed.last):
            moves = hand == 0 or both
            end = last.held(-1, max(round(RETRACTION_REST / self.style.tempo * GRID), 1))
            if moves:
                angles = end.angles + RETRACTION_RELAXES * (relaxed - end.angles)
                end = HandTrajectory(end.wrist + RETRACTION, end.rotation, angles)
            targets.append(end)
        samples = transition_samples(performed.last[0], targets[0], self.style.tempo)
        performed.append(
            [transition(last, target, samples) for last, target in zip(performed.last, targets)]
        )
        performed.append(targets)

    def _move_to(
        self, trajectories: tuple[HandTrajectory, HandTrajectory], performed: _Take, rng: Generator
    ) -> int:
        """Move both hands to the next trajectories, append these, and return their first sample."""
        samples = max(
            transition_samples(last, trajectory, self.style.tempo)
            for last, trajectory in zip(performed.last, trajectories)
        )
        performed.append(
            [
                transition(last, trajectory, samples, self._aside(last, trajectory, rng))
                for last, trajectory in zip(performed.last, trajectories)
            ]
        )
        begin = performed.samples
        performed.append(trajectories)
        return begin

    def _move_one_hand(self, main: HandTrajectory, performed: _Take, rng: Generator) -> int:
        """Move one hand to its next trajectory while the other returns to its resting place."""
        last, other_last = performed.last
        location = "ready" if self.style.ready_hand else "lap"
        resting = self._animator.posture("relaxed", "down", "forward", location, 1)
        other_samples = transition_samples(other_last, resting, self.style.tempo)
        samples = max(transition_samples(last, main, self.style.tempo), other_samples - len(main))
        first = transition(last, main, samples, self._aside(last, main, rng))
        second = transition(other_last, resting, other_samples)
        total = samples + len(main)
        after = resting.held(0, max(total - other_samples, 1))
        begin = performed.samples + samples
        other = HandTrajectory.joined([second, after]).first(total)
        performed.append([HandTrajectory.joined([first, main]), other])
        return begin

    def _hold(self, seconds: float, performed: _Take) -> None:
        samples = round(seconds / self.style.tempo * GRID)
        if samples:
            performed.append([last.held(-1, samples) for last in performed.last])

    def _aside(self, first: HandTrajectory, second: HandTrajectory, rng: Generator) -> Doubles:
        """Draw the sideways bend ``(3,)``, in meters, of the path between two trajectories."""
        way = second.wrist[0] - first.wrist[-1]
        across = np.cross(normalise(way), normalise(rng.normal(size=3)))
        size = self.naturalness * self.style.curvature * float(np.linalg.norm(way))
        return np.asarray(size * across)


def _fingerprint(script: Sequence[Item]) -> int:
    return crc32(repr(list(script)).encode())
