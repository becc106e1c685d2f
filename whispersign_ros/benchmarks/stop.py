# SPDX-License-Identifier: MIT
"""Latency of a stop sign: ``whispersign bench --only stop``.

Synthetic signers alternate GO and STOP, and the nodes, including ``command_node``, process them. A
monitor takes the robot's place and records when the stop messages arrive.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from geometry_msgs.msg import Twist

from whispersign_model.decoding.result import Result
from whispersign_model.errors import WhisperSignError
from whispersign_model.network.checkpoint import read_metadata
from whispersign_model.recordings.bags.bag import write_bag
from whispersign_model.recordings.recording import Recording, joined
from whispersign_model.synthesis.sensor import SensorModel
from whispersign_model.synthesis.signer import Signer
from whispersign_model.temporary import temporary_folder
from whispersign_model.timestamps import NANOSECONDS
from whispersign_msgs.msg import GlossAnnotation
from whispersign_ros.benchmarks.graph import MS, TAIL, quantiles
from whispersign_ros.benchmarks.trace import recognize_again, trace
from whispersign_ros.conversions.messages import nanoseconds
from whispersign_ros.graph.monitor import MONITOR, GraphMonitor
from whispersign_ros.node.assets import DEMO_MODEL
from whispersign_ros.node.entry_points import GRAPH, PLAYBACK

ROUNDS = 1  # number of measured graphs
RATE = 60  # frames a second
SIGNERS = (901, 902, 903)  # seeds of signers unknown to the bundled model
STOPS = 10  # per signer; every second one ends a sentence of two signs
GO, STOP = "GO", "STOP"
CONFIDENCE = 0.3  # of the stop entry in config/commands.yaml
LATE = 250  # milliseconds after the sign's end from which a stop counts as late
STOP_WINDOW = 3 * NANOSECONDS  # after a sign's end; a later message belongs to another sign
COMMANDS = f"""\
stop:
  gloss: {STOP}
  confidence: {CONFIDENCE}
  publish: {{topic: cmd_vel, type: geometry_msgs/msg/Twist}}
commands:
  - gloss: {GO}
    mode: hold
    publish:
      topic: cmd_vel
      type: geometry_msgs/msg/Twist
      message: {{linear: {{x: 0.2}}}}
