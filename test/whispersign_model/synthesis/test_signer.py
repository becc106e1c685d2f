# SPDX-License-Identifier: MIT
from dataclasses import replace

import numpy as np
import pytest

from whispersign_model.errors import ConfigError
from whispersign_model.recordings.recording import Coordinates, Recording
from whispersign_model.skeleton import BONES, LEFT, RIGHT
from whispersign_model.synthesis.corpus import random_sentence
from whispersign_model.synthesis.hand import clamp
from whispersign_model.synthesis.hand_trajectory import GRID
from whispersign_model.synthesis.sensor import SensorModel
from whispersign_model.synthesis.signer import AwayItem, HoldItem, IdleItem, Signer, SignItem
from whispersign_model.synthesis.style import SignerStyle
from whispersign_model.timestamps import NANOSECONDS

IDEAL = SensorModel.ideal(100.0)
SENTENCE = ["HELLO", "GO", "MORE", "AGAIN", "STOP"]


def same(first: Recording, second: Recording) -> bool:
    return all(
        np.array_equal(getattr(first, name), getattr(second, name))
        for name in ("stamps", "positions", "confidence")
    )


def standard(left_handed: bool = False, naturalness: float = 0.0) -> Signer:
    style = replace(SignerStyle(), left_handed=left_handed)
    return Signer(0, style, sensor=IDEAL, naturalness=naturalness)


def drawn(seed: int) -> Signer:
    return Signer(seed, sensor=IDEAL)


def test_the_seed_decides_everything() -> None:
    recording = Signer(5).sign_sentence(SENTENCE, take=1)
    again = Signer(5).sign_sentence(SENTENCE, take=1)
    assert same(recording, again)
    assert recording.segments == again.segments
    assert not same(recording, Signer(6).sign_sentence(SENTENCE, take=1))
    assert not same(recording, Signer(5).sign_sentence(SENTENCE, take=2))


def test_what_was_recorded_before_changes_nothing() -> None:
    signer = Signer(5)
    signer.sign_sentence(["STOP"])
    assert same(signer.sign_sentence(SENTENCE), Signer(5).sign_sentence(SENTENCE))


def test_the_sensor_changes_nothing_about_the_movement() -> None:
    leap, ideal = (Signer(5, sensor=s).sign_sentence(SENTENCE) for s in (SensorModel(), IDEAL))
    assert leap.segments == ideal.segments
    frame = len(ideal) // 2
    near = int(np.abs(leap.stamps - ideal.stamps[frame]).argmin())
    error = np.linalg.norm(leap.positions[near, RIGHT] - ideal.positions[frame, RIGHT], axis=-1)
    assert np.median(error) < 0.02


def test_what_a_recording_says_about_itself() -> None:
    start = 1_700_000_000 * NANOSECONDS
    recording = Signer(7, name="anna").sign_sentence(SENTENCE, start=start)
    assert recording.glosses == tuple(SENTENCE)
    assert (recording.signer, recording.source) == ("anna", "synthetic")
    assert recording.coordinates is Coordinates.METRIC_SENSOR
    assert start <= recording.stamps[0] < start + 20_000_000
    assert recording.positions.dtype == recording.confidence.dtype == np.float32
    assert (np.diff(recording.stamps) > 0).all()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_bones_keep_their_lengths_over_time(seed: int) -> None:
    positions = drawn(seed).sign_sentence(SENTENCE).positions
    for hand in (LEFT, RIGHT):
        joints = positions[:, hand]
        for first, second in BONES:
            length = np.linalg.norm(joints[:, first] - joints[:, second], axis=-1)
            assert np.ptp(length) < 1e-5


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_joint_limits_are_respected(seed: int) -> None:
    script = [SignItem(gloss) for gloss in SENTENCE] + [IdleItem("random", 2.0)]
    for trajectory in drawn(seed).perform(script).trajectories:
        np.testing.assert_allclose(trajectory.angles, clamp(trajectory.angles), atol=1e-12)


def test_a_left_handed_signer_is_the_mirror_image() -> None:
    right = standard(naturalness=1.0).sign_sentence(SENTENCE).positions
    left = standard(left_handed=True, naturalness=1.0).sign_sentence(SENTENCE).positions
    np.testing.assert_allclose(left[:, LEFT], right[:, RIGHT] * [-1, 1, 1], atol=1e-6)
    np.testing.assert_allclose(left[:, RIGHT], right[:, LEFT] * [-1, 1, 1], atol=1e-6)


