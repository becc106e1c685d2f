# SPDX-License-Identifier: MIT
"""Measure the cost of the networks and the latency of the live graph on this machine."""

import argparse
from pathlib import Path
from typing import Any

from whispersign_model.bundled import bundled, names
from whispersign_model.cli.arguments import checkpoint, count, refuse_idle
from whispersign_model.cli.progress import progress
from whispersign_model.errors import WhisperSignError

COSTS = ("forward_ms", "train_step_ms", "memory_mb")  # parts that measure a network of each size
# Parts measured by entry points of the group BENCHMARKS. They need ROS 2.
ELSEWHERE = ("graph", "stop")
PARTS = (
    *("parameters", *COSTS, "loading", "continuous", "room", "streaming", "stream_memory_mb"),
    *ELSEWHERE,
)
THREADS = 2
READ_BY = {  # each option with the parts that read it
    "threads": (*COSTS, "loading", "continuous"),
    "data": ("loading",),
    "model": ("continuous", "room", *ELSEWHERE),
    "archives": ("room",),
}
# Entry point group. Each module in it defines `measure`, `table` and `ROUNDS`.
BENCHMARKS = "whispersign.benchmarks"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``whispersign bench``."""
    add = parser.add_argument
    add("--only", choices=PARTS, help="measure one part (default: all)")
    add(
        "--threads",
        type=count,
        metavar="N",
        help=f"CPU threads for the networks; `streaming` uses one (default: {THREADS})",
    )
    add("--data", type=Path, help="dataset for `loading` (default: synthetic recordings)")
    add(
        "--model",
        type=checkpoint,
        metavar="CKPT",
        help="network for `continuous`, `stop` (synthetic signs), `graph` and `room`; default: the "
        "bundled demo network, and for `room` all bundled networks",
    )
    add(
        "--archives",
        type=Path,
        metavar="DIR",
        help="folder of recording archives (.npz) with more hands for `room`; recordings of the "
        "splits train and val are left out",
    )
    add("--json", type=Path, metavar="OUT.json", help="write all figures")


def run(arguments: argparse.Namespace) -> int:
    """Measure, print tables and write the figures as JSON."""
    from whispersign_model.cli.outputs import check_file, write_json

    check_file(arguments.json)
    figures: dict[str, Any] = {}
    wanted = PARTS if arguments.only is None else (arguments.only,)
    for name, parts in READ_BY.items():
        if not set(parts) & set(wanted):
            fault = f"has no effect with --only {arguments.only}"
            refuse_idle(arguments, {name: None}, fault, f"it is for {', '.join(parts)}")
    threads: int = arguments.threads or THREADS
    if of_networks := [part for part in wanted if part in ("parameters", *COSTS)]:
        figures |= _networks(of_networks, threads)
    if "loading" in wanted:
        from whispersign_model.benchmarks import loading

        figures["loading"] = loading.measure(arguments.data, threads)
        print(*loading_lines(figures["loading"]), sep="\n")
    if "continuous" in wanted:
        figures["continuous"] = _continuous(arguments.model, threads)
    if "room" in wanted:
        figures["room"] = _room(arguments.model, arguments.archives)
    if "streaming" in wanted:
        figures["streaming"] = _streaming()
    if "stream_memory_mb" in wanted:
        from whispersign_model.benchmarks import streaming

        figures["stream_memory_mb"] = streaming.measure_memory()
        for after, megabytes in figures["stream_memory_mb"].items():
            print(f"resident memory after {after} of stream: {megabytes:.1f} MB")
    for part in ELSEWHERE:
        if part in wanted:
            figures |= _elsewhere(part, arguments)
    write_json(arguments.json, figures)
    return 0


def _networks(parts: list[str], threads: int) -> dict[str, Any]:
    """Measure networks of all sizes and print their costs."""
    from whispersign_model.benchmarks import network
    from whispersign_model.network.config import SIZES

    figures: dict[str, Any] = {}
    if "parameters" in parts:
        figures["parameters"] = network.parameters()
    if costs := [part for part in parts if part in COSTS]:
        with progress("Measuring", len(SIZES)) as advance:
            found = network.measure(SIZES, threads, costs, advance)
        for part in costs:
            figures[part] = {size: getattr(cost, part) for size, cost in found.items()}
    print(*table(figures), sep="\n")
    return figures


def _continuous(model: Path | None, threads: int) -> dict[str, Any]:
    """Compare whole clips, live decoding and windows on continuous signing; print the results."""
    from whispersign_model.crossval import continuous

    total = continuous.SIGNERS * (continuous.SENTENCES + continuous.IDLE)
    with progress("Signing", total) as advance:
        figures = continuous.measure_checkpoint(model or bundled(), threads, advance)
    print(*continuous.table(figures), sep="\n")
    return figures


def _room(model: Path | None, archives: Path | None) -> dict[str, Any]:
    """Try networks with resting hands, holds, other movement and other sensors; print a table."""
    from whispersign_model.benchmarks import room
    from whispersign_model.benchmarks.room_figures import table as room_table
    from whispersign_model.benchmarks.room_recordings import room_of

    files = _archives(archives) if archives else []
    networks = {model.name: model} if model else {name: bundled(name) for name in names()}
    figures = {}
    with progress("Trying", room.ROUNDS * len(networks)) as advance:
        for name, checkpoint in networks.items():
            figures[name] = room.measure(room_of(checkpoint, files), advance)
    print(*room_table(figures), sep="\n")
    return figures


def _archives(folder: Path) -> list[Path]:
    """Return the archives in a folder in order."""
    found = sorted(folder.glob("*.npz")) if folder.is_dir() else []
    if not found:
        raise WhisperSignError(str(folder), "holds no .npz archive", "give the folder of archives")
    return found


def _streaming() -> dict[str, Any]:
    """Measure live recognition on one thread and print its cost."""
    from whispersign_model.benchmarks import streaming
    from whispersign_model.network.config import SIZES

    with progress("Streaming", len(SIZES)) as advance:
        figures = streaming.measure(SIZES, 1, advance)
    print(*streaming.table(figures), sep="\n")
    return figures


def _elsewhere(part: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure a part that needs ROS 2; skip it without ROS 2 unless the user requested it."""
    import sys
    from importlib.metadata import entry_points

    entries = tuple(entry_points(group=BENCHMARKS, name=part))
    if not entries:
        raise WhisperSignError(part, "is not among the installed benchmarks", "run `make setup`")
    try:
        benchmark = entries[0].load()
    except ModuleNotFoundError as error:
        if arguments.only == part:
            raise
        print(
            f"{part}: skipped, because the Python package '{error.name}' is missing",
            file=sys.stderr,
        )
        return {}
    with progress("Playing", benchmark.ROUNDS) as advance:
        figures = benchmark.measure(arguments.model, advance)
    print(*benchmark.table(figures), sep="\n")
    return {part: figures}


