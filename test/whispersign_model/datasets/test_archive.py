# SPDX-License-Identifier: MIT
"""Archives: what their arrays mean, and one line for each way they can be wrong."""

from __future__ import annotations

import json
import pickle
import time

import numpy as np
import pytest

from whispersign_model.datasets.archive import KEYS, read_archive
from whispersign_model.errors import ArchiveError, RecordingError
from whispersign_model.recordings.recording import Coordinates, Segment

NANOSECONDS = 1_000_000_000


def test_recordings_of_an_archive(archive):
    path = archive()
    first, second, third = read_archive(path)
    assert [each.name for each in (first, second, third)] == ["0_a_1", "1_b_2", "2_c"]
    assert [each.signer for each in (first, second, third)] == ["s1", "s2", ""]
    assert [each.split for each in (first, second, third)] == ["train", "test", ""]
    assert [len(each) for each in (first, second, third)] == [20, 30, 10]
    assert first.source == "some archive"
    assert first.coordinates == Coordinates.METRIC_SENSOR
    assert first.meta == {"sensor": "a sensor", "frames": "60"}
    with np.load(path) as arrays:
        seconds = arrays["t"][20:50].astype(float)
        np.testing.assert_array_equal(second.positions, arrays["xyz"][20:50])
    np.testing.assert_allclose(second.stamps / NANOSECONDS, seconds, rtol=0, atol=1e-9)


def test_labels_have_the_times_of_seg(archive):
    first, second, third = read_archive(archive())
    assert first.segments == (Segment(("hello",), 0, int(first.stamps[19])),)
    assert second.segments == (
        Segment(("eat",), int(second.stamps[2]), int(second.stamps[10])),
        Segment(("ünlü",), int(second.stamps[15]), int(second.stamps[29])),
    )
    assert third.segments == ()


def test_labels_without_times_span_everything(archive):
    _, second, _ = read_archive(archive(seg=np.zeros((0, 4), np.int32)))
    assert second.segments == (Segment(("eat", "ünlü"), 0, int(second.stamps[-1])),)


def test_glosses_keep_their_order_and_their_names(archive):
    labels, names = np.array([1, 2, 0], np.int16), np.array(["zoo", "hello", "eat"])
    first, second, _ = read_archive(archive(lab=labels, classes=names, seg=np.zeros((0, 4), int)))
    assert (first.glosses, second.glosses) == (("hello",), ("eat", "zoo"))


def test_absent_and_infinite_joints_are_untracked(archive):
    with np.load(archive()) as arrays:
        xyz = arrays["xyz"]
    xyz[21, 30, 2] = np.inf
    first, second, _ = read_archive(archive(xyz=xyz))
    assert not first.confidence[5:10, :21].any()
    assert first.confidence[5:10, 21:].all()
    assert first.untrackable == 0  # absent, not faulty
    assert second.untrackable == 1
    assert second.confidence[1, 30] == 0
    assert np.isfinite(second.positions).all()


def test_times_are_taken_as_they_are(archive):
    seconds = np.arange(60) / 30
    seconds[25] = seconds[24]
    seconds[30:50] -= 1
    _, second, _ = read_archive(archive(t=seconds))
    assert second.out_of_order == 2
    np.testing.assert_allclose(second.stamps / NANOSECONDS, seconds[20:50], atol=1e-9)


@pytest.mark.parametrize(
    ("meta", "coordinates"),
    [
        ({"note": "units of image height, 4:3"}, Coordinates.IMAGE_NORMALISED),
        ({"coordinates": "metric_hand_centred"}, Coordinates.METRIC_HAND_CENTRED),
        (
            {"coordinates": "metric_sensor", "note": "units of image height"},
            Coordinates.METRIC_SENSOR,
        ),
        ({}, Coordinates.METRIC_SENSOR),
    ],
)
def test_coordinates_are_those_that_meta_states(archive, meta, coordinates):
    assert read_archive(archive(meta=np.array(json.dumps(meta))))[0].coordinates == coordinates


