# SPDX-License-Identifier: MIT
"""What clips are made of: sentences of one signer, pauses, windows, and their labels."""

from dataclasses import replace

import numpy as np
import pytest

from whispersign_model.datasets.dataset import Dataset
from whispersign_model.recordings.recording import Segment
from whispersign_model.training_data.augmentation import Augmentation
from whispersign_model.training_data.background import fitted
from whispersign_model.training_data.clip_store import ClipStore
from whispersign_model.training_data.composition import Pause, PlacedSign, compose, draw_composition

STREAM = Augmentation(sentence=1, sentence_signs=5)


@pytest.fixture
def takes(dataset):
    examples = [
        replace(example, signer="ab"[number % 2])
        for number, example in enumerate(Dataset.open(dataset).split("train"))
    ]
    return ClipStore(examples, 60.0, 4)


def plans(augmentation, takes, count=25):
    for seed in range(count):
        generator = np.random.default_rng(seed)
        yield draw_composition(augmentation, takes, 0, 60.0, generator), generator


def labels(plan, takes):
    signs = [part for part in plan.parts if isinstance(part, PlacedSign) and part.labelled]
    return [int(takes.examples[sign.take].labels[0]) for sign in signs]


def test_a_sentence_has_signs_of_one_signer_and_all_their_labels(takes):
    lengths = set()
    for plan, generator in plans(STREAM, takes):
        assert {takes.examples[part.take].signer for part in plan.parts} == {"a"}
        clip = compose(plan, takes, 60.0, 4, generator)
        assert clip.labels.tolist() == labels(plan, takes)
        assert len(clip.positions) == len(clip.confidence) > 36 * len(plan.parts) / 2
        ways = len(clip.positions) - sum(part.pace.count for part in plan.parts)
        assert ways >= 6 * (len(plan.parts) - 1)
        lengths.add(len(plan.parts))
    assert lengths == {2, 3, 4, 5}


def test_repeats_are_as_frequent_as_asked_for(takes):
    always = [labels(plan, takes) for plan, _ in plans(STREAM.changed(repeat=1), takes)]
    assert all(len(set(glosses)) == 1 for glosses in always)
    never = [labels(plan, takes) for plan, _ in plans(STREAM.changed(repeat=0), takes)]
    assert any(len(set(glosses)) > 1 for glosses in never)


def test_pauses_carry_no_label_and_hands_are_seen_at_both_ends(takes):
    kinds = set()
    for plan, generator in plans(STREAM.changed(idle=1), takes):
        assert len(plan.parts) == 2 * len(labels(plan, takes)) + 1
        pauses = [part for part in plan.parts if isinstance(part, Pause)]
        assert pauses[0].seen
        assert pauses[-1].seen
        kinds |= {pause.seen for pause in pauses}
        clip = compose(plan, takes, 60.0, 4, generator)
        assert clip.labels.tolist() == labels(plan, takes)
        assert clip.confidence[0].any()
        assert clip.confidence[-1].any()
        if not all(pause.seen for pause in pauses):
            assert not clip.confidence.any(axis=1).all()
    assert kinds == {True, False}


def test_pieces_of_signs_are_short_and_carry_no_label(takes):
    counts = set()
    for plan, generator in plans(
        STREAM.changed(distractor_segments=1, window=1, window_seconds=60), takes
    ):
        pieces = [part for part in plan.parts if not part.labelled]
        whole = labels(plan, takes)
        counts.add(len(pieces) - len(whole) - 1)
        for piece in pieces:
            assert takes.examples[piece.take].signer == "a"
            assert 1 <= piece.pace.count <= 1 + 0.35 * 60
            assert piece.pace.span <= (takes.lengths[piece.take] - 1) / 3
            assert 0 <= piece.pace.first <= takes.lengths[piece.take] - 1 - piece.pace.span
        clip = compose(plan, takes, 60.0, 4, generator)
        assert clip.labels.tolist() == whole
        assert len(clip.positions) >= sum(part.pace.count for part in plan.parts)
    assert len(counts) > 2
    lone = STREAM.changed(sentence=0, distractor_segments=1)
    assert all(len(plan.parts) == 1 for plan, _ in plans(lone, takes, 3))


def test_a_window_keeps_only_the_labels_that_lie_in_it(takes):
    windows = STREAM.changed(window=1, window_seconds=1.0, sentence_signs=5)
    fewer = 0
    for plan, generator in plans(windows, takes):
        clip = compose(plan, takes, 60.0, 4, generator)
        whole = labels(plan, takes)
        text, kept = "".join(map(str, whole)), "".join(map(str, clip.labels.tolist()))
        assert kept
        assert kept in text
        fewer += len(kept) < len(text)
    assert fewer > 10


def test_spans_tell_where_each_sign_of_a_sentence_lies(takes):
    """Each take is read as it is, so that its own frames are found again at its span."""
    still = {"speed": 0, "crop": 0, "warp": 0, "jitter": 0}
    for plan, generator in plans(STREAM.changed(idle=0.7, distractor_segments=0.7, **still), takes):
        clip = compose(plan, takes, 60.0, 4, generator)
        signs = [part for part in plan.parts if isinstance(part, PlacedSign) and part.labelled]
        assert len(clip.spans) == len(clip.labels) == len(signs)
        for (first, last), sign in zip(clip.spans, signs):
            positions, _ = takes.motion(sign.take)
            np.testing.assert_allclose(clip.positions[first:last], positions, atol=1e-6)


