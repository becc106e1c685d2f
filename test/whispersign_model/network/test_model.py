# SPDX-License-Identifier: MIT
"""The network as a whole: lengths, chunks, gradients, memory, checkpoints."""

import copy
import json
import os
import time

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from whispersign_model.errors import CheckpointError
from whispersign_model.features.recipe import Recipe
from whispersign_model.network.checkpoint import CheckpointMetadata, read_metadata, sha256
from whispersign_model.network.config import ModelConfig
from whispersign_model.network.model import WhisperSignModel
from whispersign_model.training.losses import ctc_loss, decoder_loss, hybrid_loss

GLOSSES = ("HELLO", "YES", "NO", "STOP", "GO")


def metadata(model: WhisperSignModel) -> CheckpointMetadata:
    return CheckpointMetadata(config=model.config, glosses=GLOSSES, recipe=Recipe())


@pytest.mark.parametrize("chunk", [0, 1, 2, 4, 8])
def test_padded_batch_gives_what_each_clip_gives_alone(model, batch, chunk):
    lengths = [97, 60, 33, 4, 1]
    data, sizes = batch(lengths, garbage=999.0)
    together = model(data, sizes, chunk)
    for row, length in enumerate(lengths):
        alone = model(data[row : row + 1, :length], sizes[row : row + 1], chunk)
        steps = int(alone.lengths[0])
        assert steps == -(-length // 4) == int(together.lengths[row])
        for whole, part in zip(
            (together.states, together.log_probs), (alone.states, alone.log_probs)
        ):
            torch.testing.assert_close(whole[row, :steps], part[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("model", [0, 16], indirect=True)
def test_padding_changes_neither_loss_nor_decoding(model, batch):
    targets, target_lengths = torch.tensor([[1, 2], [3, 0]]), torch.tensor([2, 1])
    results = []
    for garbage in (0.0, 999.0):
        data, lengths = batch([80, 41], garbage)
        encoded = model(data, lengths)
        loss = hybrid_loss(
            ctc_loss(encoded.log_probs, encoded.lengths, targets, target_lengths),
            decoder_loss(model.decoder, data, lengths, encoded, targets, target_lengths, 0.1),
            0.3,
        )
        results.append((loss.total, [h.ids for h in model.decode(data, lengths)]))
    torch.testing.assert_close(results[0][0], results[1][0], atol=1e-5, rtol=0)
    assert results[0][1] == results[1][1]
    alone = model.decode(
        *(part[1:, :41] if part.dim() > 1 else part[1:] for part in batch([80, 41]))
    )
    assert alone[0].ids == results[0][1][1]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 70), min_size=2, max_size=4), st.integers(0, 1000))
def test_decoding_a_batch_is_decoding_each_clip(batch, lengths, seed):
    torch.manual_seed(seed)
    model = WhisperSignModel(ModelConfig().with_vocabulary(len(GLOSSES))).eval()
    data, sizes = batch(lengths, garbage=999.0)
    together = model.decode(data, sizes)
    for row, length in enumerate(lengths):
        alone = model.decode(data[row : row + 1, :length], sizes[row : row + 1])[0]
        assert [h.ids for h in together[row].n_best] == [h.ids for h in alone.n_best]
        for one, other in zip(together[row].n_best, alone.n_best):
            assert one.score == pytest.approx(other.score, abs=1e-3)


@pytest.mark.parametrize("model", [0, 16], indirect=True)
def test_every_weight_gets_a_gradient(model, batch):
    model.train()
    data, lengths = batch([80, 60])
    targets, target_lengths = torch.tensor([[1, 2], [3, 4]]), torch.tensor([2, 2])
    encoded = model(data, lengths)
    hybrid_loss(
        ctc_loss(encoded.log_probs, encoded.lengths, targets, target_lengths),
        decoder_loss(model.decoder, data, lengths, encoded, targets, target_lengths, 0.1),
        0.3,
    ).total.backward()
    silent = [
        n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0
    ]
    assert silent == []


def test_gradients_are_of_one_order_through_the_network(model, batch):
    model.train()
    data, lengths = batch([120, 90])
    targets, target_lengths = torch.tensor([[1, 2], [3, 4]]), torch.tensor([2, 2])
    encoded = model(data, lengths)
    ctc_loss(encoded.log_probs, encoded.lengths, targets, target_lengths).backward()

    def size(module):
        gradients = [p.grad.flatten() for p in module.parameters() if p.grad is not None]
        return torch.cat(gradients).square().mean().sqrt().item()

    sizes = [size(model.frontend), *(size(block) for block in model.encoder.blocks)]
    assert max(sizes) / min(sizes) < 30
    assert 1e-6 < min(sizes) < max(sizes) < 1e3


@pytest.mark.parametrize("component", ["frontend", "encoder", "ctc", "decoder"])
def test_each_component_can_be_frozen_alone(model, component):
    model.freeze(component)
    frozen = {n.split(".")[0] for n, p in model.named_parameters() if not p.requires_grad}
    assert frozen == {component}
    model.unfreeze(component)
    assert all(p.requires_grad for p in model.parameters())
    with pytest.raises(ValueError, match="choose one of"):
        model.freeze("head")


