# SPDX-License-Identifier: MIT
"""Node ``recognition_node``: turns ``hands/features`` into glosses."""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.subscription import Subscription

from whispersign_model.bundled import find_checkpoint
from whispersign_model.decoding.result import Result
from whispersign_model.decoding.streaming import RecognizerOptions, StreamingRecognizer
from whispersign_model.errors import CheckpointError
from whispersign_model.network.checkpoint import CheckpointMetadata, read_metadata
from whispersign_model.runtime.loading import load_backend
from whispersign_msgs.msg import Gloss, HandFeatures, Recipe, Vocabulary
from whispersign_ros.conversions import messages
from whispersign_ros.node import qos
from whispersign_ros.node.diagnostics import FAST_PERIOD, Condition, Diagnostics
from whispersign_ros.node.live_gate import MAX_AGE, Admission, LiveInput
from whispersign_ros.node.managed_node import ACTIVE, AUTOSTART, ManagedNode
from whispersign_ros.node.parameters import MODEL, Change, ParameterSpec
from whispersign_ros.node.recipe_sync import GracePeriod
from whispersign_ros.node.stream_monitor import InputWatchdog, SequenceTracker
from whispersign_ros.recognition.action_server import RecognizeServer
from whispersign_ros.recognition.worker import LiveClock, Recognition, RecognitionWorker, Step


def _option(name: str, description: str, limits: tuple[float, float]) -> ParameterSpec:
    return ParameterSpec(name, getattr(RecognizerOptions(), name), description, limits)


# Parameters with the same names as in RecognizerOptions.
ENDPOINTS = (
    _option(
        "early_absent_timeout",
        "seconds without hands after which glosses become final if the network is certain",
        (0.05, 10.0),
    ),
    _option(
        "early_rest_timeout",
        "seconds of resting hands after which glosses become final if the network is certain",
        (0.05, 10.0),
    ),
    _option("absent_timeout", "seconds without hands after which an utterance ends", (0.05, 10.0)),
    _option(
        "trailing_silence_timeout",
        "seconds of resting hands after which an utterance ends",
        (0.05, 10.0),
    ),
    _option(
        "max_length",
        "maximum length of an utterance in seconds; longer ones are split between two glosses",
        (1.5, 60.0),
    ),
    _option("chunk", "steps (of 4 frames) decoded at a time for partial results", (1, 64)),
    _option(
        "min_confidence", "minimum confidence of glosses published on the topic gloss", (0.0, 1.0)
    ),
)
PARAMETERS = (
    MODEL,
    ParameterSpec(
        "device",
        "auto",
        "device that runs the network; auto uses a GPU if available (.onnx: with onnxruntime-gpu)",
        choices=("auto", "cpu", "cuda"),
    ),
    ParameterSpec("threads", 1, "number of CPU threads for the network", (1, 64)),
    MAX_AGE,
    *ENDPOINTS,
    ParameterSpec(
        "idle_timeout",
        2.0,
        "seconds without features after which an utterance ends; must exceed preprocessing_node's"
        " idle_timeout",
        (0.05, 60.0),
    ),
    ParameterSpec(
        "queue_size", 1200, "maximum number of feature steps in the queue", (60, 100_000)
    ),
    AUTOSTART,
)


