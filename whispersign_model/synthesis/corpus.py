# SPDX-License-Identifier: MIT
"""A corpus of synthetic signers: single signs, continuous sentences and idle movements."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.random import Generator

from whispersign_model.errors import ConfigError
from whispersign_model.recordings.recording import Recording
from whispersign_model.synthesis.idle import IDLE_KINDS
from whispersign_model.synthesis.lexicon import default_lexicon
from whispersign_model.synthesis.sensor import SensorModel
from whispersign_model.synthesis.signer import Signer
from whispersign_model.synthesis.style import LEFT_HANDED, SignerStyle
from whispersign_model.timestamps import NANOSECONDS

EPOCH = 1_700_000_000 * NANOSECONDS  # capture time at the start of the first recording
SPACING = 120 * NANOSECONDS  # nanoseconds between the starts of recordings
IDLE_SECONDS = (2.0, 6.0)  # shortest and longest idle movement in seconds


@dataclass(frozen=True)
class CorpusOptions:
    """Options for a corpus; all counts are per signer.

    Attributes:
        seed: seed of all random variation.
        signers, first_signer: number of signers, and number of the first one. With the same seed,
            signer 5 is the same person in every corpus. Use different signer numbers for training
            and test sets.
        glosses: the vocabulary; () means the whole lexicon.
        takes: number of recordings of each single sign.
        sentences: number of random continuous sentences.
        length: minimum and maximum number of glosses in a sentence.
        repeats: probability that a gloss occurs twice in a row.
        prompts: fixed sentences, each recorded ``prompt_takes`` times.
        idle: number of recordings of movements without signs, labeled as such.
        left_handed: probability that a signer is left-handed.
        sensor: the sensor that records the hands.
    """

    seed: int = 0
    signers: int = 1
    first_signer: int = 0
    glosses: tuple[str, ...] = ()
    takes: int = 0
    sentences: int = 0
    length: tuple[int, int] = (3, 7)
    repeats: float = 0.1
    prompts: tuple[tuple[str, ...], ...] = ()
    prompt_takes: int = 1
    idle: int = 0
    left_handed: float = LEFT_HANDED
    sensor: SensorModel = field(default_factory=SensorModel)

    def __post_init__(self) -> None:
        """Reject unknown glosses and values that are out of range.

        Raises:
            ConfigError: an option or gloss is invalid; the message names it.
        """
        if not 1 <= self.length[0] <= self.length[1]:
            raise ConfigError("length", f"is {self.length}", "give two numbers, fewest and most")
        if not 0 <= self.repeats < 1:
            raise ConfigError("repeats", f"is {self.repeats}", "give a probability below 1")
        if not 0 <= self.left_handed <= 1:
            raise ConfigError("left_handed", f"is {self.left_handed}", "give a probability")
        for gloss in (*self.glosses, *(gloss for prompt in self.prompts for gloss in prompt)):
            default_lexicon().sign(gloss)

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """The glosses used in takes and sentences."""
        return self.glosses or default_lexicon().glosses

    @property
    def recordings(self) -> int:
        """The number of recordings in the corpus."""
        prompts = len(self.prompts) * self.prompt_takes
        each = prompts + self.takes * len(self.vocabulary) + self.sentences + self.idle
        return self.signers * each


def corpus_signer(options: CorpusOptions, number: int) -> Signer:
    """Return signer ``number`` of the corpus."""
    state = np.random.SeedSequence([options.seed, number]).generate_state(1)
    seed = int(state[0])
    style = SignerStyle.drawn(np.random.default_rng(seed), options.left_handed)
    return Signer(seed, style, sensor=options.sensor, name=f"signer{number:03d}")


def synthesize_corpus(options: CorpusOptions) -> Iterator[Recording]:
    """Yield the recordings one by one, with signer names that allow a split by signer.

    Capture times do not overlap. Equal options give bit-identical recordings.
    """
    start = EPOCH
    for number in range(options.first_signer, options.first_signer + options.signers):
        signer = corpus_signer(options, number)
        for recording in _of_one_signer(options, signer, number):
            yield recording.shifted(start - EPOCH)
            start += max(SPACING, round(recording.duration * NANOSECONDS) + SPACING)


def truth_of(options: CorpusOptions, rate: float) -> CorpusOptions:
    """Return options for the same corpus recorded by an ideal sensor, for drawing."""
    return replace(options, sensor=SensorModel.ideal(rate))


def random_sentence(
    rng: Generator, vocabulary: Sequence[str], length: tuple[int, int], repeats: float
) -> tuple[str, ...]:
    """Draw a random sentence of ``length`` (fewest, most) glosses.

    Each gloss occurs twice in a row with probability ``repeats``.
    """
    count = int(rng.integers(length[0], length[1] + 1))
    sentence = [str(rng.choice(list(vocabulary)))]
    while len(sentence) < count:
        others = [gloss for gloss in vocabulary if gloss != sentence[-1]]
        again = bool(rng.random() < repeats) or not others
        sentence.append(sentence[-1] if again else str(rng.choice(others)))
    return tuple(sentence)


def _of_one_signer(options: CorpusOptions, signer: Signer, number: int) -> Iterator[Recording]:
    rng = np.random.default_rng([options.seed, number, 7])
    for index, prompt in enumerate(options.prompts):
        for take in range(options.prompt_takes):
            name = f"{signer.name}_prompt{index}_take{take}"
            yield signer.sign_sentence(prompt, take=take, start=EPOCH, name=name)
    for gloss in options.vocabulary:
        for take in range(options.takes):
            name = f"{signer.name}_{gloss}_take{take}"
            yield signer.sign_sentence([gloss], take=take, start=EPOCH, name=name)
    for index in range(options.sentences):
        sentence = random_sentence(rng, options.vocabulary, options.length, options.repeats)
        name = f"{signer.name}_sentence{index:03d}"
        yield signer.sign_sentence(sentence, take=index, start=EPOCH, name=name)
    for index in range(options.idle):
        kind = IDLE_KINDS[index % len(IDLE_KINDS)]
        seconds = float(rng.uniform(*IDLE_SECONDS))
        name = f"{signer.name}_idle{index:03d}_{kind}"
        yield signer.idle(kind, seconds, take=index, start=EPOCH, name=name)
