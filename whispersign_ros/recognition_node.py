"""Node ``recognition_node``: ``hands/features`` turned into glosses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from rclpy.subscription import Subscription

from whispersign_model.decoding.streaming import RecognizerOptions, Result, StreamingRecognizer
from whispersign_model.errors import CheckpointError
from whispersign_model.features.streams import Admission, StreamClock
from whispersign_model.network.checkpoint import CheckpointMetadata, read_metadata
from whispersign_model.runtime.backend import Backend
from whispersign_model.runtime.loading import load_backend
from whispersign_msgs.msg import Gloss, HandFeatures, Vocabulary
from whispersign_ros import qos
from whispersign_ros.assets import find_model
from whispersign_ros.diagnostics import Diagnostics
from whispersign_ros.lifecycle import AUTOSTART, ManagedNode
from whispersign_ros.messages import gloss_messages, read_features, vocabulary_message
from whispersign_ros.parameters import MODEL, Setting
from whispersign_ros.process import run
from whispersign_ros.recognition_worker import RecognitionWorker, Step
from whispersign_ros.stream import Seams, Silence

_DEFAULTS = RecognizerOptions()

# Parameters with the names of RecognizerOptions.
ENDPOINTS = (
    Setting(
        "sure_absent_timeout",
        _DEFAULTS.sure_absent_timeout,
        "seconds without a hand that end an utterance the network is sure of",
        0.05,
        10.0,
    ),
    Setting(
        "sure_rest_timeout",
        _DEFAULTS.sure_rest_timeout,
        "seconds of resting hands that end an utterance the network is sure of",
        0.05,
        10.0,
    ),
    Setting(
        "absent_timeout",
        _DEFAULTS.absent_timeout,
        "seconds without a hand that end an utterance",
        0.05,
        10.0,
    ),
    Setting(
        "blank_timeout",
        _DEFAULTS.blank_timeout,
        "seconds of resting hands and no gloss, after at least one, that end an utterance",
        0.05,
        10.0,
    ),
    Setting(
        "max_length",
        _DEFAULTS.max_length,
        "seconds after which an utterance is cut between two glosses",
        1.5,
        60.0,
    ),
    Setting(
        "chunk", _DEFAULTS.chunk, "steps of 4 frames read at a time for partial results", 1, 64
    ),
    Setting(
        "min_confidence",
        _DEFAULTS.min_confidence,
        "a gloss with less confidence is not published on gloss",
        0.0,
        1.0,
    ),
)
TABLE = (
    MODEL,
    Setting(
        "device",
        "auto",
        "where the network runs; auto: a GPU where there is one",
        choices=("auto", "cpu", "cuda"),
    ),
    Setting("threads", 1, "CPU threads of the network", 1, 64),
    *ENDPOINTS,
    Setting(
        "idle_timeout",
        2.0,
        "seconds without features that end an utterance; longer than that of preprocessing_node",
        0.05,
        60.0,
    ),
    Setting("queue_size", 1200, "steps of features that may wait for the network", 60, 100_000),
    AUTOSTART,
)


class RecognitionNode(ManagedNode):
    """Publishes final glosses on ``gloss``, changing ones on ``gloss_partial``.

    Configured it has read what the model says of itself and publishes the vocabulary; active it
    holds the network and recognises.

    Raises:
        WhisperSignError: a parameter is at fault or, with ``autostart``, the model.
    """

    def __init__(self, also_known: Sequence[str] = (), **arguments: Any) -> None:
        self._worker: RecognitionWorker | None = None
        self._subscription: Subscription | None = None
        self._silence: Silence | None = None
        super().__init__("recognition_node", TABLE, also_known, **arguments)
        self._topic = self.resolve_topic_name("hands/features")
        self.diagnostics = Diagnostics(self, "hands/features", "whispersign_msgs/msg/HandFeatures")
        self._gloss = qos.publish(self, Gloss, "gloss", qos.GLOSS)
        self._partial = qos.publish(self, Gloss, "gloss_partial", qos.GLOSS_PARTIAL)
        self._vocabulary = qos.publish(self, Vocabulary, "vocabulary", qos.VOCABULARY)
        self._metadata: CheckpointMetadata | None = None
        self._frame_id = ""
        self._seams = Seams()
        self._order = StreamClock()
        self.begin()

    @property
    def at_rest(self) -> bool:
        """No features have come for ``idle_timeout`` and everything is published."""
        heard = self._silence is not None and self._silence.waiting
        return not heard and (self._worker is None or self._worker.at_rest)

    def _configure(self) -> None:
        metadata = read_metadata(find_model(self.values["model"]))
        self._metadata = metadata
        now = self.get_clock().now().to_msg()
        self._vocabulary.publish(
            vocabulary_message(now, metadata.glosses, metadata.language, metadata.model_id)
        )
        self.diagnostics.show("model", metadata.model_id)

    def _activate(self) -> None:
        metadata = self._metadata
        assert metadata is not None
        options = RecognizerOptions(
            **{setting.name: self.values[setting.name] for setting in ENDPOINTS}
        )
        backend = self._load_backend()
        recognizer = StreamingRecognizer(
            backend, metadata.glosses, options, metadata.recipe.rate, metadata.confidence
        )
        self._worker = RecognitionWorker(
            recognizer, self._publish, self.diagnostics, self.values["queue_size"]
        )
        self._seams = Seams()
        self._order.reset()
        self._silence = Silence(self, self.values["idle_timeout"], self._worker.finish)
        self._subscription = qos.subscribe(
            self, HandFeatures, "hands/features", qos.FEATURES_INPUT, self._take
        )
        self.get_logger().info(
            f"recognising {len(metadata.glosses)} glosses with {metadata.model_id} "
            f"on {backend.device}"
        )

    def _load_backend(self) -> Backend:
        path = find_model(self.values["model"])
        if read_metadata(path) != self._metadata:
            raise CheckpointError(path, "has changed since it was read", "configure again")
        backend = load_backend(path, self.values["device"], self.values["threads"])
        if backend.notice:
            self.get_logger().warning(backend.notice)
        self.diagnostics.show("device", backend.device)
        return backend

    def _release(self) -> None:
        if self._subscription is not None:
            self.destroy_subscription(self._subscription)
        if self._silence is not None:
            self._silence.destroy()
        if self._worker is not None:
            self._worker.stop()
        self._subscription = self._silence = self._worker = None

    def _forget(self) -> None:
        self._metadata = None

    def _take(self, message: HandFeatures) -> None:
        worker, silence, metadata = self._worker, self._silence, self._metadata
        if worker is None or silence is None or metadata is None:
            return
        stamp, features = read_features(message)
        self.diagnostics.arrived(stamp)
        if message.recipe_id != metadata.recipe.id:
            self.diagnostics.refuse(
                f"{self._topic}: features of recipe {message.recipe_id}, the model's is "
                f"{metadata.recipe.id}; give preprocessing_node the same model"
            )
            return
        self.diagnostics.accept()
        silence.broken()
        seam = self._seams.at(message.sequence)
        if seam:
            self._order.reset()
        if self._seams.missed:
            self.diagnostics.dropped("steps_missed", count=self._seams.missed)
        admission = self._order.admit(stamp)
        if admission is Admission.DROP:
            self.diagnostics.dropped("steps_out_of_order")
            return
        if not np.isfinite(features).all():
            self.diagnostics.dropped("steps_not_finite")
            return
        self._frame_id = message.header.frame_id
        self.diagnostics.show("hands_tracked", message.left_tracked + message.right_tracked)
        worker.push(Step(stamp, features, seam or admission is Admission.START))

    def _publish(self, result: Result) -> None:
        """Publish a result; called by the worker."""
        metadata = self._metadata
        if metadata is None:
            return
        publisher = self._gloss if result.final else self._partial
        for message in gloss_messages(result, self._frame_id, metadata.language, metadata.model_id):
            publisher.publish(message)


def main() -> int:
    """Run the executable ``recognition_node``."""
    return run("recognition_node", lambda end: [RecognitionNode()], __doc__ or "", TABLE)


if __name__ == "__main__":
    raise SystemExit(main())
