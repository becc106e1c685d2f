# SPDX-License-Identifier: MIT
"""The whole utterance: free of its pace and place, through lost hands, and read by the decoder."""

import numpy as np
import pytest
import torch

from whispersign_model.network.config import ModelConfig
from whispersign_model.network.model import WhisperSignModel
from whispersign_model.network.utterance import (
    UtteranceEncoder,
    centred,
    movements,
    resample_segments,
    whole,
)

FRAMES = 16
WRISTS = [0, 21]


def sign(frames: int) -> torch.Tensor:
    """Features ``(1, frames, 42, 7)``: every joint goes its own straight way."""
    generator = torch.Generator().manual_seed(0)
    start, way = torch.randn(2, 1, 1, 42, 3, generator=generator)
    data = torch.ones(1, frames, 42, 7)
    data[..., :3] = start + way * torch.linspace(0, 1, frames)[None, :, None, None]
    data[..., 3:6] = way * frames
    return data


def lengths(*frames: int) -> torch.Tensor:
    return torch.tensor(frames)


def clips(*frames: int) -> torch.Tensor:
    return whole(lengths(*frames))


@pytest.fixture
def encoder() -> UtteranceEncoder:
    torch.manual_seed(0)
    config = ModelConfig().changed({"decoder": {"utterance_frames": FRAMES}})
    return UtteranceEncoder(config).eval()


