# SPDX-License-Identifier: MIT
"""Overlapping windows: the glosses of the whole clip, each once, however it is cut."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from whispersign_model.decoding.ctc import collapse, greedy_search
from whispersign_model.features.end_padding import with_end_padding
from whispersign_model.features.smoothing import MovingAverageSmoothing
from whispersign_model.network.config import DecoderConfig, ModelConfig
from whispersign_model.network.model import WhisperSignModel
from whispersign_model.runtime.sliding_window import SlidingWindowInference
from whispersign_model.runtime.torch_backend import TorchBackend

from ..decoding.readers import Clip, Reader, sharp, signal

SENTENCE = (
    ("HELLO", 0.7),
    ("rest", 0.3),
    ("HELLO", 0.4),
    ("YES", 1.4),
    ("move", 0.5),
    ("YES", 0.3),
)


@pytest.mark.parametrize("overlap", [0.0, 0.3, 0.5, 0.8, 0.99])
@pytest.mark.parametrize("duration", [0.05, 0.5, 1.0, 60.0])
def test_each_gloss_once_and_in_its_place(duration: float, overlap: float) -> None:
    frames = signal(*SENTENCE)
    spans = SlidingWindowInference(Reader(), duration, overlap)(frames)
    assert [span.gloss_id for span in spans] == [1, 1, 2, 2]
    path = greedy_path(frames)
    for span in spans:
        assert set(path[span.start : span.end]) == {span.gloss_id}
        assert span.confidence == pytest.approx(0.998)


def greedy_path(frames: np.ndarray) -> list[int]:
    return Reader().rows(frames).argmax(axis=1).tolist()


def test_frames_that_are_no_numbers_are_left_out_and_counted() -> None:
    frames = signal(*SENTENCE)
    slider = SlidingWindowInference(Reader())
    expected = slider(frames)
    spoiled = np.insert(frames.astype(np.float64), [20, 60], np.nan, axis=0)
    assert slider(spoiled) == expected
    assert slider.not_finite == 2


@pytest.mark.parametrize("seed", range(3))
def test_in_pieces_as_at_once(seed: int) -> None:
    generator = np.random.default_rng(seed)
    frames = generator.normal(size=(200, 42, 7)).astype(np.float32)

    class Noise(Reader):
        """Rows that depend on the window they are seen in."""

        def rows(self, features: np.ndarray) -> np.ndarray:
            place = np.arange(len(features))[:, None, None]
            return super().rows(np.abs(features) * (1 + place % 3) % 3)

    slider = SlidingWindowInference(Noise(), 0.4, 0.5)
    at_once = slider(frames)
    pieces = np.split(frames, np.sort(generator.integers(0, 200, 9)))
    found = [span for piece in pieces for span in slider.push(piece)]
    assert found + slider.finish() == at_once
    assert len(at_once) > 5
    assert slider(frames) == at_once  # nothing is left of what came before


def test_windows_that_disagree_are_averaged_in_the_logarithm_near_their_middles_more() -> None:
    class Windows(Reader):
        """The first window is torn, the second sure of the same steps."""

        def __init__(self) -> None:
            self.windows = 0

        def encode(self, features: np.ndarray) -> Clip:
            rows = sharp([0] * -(-len(features) // 4))
            if self.windows == 0:
                rows[2] = np.log([0.15, 0.75, 0.1])  # weight 2 of a window of 4
                rows[3] = np.log([0.15, 0.75, 0.1])  # weight 1
            if self.windows == 1:
                rows[0] = np.log([0.8, 0.1, 0.1])  # weight 1: the same step as the 2 above
                rows[1] = np.log([0.8, 0.1, 0.1])  # weight 2: the same step as the 1 above
            self.windows += 1
            return Clip(rows)

    frames = np.zeros((40, 42, 7), np.float32)
    spans = SlidingWindowInference(Windows(), 16 / 60, 0.5)(frames)
    assert [(span.gloss_id, span.start, span.end) for span in spans] == [(1, 2, 3)]
    merged = np.array([0.15, 0.75, 0.1]) ** (2 / 3) * np.array([0.8, 0.1, 0.1]) ** (1 / 3)
    assert spans[0].confidence == pytest.approx(merged[1] / merged.sum())


def test_the_last_window_has_the_ending_and_one_window_is_the_whole_clip() -> None:
    torch.manual_seed(0)
    model = WhisperSignModel(ModelConfig(decoder=DecoderConfig(vocab_size=4))).eval()
    smoother = MovingAverageSmoothing(window_size=5)
    frames = smoother.smooth(np.random.default_rng(0).normal(size=(90, 42, 7)).astype(np.float32))
    slider = SlidingWindowInference(model, window_duration=2.0, overlap=0.5)
    whole = TorchBackend(model, "cpu").encode(with_end_padding(frames)).log_probs
    assert tuple(span.gloss_id for span in slider(frames)) == greedy_search(whole).ids
    assert collapse(whole.argmax(axis=1)) == greedy_search(whole).ids


@pytest.mark.parametrize(("duration", "overlap"), [(0.0, 0.5), (1.0, 1.0), (1.0, -0.1)])
def test_what_makes_no_sense_is_refused(duration: float, overlap: float) -> None:
    with pytest.raises(ValueError, match=r"overlap in \[0, 1\)"):
        SlidingWindowInference(Reader(), duration, overlap)
    with pytest.raises(ValueError, match="not \\(T, 42, 7\\)"):
        SlidingWindowInference(Reader()).push(np.zeros((3, 42, 6), np.float32))


def test_nothing_gives_nothing() -> None:
    assert SlidingWindowInference(Reader())(np.zeros((0, 42, 7), np.float32)) == []
