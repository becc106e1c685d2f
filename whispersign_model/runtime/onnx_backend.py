# SPDX-License-Identifier: MIT
"""The ONNX Runtime backend, for recognition without PyTorch."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from whispersign_model.arrays import Floats, Ints
from whispersign_model.decoding.backend import EncodedClip, choose_device
from whispersign_model.decoding.detection import SegmentScorer
from whispersign_model.errors import CheckpointError
from whispersign_model.network.checkpoint import read_metadata
from whispersign_model.network.onnx_file import read_onnx_file, rescore_file
from whispersign_model.network.onnx_graph import check_graph
from whispersign_model.runtime.chunks import ChunkStream, as_patches, checked, finite, whole_patches

CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
SILENT = 4  # log severity of ONNX Runtime; it raises what it would log, too
OLDEST_RUNTIME = "1.19"  # the first that loads the graphs: IR version 10, Trilu of booleans

# Names of graph inputs and outputs. The tensors of the state follow, in the same order.
PATCHES, LOG_PROBS, STATES = "patches", "log_probs", "states"
SEQUENCES, LENGTHS, SCORES = "sequences", "lengths", "scores"
UTTERANCE = "utterance"  # input for the features of the whole clip, if the second pass needs them
SEGMENTS, SEGMENT_SCORES = "segments", "segment_scores"

OrtState = tuple["onnxruntime.OrtValue", ...]


class OnnxBackend:
    """An exported network; see :class:`~whispersign_model.decoding.backend.Backend`.

    One graph encodes both whole clips and streams: a whole clip is a single chunk.

    Args:
        path: file with the first pass; the second pass is in the same folder.
        device: auto, cpu or cuda.
        threads: number of CPU threads.

    Raises:
        CheckpointError: a file is missing or damaged, or the two files do not match.
        ConfigError: the device is unknown.
    """

    def __init__(self, path: Path, device: str = "auto", threads: int = 1) -> None:
        self._path = path
        metadata = read_metadata(path)
        second = rescore_file(path)
        if read_onnx_file(path).rescore_digest != read_onnx_file(second).digest:
            raise CheckpointError(
                second, f"does not belong to {path.name}", "export again, and keep both together"
            )
        check_graph(path, metadata.config, second=False)
        check_graph(second, metadata.config, second=True)
        gpu = CUDA in onnxruntime.get_available_providers()
        wanted, _ = choose_device(device, gpu)
        self._encoder = _session(path, wanted, threads)
        self._second = _session(second, wanted, threads)
        # ONNX Runtime silently drops a provider whose libraries fail to load.
        self.device, self.notice = choose_device(device, CUDA in self._encoder.get_providers())
        self.frames_per_step = metadata.config.frontend.patch_size
        self.alpha = metadata.config.decoder.alpha
        self.candidate_segments = metadata.config.decoder.candidate_segments
        self._labels = metadata.config.decoder.vocab_size
        self._config = metadata.config
        state = [each for each in self._encoder.get_inputs() if each.name != PATCHES]
        results = [each.name for each in self._encoder.get_outputs()]
        self._before = [each.name for each in state]
        self._after = [name for name in results if name not in (LOG_PROBS, STATES)]
        self._initial: OrtState = tuple(
            onnxruntime.OrtValue.ortvalue_from_numpy(
                np.zeros(each.shape, np.int64 if each.type == "tensor(int64)" else np.float32)
            )
            for each in state
        )

    def encode(self, features: Floats) -> EncodedClip:
        """Encode one clip of normalized features ``(T, 42, 7)``, with T >= 1."""
        patches = as_patches(whole_patches(features, self.frames_per_step), self.frames_per_step)
        values, states = self._run([LOG_PROBS, STATES], patches, self._initial)
        log_probs = checked(values.numpy(), self._labels)
        if self.candidate_segments:
            return EncodedClip(log_probs, self.segment_scorer(features))
        memory = {STATES: states.numpy()}
        if self._config.decoder.utterance_frames:
            memory[UTTERANCE] = features
        return EncodedClip(log_probs, partial(self._rescore, memory))

    def segment_scorer(self, features: Floats) -> SegmentScorer:
        """Return a detection network's scorer for segments of a clip ``(T, 42, 7)``."""
        return self._config.segment_scorer(partial(self._score_segments, features))

    def _rescore(self, memory: dict[str, Floats], hypotheses: Sequence[tuple[int, ...]]) -> Floats:
        """Return the attention decoder's log-probabilities ``(N,)`` of gloss id sequences."""
        lengths = np.array([len(ids) for ids in hypotheses], np.int64)
        sequences = np.zeros((len(hypotheses), max(1, lengths.max())), np.int64)
        for row, ids in zip(sequences, hypotheses):
            row[: len(ids)] = ids
        feed = {**memory, SEQUENCES: sequences, LENGTHS: lengths}
        scores: Floats = self._run_second(SCORES, feed)
        return scores

    def _score_segments(self, features: Floats, segments: Ints) -> Floats:
        """Return log-probabilities ``(N, V)`` of the glosses in each segment of a clip."""
        feed = {UTTERANCE: features, SEGMENTS: segments}
        scores: Floats = self._run_second(SEGMENT_SCORES, feed)
        return scores

    def _run_second(self, output: str, feed: dict[str, Any]) -> Any:
        with _failures_told(self._path):
            scores = self._second.run([output], feed)[0]
        finite(scores.max(axis=-1))  # a segment without hands has no probability but of the blank
        return scores

    def stream(self, chunk: int) -> ChunkStream[OrtState]:
        """Start a clip that is encoded in chunks of ``chunk`` steps."""
        return ChunkStream(self._step, self._initial, self.frames_per_step, chunk, self._labels)

    def _step(self, patches: Floats, state: OrtState) -> tuple[Floats, OrtState]:
        log_probs, *after = self._run([LOG_PROBS, *self._after], patches, state)
        return log_probs.numpy(), tuple(after)

    def _run(
        self, outputs: list[str], patches: Floats, state: OrtState
    ) -> list[onnxruntime.OrtValue]:
        """Run the graph; the tensors of the state stay on the device."""
        feed = dict(zip(self._before, state))
        feed[PATCHES] = onnxruntime.OrtValue.ortvalue_from_numpy(patches)
        with _failures_told(self._path):
            values: list[onnxruntime.OrtValue] = self._encoder.run_with_ort_values(outputs, feed)
            return values


