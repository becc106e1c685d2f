# SPDX-License-Identifier: MIT
"""Reading a dataset: each method as the network itself has it, live as the recogniser has it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from whispersign_model.datasets.dataset import Dataset
from whispersign_model.decoding.confidence import ConfidenceScale
from whispersign_model.evaluation.calibration import REJECTED, VARIED, calibrate, emissions
from whispersign_model.evaluation.evaluate import (
    METHODS,
    agreement,
    by_signer,
    count_errors,
    read_live,
    read_offline,
)
from whispersign_model.network.checkpoint import CheckpointMetadata, read_metadata
from whispersign_model.network.config import ModelConfig
from whispersign_model.network.model import WhisperSignModel
from whispersign_model.training_data.loader import Clips, loader


@pytest.fixture(name="data")
def data_fixture(dataset: Path) -> Dataset:
    return Dataset.open(dataset)


@pytest.fixture(name="network")
def network_fixture(data: Dataset) -> tuple[WhisperSignModel, CheckpointMetadata]:
    """A network that has learned nothing, but sees glosses everywhere; ids are not in order."""
    torch.manual_seed(0)
    model = WhisperSignModel(ModelConfig().with_vocabulary(4)).eval()
    with torch.no_grad():
        model.ctc.project.weight *= 8
        model.ctc.project.bias[0] = -2
    metadata = CheckpointMetadata(
        config=model.config, glosses=("0", *reversed(data.glosses)), recipe=data.recipe
    )
    return model, metadata


def test_each_method_is_that_of_the_network_and_clips_are_encoded_once(
    data: Dataset, network: tuple[WhisperSignModel, CheckpointMetadata]
) -> None:
    model, metadata = network
    examples = data.split("test")
    passes: list[int] = []
    done: list[int] = []
    with model.encoder.register_forward_hook(lambda *_: passes.append(1)):
        found = read_offline(
            model, metadata, examples, data.glosses, advance=done.append, batch_size=4
        )
    assert (len(passes), sum(done)) == (2, 6)
    assert tuple(found) == METHODS
    clips = Clips(examples, metadata.recipe, 4, seed=0)
    extents = dict(zip((example.name for example in examples), clips.store.extents))
    for batch in loader(clips, 16, workers=0, seed=None):
        for method in METHODS:
            decoded = model.decode(batch.features, batch.lengths, method)
            readings = {reading.name: reading for reading in found[method]}
            for name, hypothesis in zip(batch.names, decoded):
                names = tuple(metadata.glosses[i - 1] for i in hypothesis.ids)
                assert readings[name].recognized == names
                sure = [span.confidence for span in hypothesis.spans]
                assert readings[name].confidences == pytest.approx(sure, abs=1e-4)
                places = [
                    (extents[name].start + 4 * span.start, extents[name].start + 4 * span.end)
                    for span in hypothesis.spans
                ]
                found_at = [(f.start * 60 / 1e9, f.end * 60 / 1e9) for f in readings[name].found]
                assert [f.gloss for f in readings[name].found] == list(names)
                np.testing.assert_allclose(
                    np.reshape(found_at, (-1, 2)), np.reshape(places, (-1, 2)), atol=1e-5
                )
                over = {f.given for f in readings[name].found}
                assert over <= {round(extents[name].stop * 1e9 / 60)}
    assert [reading.name for reading in found["beam"]] == [example.name for example in examples]
    assert [reading.signed for reading in found["beam"]] == [
        (example.name[0],) for example in examples
    ]
    assert any(reading.recognized for reading in found["greedy"])


def test_chunks_hide_what_is_to_come(
    data: Dataset, network: tuple[WhisperSignModel, CheckpointMetadata]
) -> None:
    model, metadata = network
    examples = data.split("test")
    whole = read_offline(model, metadata, examples, data.glosses, methods=("greedy",))
    masked = read_offline(model, metadata, examples, data.glosses, methods=("greedy",), chunk=1)
    sure = [[each.confidences for each in found["greedy"]] for found in (whole, masked)]
    assert sure[0] != sure[1]


def test_live_confidences_are_calibrated(
    data: Dataset, network: tuple[WhisperSignModel, CheckpointMetadata]
) -> None:
    model, metadata = network
    examples = data.split("test")[:2]
    raw = read_live(model, metadata, examples, data.glosses)
    assert [reading.signed for reading in raw] == [("1",), ("1",)]
    scale = ConfidenceScale(slope=0.5, offset=-1.0)
    scaled = metadata.model_copy(update={"confidence": scale})
    honest = read_live(model, scaled, examples, data.glosses)
    assert agreement(raw, honest) == 1
    assert any(reading.recognized for reading in raw)
    for reading, other in zip(raw, honest):
        expected = [scale("", confidence) for confidence in reading.confidences]
        assert other.confidences == pytest.approx(expected)


def test_errors_are_of_all_readings_or_of_a_signer(
    data: Dataset, network: tuple[WhisperSignModel, CheckpointMetadata]
) -> None:
    model, metadata = network
    found = read_offline(model, metadata, data.split("test"), data.glosses)["rescore"]
    errors = count_errors(found)
    assert (errors.sequences, errors.glosses) == (6, 6)
    assert list(by_signer(found)) == [""]


def test_calibration_is_written_into_the_checkpoint_and_nothing_else(
    data: Dataset, network: tuple[WhisperSignModel, CheckpointMetadata], tmp_path: Path
) -> None:
    model, metadata = network
    model.save_checkpoint(tmp_path / "run", metadata)
    before = read_metadata(tmp_path / "run")
    assert before.confidence == ConfidenceScale()
    fit = calibrate(tmp_path / "run", data.split("val"), data.glosses)
    assert fit.scale != ConfidenceScale()
    after = read_metadata(tmp_path / "run")
    assert after.confidence == fit.scale
    assert after.model_copy(update={"confidence": before.confidence}) == before
    assert calibrate(tmp_path / "run", data.split("val"), data.glosses) == fit


def test_calibration_counts_glosses_of_movement_that_is_no_sign(
    data: Dataset, network: tuple[WhisperSignModel, CheckpointMetadata], tmp_path: Path
) -> None:
    """As many clips without a sign are made from the examples; what is heard in them is wrong."""
    model, metadata = network
    examples = data.split("val")
    rejected = read_offline(
        model, metadata, examples, data.glosses, methods=("rescore",), variation=REJECTED
    )["rescore"]
    assert [reading.name for reading in rejected] == [example.name for example in examples]
    assert all(reading.signed == () for reading in rejected)
    signs = read_offline(model, metadata, examples, data.glosses, methods=("rescore",))["rescore"]
    model.save_checkpoint(tmp_path / "run", metadata)
    fit = calibrate(tmp_path / "run", examples, data.glosses)
    varied = read_offline(
        model, metadata, examples, data.glosses, methods=("rescore",), variation=VARIED
    )["rescore"]
    assert fit.results == sum(len(emissions(each)) for each in (signs, varied, rejected))


def test_an_example_too_short_for_its_glosses_is_calibrated_on_but_not_varied(
    data: Dataset, network: tuple[WhisperSignModel, CheckpointMetadata], tmp_path: Path
) -> None:
    model, metadata = network
    first, *others = data.split("val")
    short = replace(first, labels=np.tile(first.labels, 40))
    model.save_checkpoint(tmp_path / "run", metadata)
    assert calibrate(tmp_path / "run", [short, *others], data.glosses).results
