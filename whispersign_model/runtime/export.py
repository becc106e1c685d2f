# SPDX-License-Identifier: MIT
"""Export a checkpoint to two ONNX graphs with metadata, and compare them with it."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor, nn

from whispersign_model.arrays import AnyFloats, Floats
from whispersign_model.decoding.detection import SegmentScorer
from whispersign_model.decoding.search import SecondPassScorer
from whispersign_model.errors import CheckpointError
from whispersign_model.network.checkpoint import CheckpointMetadata
from whispersign_model.network.model import WhisperSignModel
from whispersign_model.network.onnx_file import (
    ABOUT,
    DIGEST,
    GRAPH_VERSION,
    RESCORE_DIGEST,
    VERSION,
    graph_digest,
    rescore_file,
)
from whispersign_model.network.streaming import (
    EncoderStep,
    Rescorer,
    SegmentReader,
    UtteranceRescorer,
    initial_state,
    with_plain_products,
)
from whispersign_model.recordings.atomic import replace_file
from whispersign_model.runtime.onnx_backend import (
    LENGTHS,
    LOG_PROBS,
    PATCHES,
    SCORES,
    SEGMENT_SCORES,
    SEGMENTS,
    SEQUENCES,
    STATES,
    UTTERANCE,
    OnnxBackend,
)
from whispersign_model.runtime.torch_backend import TorchBackend
from whispersign_model.skeleton import CONFIDENCE, FEATURES, JOINTS
from whispersign_model.temporary import temporary_folder

OPSET = 20  # the first opset with a GELU operator
MAX_DIFFERENCE = 1e-3  # largest acceptable difference between log-probabilities
CLIPS = (1, 6, 50, 333)  # lengths of the test clips in frames
CHUNKS = (1, 2, 4, 8)  # chunk sizes of the test streams in patches
HYPOTHESES = ((), (1,), (1, 1), (1, 1, 1, 1, 1))


@dataclass(frozen=True)
class Parity:
    """The largest differences between log-probabilities from PyTorch and ONNX Runtime.

    Attributes:
        whole: largest difference for whole clips.
        streams: largest difference for streams, over all chunk sizes.
        second: largest difference in the second pass, over sequence scores or segment
            log-probabilities.
    """

    whole: float
    streams: float
    second: float


def export(model: WhisperSignModel, metadata: CheckpointMetadata, out: Path) -> Parity:
    """Export the first pass to ``out`` and the second pass beside it, if both pass the comparison.

    Args:
        model: the network, in evaluation mode.
        metadata: metadata of the checkpoint.
        out: path of the first file, ``*.onnx``.

    Returns:
        the largest differences between the two files and the network.

    Raises:
        CheckpointError: the files cannot be written, or differ too much from the network.
    """
    with temporary_folder() as folder:
        trial = folder / out.name
        save(encoder_graph(model), second_graph(model), metadata, trial)
        parity = compare(TorchBackend(model, "cpu"), OnnxBackend(trial, "cpu"))
        worst = max(parity.whole, parity.streams, parity.second)
        if not worst <= MAX_DIFFERENCE:
            raise CheckpointError(
                out, f"was not written: it would differ from the network by {worst:.2g}"
            )
        install(trial, out)
    return parity


def quantise(path: Path, out: Path, metadata: CheckpointMetadata) -> None:
    """Write a copy of an exported network with 8-bit weights in its matrix products.

    The weights use only 7 of the 8 bits. With all 8, 16-bit sums overflow on processors without
    VNNI.
    """
    graphs = []
    with temporary_folder() as folder, _only_errors_logged():
        small = folder / "small.onnx"
        for source in (path, rescore_file(path)):
            quantize_dynamic(
                source,
                small,
                op_types_to_quantize=["MatMul"],
                nodes_to_exclude=_batched_products(source),
                per_channel=True,
                reduce_range=True,
                weight_type=QuantType.QInt8,
                extra_options={"MatMulConstBOnly": True},
            )
            graphs.append(onnx.load(small))
    save(graphs[0], graphs[1], metadata, out)


@contextmanager
def _only_errors_logged() -> Iterator[None]:
    """Hide the logs of the exporter and the quantizer, except errors."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def _batched_products(path: Path) -> list[str]:
    """Return the names of products with several small weight matrices, which stay at 32 bits."""
    graph = onnx.load(path).graph
    batched = {value.name for value in graph.initializer if len(value.dims) > 2}
    return [node.name for node in graph.node if batched.intersection(node.input)]