class RecognitionNode(ManagedNode):
    """Publishes final results on ``gloss`` and partial ones on ``gloss_partial``.

    Configuring the node reads the model's metadata and publishes the vocabulary and the recipe.
    Activating it loads the network and starts recognition and the action ``recognize``.

    Args:
        also_known: parameter names of other nodes in the process.
        table: the parameters.
        arguments: for ``rclpy.node.Node``.

    Raises:
        WhisperSignError: a parameter is invalid, or ``autostart`` is set and the model is unusable.
    """

    def __init__(
        self,
        also_known: Sequence[str] = (),
        table: Sequence[ParameterSpec] = PARAMETERS,
        **arguments: Any,
    ) -> None:
        self._worker: RecognitionWorker | None = None
        self._subscription: Subscription | None = None
        self._watchdog: InputWatchdog | None = None
        self._server: RecognizeServer | None = None
        super().__init__("recognition_node", table, also_known, **arguments)
        self._topic = self.resolve_topic_name("hands/features")
        self.diagnostics = Diagnostics(
            self, "hands/features", "whispersign_msgs/msg/HandFeatures", self.condition, FAST_PERIOD
        )
        self._gloss = qos.publish(self, Gloss, "gloss", qos.GLOSS)
        self._partial = qos.publish(self, Gloss, "gloss_partial", qos.GLOSS_PARTIAL)
        self._vocabulary = qos.publish(self, Vocabulary, "vocabulary", qos.VOCABULARY)
        self._recipe = qos.publish(self, Recipe, "recipe", qos.RECIPE)
        self._metadata: CheckpointMetadata | None = None
        self._grace_period = GracePeriod()  # for recipes
        self._frame_id = ""
        self._sequence = SequenceTracker()
        self._restart_pending = False  # rejected features began a stream
        self._live: LiveInput | None = None
        self._refusing = False  # several sources send features
        self._announced: CheckpointMetadata | None = None
        self._utterances = self._streams = 0  # in earlier activations
        self._server = RecognizeServer(self, self._recognisable)
        self.begin()

    @property
    def at_rest(self) -> bool:
        """Whether ``idle_timeout`` has passed since the last features and all results are out."""
        heard = self._watchdog is not None and self._watchdog.armed
        return not heard and (self._worker is None or self._worker.at_rest)

    def condition(self) -> Condition | None:
        """Return an error while recognition does not work; command_node then stops the robot."""
        if self.state != ACTIVE:
            return DiagnosticStatus.ERROR, f"{self.state}: recognition is off"
        worker = self._worker
        fault = worker.fault if worker is not None else ""
        return (DiagnosticStatus.ERROR, fault) if fault else None

    def destroy_node(self) -> None:
        """Stop recognition, and destroy the node."""
        if self._server is not None:
            self._server.destroy()
        super().destroy_node()

    def _changes(self) -> dict[str, Change]:
        return {"model": self._change_model}

    def _change_model(self, value: str) -> None:
        """Switch to another model after the current one has finished the utterance.

        The worker announces the new model after the last gloss of the previous one.

        Raises:
            CheckpointError: the new model is unusable; the current one stays in use.
        """
        path = find_checkpoint(value)
        metadata = read_metadata(path)
        recognition = self._load(path, metadata) if self._worker is not None else None
        if self._metadata is None:
            return
        self._grace_period.start(self._metadata.recipe.id)
        self._metadata = metadata
        if self._worker is not None and recognition is not None:
            self._worker.switch(recognition)
        else:
            self._announce(metadata)

    def _recognisable(self) -> Collection[str] | None:
        return self._metadata.glosses if self._worker and self._metadata else None

    def _configure(self) -> None:
        self._metadata = read_metadata(find_checkpoint(self.values["model"]))
        self._announce(self._metadata)

    def _announce(self, metadata: CheckpointMetadata) -> None:
        """Publish the model's vocabulary, and its recipe for the upstream nodes.

        The worker calls it after a change, and the executor otherwise.
        """
        self._announced = metadata
        self._grace_period.extend()
        now = self.get_clock().now().to_msg()
        self._vocabulary.publish(
            messages.vocabulary_message(now, metadata.glosses, metadata.language, metadata.model_id)
        )
        self._recipe.publish(messages.recipe_message(now, metadata.recipe, metadata.model_id))
        self.diagnostics.show("model", metadata.model_id)
        if self._server is not None:
            self._server.changed(metadata.glosses)

    def _activate(self) -> None:
        metadata, path = self._metadata, find_checkpoint(self.values["model"])
        assert metadata is not None
        if read_metadata(path) != metadata:
            raise CheckpointError(path, "has changed since it was read", "configure again")
        recognition = self._load(path, metadata)
        if self._announced != metadata:  # deactivation came before the end of a change
            self._announce(metadata)
        recognition.recognizer.utterance_id = self._utterances
        max_age, capacity = self.values["max_age"], self.values["queue_size"]
        self._live = LiveInput(self, "hands/features", self.diagnostics, max_age, "steps")
        clock = LiveClock(lambda: int(self.get_clock().now().nanoseconds), max_age)
        self._worker = RecognitionWorker(
            recognition, self.diagnostics, capacity, clock, self._streams
        )
        self._sequence, self._restart_pending = SequenceTracker(), True
        self._watchdog = InputWatchdog(self, self.values["idle_timeout"], self._worker.finish)
        profile = qos.FEATURES_INPUT_LIVE if max_age else qos.FEATURES_INPUT
        self._subscription = qos.subscribe(
            self, HandFeatures, "hands/features", profile, self._on_features
        )

    def _load(self, path: Path, metadata: CheckpointMetadata) -> Recognition:
        """Load a network for recognition."""
        options = RecognizerOptions(
            **{setting.name: self.values[setting.name] for setting in ENDPOINTS}
        )
        backend = load_backend(path, self.values["device"], self.values["threads"])
        if backend.notice:
            self.get_logger().warning(backend.notice)
        self.diagnostics.show("device", backend.device)
        self.get_logger().info(
            f"recognizing {len(metadata.glosses)} glosses with {metadata.model_id} "
            f"on {backend.device}"
        )
        recognizer = StreamingRecognizer(
            backend, metadata.glosses, options, metadata.recipe, metadata.confidence
        )
        return Recognition(
            recognizer, partial(self._publish, metadata), partial(self._announce, metadata)
        )

    def _release(self) -> None:
        if self._subscription is not None:
            self.destroy_subscription(self._subscription)
        if self._watchdog is not None:
            self._watchdog.destroy()
        if self._worker is not None:
            self._utterances = self._worker.stop()
            self._streams = self._worker.stream
        if self._server is not None:
            self._server.stop(f"{self.get_name()} has been deactivated")
        self._subscription = self._watchdog = self._worker = None

    def _forget(self) -> None:
        self._metadata = None

    def _on_features(self, message: HandFeatures, info: Mapping[str, Any]) -> None:
        worker, watchdog, server = self._worker, self._watchdog, self._server
        if worker is None or watchdog is None or server is None:
            return
        stamp, features = messages.read_features(message)
        self.diagnostics.arrived(stamp)
        if not self._admits(worker, message, stamp, info):
            return
        restart = self._sequence.update(message.sequence)
        if self._sequence.missed and not self._restart_pending:
            self.diagnostics.dropped("steps_missed", count=self._sequence.missed)
        if not self._accepts(message):
            self._restart_pending |= restart
            return
        restart, self._restart_pending = restart or self._restart_pending, False
        watchdog.feed()
        self._frame_id = message.header.frame_id
        self.diagnostics.show("hands_tracked", message.left_tracked + message.right_tracked)
        server.heard(stamp, restart)
        worker.push(Step(stamp, features, restart))

    def _admits(
        self, worker: RecognitionWorker, message: HandFeatures, stamp: int, info: Mapping[str, Any]
    ) -> bool:
        """Return whether features are recent and of the only source.

        Once several sources send, the open utterance is discarded.
        """
        assert self._live is not None
        admission = self._live.admit(info, message.sequence, stamp)
        if admission is Admission.REFUSED and not self._refusing:
            worker.discard()
        self._refusing = admission is Admission.REFUSED
        self._restart_pending |= admission is Admission.FIRST
        return admission.admitted

    def _accepts(self, message: HandFeatures) -> bool:
        """Return whether features match the model; count those that do not."""
        assert self._metadata is not None
        wanted = self._metadata.recipe.id
        if message.recipe_id == wanted:
            self.diagnostics.accept()
            return True
        if self._grace_period.accepts(message.recipe_id):
            self.diagnostics.dropped("steps_of_previous_model")
        else:
            self.diagnostics.refuse(
                f"{self._topic}: features have recipe {message.recipe_id}, the model requires "
                f"{wanted}; give preprocessing_node the same model"
            )
        return False

    def _publish(self, metadata: CheckpointMetadata, result: Result) -> None:
        """Publish a result; called by the worker."""
        publisher = self._gloss if result.final else self._partial
        language, model_id = metadata.language, metadata.model_id
        glosses = messages.gloss_messages(result, self._frame_id, language, model_id)
        for message in glosses:
            publisher.publish(message)
        if result.final:
            rule = result.endpoint.value if result.endpoint else "detection"
            self.get_logger().debug(f"utterance {result.utterance_id} is final: {rule}")
        if self._server is not None:
            self._server.give(result.final, glosses)
