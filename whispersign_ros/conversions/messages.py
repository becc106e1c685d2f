# SPDX-License-Identifier: MIT
"""Convert between messages and NumPy arrays."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from builtin_interfaces.msg import Time
from numpy.typing import NDArray

from whispersign_model.decoding.result import Result
from whispersign_model.features.recipe import Recipe
from whispersign_model.recordings.recording import Coordinates, tracked_frames
from whispersign_model.skeleton import CONFIDENCE, FEATURES, JOINTS, LEFT, RIGHT
from whispersign_model.timestamps import NANOSECONDS
from whispersign_msgs.msg import Gloss, GlossAnnotation, HandFeatures, HandFrame, Vocabulary
from whispersign_msgs.msg import Recipe as RecipeMessage


@dataclass(frozen=True)
class Frame:
    """Both hands at one capture time, as arrays.

    Attributes:
        stamp: capture time, nanoseconds.
        sequence: position in the stream.
        positions: ``(42, 3)`` float32, 0 where not tracked, never NaN.
        confidence: ``(42,)`` float32 in [0, 1], 0 = not tracked.
        untrackable: number of joints marked as tracked without a finite position.
    """

    stamp: int
    sequence: int
    positions: NDArray[np.float32]
    confidence: NDArray[np.float32]
    untrackable: int

    @property
    def hands_tracked(self) -> int:
        """Number of hands with at least one tracked joint: 0, 1 or 2."""
        return int(self.confidence[LEFT].any()) + int(self.confidence[RIGHT].any())


def nanoseconds(time: Time) -> int:
    """Convert a message's time to nanoseconds."""
    return int(time.sec) * NANOSECONDS + int(time.nanosec)


def time_message(stamp: int) -> Time:
    """Convert nanoseconds to a message's time."""
    seconds, remainder = divmod(int(stamp), NANOSECONDS)
    return Time(sec=seconds, nanosec=remainder)


def read_frame(message: HandFrame) -> Frame:
    """Convert a HandFrame to arrays; joints without a finite position become untracked."""
    positions = np.concatenate((message.left_positions, message.right_positions))
    confidence = np.concatenate((message.left_confidence, message.right_confidence))
    if not message.left_tracked:
        confidence[LEFT] = 0
    if not message.right_tracked:
        confidence[RIGHT] = 0
    clean, confidence, untrackable = tracked_frames(positions.reshape(JOINTS, 3), confidence)
    return Frame(
        nanoseconds(message.header.stamp), int(message.sequence), clean, confidence, untrackable
    )


def set_hands(
    message: HandFrame, positions: NDArray[np.float32], confidence: NDArray[np.float32]
) -> None:
    """Write ``(42, 3)`` positions and ``(42,)`` confidence into a HandFrame and set its flags."""
    message.left_positions = positions[LEFT].astype(np.float32).reshape(-1)
    message.right_positions = positions[RIGHT].astype(np.float32).reshape(-1)
    message.left_confidence = confidence[LEFT].astype(np.float32)
    message.right_confidence = confidence[RIGHT].astype(np.float32)
    message.left_tracked = bool(confidence[LEFT].any())
    message.right_tracked = bool(confidence[RIGHT].any())


def frame_message(
    stamp: int,
    sequence: int,
    positions: NDArray[np.float32],
    confidence: NDArray[np.float32],
    *,
    frame_id: str,
    coordinates: Coordinates,
    source: str,
    smoothing: str = "",
) -> HandFrame:
    """Build a HandFrame from ``(42, 3)`` positions and ``(42,)`` confidence."""
    message = HandFrame(
        sequence=sequence, coordinates=int(coordinates), source=source, smoothing=smoothing
    )
    message.header.stamp = time_message(stamp)
    message.header.frame_id = frame_id
    set_hands(message, positions, confidence)
    return message


def features_message(
    stamp: int, sequence: int, features: NDArray[np.float32], *, frame_id: str, recipe_id: str
) -> HandFeatures:
    """Build a HandFeatures from one ``(42, 7)`` step."""
    message = HandFeatures(sequence=sequence, recipe_id=recipe_id)
    message.header.stamp = time_message(stamp)
    message.header.frame_id = frame_id
    message.features = features.astype(np.float32).reshape(-1)
    message.left_tracked = bool(features[LEFT, CONFIDENCE].any())
    message.right_tracked = bool(features[RIGHT, CONFIDENCE].any())
    return message


def read_features(message: HandFeatures) -> tuple[int, NDArray[np.float32]]:
    """Return the stamp in nanoseconds and the ``(42, 7)`` float32 features."""
    features = np.asarray(message.features, dtype=np.float32).reshape(JOINTS, FEATURES)
    return nanoseconds(message.header.stamp), features


def annotation_message(
    start: int,
    end: int,
    glosses: Sequence[str],
    *,
    frame_id: str,
    signer: str,
    keep: bool = True,
    take: int = 0,
) -> GlossAnnotation:
    """Build a GlossAnnotation; times are in nanoseconds, and ``keep=False`` discards the span."""
    message = GlossAnnotation(glosses=list(glosses), signer=signer, take=take)
    message.status = GlossAnnotation.KEEP if keep else GlossAnnotation.DISCARD
    message.start_time = time_message(start)
    # Equal times would mean the whole recording, so a span of one frame ends 1 ns later.
    message.end_time = time_message(max(end, start + 1))
    message.header.stamp = message.end_time
    message.header.frame_id = frame_id
    return message


def vocabulary_message(
    stamp: Time, glosses: Sequence[str], language: str, model_id: str
) -> Vocabulary:
    """Build the Vocabulary that recognition_node publishes with each model."""
    message = Vocabulary(glosses=list(glosses), language=language, model_id=model_id)
    message.header.stamp = stamp
    return message


def recipe_message(stamp: Time, recipe: Recipe, model_id: str) -> RecipeMessage:
    """Build the Recipe that recognition_node publishes with each model."""
    message = RecipeMessage(model_id=model_id, recipe_id=recipe.id, json=recipe.to_json())
    message.header.stamp = stamp
    return message


def gloss_messages(result: Result, frame_id: str, language: str, model_id: str) -> list[Gloss]:
    """Build one Gloss for each gloss of a result, in order of signing."""
    return [
        _gloss_message(result, position, frame_id, language, model_id)
        for position in range(len(result.glosses))
    ]


def _gloss_message(
    result: Result, position: int, frame_id: str, language: str, model_id: str
) -> Gloss:
    gloss = result.glosses[position]
    message = Gloss(
        gloss=gloss.gloss,
        gloss_id=gloss.gloss_id,
        confidence=float(gloss.confidence),
        alternatives=[name for name, _ in gloss.alternatives],
        alternative_confidences=[float(share) for _, share in gloss.alternatives],
        position=position,
        utterance_length=len(result.glosses),
        utterance_id=result.utterance_id,
        final=result.final,
        language=language,
        model_id=model_id,
    )
    message.start_time = time_message(gloss.start)
    message.end_time = time_message(gloss.end)
    message.header.stamp = message.end_time
    message.header.frame_id = frame_id
    return message