class TestOtherLabels:
    def test_named_by_classes_of_their_own(self, archive):
        path = archive(lab2=np.array([1, 0, 1]), classes2=np.array(["one", "two"]))
        assert [r.glosses for r in read_archive(path, "lab2")] == [("two",), ("one", "two"), ()]

    def test_that_divide_the_classes_evenly(self, archive):
        path = archive(label6=np.array([3, 0, 4]))
        found = read_archive(path, "label6")
        assert [r.glosses for r in found] == [("hello 2",), ("eat 1", "ünlü 1"), ()]
        assert len(found[1].segments) == 2  # with the times of seg

    def test_that_do_not_are_numbers(self, archive):
        path = archive(label6=np.array([0, 3, 4]))
        assert read_archive(path, "label6")[0].glosses == ("0",)

    def test_one_label_a_sequence(self, archive):
        path = archive(mood=np.array([0, 1, 5, 2])[:3])  # as many as labels of lab, so by lptr
        assert read_archive(path, "mood")[1].glosses == ("1", "5")
        path = archive(
            lab=np.array([1, 0, 2, 1]),
            lptr=np.array([0, 2, 3, 4]),
            seg=np.zeros((0, 4), int),
            mood=np.array([7, 8, 9]),
        )
        assert [r.glosses for r in read_archive(path, "mood")] == [("7",), ("8",), ("9",)]


@pytest.mark.parametrize("key", KEYS)
def test_missing_key(archive, key):
    with pytest.raises(ArchiveError, match=f"some archive.npz: key '{key}' is missing; it holds"):
        read_archive(archive(**{key: None}))


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        ("label28", None, "key 'label28' is missing"),
        (
            "xyz",
            np.zeros((60, 21, 3), np.float32),
            r"key 'xyz' is \(60, 21, 3\), not \(60, 42, 3\)",
        ),
        ("xyz", np.zeros((60, 42, 3), np.int32), "key 'xyz' is int32, not float"),
        ("xyz", np.float32(1), r"key 'ptr' goes from 0 to 60, not 0 to 0"),
        ("t", np.zeros(59), r"key 't' is \(59,\), not \(60,\)"),
        ("t", np.full(60, np.nan), "key 't' is nan in sequence 0"),
        ("t", np.where(np.arange(60) == 25, np.inf, 0), "key 't' is inf in sequence 1"),
        ("ptr", np.array([0, 30, 20, 60]), "key 'ptr' falls at sequence 1"),
        ("ptr", np.array([0, 20, 50, 61]), "key 'ptr' goes from 0 to 61, not 0 to 60 frames"),
        ("ptr", np.array([0.0, 20, 50, 60]), r"key 'ptr' is not an array of N \+ 1 integers"),
        ("ptr", np.zeros(0, int), r"key 'ptr' is not an array of N \+ 1 integers"),
        ("lptr", np.array([0, 1, 3, 4]), "key 'lptr' goes from 0 to 4, not 0 to 3 labels of 'lab'"),
        ("lptr", np.array([0, 3]), r"key 'lptr' is \(2,\), not \(4,\)"),
        ("lab", np.array([1, 0, 3]), r"key 'lab' is 3 in sequence 1; it must be in 0..2"),
        ("lab", np.array([-1, 0, 2]), "key 'lab' is -1 in sequence 0"),
        ("lab", np.array([1.0, 0, 2]), "key 'lab' is not an array of integers"),
        ("lab", np.array([1, 2, 0]), "keys 'seg' and 'lab' disagree in sequence 1"),
        ("sid", np.array(["a"]), r"key 'sid' is \(1,\), not \(3,\)"),
        ("seg", np.zeros((2, 3), int), r"key 'seg' is int64 \(2, 3\), not \(M, 4\) integers"),
        ("seg", np.array([[3, 0, 0, 1]]), "key 'seg' row 0 names sequence 3"),
        (
            "seg",
            np.array([[0, 1, 20, 22]]),
            "key 'seg' row 0 spans frames 20 to 22; sequence 0 has",
        ),
        ("seg", np.array([[0, 1, 5, 2]]), "key 'seg' row 0 spans frames 5 to 2"),
        ("meta", np.array("{"), "key 'meta' is not JSON"),
        ("meta", np.array("[]"), "key 'meta' is not a JSON object"),
        ("meta", np.array('{"coordinates": "miles"}'), "key 'meta' gives coordinates 'miles'; use"),
        ("sid", np.array([{}, {}, {}], dtype=object), "is damaged"),  # pickled: never loaded
    ],
)
def test_faults_name_file_and_key(archive, key, value, fault):
    path = archive(**{key: value})
    with pytest.raises(ArchiveError, match=fault) as caught:
        read_archive(path, "label28" if key == "label28" else "lab")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_last_frame_of_an_annotation_may_lie_beyond_the_end(archive):
    first, _, _ = read_archive(archive(seg=np.array([[0, 1, 15, 21]])))
    assert first.segments == (Segment(("hello",), int(first.stamps[15]), int(first.stamps[19])),)