@pytest.mark.parametrize(("gloss", "direction"), [("LEFT", -1), ("RIGHT", 1)])
@pytest.mark.parametrize("left_handed", [False, True])
def test_left_and_right_mean_the_same_for_everybody(
    gloss: str, direction: int, left_handed: bool
) -> None:
    recording = standard(left_handed).sign_sentence([gloss])
    segment = recording.segments[0]
    stroke = recording.between(segment.start, segment.end).positions
    wrist = stroke[:, LEFT if left_handed else RIGHT][:, 0]
    assert direction * (wrist[-1] - wrist[0])[0] > 0.13
    tip = stroke[:, LEFT if left_handed else RIGHT][:, 8]
    assert (direction * (tip - wrist)[:, 0] > 0.1).all()  # it points there too


@pytest.mark.parametrize("seed", range(4))
def test_movements_are_as_fast_as_people_and_never_jump(seed: int) -> None:
    signer = drawn(seed)
    vocabulary = signer.lexicon.glosses
    sentence = random_sentence(np.random.default_rng(seed), vocabulary, (12, 12), 0.2)
    performance = signer.perform([AwayItem(0.3), *map(SignItem, sentence), AwayItem(0.3)])
    joints = performance.joints(np.arange(performance.duration * GRID) / GRID)
    velocity = np.diff(joints, axis=0) * GRID
    wrist = np.linalg.norm(velocity[:, :, 0], axis=-1)
    assert 0.8 < wrist.max() < 2.5
    assert np.linalg.norm(velocity, axis=-1).max() < 4.5  # fingertips
    acceleration = np.linalg.norm(np.diff(velocity[:, :, 0], axis=0), axis=-1) * GRID
    assert acceleration.max() < 80


def test_labels_cover_the_strokes() -> None:
    recording = standard().sign_sentence(["STOP", "UP", "THANKS", "ON"])
    ends = [time for segment in recording.segments for time in (segment.start, segment.end)]
    assert ends == sorted(ends)
    assert recording.stamps[0] < ends[0]
    assert ends[-1] < recording.stamps[-1]
    wrist = recording.positions[:, RIGHT][:, 0]
    speed = np.linalg.norm(np.gradient(wrist, recording.stamps / NANOSECONDS, axis=0), axis=1)
    for time in ends:  # a stroke begins and ends where the hand is all but still
        assert speed[np.abs(recording.stamps - time).argmin()] < 0.2
    stop, up, *_ = recording.segments
    for segment, axis, length in ((stop, 2, -0.14), (up, 1, 0.16)):
        stroke = recording.between(segment.start, segment.end).positions[:, RIGHT][:, 0, axis]
        assert stroke[-1] - stroke[0] == pytest.approx(length, abs=0.01)


def test_the_same_sign_twice_is_made_twice() -> None:
    recording = standard().sign_sentence(["GO", "GO"])
    first, second = recording.segments
    assert second.start - first.end > 0.2 * NANOSECONDS
    forward = -recording.positions[:, RIGHT][:, 0, 2]
    for segment in (first, second):
        inside = (recording.stamps >= segment.start) & (recording.stamps <= segment.end)
        stroke = forward[inside]
        assert stroke[-1] - stroke[0] > 0.15
    between = (recording.stamps > first.end) & (recording.stamps < second.start)
    height = recording.positions[:, RIGHT][:, 0, 1]
    assert height[between].min() < height[inside].min() - 0.02  # it draws back in between


def test_hands_that_were_away_do_not_draw_back() -> None:
    signer = standard()

    def lowest(script: list) -> float:
        joints = signer.record(script).positions[:, RIGHT]
        return float(joints[..., 1].min())

    away = AwayItem(0.5)
    once = lowest([away, SignItem("GO"), away])
    assert lowest([SignItem("GO"), away, SignItem("GO")]) == pytest.approx(once, abs=1e-3)


def test_a_sign_that_holds_still_is_told_apart_when_repeated() -> None:
    recording = standard().sign_sentence(["ON", "ON"])
    first, second = recording.segments
    between = recording.between(first.end, second.start).positions[:, RIGHT]
    opened = np.linalg.norm(between[:, 8] - between[:, 0], axis=-1)
    assert opened[0] > 0.15 > 0.11 > opened[-1]  # from the open hand back to the fist


