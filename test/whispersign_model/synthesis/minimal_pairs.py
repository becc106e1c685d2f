# SPDX-License-Identifier: MIT
"""Pairs of signs that differ in a single parameter."""

from __future__ import annotations

from itertools import combinations

from whispersign_model.synthesis.lexicon import Lexicon, Sign


def parameters(sign: Sign) -> dict[str, object]:
    """Return a sign's parameters; the duration of the stroke belongs to the movement."""
    return {
        "handshape": sign.handshapes,
        "orientation": (sign.palm, sign.fingers),
        "location": sign.location,
        "movement": (sign.movement, sign.duration),
        "hands": sign.other,
    }


def minimal_pairs(lexicon: Lexicon) -> list[tuple[str, str, str]]:
    """Return the two glosses of each pair, and the parameter in which they differ."""
    known = {gloss: parameters(sign) for gloss, sign in lexicon.signs.items()}
    pairs = []
    for first, second in combinations(known, 2):
        differing = [name for name, value in known[first].items() if value != known[second][name]]
        if len(differing) == 1:
            pairs.append((first, second, differing[0]))
    return pairs