def install(source: Path, out: Path) -> None:
    """Move both files of an exported network to their destination.

    Raises:
        CheckpointError: the files cannot be written.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        replace_file(rescore_file(out), rescore_file(source).read_bytes())
        replace_file(out, source.read_bytes())
    except OSError as error:
        raise CheckpointError(out, f"cannot be written ({error.strerror})") from error


def save(
    encoder: onnx.ModelProto, rescorer: onnx.ModelProto, metadata: CheckpointMetadata, out: Path
) -> None:
    """Write both graphs with the metadata of the checkpoint."""
    digest = _write(rescorer, rescore_file(out), {})
    _write(encoder, out, {ABOUT: metadata.model_dump_json(), RESCORE_DIGEST: digest})


def _write(model: onnx.ModelProto, path: Path, properties: dict[str, str]) -> str:
    """Write a graph with its properties; return its digest."""
    _forget_sources(model.graph)
    digest = graph_digest(model.SerializeToString())
    properties = {**properties, VERSION: str(GRAPH_VERSION), DIGEST: digest}
    onnx.helper.set_model_props(model, properties)
    path.write_bytes(model.SerializeToString())
    return digest


def _forget_sources(graph: onnx.GraphProto) -> None:
    """Remove the source lines and file paths that the exporter stores in a graph."""
    for part in (*graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    graph.ClearField("metadata_props")


def encoder_graph(model: WhisperSignModel) -> onnx.ModelProto:
    """Export the cached step, for any number of patches."""
    state = initial_state(model.config, torch.device("cpu"))
    config = model.config.frontend
    patches = torch.zeros(3, config.patch_size, JOINTS, FEATURES)
    names = ["known", "tokens", *(f"memory_{index}" for index in range(len(state.memories)))]
    steps = torch.export.Dim("steps", min=1)
    return _graph(
        EncoderStep(with_plain_products(model)),
        (patches, state.known, state.tokens, list(state.memories)),
        [PATCHES, *names],
        [LOG_PROBS, STATES, *(f"next_{name}" for name in names)],
        ({0: steps}, None, None, [None] * len(state.memories)),
    )


def second_graph(model: WhisperSignModel) -> onnx.ModelProto:
    """Export the second pass, for any number of segments, or of sequences of any length."""
    if model.config.decoder.detects:
        return _graph(
            SegmentReader(with_plain_products(model)),
            (torch.ones(20, JOINTS, FEATURES), torch.tensor([[0, 9], [4, 20], [3, 7]])),
            [UTTERANCE, SEGMENTS],
            [SEGMENT_SCORES],
            ({0: torch.export.Dim("frames", min=1)}, {0: torch.export.Dim("count", min=1)}),
        )
    states = torch.zeros(5, model.config.frontend.d_model)
    sequences, lengths = torch.ones(3, 4, dtype=torch.long), torch.tensor([4, 2, 1])
    steps, count, length = (torch.export.Dim(name, min=1) for name in ("steps", "count", "length"))
    plain = with_plain_products(model)
    arguments, names = (states, sequences, lengths), [STATES, SEQUENCES, LENGTHS]
    dynamic = ({0: steps}, {0: count, 1: length}, {0: count})
    if model.decoder.utterance is None:
        return _graph(Rescorer(plain), arguments, names, [SCORES], dynamic)
    return _graph(
        UtteranceRescorer(plain),
        (*arguments, torch.ones(20, JOINTS, FEATURES)),
        [*names, UTTERANCE],
        [SCORES],
        (*dynamic, {0: torch.export.Dim("frames", min=1)}),
    )


def _graph(
    module: nn.Module,
    arguments: tuple[Any, ...],
    inputs: Sequence[str],
    outputs: Sequence[str],
    dynamic: tuple[Any, ...],
) -> onnx.ModelProto:
    """Export a module as a graph."""
    with warnings.catch_warnings(), redirect_stdout(StringIO()), _only_errors_logged():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module.eval(),
            arguments,
            dynamo=True,
            opset_version=OPSET,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_shapes=dynamic,
            external_data=False,
        )
    assert program is not None
    model: onnx.ModelProto = program.model_proto
    return model


def compare(reference: TorchBackend, exported: OnnxBackend) -> Parity:
    """Compare two runtimes on random clips, whole and streamed."""
    generator = np.random.default_rng(0)
    whole, streams, second = [0.0], [0.0], [0.0]
    for frames in CLIPS:
        features = made_up_features(generator, frames)
        one, other = reference.encode(features), exported.encode(features)
        whole.append(_difference(one.log_probs, other.log_probs))
        second.append(_difference(*(_outputs(each.second_pass, frames) for each in (one, other))))
        for chunk in CHUNKS:
            stream = exported.stream(chunk)
            rows = [stream.push(features[: frames // 2]), stream.push(features[frames // 2 :])]
            rows.append(stream.peek(features[:0]))
            expected = _offline(reference, features, chunk)
            streams.append(_difference(expected, np.concatenate(rows)))
    return Parity(*(float(np.max(values)) for values in (whole, streams, second)))


def _outputs(second_pass: SecondPassScorer, frames: int) -> AnyFloats:
    """Return the second pass's output for a clip."""
    if isinstance(second_pass, SegmentScorer):
        log_probs = second_pass.score(np.array([[0, frames], [frames // 2, frames], [0, 1]]))
        return np.exp(log_probs)
    return second_pass(HYPOTHESES)


@torch.inference_mode()
def _offline(reference: TorchBackend, features: Floats, chunk: int) -> Any:
    """Return the output ``(T', V)`` of the offline pass with chunk size ``chunk``."""
    data: Tensor = torch.from_numpy(features[None])
    return reference.model(data, torch.tensor([len(features)]), chunk).log_probs[0].numpy()


def _difference(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Return the largest difference. NaN inputs give NaN, which fails every comparison."""
    return float(np.abs(one - other).max())


def made_up_features(generator: np.random.Generator, frames: int) -> Floats:
    """Return random features ``(frames, 42, 7)`` in which hands are sometimes absent."""
    features = generator.standard_normal((frames, JOINTS, FEATURES)).astype(np.float32)
    hands = features.reshape(frames, 2, JOINTS // 2, FEATURES)
    hands[..., CONFIDENCE] = 1
    hands[generator.random((frames, 2)) < 0.1] = 0
    return features