def test_frozen_component_keeps_weights_and_statistics(model, batch):
    model.freeze("frontend")
    model.train()
    before = model.frontend.norm.running_mean.clone()
    data, lengths = batch([40])
    model(data, lengths).log_probs.sum().backward()
    assert all(p.grad is None for p in model.frontend.parameters())
    assert torch.equal(before, model.frontend.norm.running_mean)
    model.unfreeze("frontend")
    model.train()
    model(data, lengths)
    assert not torch.equal(before, model.frontend.norm.running_mean)


@pytest.mark.parametrize("factor", [0.0, 0.001, 100.0])
def test_extreme_input_gives_finite_output(model, batch, factor):
    data, lengths = batch([30, 1])
    assert torch.isfinite(model(data * factor, lengths).log_probs).all()


@pytest.mark.parametrize("model", [0, 16], indirect=True)
def test_bfloat16_and_autocast_stay_close_to_float32(model, batch):
    data, lengths = batch([64, 9], garbage=999.0)
    exact = model(data, lengths)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = model(data, lengths)
        previous, _ = model.decoder.shifted(torch.tensor([[1], [2]]), torch.tensor([1, 1]))
        memories = model.decoder.memories(data, lengths, mixed.states, mixed.lengths)
        predicted = torch.stack([model.decoder(*memory, previous) for memory in memories])
    halved = copy.deepcopy(model).bfloat16()
    half = halved(data.bfloat16(), lengths)
    for memories in halved.memories(data.bfloat16(), lengths, half):
        assert all(memory.isfinite().all() for memory in memories)
    for other in (mixed, half):
        assert other.log_probs.dtype == torch.float32
        torch.testing.assert_close(other.log_probs[0], exact.log_probs[0], atol=0.15, rtol=0)
    assert predicted.dtype == torch.float32
    assert torch.isfinite(predicted).all()


def test_training_under_autocast_gives_finite_gradients(model, batch):
    data, lengths = batch([64, 9], garbage=999.0)
    targets, target_lengths = torch.tensor([[1, 2], [3, 0]]), torch.tensor([2, 1])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        encoded = model.train()(data, lengths)
    ctc_loss(encoded.log_probs, encoded.lengths, targets, target_lengths).backward()
    assert all(torch.isfinite(p.grad).all() for p in model.frontend.parameters())


def test_learns_four_sequences_by_heart(batch):
    torch.manual_seed(0)
    model = WhisperSignModel(ModelConfig().with_vocabulary(len(GLOSSES)))
    data, lengths = batch([64, 60, 56, 52])
    targets = torch.tensor([[1, 2], [3, 3], [5, 0], [2, 4]])
    target_lengths = torch.tensor([2, 2, 1, 2])
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    for step in range(150):
        encoded = model.train()(data, lengths)
        loss = hybrid_loss(
            ctc_loss(encoded.log_probs, encoded.lengths, targets, target_lengths),
            decoder_loss(model.decoder, data, lengths, encoded, targets, target_lengths, 0.0),
            0.5,
        ).total
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 10 == 9 and loss.item() < 0.02:
            break
    assert loss.item() < 0.05
    for method in ("greedy", "beam", "rescore"):
        decoded = model.eval().decode(data, lengths, method=method)
        assert [h.ids for h in decoded] == [(1, 2), (3, 3), (5,), (2, 4)], method


def test_checkpoint_round_trip_is_exact(model, batch, tmp_path):
    data, lengths = batch([40, 12])
    model.save_checkpoint(tmp_path / "run", metadata(model))
    for path in (tmp_path / "run", tmp_path / "run/model.safetensors"):
        loaded, found = WhisperSignModel.load_checkpoint(path)
        assert torch.equal(model(data, lengths).log_probs, loaded(data, lengths).log_probs)
        assert found.glosses == GLOSSES
        assert found.recipe == Recipe()