"""
# Generous limits: delays on a busy machine are measured and do not stop the robot.
TIMEOUTS = {"input_timeout": 30.0, "max_age": 60.0}

Span = tuple[int, int]  # start and end of a sign, nanoseconds
Stops = Sequence[tuple[Span, int | None, int | None]]  # sign, stamp recognized at, message arrival


class _StopRecorder:
    """Records stop messages and annotated stop signs.

    Attributes:
        stops: arrival times of the stop messages, nanoseconds.
        signs: annotated stop signs, in capture time.
    """

    def __init__(self) -> None:
        self.stops: list[int] = []
        self.signs: list[Span] = []

    def attach(self, monitor: GraphMonitor) -> None:
        self._clock = monitor.get_clock()
        monitor.subscribe("cmd_vel", self._on_velocity)
        monitor.subscribe("annotation", self._on_annotation)

    def _on_velocity(self, message: Twist) -> None:
        if not message.linear.x:
            self.stops.append(self._clock.now().nanoseconds)

    def _on_annotation(self, message: GlossAnnotation) -> None:
        if list(message.glosses) == [STOP]:
            self.signs.append((nanoseconds(message.start_time), nanoseconds(message.end_time)))


def measure(
    model: Path | None,
    done: Callable[[], None],
    signers: Sequence[int] = SIGNERS,
    stops: int = STOPS,
) -> dict[str, Any]:
    """Measure the delay of stop messages at 60 Hz, with the graph as five processes.

    Args:
        model: checkpoint or exported network that knows GO and STOP; None uses the bundled one.
        done: called after the measurement.
        signers: seeds of the synthetic signers.
        stops: number of stop signs by each signer; each takes about 6 seconds.

    Returns:
        the figures. Times end with the arrival of the stop message, and are the median (``_p50``)
        and the 95th percentile (``_p95``).

        - ``from_frame_ms_*``: from the capture of the frame at which the sign is recognized. This
          is the delay of the graph.
        - ``from_end_ms_*``: from the capture of the sign's last frame; negative if the robot stops
          during the sign.
        - ``from_begin_ms_*``: from the sign's first frame. The robot keeps moving for this time.
        - ``stops``: number of signed stops. ``missed``: number of missed ones, which count in no
          time.
        - ``false``: number of stop messages without a sign.
        - ``late``: share of stops whose message arrives more than ``LATE`` after the sign's end.

    Raises:
        WhisperSignError: the model is unusable, or a node failed.
    """
    model = model or DEMO_MODEL
    glosses = read_metadata(model).glosses
    for gloss in (GO, STOP):
        if gloss not in glosses:
            raise WhisperSignError(model, f"does not know {gloss}", "choose a model that does")
    recorder = _StopRecorder()
    with temporary_folder() as folder:
        recording = _signing(signers, stops, [each for each in glosses if each not in (GO, STOP)])
        write_bag(folder / "signing", recording)
        commands = folder / "commands.yaml"
        commands.write_text(COMMANDS)
        executables: dict[str, dict[str, Any]] = {
            **{executable: {"model": str(model), **PLAYBACK} for executable in GRAPH},
            "command_node": {"commands_file": str(commands), **TIMEOUTS},
            "replay_node": {
                "bag": str(folder / "signing"),
                "wait_for": [*GRAPH, "command_node", MONITOR],
            },
        }
        traced = trace(executables, recording, recorder.attach)
    done()
    results = list(recognize_again(traced, model))
    return _figures(*_matched(recorder.signs, recorder.stops, results))


def table(figures: Mapping[str, Any]) -> list[str]:
    """Return the figures as a Markdown table."""
    rows = ["| from | to the stop message, p50 | p95 |", "|---|---:|---:|"]
    for name, words in (
        ("from_frame", "the frame at which the sign is recognized"),
        ("from_end", "the sign's last frame"),
        ("from_begin", "the sign's first frame"),
    ):
        times = (figures[f"{name}_ms_p{percent}"] for percent in (50, 95))
        cells = " | ".join("-" if time is None else f"{time:.0f} ms" for time in times)
        rows.append(f"| {words} | {cells} |")
    return [
        *rows,
        "",
        f"{figures['stops']} stop signs, {figures['missed']} missed, {figures['late']:.0%} stopped "
        f"more than {LATE} ms after their end; {figures['false']} stops without a sign",
    ]


def _signing(signers: Sequence[int], stops: int, others: Sequence[str]) -> Recording:
    """Return alternating GO and STOP signs; the hands leave the view between signs."""
    recordings = []
    for seed in signers:
        signer = Signer(seed, sensor=SensorModel.named("leap", float(RATE)))
        known = sorted(set(others) & set(signer.lexicon.glosses))
        chosen = np.random.default_rng(seed).choice(known, stops) if known else [STOP] * stops
        sentences = []
        for number, other in enumerate(map(str, chosen)):
            sentences += [[GO], [other, STOP] if number % 2 and known else [STOP]]
        recordings.append(signer.sign_sentences(sentences, tail=TAIL))
    return _joined(recordings)


def _joined(recordings: Sequence[Recording]) -> Recording:
    """Join recordings; each starts one frame after the end of the previous one."""
    parts: list[Recording] = []
    end = 0
    for each in recordings:
        parts.append(each.starting_at(end))
        end = int(parts[-1].stamps[-1]) + NANOSECONDS // RATE
    return joined(parts)


def _matched(
    signs: Sequence[Span], messages: Sequence[int], results: Sequence[Result]
) -> tuple[Stops, int]:
    """Match stop signs with results and stop messages.

    Returns:
        stop signs, each with the stamp of its recognition and the arrival of its message; number of
        messages without a sign.
    """
    frames = [
        (result.stamp, gloss.end)
        for result in results
        for gloss in result.glosses
        if gloss.gloss == STOP and gloss.confidence >= CONFIDENCE
    ]
    left = list(messages)
    stops = []
    for start, end in signs:
        stamp = next((stamp for stamp, last in frames if start < last and stamp > start), None)
        arrival = next((each for each in left if start < each < end + STOP_WINDOW), None)
        if arrival is not None:
            left.remove(arrival)
        stops.append(((start, end), stamp, arrival))
    return stops, len(left)


def _figures(stops: Stops, false: int) -> dict[str, Any]:
    """Compute the figures that ``measure`` returns."""
    done = [(span, stamp, arrival) for span, stamp, arrival in stops if arrival is not None]
    after = [(arrival - end) / MS for (_, end), _, arrival in done]
    return {
        **quantiles("from_frame", [(arrival - stamp) / MS for _, stamp, arrival in done if stamp]),
        **quantiles("from_end", after),
        **quantiles("from_begin", [(arrival - start) / MS for (start, _), _, arrival in done]),
        "stops": len(stops),
        "missed": len(stops) - len(done),
        "late": sum(time > LATE for time in after) / len(after) if after else 0.0,
        "false": false,
    }
