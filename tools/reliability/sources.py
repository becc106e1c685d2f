# SPDX-License-Identifier: MIT
"""Scenarios with their own graph: failing sources, clock jumps, full disks, starved pipelines."""

import resource
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rclpy.node import Node
from rosgraph_msgs.msg import Clock
from std_srvs.srv import Trigger

from reliability.feed import RATE, SEED
from reliability.live import BrokenError, LiveGraph, live_graph, nodes
from reliability.scenario import LAST_GLOSSES, WITHIN, Outcome, Scenario, right_share
from reliability.streams import jump_stamps
from whispersign_model.recordings.bags.bag import write_bag
from whispersign_model.recordings.recording import Recording
from whispersign_model.recordings.takes import LOCK, find_takes
from whispersign_msgs.msg import Prompt
from whispersign_ros.conversions.messages import time_message
from whispersign_ros.graph.monitor import START_LIMIT
from whispersign_ros.node.entry_points import GRAPH, PLAYBACK

CLOCK_PERIOD = 0.02  # seconds between two messages on /clock
ROUNDS = 3  # times a bag is played
STARVING, SHARE, SLICE = 8.0, 0.25, 0.2  # seconds; share of CPU time; seconds a slice
FULL = 32768  # maximum file size in bytes on the simulated full disk


def scenarios(model: Path, takes: Sequence[Recording], folder: Path) -> list[Scenario]:
    """Return the scenarios that start their own graph.

    Args:
        model: checkpoint or exported network.
        takes: the recordings to sign.
        folder: an empty folder for bags.
    """
    bag = folder / "bags"
    for number, take in enumerate(takes):
        write_bag(bag / f"take{number}", take)
    replay = {"bag": str(bag), "loop": True}
    whole = {**replay, "source": "replay", "model": str(model), **PLAYBACK}
    glosses = [take.glosses[0] for take in takes]
    synthetic = {"glosses": glosses[:1], "seed": SEED, "frame_rate": RATE}
    return [
        Scenario(
            "`/clock` jumps an hour ahead, later an hour back (`use_sim_time`)",
            "a new stream starts; earlier signs are published at each jump",
            partial(clock_jumps, model, takes),
        ),
        *(
            Scenario(
                f"kill -9 of `{executable}`, restarted",
                "a new stream starts; earlier signs are published",
                partial(source_killed, others, executable, parameters),
            )
            for executable, parameters, others in (
                ("replay_node", replay, nodes(model, playback=True)),
                ("synthetic_node", synthetic, nodes(model)),
                ("pipeline", whole, {}),
            )
        ),
        Scenario(
            f"a bag plays {ROUNDS} times in a loop, with its own stamps",
            "each round starts a new stream; nothing is lost",
            partial(looped, model, replay, ROUNDS * len(takes)),
        ),
        Scenario(
            f"`pipeline` gets {SHARE:.0%} of the CPU time for {STARVING:g} s",
            "the queues hold all frames; nothing is lost",
            partial(starved, model, replay),
        ),
        Scenario(
            "the disk is full while `annotation_node` records",
            "the session pauses and reports it, leaves no partial take, and resumes once there "
            "is space",
            partial(disk_full, glosses[0], folder / "takes"),
        ),
        Scenario(
            "kill -9 of `annotation_node` while it records, restarted",
            "complete takes are kept, no partial take is left, and the session resumes where it "
            "stopped",
            partial(recording_killed, glosses[0], folder / "other_takes"),
        ),
    ]


def clock_jumps(model: Path, takes: Sequence[Recording]) -> Outcome:
    """Let ``/clock`` and the frame stamps jump an hour ahead and back."""
    with live_graph(nodes(model, use_sim_time=True), takes) as graph:
        ticking = threading.Event()
        node = Node("clock")
        thread = threading.Thread(target=tick, args=(node, graph, ticking), daemon=True)
        thread.start()
        try:
            graph.begin()
            return jump_stamps(graph)
        finally:
            ticking.set()
            thread.join()
            node.destroy_node()


def tick(node: Node, graph: LiveGraph, end: threading.Event) -> None:
    """Publish the graph's time on ``/clock`` until ``end``."""
    publisher = node.create_publisher(Clock, "/clock", 10)
    while not end.wait(CLOCK_PERIOD):
        publisher.publish(Clock(clock=time_message(graph.now())))


def source_killed(
    others: dict[str, dict[str, Any]], executable: str, parameters: dict[str, Any]
) -> Outcome:
    """Kill a source in the middle of a sign, and restart it as ``respawn`` does."""
    waits: dict[str, Any] = {"wait_timeout": START_LIMIT}
    if others:
        waits["wait_for"] = list(GRAPH)
    with live_graph(others | {executable: parameters | waits}) as graph:
        monitor = graph.monitor
        graph.until(lambda: monitor.finals, "the first gloss", START_LIMIT)
        graph.kill(executable)
        graph.spin(3.0)  # until the frames it had sent are processed
        monitor.annotated.clear()
        monitor.finals.clear()
        graph.start(executable)
        graph.until(lambda: monitor.annotated, "a sign after the start", START_LIMIT)
        sign = monitor.annotated[0]
        seconds = graph.until(lambda: graph.recognised(sign), "a gloss after the start")
        if seconds > WITHIN:
            raise BrokenError(f"recognized only {seconds:.1f} s after its first sign")
    return Outcome("the graph started a new stream", seconds, "the current sign")