@pytest.mark.parametrize(
    ("breakage", "says"),
    [
        (lambda p: (p / "model.json").unlink(), "model.json is missing"),
        (lambda p: (p / "model.json").write_text("{"), "damaged"),
        (lambda p: (p / "model.safetensors").write_bytes(b"x" * 100), "damaged"),
        (lambda p: edit(p, format_version=99), "update whispersign"),
        (lambda p: edit(p, glosses=["A"]), "names 1 glosses"),
        (lambda p: edit(p, surprise=1), "surprise"),
        (lambda p: (p / "model.json").write_text("[" * 1_000_000), "recursion limit"),
        (lambda p: (p / "model.json").write_text("9" * 5000), "number out of range"),
        (lambda p: os.truncate(p / "model.json", 1 << 40), "larger than 16 MB"),
        (lambda p: os.truncate(p / "model.safetensors", 1 << 40), "larger than 1024 MB"),
        (lambda p: edit(p, glosses=["A", "B", "", "D", "E"]), "gloss 3 is empty"),
        (lambda p: edit(p, glosses=["A", "B", "A", "D", "E"]), "the gloss A is named twice"),
        (lambda p: edit(p, glosses=["A", "\x1b[2J", "C", "D", "E"]), r"\\x1b\[2J contains"),
        (lambda p: edit(p, glosses=["x" * 201, "B", "C", "D", "E"]), "name of 201 characters"),
        (lambda p: edit(p, name="\x07"), r"name: the name \\x07"),
        (lambda p: resize(p, "encoder", num_layers=10_000), "num_layers: .* less than or equal"),
        (lambda p: resize(p, "encoder", left_context=10**9), "left_context: .* less than"),
        (lambda p: resize(p, "encoder", max_distance=10**9), "max_distance: .* less than"),
        (lambda p: resize(p, "encoder", d_ff=10**9), "d_ff: .* less than or equal"),
        (lambda p: resize(p, "encoder", num_heads=10**9), "num_heads: .* less than or equal"),
        (lambda p: resize(p, "frontend", d_model=10**9), "d_model: .* less than or equal"),
        (lambda p: resize(p, "frontend", kernel_size=10**9), "kernel_size: .* less than"),
        (lambda p: resize(p, "frontend", patch_size=10**9), "patch_size: .* less than"),
        (lambda p: resize(p, "decoder", num_layers=10**9), "num_layers: .* less than"),
        (lambda p: resize(p, "decoder", vocab_size=10**9), "vocab_size: .* less than"),
        (
            lambda p: resize(p, "decoder", utterance_frames=64, candidate_segments=[1] * 99),
            "candidate_segments: .* at most 16",
        ),
        (
            lambda p: resize(p, "decoder", utterance_frames=64, candidate_segments=[10**9]),
            "candidate_segments.0: .* less than",
        ),
    ],
)
def test_damaged_checkpoint_says_what_is_wrong(model, tmp_path, breakage, says):
    model.save_checkpoint(tmp_path, metadata(model))
    breakage(tmp_path)
    with pytest.raises(CheckpointError, match=says) as raised:
        read_metadata(tmp_path)
    assert "\n" not in str(raised.value)


def edit(path, **changes):
    file = path / "model.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def resize(path, section, **sizes):
    config = json.loads((path / "model.json").read_text())["config"]
    edit(path, config={**config, section: {**config[section], **sizes}})


def rewrite(path, change):
    """Change the weights, and the fingerprint beside them."""
    state = load_file(path / "model.safetensors")
    change(state)
    save_file(state, path / "model.safetensors")
    edit(path, weights_sha256=sha256(path / "model.safetensors"))


def fill(value):
    return lambda state: state["ctc.project.bias"][:1].fill_(value)


def grow(state):
    state["ctc.project.bias"] = torch.zeros(99)


@pytest.mark.parametrize(
    ("breakage", "says"),
    [
        (lambda p: rewrite(p, fill(torch.nan)), "contains NaN, infinity or a value above 1e"),
        (lambda p: rewrite(p, fill(-torch.inf)), "contains NaN, infinity or a value above"),
        (lambda p: rewrite(p, fill(1e30)), "contains NaN, infinity or a value above"),
        (lambda p: rewrite(p, dict.popitem), "is missing"),
        (lambda p: rewrite(p, lambda s: s.update(more=torch.zeros(1))), "more is not part of"),
        (lambda p: rewrite(p, grow), r"ctc.project.bias is \[99\], not \[6\]"),
        (lambda p: resize(p, "encoder", num_layers=48, d_ff=16384), "encoder.* is .*, not|missing"),
        (lambda p: resize(p, "frontend", d_model=4096), "is .*, not"),
        (lambda p: resize(p, "encoder", max_distance=1024), "is .*, not"),
    ],
)
def test_weights_that_do_not_fit_are_refused_before_a_network_is_built(
    model, tmp_path, breakage, says
):
    model.save_checkpoint(tmp_path, metadata(model))
    breakage(tmp_path)
    start = time.process_time()
    with pytest.raises(CheckpointError, match=says) as raised:
        WhisperSignModel.load_checkpoint(tmp_path)
    assert "\n" not in str(raised.value)
    assert time.process_time() - start < 4


@pytest.mark.parametrize(
    "content", [b"", b"\xff" * 100, (1 << 30).to_bytes(8, "little"), b"\x02" + bytes(7) + b"[]"]
)
def test_a_damaged_header_of_weights_is_refused(model, tmp_path, content):
    model.save_checkpoint(tmp_path, metadata(model))
    (tmp_path / "model.safetensors").write_bytes(content)
    edit(tmp_path, weights_sha256=sha256(tmp_path / "model.safetensors"))
    with pytest.raises(CheckpointError, match="contains no readable weights"):
        WhisperSignModel.load_checkpoint(tmp_path)
