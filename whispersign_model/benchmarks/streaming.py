# SPDX-License-Identifier: MIT
"""Benchmarks of live recognition: cached steps, sliding windows, both runtimes, and memory."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from whispersign_model.arrays import Doubles, Floats
from whispersign_model.benchmarks.fresh_process import in_fresh_process, resident_mb
from whispersign_model.decoding.backend import Backend
from whispersign_model.runtime.loading import load_backend
from whispersign_model.temporary import temporary_folder

RATE = 60  # frames per second
CHUNK = 2  # patches per chunk: 133 ms
FRAMES = 4 * CHUNK  # frames per step
WINDOW, HOP = 60, 30  # frames: windowed mode reads the last second every half second
FILLED = 60  # steps until the left context is full; from there on every step costs the same
STEPS, WINDOWS = 300, 50  # number of timed steps
MEMORY_SIZE = "base"
MINUTE, HOUR = 60, 3600  # seconds of signal


def measure(sizes: Sequence[str], threads: int, done: Callable[[], None]) -> dict[str, Any]:
    """Measure the given sizes one by one, with a fresh process for each runtime.

    Args:
        sizes: names of the sizes.
        threads: number of CPU threads for the runtime.
        done: called after each size.

    Returns:
        figures by size, in processor time: ``ms_per_s`` (milliseconds per second of signal),
        ``step_ms_p50`` and ``step_ms_p95`` (for a chunk of 2 patches), ``windowed_ms_per_s``
        (reading the last second every half second), ``torch_ms_per_s`` (the cached step in
        PyTorch), ``real_time_factor``, and ``memory_mb`` (resident memory of a process that only
        streams). ``int8`` holds the same figures for 8-bit weights, except the PyTorch one.
    """
    figures = {}
    for size in sizes:
        with temporary_folder() as folder:
            exact, small = folder / "exact.onnx", folder / "small.onnx"
            in_fresh_process(_export, size, exact, small)
            costs = in_fresh_process(_costs, exact, threads)
            costs["torch_ms_per_s"] = in_fresh_process(_costs, folder, threads)["ms_per_s"]
            costs["int8"] = in_fresh_process(_costs, small, threads)
        figures[size] = costs
        done()
    return figures


def measure_memory() -> dict[str, float]:
    """Return the resident memory in megabytes after a minute and after an hour of one stream."""
    with temporary_folder() as folder:
        exact, small = folder / "exact.onnx", folder / "small.onnx"
        in_fresh_process(_export, MEMORY_SIZE, exact, small)
        after: list[float] = in_fresh_process(memory_after, exact, (MINUTE, HOUR))
    return {"1 min": after[0], "1 h": after[1]}


def memory_after(path: Path, seconds: Sequence[int]) -> list[float]:
    """Push a stream at full speed; return the resident megabytes at the given stream times."""
    stream = load_backend(path, "cpu").stream(CHUNK)
    frames = made_up_frames()
    pushed, found = 0, []
    for end in seconds:
        while pushed < end * RATE:
            stream.push(frames)
            pushed += FRAMES
        found.append(resident_mb())
    return found


def _export(size: str, exact: Path, small: Path) -> None:
    """Write a network with random weights as a checkpoint, an ONNX export and an 8-bit export."""
    import torch

    from whispersign_model.benchmarks.network import size_config
    from whispersign_model.features.recipe import Recipe
    from whispersign_model.network.checkpoint import CheckpointMetadata
    from whispersign_model.network.model import WhisperSignModel
    from whispersign_model.runtime.export import export, quantise

    torch.manual_seed(0)
    config = size_config(size)
    glosses = tuple(f"GLOSS{index}" for index in range(1, config.decoder.vocab_size))
    metadata = CheckpointMetadata(config=config, glosses=glosses, recipe=Recipe())
    model = WhisperSignModel(config).eval()
    model.save_checkpoint(exact.parent, metadata)
    export(model, metadata, exact)
    quantise(exact, small, metadata)


def _costs(path: Path, threads: int) -> dict[str, Any]:
    """Measure one network in one runtime."""
    backend = load_backend(path, "cpu", threads)
    steps = step_times(backend)
    memory = resident_mb()
    per_second = float(np.median(steps)) * RATE / FRAMES
    return {
        "ms_per_s": round(per_second, 2),
        "step_ms_p50": round(float(np.median(steps)), 3),
        "step_ms_p95": round(float(np.quantile(steps, 0.95)), 3),
        "windowed_ms_per_s": round(float(np.median(window_times(backend))) * RATE / HOP, 2),
        "real_time_factor": round(per_second / 1000, 5),
        "memory_mb": memory,
    }


def step_times(backend: Backend) -> Doubles:
    """Return the milliseconds of each step of a stream whose left context is full."""
    stream, frames = backend.stream(CHUNK), made_up_frames()
    times = [_time(lambda: stream.push(frames)) for _ in range(FILLED + STEPS)]
    return np.array(times[FILLED:])


def window_times(backend: Backend) -> Doubles:
    """Return the milliseconds of encoding each whole window, after a warm-up."""
    window = np.resize(made_up_frames(), (WINDOW, *made_up_frames().shape[1:]))
    times = [_time(lambda: backend.encode(window)) for _ in range(FILLED + WINDOWS)]
    return np.array(times[FILLED:])


def _time(run: Callable[[], object]) -> float:
    """Return the processor time of this process in milliseconds."""
    start = time.process_time()
    run()
    return 1000 * (time.process_time() - start)


def made_up_frames() -> Floats:
    """Return the frames of one step ``(FRAMES, 42, 7)`` with both hands tracked."""
    frames = np.random.default_rng(0).standard_normal((FRAMES, 42, 7)).astype(np.float32)
    frames[..., 6] = 1
    return frames


def table(figures: dict[str, Any]) -> list[str]:
    """Format the figures as the table of docs/reference/benchmarks.md."""
    rows = [
        "| size | weights | a second of signal | a step, median | 95 % | windowed | memory |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for size, exact in figures.items():
        for name, costs in (("32 bits", exact), ("8 bits", exact["int8"])):
            rows.append(
                f"| {size.capitalize()} | {name} | {costs['ms_per_s']:.1f} ms "
                f"| {costs['step_ms_p50']:.2f} ms | {costs['step_ms_p95']:.2f} ms "
                f"| {costs['windowed_ms_per_s']:.1f} ms | {costs['memory_mb']:.0f} MB |"
            )
        rows.append(f"| {size.capitalize()} | PyTorch | {exact['torch_ms_per_s']:.1f} ms | | | | |")
    return rows