def test_spans_in_a_window_count_from_its_first_frame(takes):
    """Of a sign that begins before the window the rest is its span."""
    windows = STREAM.changed(window=1, window_seconds=1.0, speed=0, crop=0, warp=0)
    cut = 0
    for plan, generator in plans(windows, takes):
        clip = compose(plan, takes, 60.0, 4, generator)
        lengths = [last - first for first, last in clip.spans]
        assert len(lengths) == len(clip.labels)
        assert min(lengths) >= 0.75 * min(takes.lengths)
        assert clip.spans[0][0] >= 0
        assert clip.spans[-1][1] <= len(clip.positions)
        cut += clip.spans[0][0] == 0
    assert cut


def test_segments_tell_where_the_signs_of_a_recording_are(takes):
    example = replace(
        takes.examples[0],
        labels=np.array([1, 2]),
        segments=(Segment(("1",), 0, 250_000_000), Segment(("2",), 300_000_000, 550_000_000)),
    )
    known = ClipStore([example], 60.0, 4)
    assert known.spans == [((0, 15), (18, 33))]
    unknown = ClipStore([replace(example, segments=())], 60.0, 4)
    assert unknown.spans == [None]
    plan, generator = next(plans(Augmentation(), unknown))
    assert compose(plan, unknown, 60.0, 4, generator).spans is None
    windows = Augmentation(window=1, window_seconds=0.25, speed=0, crop=0, warp=0)
    found = set()
    for plan, generator in plans(windows, known):
        found.add(tuple(compose(plan, known, 60.0, 4, generator).labels.tolist()))
    assert found == {(1,), (2,)}


def test_rejected_movement_carries_no_label(takes):
    """It is idle movement, a sign given up, or hands on other hands' ways."""
    takes.background = (takes.motion(1), takes.motion(2))
    kinds = set()
    for plan, generator in plans(STREAM.changed(reject=1, idle=0.5), takes, 60):
        clip = compose(plan, takes, 60.0, 4, generator)
        assert clip.labels.tolist() == []
        assert clip.labels.dtype == np.int64
        assert clip.spans == ()
        assert clip.confidence.any()
        assert np.isfinite(clip.positions).all()
        signs = [part for part in plan.parts if isinstance(part, PlacedSign)]
        assert not any(sign.labelled for sign in signs)
        first = signs[0]
        if first.background is not None:
            kinds.add("idle")
        elif first.path is None:
            kinds.add("withdrawn" if first.pace.withdraws else "begun")
            assert first.pace.count <= max(1, round(takes.lengths[first.take] / 6))
            assert 6 <= first.pace.hold <= 120
            assert len(clip.positions) == first.pace.frames
        else:
            kinds.add("rests" if len(plan.parts) > len(signs) else "disguised")
            assert len(signs) <= 3
        assert len(signs) == 1 or first.path is not None
    assert kinds == {"idle", "withdrawn", "begun", "rests", "disguised"}


def test_idle_movement_is_read_in_place_of_the_take(takes):
    idle = takes.motion(1)
    takes.background = (idle,)
    for plan, generator in plans(Augmentation(reject=1, speed=0, warp=0, crop=0), takes, 40):
        if plan.parts[0].background is not None:
            clip = compose(plan, takes, 60.0, 4, generator)
            np.testing.assert_allclose(clip.positions, fitted(idle, takes.motion(0))[0], atol=1e-6)
            return
    pytest.fail("no idle movement was drawn")


def test_the_beginning_of_a_sentence_is_never_more_than_that_of_its_first_sign(takes):
    """Without times, nothing of a sentence is known to be a beginning only."""
    spans = takes.spans[0]
    takes.spans[0] = ((0, 30), (30, spans[0][1]))
    begun = [
        plan.parts[0].pace.count
        for plan, _ in plans(Augmentation(reject=1), takes, 60)
        if plan.parts[0].path is None and plan.parts[0].take == 0
    ]
    assert begun
    assert max(begun) == 5


def test_another_take_is_given_up_in_place_of_one_that_cannot_be(takes):
    takes.spans[0] = None
    given_up = [
        plan.parts[0].take
        for plan, _ in plans(Augmentation(reject=1), takes, 60)
        if plan.parts[0].path is None
    ]
    assert 12 <= len(given_up) <= 48
    assert 0 not in given_up
    signer = takes.examples[0].signer
    assert {takes.examples[take].signer for take in given_up} == {signer}
    takes.spans[:] = [None] * len(takes.spans)
    assert all(plan.parts[0].path is not None for plan, _ in plans(Augmentation(reject=1), takes))


def test_rejected_movement_is_as_frequent_as_asked_for(takes):
    some = [
        compose(plan, takes, 60.0, 4, generator).labels.size
        for plan, generator in plans(Augmentation(reject=0.3), takes, 200)
    ]
    assert 40 <= some.count(0) <= 80
    assert all(
        compose(plan, takes, 60.0, 4, generator).labels.size
        for plan, generator in plans(Augmentation(), takes)
    )
