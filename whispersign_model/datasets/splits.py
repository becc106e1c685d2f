# SPDX-License-Identifier: MIT
"""Split recordings into train, val and test, by signer where possible."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from itertools import combinations

from whispersign_model.errors import DatasetError
from whispersign_model.recordings.spelling import look_alikes, quoted

TRAIN, VAL, TEST = SPLITS = ("train", "val", "test")
FEW = 10  # clips of a split
PERCENT = 15  # share of signers (or recordings) for each of test and val
_SYNONYMS = {
    "training": TRAIN,
    "validation": VAL,
    "valid": VAL,
    "dev": VAL,
    "testing": TEST,
    **{split: split for split in SPLITS},
}


@dataclass(frozen=True)
class SplitItem:
    """The properties of a recording that determine its split."""

    index: int
    name: str
    signer: str
    split: str  # the split that the recording itself names, or ""
    glosses: tuple[str, ...]


@dataclass(frozen=True)
class SplitPolicy:
    """Rules that split recordings. The first rule that matches a recording applies.

    1. ``test`` and ``val`` name signers, recordings, or splits that recordings name themselves
       (such as "continuous"); ``*`` is a wildcard.
    2. ``test_every`` N selects recordings whose index modulo N is ``test_offset``; ``val_every``
       works the same way.
    3. The recording itself names the split "train", "val" or "test" (or a synonym).
    4. Signers are drawn at random: about 15 % for each of "test" and "val", the others for "train".
       With too few signers, recordings are drawn instead. If rule 1 or 2 sets "test", only "val"
       is drawn; if it sets "val", nothing is drawn. The draw depends only on ``seed`` and the
       names, so adding a recording changes little.
    """

    val: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    val_every: int = 0
    val_offset: int = 1
    test_every: int = 0
    test_offset: int = 0
    seed: int = 0


def assign_splits(policy: SplitPolicy, items: Sequence[SplitItem]) -> tuple[list[str], list[str]]:
    """Return the split of each recording, and warnings for the user.

    Raises:
        DatasetError: a name in the policy matches no recording, or a recording matches both
            ``test`` and ``val``.
    """
    named = _by_name(policy, items)
    splits = [
        named.get(item.index)
        or _by_turn(policy, item.index)
        or _SYNONYMS.get(item.split.strip().lower(), "")
        for item in items
    ]
    undecided = [item for item, split in zip(items, splits) if not split]
    warnings: list[str] = []
    if policy.val or policy.val_every:
        drawn: tuple[str, ...] = ()
    else:
        drawn = (VAL,) if policy.test or policy.test_every else (TEST, VAL)
    chosen = _draw_splits(undecided, drawn, policy.seed, warnings)
    splits = [split or chosen[item.index] for item, split in zip(items, splits)]
    warnings += shared_signers((split, item.signer) for item, split in zip(items, splits))
    warnings += similar_glosses(gloss for item in items for gloss in item.glosses)
    return splits, warnings + _untrained(items, splits)


def _by_name(policy: SplitPolicy, items: Sequence[SplitItem]) -> dict[int, str]:
    named: dict[int, str] = {}
    for split, patterns in ((TEST, policy.test), (VAL, policy.val)):
        for pattern in patterns:
            fitting = [
                item
                for item in items
                if any(fnmatchcase(word, pattern) for word in (item.signer, item.name, item.split))
            ]
            if not fitting:
                signers = ", ".join(sorted({item.signer for item in items if item.signer}))
                raise DatasetError(
                    f"--{split} {pattern}",
                    "fits no signer, recording or split",
                    f"the signers are {signers[:200]}" if signers else "no signer is known",
                )
            for item in fitting:
                if named.setdefault(item.index, split) != split:
                    raise DatasetError(f"--{split} {pattern}", f"{item.name} is in --test too")
    return named


def _by_turn(policy: SplitPolicy, index: int) -> str:
    if policy.test_every and index % policy.test_every == policy.test_offset % policy.test_every:
        return TEST
    if policy.val_every and index % policy.val_every == policy.val_offset % policy.val_every:
        return VAL
    return ""


def _draw_splits(
    items: Sequence[SplitItem], drawn: Sequence[str], seed: int, warnings: list[str]
) -> dict[int, str]:
    """Draw whole signers for the splits in ``drawn``; the rest, and unknown signers, train."""
    signers = sorted({item.signer for item in items if item.signer}, key=partial(_lot, seed))
    if items and drawn and len(signers) <= len(drawn):
        known = f"of {len(signers)} signers only" if signers else "no signer is known"
        warnings.append(
            f"{known}: {' and '.join(drawn)} by recording, from signers that are also in train"
        )
        return _by_recording(items, drawn, seed)
    unknown = sum(not item.signer for item in items)
    if drawn and unknown:
        warnings.append(f"{unknown} recordings of unknown signers go to train")
    share = max(1, round(PERCENT * len(signers) / 100))
    split_of = dict(zip(signers, (split for split in drawn for _ in range(share))))
    return {item.index: split_of.get(item.signer, TRAIN) for item in items}


def _by_recording(items: Sequence[SplitItem], drawn: Sequence[str], seed: int) -> dict[int, str]:
    """Draw recordings for each split, spread evenly over the gloss sequences."""
    order = sorted(items, key=lambda item: (item.glosses, _lot(seed, item.name)))
    chosen = {}
    for place, item in enumerate(order, start=1):
        turn, rest = divmod(place * PERCENT % 100, 50)
        chosen[item.index] = drawn[turn] if turn < len(drawn) and rest < PERCENT else TRAIN
    return chosen


def _lot(seed: int, word: str) -> str:
    return hashlib.sha256(f"{seed}:{word}".encode()).hexdigest()


def shared_signers(owners: Iterable[tuple[str, str]]) -> list[str]:
    """Warn about signers in several splits: error rates then do not apply to new signers.

    Names that differ only in case or spaces are most likely the same signer's.

    Args:
        owners: ``(split, signer)`` of each recording; "" stands for an unknown signer, and
            "anna+bea" for two.
    """
    signers: dict[str, set[str]] = {split: set() for split in SPLITS}
    for split, several in owners:
        signers[split].update(signer for signer in several.split("+") if signer)
    warnings = []
    for alike in look_alikes(set().union(*signers.values())):
        held = " and ".join(split for split in SPLITS if signers[split] & {*alike})
        warnings.append(f"signers {quoted(alike)} ({held}) differ only in case or spaces")
    for one, other in combinations(SPLITS, 2):
        if shared := sorted(signers[one] & signers[other]):
            names = ", ".join(shared)
            warnings.append(f"{one} and {other} share {len(shared)} signers ({names[:120]})")
    return warnings


def similar_glosses(glosses: Iterable[str]) -> list[str]:
    """Warn about glosses that differ only in case or spaces: each is a class of its own."""
    return [
        f"glosses {quoted(alike)} differ only in case or spaces, but are separate classes"
        for alike in look_alikes(glosses)
    ]


def few_clips(split: str, clips: int) -> list[str]:
    """Warn about a split whose figures one clip changes by more than ten points."""
    if not 0 < clips < FEW:
        return []
    points = round(100 / clips)
    return [f"{split} has {clips} clips, so one clip changes its figures by {points} points"]


def _untrained(items: Sequence[SplitItem], splits: Sequence[str]) -> list[str]:
    """Warn about empty splits, and about glosses missing from the training split."""
    warnings = [
        f"no recording is for {split}"
        + (f": give --{split} or --{split}-every" if split != TRAIN else "")
        for split in SPLITS
        if split not in splits
    ]
    glosses = {
        split: {gloss for item, own in zip(items, splits) if own == split for gloss in item.glosses}
        for split in SPLITS
    }
    for split in (VAL, TEST):
        if unseen := sorted(glosses[split] - glosses[TRAIN]):
            names = ", ".join(unseen)
            warnings.append(f"{split} has {len(unseen)} glosses that train lacks ({names[:120]})")
    return warnings