def table(figures: dict[str, Any]) -> list[str]:
    """Format the figures as a table with one row per size."""
    sizes = next(iter(figures.values()))
    columns: list[tuple[str, list[str]]] = [("size", list(sizes))]
    for part, by_size in figures.items():
        first = next(iter(by_size.values()))
        for key in first if isinstance(first, dict) else ("",):
            values = [by_size[size][key] if key else by_size[size] for size in sizes]
            title = f"{part} {key}".strip()
            columns.append(
                (title, [f"{v:,}" if isinstance(v, int) else f"{v:.2f}" for v in values])
            )
    widths = [max(len(title), *map(len, cells)) for title, cells in columns]
    rows = [[title for title, _ in columns], *zip(*(cells for _, cells in columns))]
    return ["  ".join(cell.rjust(width) for cell, width in zip(row, widths)) for row in rows]


def loading_lines(figures: dict[str, float]) -> list[str]:
    """Format the loading figures as sentences."""
    return [
        f"{figures['clips']} clips of {figures['frames']:.0f} frames on average; real frames per "
        f"second of processor time:",
        f"one loading process delivers {figures['loader_frames_per_s']:,.0f}, "
        f"{figures['ratio']:.1f} times what training of the Tiny network consumes",
        f"training consumes {figures['step_frames_per_s']:,.0f}, {figures['gain']:.1f} times as "
        f"many as with every clip padded to 1500 frames ({figures['fixed_frames_per_s']:,.0f})",
        f"padding is {100 * figures['padding']:.1f} % of all frames in batches",
    ]
