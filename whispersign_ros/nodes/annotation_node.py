# SPDX-License-Identifier: MIT
"""Node ``annotation_node``: runs a recording session and writes a bag for each take."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image
from std_srvs.srv import Trigger

from whispersign_model.errors import WhisperSignError
from whispersign_model.recordings.takes import Take, find_takes, session_folder
from whispersign_msgs.msg import GlossAnnotation, HandFrame, Prompt
from whispersign_ros.conversions.messages import nanoseconds, read_frame
from whispersign_ros.node import qos
from whispersign_ros.node.diagnostics import Diagnostics
from whispersign_ros.node.parameters import ParameterSpec, declare
from whispersign_ros.recording.prompt_plan import PromptPlan, split_glosses
from whispersign_ros.recording.session import ENDED, PromptState, RecordingSession, Timing
from whispersign_ros.recording.take_recorder import TakeRecorder
from whispersign_ros.recording.terminal import Terminal

TICK = 0.05  # seconds between two checks of the clock and the keyboard
PROMPT_PERIOD = 0.2  # seconds between two prompts in a timed phase
SENSORS = ("camera_node", "leap_node")  # may report a fault before their first frame
COMMANDS = ("repeat", "discard", "pause", "next", "stop")
PARAMETERS = (
    ParameterSpec(
        "glosses",
        "",
        "list of glosses to record, or one comma-separated string; A|B is the sentence A B",
        one_or_many=True,
    ),
    ParameterSpec("takes", 6, "number of takes of each gloss by this signer", (1, 1000)),
    ParameterSpec("signer", "", "name of the signer, used for splits by signer"),
    ParameterSpec(
        "out",
        "recordings",
        "output folder for the bags; a new session counts the takes already there",
    ),
    ParameterSpec(
        "shuffle", True, "shuffle the glosses in each round; false keeps the given order"
    ),
    ParameterSpec("seed", 0, "random seed for shuffling", (0, 2**31 - 1)),
    ParameterSpec("countdown", 2.0, "seconds to get ready before each take", (0.0, 60.0)),
    ParameterSpec("signing", 4.0, "maximum duration of a take in seconds", (0.5, 60.0)),
    ParameterSpec(
        "away",
        0.6,
        "seconds without hands after which a take ends early; 0.0 disables this",
        (0.0, 10.0),
    ),
    ParameterSpec("rest", 1.0, "seconds of rest after each take", (0.0, 60.0)),
    ParameterSpec(
        "silence",
        2.0,
        "seconds without a frame after which the session waits for the sensor",
        (0.2, 60.0),
    ),
    ParameterSpec(
        "images",
        "",
        "image topic to record as well, e.g. hands/image or image/compressed; empty records none",
    ),
    ParameterSpec("keys", True, "accept single-key commands if the node runs in a terminal"),
    ParameterSpec("exit_at_end", True, "exit after the last take; false keeps the node running"),
)


class AnnotationNode(Node):
    """Publishes ``prompt`` and ``annotation``, subscribes to ``hands/raw``, and serves commands.

    Args:
        on_end: called after the last take if ``exit_at_end`` is set.
        also_known: names of parameters that other nodes in the process declare.
        arguments: passed to ``rclpy.node.Node``.

    Raises:
        WhisperSignError: a parameter is invalid, or the output folder is unusable.
    """

    def __init__(
        self, on_end: Callable[[], None], also_known: Sequence[str] = (), **arguments: Any
    ) -> None:
        self._held = ExitStack()  # rclpy may destroy a partly constructed node
        self._recorder: TakeRecorder | None = None
        super().__init__(
            "annotation_node", automatically_declare_parameters_from_overrides=True, **arguments
        )
        values = declare(self, PARAMETERS, also_known)
        self._on_end = on_end if values["exit_at_end"] else lambda: None
        out = Path(values["out"]).expanduser()
        unfinished = self._held.enter_context(session_folder(out))
        found = find_takes(out)
        seed = values["seed"] if values["shuffle"] else None
        names = _names(values["glosses"])
        self.plan = PromptPlan(names, values["takes"], values["signer"], found, seed)
        self._prompts = qos.publish(self, Prompt, "prompt", qos.STATE)
        annotations = qos.publish(self, GlossAnnotation, "annotation", qos.ANNOTATION)
        topic, labels = map(self.resolve_topic_name, ("hands/raw", "annotation"))
        self.diagnostics = Diagnostics(self, "hands/raw", "whispersign_msgs/msg/HandFrame")
        recorder = TakeRecorder(out, topic, labels, annotations.publish, self._now)
        timing = Timing(*(values[name] for name in Timing.__dataclass_fields__))
        self.session = RecordingSession(self.plan, timing, recorder, topic, time.monotonic())
        self._terminal = self._held.enter_context(Terminal(values["keys"]))
        self._terminal.welcome(self.plan, out, unfinished)
        self._shown: PromptState | None = None
        self._shown_at = 0.0
        self._offered = [
            self.create_service(Trigger, f"~/{name}", partial(self._serve, name))
            for name in COMMANDS
        ]
        self._recorder = recorder
        self._listen(values["images"])
        self._show()

    def destroy_node(self) -> None:
        """Drop an unfinished take, publish its annotation, and destroy the node."""
        if self._recorder is not None:
            if rclpy.ok():
                self.stop()
            self._recorder.close()
        self._held.close()
        super().destroy_node()

    def stop(self) -> None:
        """End the session and publish its last prompt."""
        if self.session.phase != ENDED:
            self.session.stop()
            self._show()

    def _listen(self, images: str) -> None:
        self._hands = qos.HandsInput(self, "hands/raw", self._on_frame)
        qos.subscribe(self, DiagnosticArray, "/diagnostics", qos.DIAGNOSTICS, self._on_diagnostics)
        if images:
            kind, name = (
                (CompressedImage, "sensor_msgs/msg/CompressedImage")
                if images.endswith("/compressed")
                else (Image, "sensor_msgs/msg/Image")
            )
            take = partial(self._on_image, self.resolve_topic_name(images), name)
            self._images = qos.AdaptiveSubscription(
                self, kind, images, take, qos.IMAGES_RECORDED, raw=True
            )
        self._ticks = self.create_timer(
            TICK, self._tick, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )

    def _on_frame(self, message: HandFrame) -> None:
        assert self._recorder is not None
        self.diagnostics.arrived(nanoseconds(message.header.stamp))
        try:
            self._recorder.take_frame(message)
        except WhisperSignError as error:
            self.session.fail(error)
        frame = read_frame(message)
        self.session.frame(frame.stamp, frame.sequence, frame.hands_tracked, time.monotonic())
        self._show()

    def _on_image(self, topic: str, kind: str, data: bytes) -> None:
        assert self._recorder is not None
        try:
            self._recorder.take_bytes(topic, kind, data)
        except WhisperSignError as error:
            self.session.fail(error)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        """Record a fault of the publisher of ``hands/raw`` or of a sensor in this namespace."""
        for status in message.status:
            if status.level == DiagnosticStatus.ERROR and status.name in self._sensors():
                name = status.name.rpartition("/")[2]
                self.session.trouble = f"{name}: {status.message}"

    def _sensors(self) -> set[str]:
        found = self.get_publishers_info_by_topic(self.resolve_topic_name("hands/raw"))
        beside = {f"{self.get_namespace().rstrip('/')}/{name}" for name in SENSORS}
        return beside | {f"{each.node_namespace.rstrip('/')}/{each.node_name}" for each in found}

    def _tick(self) -> None:
        for command in self._terminal.commands():
            self._terminal.tell(self._do(command)[1])
        self.session.tick(time.monotonic())
        self._show()

    def _serve(
        self, command: str, request: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        response.success, response.message = self._do(command)
        self._show()
        return response

    def _do(self, command: str) -> tuple[bool, str]:
        """Carry out a command; return whether it succeeded, and a message."""
        now = time.monotonic()
        actions: dict[str, Callable[[], str]] = {
            "repeat": lambda: self.session.repeat(now),
            "discard": lambda: self.session.discard(now),
            "pause": lambda: self.session.pause(now),
            "next": lambda: self.session.skip(now),
            "stop": self.session.stop,
        }
        try:
            return True, actions[command]()
        except WhisperSignError as error:
            return False, str(error)

    def _show(self) -> None:
        """Publish the prompt if it has changed, and periodically during a timed phase."""
        shown, now = self.session.shown, time.monotonic()
        left = self.session.seconds_left(now)
        changed = shown != self._shown
        if not changed and not (left and now - self._shown_at >= PROMPT_PERIOD):
            return
        self._shown, self._shown_at = shown, now
        self._prompts.publish(self._message(shown, left))
        self._terminal.show(shown, left)
        self.diagnostics.show("done", f"{shown.done} of {shown.total}")
        if changed and shown.phase == ENDED:
            self._terminal.farewell(self.plan)
            self._on_end()

    def _message(self, shown: PromptState, left: float) -> Prompt:
        take = shown.take or Take("", 0, self.plan.signer)
        message = Prompt(
            phase=shown.phase,
            gloss=take.gloss,
            take=take.number,
            next_gloss=shown.next_gloss,
            signer=take.signer,
            text=shown.text,
            seconds_left=left,
            done=shown.done,
            total=shown.total,
        )
        message.header.stamp = self.get_clock().now().to_msg()
        return message

    def _now(self) -> int:
        return int(self.get_clock().now().nanoseconds)


def _names(given: str | Sequence[str]) -> list[str]:
    words = [given] if isinstance(given, str) else given
    return [gloss for word in words for gloss in split_glosses(word)]
