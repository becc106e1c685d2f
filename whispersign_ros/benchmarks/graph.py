# SPDX-License-Identifier: MIT
"""Cost and latency of the live graph: ``whispersign bench --only graph``.

The nodes process a synthetic signer in real time, and a monitor records when results arrive.
Recognizing the same features again offline then shows which frame caused each result.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from whispersign_model.decoding.result import Result
from whispersign_model.network.checkpoint import read_metadata
from whispersign_model.recordings.bags.bag import write_bag
from whispersign_model.recordings.recording import Recording
from whispersign_model.synthesis.sensor import SensorModel
from whispersign_model.synthesis.signer import Signer
from whispersign_model.temporary import temporary_folder
from whispersign_ros.benchmarks.trace import GraphTrace, ResultKey, recognize_again, trace
from whispersign_ros.graph.monitor import MONITOR
from whispersign_ros.node.assets import DEMO_MODEL
from whispersign_ros.node.entry_points import GRAPH, PLAYBACK

RATES = (30, 60, 120)  # frames a second
ROUNDS = 2 * len(RATES)  # number of measured graphs
SEED, SENTENCES, LENGTH = 901, 12, 2  # a signer unknown to the bundled model; glosses per sentence
TAIL = 3.0  # seconds without hands at the end
MS = 1e6  # nanoseconds


def measure(
    model: Path | None,
    done: Callable[[], None],
    rates: Sequence[int] = RATES,
    sentences: int = SENTENCES,
) -> dict[str, Any]:
    """Measure the graph at several frame rates, as four processes and as one.

    Args:
        model: checkpoint or exported network; None uses the bundled one.
        done: called after each graph.
        rates: frames per second.
        sentences: number of sentences; each takes about 4 seconds.

    Returns:
        the figures of each rate. Times are the median (``_p50``) and the 95th percentile
        (``_p95``), or None without results.

        - ``partial_ms_*``: from the capture of the frame that causes a partial result until the
          result arrives.
        - ``final_extra_ms_*``: the same for the frame that completes an endpoint's timeout.
        - ``features_ms_*``: from capture until the features arrive, before recognition.
        - ``cpu_percent`` (of one core), ``cpu_percent_by_node``, ``rss_mb`` (by node).
        - ``frames`` (sent), ``lost``.
        - ``partials``, ``finals``: number of matched results. ``unmatched`` results count in no
          other figure.
        - ``pipeline``: all these figures for the graph in one process.

    Raises:
        WhisperSignError: the model is unusable, or a node failed.
    """
    model = model or DEMO_MODEL
    read_metadata(model)
    figures: dict[str, Any] = {}
    for rate in rates:
        with temporary_folder() as folder:
            recording = _signing(rate, sentences)
            write_bag(folder / "signing", recording)
            source = {"bag": str(folder / "signing")}
            apart: dict[str, dict[str, Any]] = {
                **{executable: {"model": str(model), **PLAYBACK} for executable in GRAPH},
                "replay_node": {**source, "wait_for": [*GRAPH, MONITOR]},
            }
            together = {**source, "model": str(model), "wait_for": [MONITOR]}
            figures[str(rate)] = _figures(trace(apart, recording), model, recording)
            done()
            traced = trace({"pipeline": together}, recording)
            figures[str(rate)]["pipeline"] = _figures(traced, model, recording)
            done()
    return figures


def table(figures: Mapping[str, Any]) -> list[str]:
    """Return the figures as a Markdown table."""
    rows = [
        "| frames a second | graph | partial p50, p95 | final extra p50, p95 "
        "| features p50, p95 | CPU of a core | memory | lost |",
        "|---:|---|---:|---:|---:|---:|---:|---:|",
    ]
    for rate, apart in figures.items():
        for name, found in (("processes", apart), ("pipeline", apart["pipeline"])):
            times = [
                f"{_ms(found[f'{what}_ms_p50'])}, {_ms(found[f'{what}_ms_p95'])} ms"
                for what in ("partial", "final_extra", "features")
            ]
            rows.append(
                f"| {rate} | {name} | {' | '.join(times)} | {found['cpu_percent']:.0f} % "
                f"| {sum(found['rss_mb'].values()):.0f} MB | {found['lost']} of {found['frames']} |"
            )
    nodes = [*GRAPH, "replay_node"]
    rows += [
        "",
        "| frames a second | " + " | ".join(f"{node}" for node in nodes) + " |",
        "|---:" * (len(nodes) + 1) + "|",
    ]
    for rate, apart in figures.items():
        cells = [
            f"{apart['cpu_percent_by_node'][node]:.1f} %, {apart['rss_mb'][node]:.0f} MB"
            for node in nodes
        ]
        rows.append(f"| {rate} | {' | '.join(cells)} |")
    return rows


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def _signing(rate: int, sentences: int) -> Recording:
    """Return random sentences as a Leap Motion sees them; the hands leave between sentences."""
    signer = Signer(SEED, sensor=SensorModel.named("leap", float(rate)))
    glosses = np.random.default_rng(SEED).choice(signer.lexicon.glosses, (sentences, LENGTH))
    return signer.sign_sentences(glosses.tolist(), tail=TAIL)


def _figures(traced: GraphTrace, model: Path, recording: Recording) -> dict[str, Any]:
    """Compute the figures of a trace."""
    stamps: dict[ResultKey, list[int]] = defaultdict(list)
    expected = 0
    for result in recognize_again(traced, model):
        if result.glosses:
            stamps[_key(result)].append(result.stamp)
            expected += 1
    delays: dict[bool, list[float]] = {False: [], True: []}
    for key, arrival in traced.results:
        if stamps[key]:
            delays[key[0]].append((arrival - stamps[key].pop(0)) / MS)
    features = [(arrival - stamp) / MS for _, stamp, arrival, _ in traced.features]
    cpu = traced.cpu_percent
    matched = sum(map(len, delays.values()))
    return {
        **quantiles("partial", delays[False]),
        **quantiles("final_extra", delays[True]),
        **quantiles("features", features),
        "cpu_percent": round(sum(cpu.values()), 1),
        "cpu_percent_by_node": {node: round(share, 1) for node, share in cpu.items()},
        "rss_mb": {node: round(mb, 1) for node, mb in traced.end.resident_mb.items()},
        "frames": len(recording),
        "lost": _lost(traced, len(recording)),
        "partials": len(delays[False]),
        "finals": len(delays[True]),
        "unmatched": expected + len(traced.results) - 2 * matched,
    }


def _key(result: Result) -> ResultKey:
    spans = tuple((gloss.gloss_id, gloss.start, gloss.end) for gloss in result.glosses)
    return result.final, result.utterance_id, spans


def _lost(traced: GraphTrace, sent: int) -> int:
    """Count the frames that preprocessing missed and the steps that recognition missed."""
    sequences = [sequence for sequence, *_ in traced.features]
    lasts = [last for last, after in pairwise([*sequences, 0]) if after <= last]
    frames = sent - traced.received.get("preprocessing_node", 0)
    steps = sum(last + 1 for last in lasts) - traced.received.get("recognition_node", 0)
    return frames + steps


def quantiles(name: str, values: Sequence[float]) -> dict[str, float | None]:
    """Return the median and the 95th percentile by key; they are None without values."""
    return {
        f"{name}_ms_p{percent}": round(float(np.percentile(values, percent)), 1) if values else None
        for percent in (50, 95)
    }