@contextmanager
def _failures_told(path: Path) -> Iterator[None]:
    """Turn any error from running a graph into a CheckpointError."""
    try:
        yield
    except Exception as error:  # ONNX Runtime does not document its error types
        raise CheckpointError(path, f"fails while it runs ({error})", "export it again") from error


def _session(path: Path, device: str, threads: int) -> onnxruntime.InferenceSession:
    """Load a graph into ONNX Runtime.

    Raises:
        CheckpointError: this version of ONNX Runtime cannot load the graph.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = SILENT
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers = [CUDA, CPU] if device == "cuda" else [CPU]
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # ONNX Runtime does not document its error types
        reason = str(error).splitlines()[0]
        fault = f"cannot be loaded by ONNX Runtime {onnxruntime.__version__} ({reason})"
        raise CheckpointError(path, fault, _load_remedy(onnxruntime.__version__)) from error


def _load_remedy(version: str) -> str:
    """Return what to do about a graph that this version of ONNX Runtime cannot load."""
    if tuple(map(int, version.split(".")[:2])) < tuple(map(int, OLDEST_RUNTIME.split("."))):
        return f"it needs {OLDEST_RUNTIME} or newer: pip install 'onnxruntime>={OLDEST_RUNTIME}'"
    return "update onnxruntime, or export the network again"