def looped(model: Path, replay: dict[str, Any], wanted: int) -> Outcome:
    """Play bags in a loop with their own stamps, which step back each round."""
    waits = {"wait_for": list(GRAPH), "wait_timeout": START_LIMIT}
    player = replay | waits | {"restamp": False}
    with live_graph(nodes(model, playback=True) | {"replay_node": player}) as graph:
        monitor = graph.monitor
        graph.until(lambda: len(monitor.annotated) >= wanted, "all rounds", START_LIMIT)
        graph.children.end("replay_node")
        graph.spin(LAST_GLOSSES)
        signed = [sign.gloss for sign in monitor.annotated]
        heard = [sign.gloss for sign in monitor.finals]
    if heard[: len(signed)] != signed:
        raise BrokenError(f"signed {' '.join(signed)}, recognized {' '.join(heard)}")
    return Outcome(f"{len(signed)} of {len(signed)} signs of {ROUNDS} rounds", None, "nothing")


def starved(model: Path, replay: dict[str, Any]) -> Outcome:
    """Give ``pipeline`` a quarter of the CPU time for a while."""
    waits = {"wait_timeout": START_LIMIT, "source": "replay"}
    whole = replay | waits | {"model": str(model), **PLAYBACK}
    with live_graph({"pipeline": whole}) as graph:
        monitor = graph.monitor
        graph.until(lambda: monitor.finals, "the first gloss", START_LIMIT)
        end = time.monotonic() + STARVING
        while time.monotonic() < end:
            with graph.stopped("pipeline"):
                graph.spin(SLICE * (1 - SHARE))
            graph.spin(SLICE * SHARE)
        graph.spin(LAST_GLOSSES)
        lost = sum(
            count
            for report in monitor.reports.values()
            for cause, count in report.drops.items()
            if cause.endswith(("missed", "too_late"))
        )
        signed = [
            sign for sign in monitor.annotated if sign.arrival < time.monotonic() - LAST_GLOSSES
        ]
        share = right_share(signed, monitor.finals[: len(signed)])
    if lost:
        raise BrokenError(f"{lost} frames and steps lost")
    if share < 1:
        raise BrokenError(f"{share:.0%} of the signs recognized")
    return Outcome("the queues held all frames", None, "nothing")


def _session(gloss: str, out: Path) -> dict[str, dict[str, Any]]:
    """Return the nodes of a session with two takes by a synthetic signer."""
    session = {"glosses": [gloss], "takes": 2, "signer": "nobody", "out": str(out)}
    timing = {"countdown": 0.5, "rest": 0.0, "exit_at_end": False, "keys": False}
    source = {"prompted": True, "seed": SEED}
    return {"annotation_node": session | timing, "synthetic_node": source}


class _Screen:
    """Tracks the prompts of a session."""

    def __init__(self, graph: LiveGraph) -> None:
        self._graph = graph
        self.last = Prompt()
        graph.monitor.subscribe("prompt", self._on_prompt)

    def _on_prompt(self, prompt: Prompt) -> None:
        self.last = prompt

    def until(self, phase: int, done: int, what: str) -> None:
        """Wait until a phase is shown after a number of takes."""
        shown = (phase, done)
        self._graph.until(lambda: (self.last.phase, self.last.done) == shown, what, START_LIMIT)


def recording_killed(gloss: str, out: Path) -> Outcome:
    """Kill a session in the middle of a take, and restart it with the same arguments."""
    with live_graph(_session(gloss, out)) as graph:
        screen = _Screen(graph)
        screen.until(Prompt.SIGNING, 1, "the second take")
        graph.spin(0.5)
        graph.kill("annotation_node")
        if len(find_takes(out)) != 1:
            raise BrokenError(f"left {len(find_takes(out))} takes of one")
        graph.start("annotation_node")
        screen.until(Prompt.ENDED, 2, "the second take once more")
        left = sorted(path.name for path in out.iterdir() if path.name != LOCK)
        if len(find_takes(out)) != len(left):
            raise BrokenError(f"left {left}, not all of them takes")
    return Outcome("the session resumed with the current take", None, "the current take")


def disk_full(gloss: str, out: Path) -> Outcome:
    """Limit file sizes in the middle of a take, like a full disk, then free the disk."""
    with live_graph(_session(gloss, out)) as graph:
        screen = _Screen(graph)
        go_on = graph.monitor.create_client(Trigger, "annotation_node/pause")
        screen.until(Prompt.SIGNING, 1, "the second take")
        pid = graph.children.pids["annotation_node"]
        _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (FULL, most))
        screen.until(Prompt.PAUSED, 1, "a pause")
        said, left = screen.last.text, sorted(path.name for path in out.iterdir())
        if "cannot be written" not in said or len(find_takes(out)) != 1:
            raise BrokenError(f"said '{said}', and left {left}")
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, most))
        go_on.call_async(Trigger.Request())
        screen.until(Prompt.ENDED, 2, "the second take once more")
        if len(find_takes(out)) != 2:
            raise BrokenError("the take that came again is not there")
    return Outcome("the session paused and then repeated the take", None, "the current take")