def test_pace_and_place_do_not_matter(encoder):
    tokens = encoder(sign(40), clips(40))
    assert tokens.shape == (1, FRAMES // 8, 128)
    torch.testing.assert_close(encoder(sign(97), clips(97)), tokens, atol=1e-4, rtol=0)
    moved = sign(40)
    moved[:, :, WRISTS, :3] += torch.tensor([0.5, -2.0, 1.0])
    torch.testing.assert_close(encoder(moved, clips(40)), tokens, atol=1e-4, rtol=0)
    backwards = encoder(sign(40).flip(1), clips(40))
    assert (backwards - tokens).abs().max() > 0.005
    apart = sign(40)
    apart[:, :, WRISTS[0], :3] += 1.0
    assert (encoder(apart, clips(40)) - tokens).abs().max() > 0.005


def test_what_goes_before_the_first_and_after_the_last_hand_does_not_count(encoder):
    alone = encoder(sign(40), clips(40))
    absent = torch.zeros(1, 9, 42, 7)
    between = torch.cat([absent, sign(40), absent], dim=1)
    torch.testing.assert_close(encoder(between, clips(58)), alone)


def test_a_clip_of_a_padded_batch_is_read_as_alone(encoder):
    batch = torch.full((3, 90, 42, 7), 999.0)
    for row, frames in enumerate((90, 41, 1)):
        batch[row, :frames] = sign(90)[0, :frames]
    together = encoder(batch, clips(90, 41, 1))
    for row, frames in enumerate((90, 41, 1)):
        alone = encoder(batch[row : row + 1, :frames], clips(frames))
        torch.testing.assert_close(together[row : row + 1], alone, atol=1e-5, rtol=0)


def test_positions_lie_between_those_of_the_frames():
    positions, tracked = resample_segments(sign(16), clips(16), 31)
    expected = resample_segments(sign(31), clips(31), 31)[0]
    torch.testing.assert_close(positions, expected)
    assert tracked.eq(1).all()


def test_nothing_is_drawn_between_a_hand_and_none():
    """Four frames become seven: at 0, 0.5, 1 ... 3; the left hand is lost in frame 1."""
    data = sign(4)
    data[:, 1, :21] = 0
    positions, tracked = resample_segments(data, clips(4), 7)
    assert tracked[0, :, 0, 0].tolist() == [1, 0, 0, 1, 1, 1, 1]
    assert tracked[0, :, 41, 0].tolist() == [1] * 7
    assert positions[0, 1:3, :21].eq(0).all()
    torch.testing.assert_close(positions[0, 3, :21], data[0, 2, :21, :3])  # not half of it
    ways = movements(positions, tracked)
    assert ways[0, [0, 1, 2], 0].eq(0).all()
    assert ways[0, 4:6, 0].ne(0).all()
    assert ways[0, 6].eq(0).all()  # there is no next frame


def test_joints_have_their_place_from_the_middle_of_all_wrists():
    data = sign(8)
    data[:, :3, 21:] = 0
    positions, tracked = data[..., :3], (data[..., 6:] > 0).float()
    places = centred(positions, tracked)
    wrists = torch.cat([data[0, :, 0, :3], data[0, 3:, 21, :3]])
    torch.testing.assert_close(places[0, 5, 0], data[0, 5, 0, :3] - wrists.mean(dim=0))
    torch.testing.assert_close(places[0, 5, 30] - places[0, 5, 21], data[0, 5, 30, :3])
    assert places[0, :3, 21:].eq(0).all()


def test_a_clip_without_hands_is_finite(encoder):
    nothing = torch.zeros(2, 5, 42, 7, requires_grad=True)
    assert encoder(nothing, clips(5, 1)).isfinite().all()


def test_a_stretch_is_read_as_if_it_were_alone(encoder):
    batch = torch.full((2, 90, 42, 7), 999.0)
    batch[0, :90], batch[1, :60] = sign(90)[0], sign(60)[0].flip(0)
    places = torch.tensor([[1, 10, 50], [0, 0, 90], [1, 0, 60], [0, 33, 34]])
    together = encoder(batch, places)
    for tokens, (row, first, last) in zip(together, places.tolist()):
        alone = encoder(batch[row : row + 1, first:last], clips(last - first))
        torch.testing.assert_close(tokens[None], alone, atol=1e-5, rtol=0)


def spotting_model() -> WhisperSignModel:
    torch.manual_seed(0)
    detects = {"decoder": {"utterance_frames": FRAMES, "candidate_segments": (5, 10)}}
    return WhisperSignModel(ModelConfig().changed(detects).with_vocabulary(5)).eval()


def test_what_is_signed_in_a_stretch_is_the_first_gloss_or_the_end():
    model = spotting_model()
    data, frames = sign(40), lengths(40)
    tokens = model.decoder.utterance(data, torch.tensor([[0, 4, 30]]))
    said = model.score_segments(data, np.array([[4, 30]]))
    expected = [model.rescore((tokens,), [()])[0]]
    for gloss_id in range(1, 6):
        first = model.decoder(tokens, torch.tensor([2]), torch.tensor([[0]]))[0, 0, gloss_id]
        expected.append(first.item())
    assert said[0].tolist() == pytest.approx(expected, abs=1e-5)
    assert np.exp(said).sum() == pytest.approx(1, abs=1e-5)
    memories = model.memories(data, frames, model(data, frames))[0]
    assert len(memories) == 1, "sentences are not read whole"


@pytest.mark.parametrize(("seen", "spotted"), [(11, False), (12, True)])
def test_without_hands_nothing_is_signed(seen, spotted):
    data = sign(40)
    data[:, seen:] = 0
    said = spotting_model().score_segments(data, np.array([[0, 40]]))[0]
    assert np.isfinite(said).all() == spotted
    assert (said[0] == 0) == (not spotted)


@pytest.mark.parametrize("model", [0, FRAMES], indirect=True)
def test_the_decoder_reads_the_states_and_the_whole_utterance(model):
    data, frames = torch.cat([sign(40), sign(40).flip(1)]), lengths(40, 24)
    with torch.inference_mode():
        encoded = model(data, frames)
        memories = model.memories(data, frames, encoded)
        expected = [[encoded.states[0]], [encoded.states[1, :6]]]
        if model.decoder.utterance is not None:
            for each, tokens in zip(expected, model.decoder.utterance(data, whole(frames))):
                each.append(tokens)
    for found, each in zip(memories, expected, strict=True):
        for memory, part in zip(found, each, strict=True):
            torch.testing.assert_close(memory, part[None])


@pytest.mark.parametrize("model", [FRAMES], indirect=True)
def test_both_opinions_count_alike(model):
    hypotheses = [(1,), (2, 3)]
    states, tokens = torch.randn(1, 10, 128), torch.randn(1, 2, 128)
    both = model.rescore((states, tokens), hypotheses)
    one, other = model.rescore((states,), hypotheses), model.rescore((tokens,), hypotheses)
    assert both == pytest.approx((one + other) / 2, abs=1e-5)
    assert abs(one - other).max() > 1e-3
