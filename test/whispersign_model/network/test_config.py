# SPDX-License-Identifier: MIT
"""Configuration of a network: what is refused, and with which sentence."""

import pytest

from whispersign_model.configuration import config_file
from whispersign_model.errors import ConfigError
from whispersign_model.network.config import SIZES, load_model_config


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ("frontend: {num_joints: 21}", "frontend.num_joints: Input should be 42"),
        ("frontend: {num_features: 3}", "frontend.num_features: Input should be 7"),
        ("frontend: {d_model: 100}", "d_model 100 does not divide"),
        ("encoder: {num_heads: 3}", "even number of heads"),
        ("encoder: {d_ff: 511}", "d_ff 511"),
        ("frontend: {patch_size: 0}", "frontend.patch_size"),
        ("decoder: {blank_id: 5}", "decoder.blank_id: Input should be 0"),
        ("decoder: {vocab_size: 1}", "decoder.vocab_size"),
        ("encoder: {layers: 2}", "encoder.layers"),
    ],
)
def test_faulty_configuration_says_what_is_allowed(tmp_path, section, says):
    path = tmp_path / "model.yaml"
    path.write_text(section)
    with pytest.raises(ConfigError, match=says) as raised:
        load_model_config(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("size", SIZES)
def test_sizes_state_every_key(size):
    import yaml

    path = config_file(f"model/{size}.yaml")
    assert yaml.safe_load(path.read_text()) == load_model_config(path).model_dump(mode="json")


def test_changed_keys_leave_the_others_and_are_validated():
    tiny = load_model_config(config_file("model/tiny.yaml")).with_vocabulary(10)
    changed = tiny.changed({"decoder": {"alpha": 0.2}, "encoder": {"dropout": 0.3}})
    assert (changed.decoder.alpha, changed.encoder.dropout) == (0.2, 0.3)
    assert changed.changed({"decoder": {"alpha": 0.8}, "encoder": {"dropout": 0.1}}) == tiny
    for keys, says in (
        ({"decoder": {"utterance_frames": 20}}, r"decoder.utterance_frames: .*multiple of 8"),
        ({"decoder": {"frames": 8}}, "decoder.frames"),
        ({"decoder": {"candidate_segments": [8]}}, "decoder: .*need utterance_frames"),
        (
            {"decoder": {"utterance_frames": 16, "candidate_segments": [0]}},
            "decoder.candidate_segments.0",
        ),
        ({"decoders": {}}, "decoders"),
    ):
        with pytest.raises(ConfigError, match=f"network: {says}"):
            tiny.changed(keys)


def test_vocabulary_counts_the_blank():
    config = load_model_config(config_file("model/tiny.yaml")).with_vocabulary(10)
    assert config.decoder.vocab_size == 11