def test_hands_are_away_before_after_and_between_sentences() -> None:
    recording = Signer(3).sign_sentences([["STOP"], ["OPEN"]], between=1.5)
    there = recording.confidence.max(axis=1) > 0
    assert not there[:10].any()
    assert not there[-20:].any()
    first, second = recording.segments
    pause = (recording.stamps > first.end) & (recording.stamps < second.start)
    assert (recording.stamps[pause & ~there].size) > 60  # over a second at 60 Hz
    for segment in recording.segments:
        inside = (recording.stamps >= segment.start) & (recording.stamps <= segment.end)
        assert there[inside].mean() > 0.9


def test_the_second_hand_joins_two_handed_signs_only() -> None:
    signer = Signer(0, SignerStyle(), sensor=SensorModel.ideal(60, bounded=True))
    recording = signer.sign_sentence(["STOP", "OPEN", "YES", "NO"])
    seen = [
        recording.between(s.start, s.end).confidence[:, LEFT].max(axis=1).mean()
        for s in recording.segments
    ]
    assert seen[0] == 0
    assert seen[1] == 1
    assert seen[3] == 0


def test_a_held_pause_keeps_the_hands_up() -> None:
    signer = standard()
    short = signer.perform([SignItem("STOP"), SignItem("YES")])
    held = signer.perform([SignItem("STOP"), HoldItem(1.0), SignItem("YES")])
    longer = held.signs[1].start - short.signs[1].start
    assert longer == pytest.approx(1.0, abs=0.02)


def test_tempo_and_amplitude_belong_to_the_signer() -> None:
    quick = Signer(0, replace(SignerStyle(), tempo=1.4), sensor=IDEAL, naturalness=0)
    large = Signer(0, replace(SignerStyle(), amplitude=1.3), sensor=IDEAL, naturalness=0)
    plain = standard()

    def stroke(signer: Signer) -> tuple[float, float]:
        recording = signer.sign_sentence(["GO"])
        segment = recording.segments[0]
        inside = recording.between(segment.start, segment.end)
        return inside.duration, float(np.ptp(inside.positions[:, RIGHT][:, 0, 2]))

    assert stroke(quick)[0] == pytest.approx(stroke(plain)[0] / 1.4, rel=0.05)
    assert stroke(large)[1] == pytest.approx(stroke(plain)[1] * 1.3, rel=0.03)


def test_an_unknown_gloss_is_refused() -> None:
    with pytest.raises(ConfigError, match="NONSENSE"):
        Signer().sign_sentence(["STOP", "NONSENSE"])


def features(recording: Recording) -> np.ndarray:
    """Sixteen moments of a stroke: joints about the wrist, and the wrist, in palm lengths."""
    segment = recording.segments[0]
    stroke = recording.between(segment.start, segment.end)
    moments = np.linspace(0, len(stroke) - 1, 16).round().astype(int)
    parts = []
    for hand in (LEFT, RIGHT):
        joints = stroke.positions[moments, hand] / 0.09
        there = (stroke.confidence[moments, hand].max(axis=1) > 0)[:, None]
        shape = (joints - joints[:, :1]).reshape(16, -1)
        parts += [shape * there, 1.5 * joints[:, 0] * there]
    return np.concatenate(parts, axis=1).ravel()


def test_every_sign_is_told_apart_across_signers() -> None:
    """By nearest neighbours, to which a second hand that waits in view would look like a sign."""
    recordings = []
    for seed in range(4):
        style = replace(SignerStyle.drawn(np.random.default_rng(seed), 0.0), ready_hand=False)
        signer = Signer(seed, style)
        recordings += [signer.sign_sentence([gloss]) for gloss in signer.lexicon.glosses]
    table = np.array([features(recording) for recording in recordings])
    signers = np.array([recording.signer for recording in recordings])
    glosses = np.array([recording.glosses[0] for recording in recordings])
    squares = (table**2).sum(axis=1)
    distances = squares[:, None] + squares[None] - 2 * table @ table.T
    distances[signers[:, None] == signers[None]] = np.inf
    right = glosses[distances.argmin(axis=1)] == glosses
    assert right.mean() > 0.95
    assert min(right[glosses == gloss].mean() for gloss in set(glosses)) >= 0.5
