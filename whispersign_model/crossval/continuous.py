# SPDX-License-Identifier: MIT
"""Compare three ways of decoding continuous signing: whole clips, live, and windows.

The recordings are synthetic (docs/explanation/synthesis.md): sentences by signers outside the
training set, some with doubled signs, and idle movements that yield false signs.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import torch

from whispersign_model.arrays import Floats, Ints
from whispersign_model.decoding.backend import Backend
from whispersign_model.decoding.ctc import prefix_beam_search
from whispersign_model.decoding.edit_distance import edits
from whispersign_model.decoding.result import RecognizedGloss, Result
from whispersign_model.decoding.search import DecodingOptions, decode
from whispersign_model.decoding.streaming import RecognizerOptions, StreamingRecognizer
from whispersign_model.evaluation.metrics import GlossErrors
from whispersign_model.features.end_padding import with_end_padding
from whispersign_model.features.preprocessor import Preprocessor
from whispersign_model.network.checkpoint import CheckpointMetadata
from whispersign_model.network.model import WhisperSignModel
from whispersign_model.recordings.recording import Recording
from whispersign_model.runtime.sliding_window import SlidingWindowInference
from whispersign_model.runtime.torch_backend import TorchBackend
from whispersign_model.skeleton import CONFIDENCE
from whispersign_model.synthesis.corpus import CorpusOptions, synthesize_corpus
from whispersign_model.timestamps import NANOSECONDS

SEED, FIRST_SIGNER = 100, 500  # seed of the bundled network, which was trained on signers 0 to 11
LENGTH, REPEATS = (4, 7), 0.15  # glosses per sentence; share of glosses that are doubled
WINDOW = 1.0  # window length in seconds
HOP = 0.5  # seconds between the starts of windows
THRESHOLDS = (0.0, 0.3, 0.5, 0.7, 0.9)  # confidence thresholds
WAYS = ("offline", "streaming", "windows", "merged windows")
SIGNERS, SENTENCES, IDLE = 8, 10, 6  # SENTENCES and IDLE count recordings per signer


@dataclass
class Tally:
    """Errors of one way of decoding, over all sentences."""

    errors: GlossErrors = field(default_factory=GlossErrors)
    doubled: int = 0  # inserted glosses that equal an adjacent gloss
    repeats: int = 0  # signed glosses that repeat the previous gloss
    kept: int = 0  # repeated pairs of which both glosses were recognized

    def add(self, signed: Sequence[str], heard: Sequence[str]) -> None:
        """Count one sentence."""
        self.errors.add(signed, heard)
        right: dict[int, int] = {}
        for edit in edits(signed, heard):
            if edit.hypothesis is None:
                continue
            if edit.reference is None:
                here = edit.hypothesis
                beside = [*heard[max(here - 1, 0) : here], *heard[here + 1 : here + 2]]
                self.doubled += heard[here] in beside
            elif signed[edit.reference] == heard[edit.hypothesis]:
                right[edit.reference] = edit.hypothesis
        for index in range(1, len(signed)):
            if signed[index] == signed[index - 1]:
                self.repeats += 1
                self.kept += index in right and index - 1 in right

    def report(self) -> dict[str, Any]:
        """Return all figures as plain values, for JSON."""
        return {
            "wer": self.errors.wer,
            "exact": self.errors.accuracy,
            "insertions": self.errors.insertions,
            "doubled": self.doubled,
            "repeats": self.repeats,
            "repeats_kept": self.kept,
        }


@dataclass
class Live:
    """Delays and stability of live results, over all sentences recognized without error."""

    delays: list[float] = field(default_factory=list)  # seconds, end of last sign to final result
    first_seen: list[float] = field(default_factory=list)  # seconds, end of sign to first partial
    overlaps: list[float] = field(default_factory=list)  # intersection over union with true times
    seconds: float = 0.0  # seconds of signal
    cost: float = 0.0  # processor seconds for all results
    beam: float = 0.0  # processor seconds for the beam search alone
    stable: int = 0  # glosses that were stable before the final result
    revised: int = 0  # stable glosses that the final result changed

    def add(self, recording: Recording, results: Sequence[Result]) -> None:
        """Add a sentence with all its results, including those from the end of the recording."""
        finals = [result for result in results if result.final]
        for final in finals:
            same = [r for r in results if r.utterance_id == final.utterance_id]
            partials = [r for r in same if not r.final]
            stable = (
                [gloss.gloss for gloss in partials[-1].glosses if gloss.stable] if partials else []
            )
            names = [gloss.gloss for gloss in final.glosses]
            self.stable += len(stable)
            self.revised += sum(name not in names[at : at + 1] for at, name in enumerate(stable))
        heard = [gloss for final in finals for gloss in final.glosses]
        if tuple(gloss.gloss for gloss in heard) != recording.glosses:
            return
        ends = [segment.end for segment in recording.segments]
        done = 0
        for final in finals:
            done += len(final.glosses)
            self.delays.append((final.stamp - ends[done - 1]) / NANOSECONDS)
        for index, (gloss, segment) in enumerate(zip(heard, recording.segments)):
            common = min(gloss.end, segment.end) - max(gloss.start, segment.start)
            extent = max(gloss.end, segment.end) - min(gloss.start, segment.start)
            self.overlaps.append(max(common, 0) / extent)
            seen = _first_seen(results, index)
            self.first_seen.append((seen - segment.end) / NANOSECONDS)

    def report(self) -> dict[str, Any]:
        """Return all figures as plain values, for JSON."""
        return {
            "delay_s": _quantiles(self.delays),
            "first_seen_s": _quantiles(self.first_seen),
            "overlap": float(np.mean(self.overlaps)) if self.overlaps else None,
            "overlapping": float(np.mean(np.array(self.overlaps) > 0)) if self.overlaps else None,
            "ms_per_s": 1000 * self.cost / self.seconds if self.seconds else None,
            "beam_ms_per_s": 1000 * self.beam / self.seconds if self.seconds else None,
            "stable": self.stable,
            "stable_revised": self.revised,
        }


def _quantiles(values: Sequence[float]) -> list[float] | None:
    """Return the median and the 95th percentile."""
    return np.percentile(values, [50, 95]).tolist() if values else None


def _first_seen(results: Sequence[Result], index: int) -> int:
    """Return the stamp of the first result that shows gloss ``index`` of a recording."""
    before = 0  # number of glosses in finished utterances
    for result in results:
        if before + len(result.glosses) > index:
            return result.stamp
        before += len(result.glosses) * result.final
    raise ValueError(f"no result shows gloss {index}")


class Readers:
    """One network that decodes the same frames in each of the ``WAYS``."""

    def __init__(
        self, backend: Backend, metadata: CheckpointMetadata, options: RecognizerOptions
    ) -> None:
        rate = metadata.recipe.rate
        self._backend, self._glosses = backend, metadata.glosses
        self._preprocessor = Preprocessor(metadata.recipe)
        self._recognizer = StreamingRecognizer(
            backend, metadata.glosses, options, metadata.recipe, metadata.confidence
        )
        self._decoding = options.decoding.with_alpha(backend.alpha)
        self._window, self._hop = round(WINDOW * rate), round(HOP * rate)
        self._slider = SlidingWindowInference(backend, WINDOW, 1 - HOP / WINDOW, rate)

    def features(self, recording: Recording) -> tuple[Floats, Ints]:
        """Return the features and stamps of a recording."""
        block = self._preprocessor.process(recording)
        return block.frames, block.stamps

    def live(self, frames: Floats, stamps: Ints) -> tuple[Result, ...]:
        """Return all live results of a recording, including the one at its end."""
        self._recognizer.reset()
        return (*self._recognizer.push(frames, stamps), *self._recognizer.finish())

    def offline(self, frames: Floats) -> list[str]:
        """Decode the whole clip, from the first to the last frame with a hand."""
        clip = self._backend.encode(with_end_padding(signed_part(frames)))
        return self._names(decode(clip.log_probs, "rescore", self._decoding, clip.second_pass).ids)

    def beam_seconds(self, frames: Floats) -> float:
        """Return the processor time of a beam search over the whole clip."""
        rows = self._backend.encode(signed_part(frames)).log_probs
        begin = process_time()
        prefix_beam_search(rows, self._decoding.beam_size, self._decoding.candidates)
        return process_time() - begin

    def windows(self, frames: Floats) -> list[str]:
        """Decode every window greedily on its own and join the glosses."""
        heard: list[str] = []
        for first in range(0, max(len(frames) - self._window, 0) + 1, self._hop):
            clip = self._backend.encode(frames[first : first + self._window])
            ids = decode(clip.log_probs, "greedy", DecodingOptions()).ids
            heard += self._names(ids)
        return heard

    def merged_windows(self, frames: Floats) -> list[str]:
        """Merge the same windows, then decode them."""
        return self._names([span.gloss_id for span in self._slider(frames)])

    def _names(self, ids: Sequence[int]) -> list[str]:
        return [self._glosses[gloss_id - 1] for gloss_id in ids]


def signed_part(frames: Floats) -> Floats:
    """Return the frames from the first to the last one with a tracked hand."""
    tracked = np.flatnonzero(frames[..., CONFIDENCE].any(axis=1))
    return frames[tracked[0] : tracked[-1] + 1] if len(tracked) else frames[:1]


def corpus(glosses: Sequence[str], signers: int, sentences: int, idle: int) -> CorpusOptions:
    """Return the options of a corpus with these numbers of recordings per signer."""
    return CorpusOptions(
        seed=SEED,
        signers=signers,
        first_signer=FIRST_SIGNER,
        glosses=tuple(glosses),
        sentences=sentences,
        length=LENGTH,
        repeats=REPEATS,
        idle=idle,
    )


def measure_checkpoint(path: Path, threads: int, advance: Callable[[], None]) -> dict[str, Any]:
    """Measure a checkpoint trained on synthetic signs, in PyTorch; see :func:`measure`.

    Raises:
        CheckpointError: the checkpoint cannot be used.
        ConfigError: the synthetic signer lacks a gloss of the checkpoint.
    """
    model, metadata = WhisperSignModel.load_checkpoint(path)
    torch.set_num_threads(threads)
    made = corpus(metadata.glosses, SIGNERS, SENTENCES, IDLE)
    return measure(TorchBackend(model, "cpu"), metadata, RecognizerOptions(), made, advance)


def measure(
    backend: Backend,
    metadata: CheckpointMetadata,
    options: RecognizerOptions,
    made: CorpusOptions,
    advance: Callable[[], None],
) -> dict[str, Any]:
    """Measure all ways of decoding on the recordings of ``made``.

    Args:
        backend: the network.
        metadata: metadata of the network's checkpoint.
        options: options of the live recognizer; ``min_confidence`` is ignored.
        made: the recordings to synthesize.
        advance: called after each recording.

    Returns:
        a dictionary with "ways" (the figures of each), "live", and "rejection" (for each confidence
        threshold, the false glosses per minute and the WER of the sentences).
    """
    readers = Readers(backend, metadata, options.model_copy(update={"min_confidence": 0.0}))
    tallies = {way: Tally() for way in WAYS}
    kept = {threshold: GlossErrors() for threshold in THRESHOLDS}
    live = Live()
    false: list[RecognizedGloss] = []
    idle = 0.0
    for recording, frames, stamps in _featured(readers, made):
        begin = process_time()
        results = readers.live(frames, stamps)
        cost = process_time() - begin
        heard = [gloss for result in results if result.final for gloss in result.glosses]
        if not recording.glosses:
            false += heard
            idle += recording.duration
        else:
            tallies["offline"].add(recording.glosses, readers.offline(frames))
            tallies["streaming"].add(recording.glosses, [gloss.gloss for gloss in heard])
            tallies["windows"].add(recording.glosses, readers.windows(frames))
            tallies["merged windows"].add(recording.glosses, readers.merged_windows(frames))
            live.add(recording, results)
            live.seconds += recording.duration
            live.cost += cost
            live.beam += readers.beam_seconds(frames)
            for threshold, errors in kept.items():
                sure = [gloss.gloss for gloss in heard if gloss.confidence >= threshold]
                errors.add(recording.glosses, sure)
        advance()
    return {
        "ways": {way: tally.report() for way, tally in tallies.items()},
        "live": live.report(),
        "rejection": {
            "idle_minutes": idle / 60,
            "false_per_minute": {
                str(threshold): 60 * sum(g.confidence >= threshold for g in false) / idle
                for threshold in THRESHOLDS
                if idle
            },
            "wer": {str(threshold): errors.wer for threshold, errors in kept.items()},
        },
    }


def _featured(readers: Readers, made: CorpusOptions) -> Iterator[tuple[Recording, Floats, Ints]]:
    for recording in synthesize_corpus(made):
        yield recording, *readers.features(recording)


def table(figures: dict[str, Any]) -> list[str]:
    """Format the figures as lines of text."""
    lines = [f"{'':<15} {'WER':>6} {'inserted':>9} {'doubled':>8} {'repeats kept':>13}"]
    for way, found in figures["ways"].items():
        kept = f"{found['repeats_kept']} of {found['repeats']}"
        lines.append(
            f"{way:<15} {100 * found['wer']:5.1f}% {found['insertions']:>9} "
            f"{found['doubled']:>8} {kept:>13}"
        )
    live = figures["live"]
    for title, key in (("final result", "delay_s"), ("first seen", "first_seen_s")):
        if live[key]:
            median, late = live[key]
            lines.append(f"{title}: median {median:+.2f} s, 95 % {late:+.2f} s after a sign's end")
    if live["overlap"] is not None:
        lines.append(f"mean overlap with the true times: {live['overlap']:.2f}")
    lines.append(
        f"stable before the final result: {live['stable']}, revised {live['stable_revised']}"
    )
    if live["ms_per_s"] is not None:
        lines.append(
            f"processor time per second of signal: {live['ms_per_s']:.1f} ms, "
            f"{live['beam_ms_per_s']:.2f} ms of it for the beam"
        )
    rejection = figures["rejection"]
    lines.append(f"{rejection['idle_minutes']:.1f} minutes without signs:")
    for threshold, rate in rejection["false_per_minute"].items():
        wer = 100 * rejection["wer"][threshold]
        lines.append(
            f"  confidence {threshold}: {rate:.1f} glosses per minute; WER of the sentences "
            f"{wer:.1f}%"
        )
    return lines
