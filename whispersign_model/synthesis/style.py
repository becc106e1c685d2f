# SPDX-License-Identifier: MIT
"""The habits of a signer, drawn once per signer from a seed."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from zlib import crc32

import numpy as np
from numpy.random import Generator

from whispersign_model.arrays import Doubles
from whispersign_model.synthesis.hand import HandGeometry

LEFT_HANDED = 0.1  # share of left-handed people


@dataclass(frozen=True)
class SignerStyle:
    """The permanent habits of one signer, in meters, seconds and radians.

    The defaults are an average right-handed adult without habits.

    Attributes:
        geometry: bone lengths of both hands.
        left_handed: whether the left hand is dominant, which mirrors all signs.
        tempo: factor on the speed of strokes and transitions.
        amplitude: factor on the size of movements.
        location_offset: ``(3,)`` added to each location; positive is outward for the dominant hand.
        location_scale: factor on the distances between locations.
        tilt: ``(3,)`` rotation vector added to each orientation.
        sloppiness: share by which handshapes approach a relaxed hand.
        finger_habit: ``(5, 4)`` added to each handshape.
        coarticulation: seconds over which adjacent postures blend.
        hold: seconds for which the hand stays at the end of a stroke.
        curvature: sideways bend of transitions, as a share of their length.
        ready_hand: whether the idle second hand waits in view instead of in the lap.
    """

    geometry: HandGeometry = field(default_factory=HandGeometry.adult)
    left_handed: bool = False
    tempo: float = 1.0
    amplitude: float = 1.0
    location_offset: Doubles = field(default_factory=partial(np.zeros, 3))
    location_scale: float = 1.0
    tilt: Doubles = field(default_factory=partial(np.zeros, 3))
    sloppiness: float = 0.0
    finger_habit: Doubles = field(default_factory=partial(np.zeros, (5, 4)))
    coarticulation: float = 0.02
    hold: float = 0.06
    curvature: float = 0.0
    ready_hand: bool = False

    @classmethod
    def drawn(cls, rng: Generator, left_handed: float = LEFT_HANDED) -> SignerStyle:
        """Draw the style of a signer who is left-handed with probability ``left_handed``."""
        dominance = float(rng.random())
        return cls(
            geometry=HandGeometry.varied(rng),
            left_handed=dominance < left_handed,
            tempo=float(np.clip(rng.lognormal(0.0, 0.15), 0.7, 1.45)),
            amplitude=float(np.clip(rng.lognormal(0.0, 0.12), 0.75, 1.35)),
            location_offset=rng.normal(0.0, [0.010, 0.02, 0.015]),
            location_scale=float(np.clip(rng.normal(1.0, 0.06), 0.85, 1.15)),
            tilt=rng.normal(0.0, np.deg2rad(5.0), size=3),
            sloppiness=float(rng.uniform(0.0, 0.15)),
            finger_habit=rng.normal(0.0, np.deg2rad(3.0), size=(5, 4)),
            coarticulation=float(rng.uniform(0.015, 0.035)),
            hold=float(rng.uniform(0.02, 0.12)),
            curvature=float(rng.uniform(0.0, 0.12)),
            ready_hand=bool(rng.random() < 0.35),
        )


@dataclass(frozen=True)
class Variation:
    """The deviation of one production of a sign from the lexicon; units as in ``SignerStyle``.

    It is the sum of the signer's habit for this sign and a random deviation.
    """

    tempo: float
    amplitude: float
    offset: Doubles  # (2, 3), for the dominant and the other hand
    tilt: Doubles  # (2, 3)
    fingers: Doubles  # (2, 5, 4)

    @classmethod
    def none(cls) -> Variation:
        """Return no variation: the sign exactly as in the lexicon."""
        return cls(1.0, 1.0, np.zeros((2, 3)), np.zeros((2, 3)), np.zeros((2, 5, 4)))

    @classmethod
    def drawn(cls, habit_seed: int, gloss: str, rng: Generator, amount: float) -> Variation:
        """Draw a production of ``gloss``; ``amount`` runs from 0 (lexicon form) to 1 (natural)."""
        habit = np.random.default_rng([habit_seed, crc32(gloss.encode())])
        draws = [(habit, 1.0), (rng, 0.6)]
        log_tempo, log_amplitude = (
            sum(amount * share * 0.08 * source.normal() for source, share in draws)
            for _ in range(2)
        )
        offset, tilt, fingers = (
            np.asarray(
                sum(amount * share * spread * source.normal(size=shape) for source, share in draws)
            )
            for spread, shape in (
                (0.007, (2, 3)),
                (np.deg2rad(4.0), (2, 3)),
                (np.deg2rad(2.5), (2, 5, 4)),
            )
        )
        return cls(float(np.exp(log_tempo)), float(np.exp(log_amplitude)), offset, tilt, fingers)