def test_sequence_without_frames(archive):
    path = archive(ptr=np.array([0, 20, 20, 60]), seg=np.zeros((0, 4), int))
    assert [len(recording) for recording in read_archive(path)] == [20, 0, 40]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_truncated_archive(archive, share):
    path = archive()
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ArchiveError, match=r"is truncated or not an \.npz archive"):
        read_archive(path)


def test_damaged_inside(archive):
    path = archive()
    content = bytearray(path.read_bytes())
    content[200:300] = bytes(100)
    path.write_bytes(content)
    with pytest.raises(ArchiveError, match="is damaged"):
        read_archive(path)


def test_what_is_no_archive(tmp_path):
    np.save(tmp_path / "array.npy", np.zeros(3))
    (tmp_path / "pickle.npz").write_bytes(pickle.dumps({"xyz": 1}))
    for name, fault in (
        ("array.npy", "not an .npz"),
        ("pickle.npz", "not an .npz"),
        ("nothing.npz", "does not exist"),
        (".", "is not a file"),
    ):
        with pytest.raises(ArchiveError, match=fault):
            read_archive(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "label", "recordings", "glosses", "coordinates"),
    [
        ("tsl_leap.npz", "lab", 833, 42, Coordinates.METRIC_SENSOR),
        ("dgs30_mediapipe.npz", "lab", 1414, 30, Coordinates.IMAGE_NORMALISED),
        ("shrec17_train.npz", "label28", 1960, 28, Coordinates.METRIC_SENSOR),
        ("sfinge3d.npz", "lab", 504, 13, Coordinates.METRIC_SENSOR),
    ],
)
def test_real_archives(shared_data, name, label, recordings, glosses, coordinates):
    found = read_archive(shared_data(name), label)
    assert len({recording.name for recording in found}) == recordings
    assert len({gloss for recording in found for gloss in recording.glosses}) == glosses
    assert {recording.coordinates for recording in found} == {coordinates}
    for recording in found:
        for segment in recording.segments:
            assert recording.stamps[0] <= segment.start < segment.end <= recording.stamps[-1]


@pytest.mark.parametrize(
    ("key", "array", "fault"),
    [
        ("sid", np.zeros(3, [("a", "U3"), ("b", "i8")]), "not numbers or text"),
        ("classes", np.array("HELLO"), r"key 'classes' is <U5 \(\), not text"),
        ("subject", np.zeros(3), "key 'subject' is float64"),
        ("meta", np.array(["{}"]), "key 'meta' is"),
        ("meta", np.array("[" * 1_000_000), "recursion limit"),
        ("subject", np.array([b"\xff", b"a", b"b"]), "is damaged"),
        ("split", np.array(["\x1b]0;x\x07", "", ""]), r"the name \\x1b\]0;x\\x07 is longer"),
        ("ptr", np.r_[np.zeros(10**5, np.int64), 60], "100000 sequences but only 60 frames"),
        ("seg", np.zeros((10**5, 4), np.int64), "key 'seg' has 100000 rows"),
        ("lab", np.zeros(10**5, np.int64), "key 'lab' has 100000 rows"),
        ("xyz", np.zeros((80_000, 42, 3)), "key 'xyz' expands from"),
    ],
    ids=[str(number) for number in range(11)],
)
def test_archives_that_would_take_long_or_are_odd(archive, key, array, fault):
    path = archive(**{key: array})
    if key == "xyz":
        with np.load(path) as arrays:
            content = dict(arrays)
        np.savez_compressed(path, **content)
    start = time.process_time()
    with pytest.raises((ArchiveError, RecordingError), match=fault) as caught:
        read_archive(path)
    assert "\n" not in str(caught.value)
    assert time.process_time() - start < 3
