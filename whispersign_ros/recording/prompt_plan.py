"""The plan of a session: which gloss is to be signed next, and what is still missing."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from random import Random

from whispersign_model.errors import ConfigError
from whispersign_model.recordings.labels import BETWEEN
from whispersign_model.recordings.takes import Take


class PromptPlan:
    """Prompts in rounds, each with every gloss that it still lacks.

    What lies in the folder counts, so that a session goes on where an earlier one ended.

    Attributes:
        glosses: what is signed, in the order given; several of one sentence joined by ``|``.
        takes: of each gloss.
        signer: who signs.

    Args:
        found: takes that are there, of any signer.
        seed: of the order within each round; None keeps the order given.

    Raises:
        ConfigError: there is no gloss, or one is given twice or has no name.
    """

    def __init__(
        self,
        glosses: Sequence[str],
        takes: int,
        signer: str,
        found: Sequence[Take],
        seed: int | None,
    ) -> None:
        self.glosses = tuple(gloss.strip() for gloss in glosses)
        self.takes = takes
        self.signer = signer
        _check(self.glosses)
        own = [each for each in found if each.signer == signer and each.gloss in self.glosses]
        self._kept = Counter(each.gloss for each in own if each.kept)
        self._discarded: Counter[str] = Counter()
        self._next = dict.fromkeys(self.glosses, 0)
        for each in own:
            self._next[each.gloss] = max(self._next[each.gloss], each.number + 1)
        self._queue = deque(
            gloss
            for number in range(takes)
            for gloss in self._ordered(number, seed)
            if self._kept[gloss] <= number
        )

    def _ordered(self, number: int, seed: int | None) -> list[str]:
        order = list(self.glosses)
        if seed is not None:
            Random(f"{seed} {number}").shuffle(order)
        return order

    @property
    def current(self) -> Take | None:
        """The take that is to be signed now; None when nothing is left."""
        return self._take(self._queue[0]) if self._queue else None

    @property
    def following(self) -> str:
        """What comes after the current one, "" for nothing."""
        return self._queue[1] if len(self._queue) > 1 else ""

    @property
    def done(self) -> int:
        """ClipStore that are kept; no more of a gloss than are wanted."""
        return sum(min(self._kept[gloss], self.takes) for gloss in self.glosses)

    @property
    def total(self) -> int:
        """ClipStore that are wanted."""
        return len(self.glosses) * self.takes

    @property
    def missing(self) -> dict[str, int]:
        """How many takes each gloss lacks; only those that lack any."""
        lacks = {gloss: self.takes - self._kept[gloss] for gloss in self.glosses}
        return {gloss: number for gloss, number in lacks.items() if number > 0}

    def kept(self) -> None:
        """The current take is kept."""
        gloss = self._queue.popleft()
        self._kept[gloss] += 1
        self._next[gloss] += 1

    def discarded(self, take: Take, now: bool) -> None:
        """A kept take went wrong: its gloss is signed again, now or at the end."""
        self._kept[take.gloss] -= 1
        self._discarded[take.gloss] += 1
        if now:
            self._queue.appendleft(take.gloss)
        else:
            self._queue.append(take.gloss)

    def later(self) -> None:
        """The current take is signed at the end."""
        self._queue.rotate(-1)

    def skip(self) -> None:
        """The current take is left out."""
        self._queue.popleft()

    def summary(self) -> list[str]:
        """What each gloss has and lacks, in lines for people."""
        width = max(len(gloss) for gloss in self.glosses)
        lines = []
        for gloss in self.glosses:
            kept, lacks = self._kept[gloss], self.missing.get(gloss, 0)
            line = f"{gloss:<{width}}  {kept} of {self.takes} takes"
            if self._discarded[gloss]:
                line += f", {self._discarded[gloss]} discarded"
            lines.append(line + (f": needs {lacks} more" if lacks else ""))
        return lines

    def _take(self, gloss: str) -> Take:
        return Take(gloss, self._next[gloss], self.signer)


def glosses_of(prompt: str) -> list[str]:
    """Return the glosses of a prompt: one, or those of a sentence."""
    return prompt.split(BETWEEN)


def _check(glosses: Sequence[str]) -> None:
    if not any(glosses):
        raise ConfigError("glosses", "there are none", "name what is to be signed, e.g. HELLO STOP")
    for gloss in glosses:
        if not all(part.strip() for part in glosses_of(gloss)):
            raise ConfigError(f"glosses: '{gloss}'", "a gloss needs a name")
        if glosses.count(gloss) > 1:
            raise ConfigError(f"glosses: '{gloss}'", "is named twice", "say how often with takes")
