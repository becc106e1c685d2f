# SPDX-License-Identifier: MIT
"""The order of a session's prompts, and the missing takes."""

from collections import Counter, deque
from collections.abc import Sequence
from random import Random

from whispersign_model.errors import ConfigError
from whispersign_model.recordings.labels import BETWEEN
from whispersign_model.recordings.takes import Take


class PromptPlan:
    """The prompts of a session, in rounds; a round contains every gloss that still needs takes.

    Existing takes count, so that a session resumes where an earlier one ended.

    Attributes:
        glosses: glosses to record; ``|`` joins the glosses of a sentence.
        takes: number of takes per gloss.
        signer: name of the signer.

    Args:
        found: existing takes of any signer.
        seed: seed to shuffle each round; None keeps the order of ``glosses``.

    Raises:
        ConfigError: there are no glosses, or a gloss is repeated or empty.
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
        """The take to sign now, or None at the end."""
        return self._next_take(self._queue[0]) if self._queue else None

    @property
    def next_gloss(self) -> str:
        """The gloss after the current one, or "" at the end."""
        return self._queue[1] if len(self._queue) > 1 else ""

    @property
    def done(self) -> int:
        """Number of kept takes, counting at most ``takes`` per gloss."""
        return sum(min(self._kept[gloss], self.takes) for gloss in self.glosses)

    @property
    def total(self) -> int:
        """Number of planned takes."""
        return len(self.glosses) * self.takes

    @property
    def missing(self) -> dict[str, int]:
        """Number of missing takes of each incomplete gloss."""
        lacks = {gloss: self.takes - self._kept[gloss] for gloss in self.glosses}
        return {gloss: number for gloss, number in lacks.items() if number > 0}

    def kept(self) -> None:
        """Count the current take and advance to the next."""
        gloss = self._queue.popleft()
        self._kept[gloss] += 1
        self._next[gloss] += 1

    def discarded(self, take: Take, now: bool) -> None:
        """Plan another take in place of a discarded one, now or at the end."""
        self._kept[take.gloss] -= 1
        self._discarded[take.gloss] += 1
        if now:
            self._queue.appendleft(take.gloss)
        else:
            self._queue.append(take.gloss)

    def later(self) -> None:
        """Move the current take to the end."""
        self._queue.rotate(-1)

    def skip(self) -> None:
        """Remove the current take."""
        self._queue.popleft()

    def summary(self) -> list[str]:
        """Return a line of text per gloss with its number of takes."""
        width = max(len(gloss) for gloss in self.glosses)
        lines = []
        for gloss in self.glosses:
            kept, lacks = self._kept[gloss], self.missing.get(gloss, 0)
            line = f"{gloss:<{width}}  {kept} of {self.takes} takes"
            if self._discarded[gloss]:
                line += f", {self._discarded[gloss]} discarded"
            lines.append(line + (f": needs {lacks} more" if lacks else ""))
        return lines

    def _next_take(self, gloss: str) -> Take:
        return Take(gloss, self._next[gloss], self.signer)


def glosses_of(prompt: str) -> list[str]:
    """Return the glosses of a prompt, which is one gloss or a sentence."""
    return prompt.split(BETWEEN)


def split_glosses(text: str) -> list[str]:
    """Return the prompts of a comma-separated list, without empty ones; [""] if all are empty."""
    return [part.strip() for part in text.split(",") if part.strip()] or [""]


def _check(glosses: Sequence[str]) -> None:
    if not any(glosses):
        raise ConfigError("glosses", "no gloss is given", "name glosses, e.g. HELLO STOP")
    for gloss in glosses:
        if not all(part.strip() for part in glosses_of(gloss)):
            raise ConfigError(f"glosses: '{gloss}'", "a gloss needs a name")
        if glosses.count(gloss) > 1:
            raise ConfigError(
                f"glosses: '{gloss}'", "is repeated", "set the number of takes instead"
            )
