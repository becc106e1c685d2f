# SPDX-License-Identifier: MIT
"""Bags: what is written is read again, by us and by others; what cannot be read is told."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rosbags.highlevel import AnyReader
from rosbags.interfaces import QosDurability, QosReliability
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

from whispersign_model.errors import BagError
from whispersign_model.recordings.bags import messages
from whispersign_model.recordings.bags.bag import BagWriter, read_bag, write_bag
from whispersign_model.recordings.recording import Coordinates, Recording, Segment

SUFFIXES = {"mcap": ".mcap", "sqlite3": ".db3"}
both_storages = pytest.mark.parametrize("storage", SUFFIXES)


def assert_same_frames(found: Recording, expected: Recording) -> None:
    np.testing.assert_array_equal(found.stamps, expected.stamps)
    np.testing.assert_array_equal(found.positions, expected.positions)
    np.testing.assert_array_equal(found.confidence, expected.confidence)


def storage_file(bag: Path) -> Path:
    return next(path for path in bag.iterdir() if path.suffix in SUFFIXES.values())


def raw_bag(
    path,
    topics,
    log_times=None,
    definition=messages.definition_text,
    storage=StoragePlugin.MCAP,
    compression=CompressionMode.NONE,
):
    """Write message objects by topic with plain rosbags; log times count from 1 unless given."""
    store = messages.typestore()
    bag = Writer(path, version=9, storage_plugin=storage)
    bag.set_compression(compression, CompressionFormat.ZSTD)
    times = iter(log_times or range(1, 10**6))
    with bag:
        for topic, objects in topics.items():
            message_type = objects[0].__msgtype__ if objects else messages.HAND_FRAME
            text = definition(message_type) if message_type in OURS else "string data"
            connection = bag.add_connection(
                topic, message_type, msgdef=text, rihs01=store.hash_rihs01(message_type)
            )
            for message in objects:
                bag.write(connection, next(times), store.serialize_cdr(message, message_type))
    return path


OURS = (messages.HAND_FRAME, messages.GLOSS_ANNOTATION)


def frames_of(recording):
    return list(messages.write_frames(recording))


def labels_of(recording):
    return list(messages.write_annotations(recording))


@both_storages
def test_round_trip_is_exact(tmp_path, make_recording, storage):
    recording = make_recording(
        3000,  # more than one batch, more than one chunk
        split="test",
        coordinates=Coordinates.IMAGE_NORMALISED,
        meta={"note": "007: grün", "frame_id": "camera"},
    )
    write_bag(tmp_path / "take", recording, storage)
    found = read_bag(tmp_path / "take")
    assert_same_frames(found, recording)
    assert found.positions.dtype == found.confidence.dtype == np.float32
    arrays = dict.fromkeys(("stamps", "positions", "confidence"))
    assert vars(found) | arrays == vars(recording) | arrays


def test_arrays_of_any_order_in_memory_are_written(tmp_path, make_recording):
    recording = make_recording(50)
    write_bag(
        tmp_path / "take",
        replace(
            recording,
            positions=np.asfortranarray(recording.positions),
            confidence=np.asfortranarray(recording.confidence),
        ),
    )
    assert_same_frames(read_bag(tmp_path / "take"), recording)


@both_storages
def test_single_file_is_a_bag_too(tmp_path, make_recording, storage):
    write_bag(tmp_path / "take", make_recording(split="val"), storage)
    found = read_bag(storage_file(tmp_path / "take"))
    assert_same_frames(found, make_recording())
    assert (found.split, found.signer) == ("val", "anna")  # the metadata beside it has the split


@both_storages
@pytest.mark.parametrize("frames", [0, 1])
def test_shortest_recordings(tmp_path, make_recording, storage, frames):
    recording = make_recording(frames, signer="bea")
    write_bag(tmp_path / "take", recording, storage)
    found = read_bag(tmp_path / "take")
    assert_same_frames(found, recording)
    assert found.segments == recording.segments
    assert found.signer == "bea"


@both_storages
def test_others_read_it_by_its_own_definitions(tmp_path, make_recording, storage):
    recording = make_recording()
    write_bag(tmp_path / "take", recording, storage)
    with AnyReader([tmp_path / "take"]) as reader:  # knows no type of ours
        topics = {connection.topic: connection for connection in reader.connections}
        assert set(topics) == {"/hands/raw", "/annotation"}
        for connection in topics.values():
            (quality,) = connection.ext.offered_qos_profiles
            assert quality.reliability == QosReliability.RELIABLE
            assert quality.durability == QosDurability.VOLATILE
            assert "# " in connection.msgdef.data  # units and ranges are told
        read = [
            (time, reader.deserialize(data, connection.msgtype))
            for connection, time, data in reader.messages([topics["/hands/raw"]])
        ]
    assert [message.sequence for _, message in read] == list(range(len(recording)))
    assert [time for time, _ in read] == recording.stamps.tolist()
    np.testing.assert_array_equal(
        read[7][1].right_positions.reshape(21, 3), recording.positions[7, 21:]
    )


def test_smoothed_recording_is_hands_filtered(tmp_path, make_recording):
    recording = make_recording(smoothing="moving_average(5)")
    write_bag(tmp_path / "take", recording)
    with AnyReader([tmp_path / "take"]) as reader:
        assert "/hands/filtered" in reader.topics
    assert read_bag(tmp_path / "take").smoothing == "moving_average(5)"


@both_storages
def test_frames_out_of_order_keep_their_order(tmp_path, make_recording, storage):
    recording = make_recording(40)
    stamps = recording.stamps.copy()
    stamps[10:13] = stamps[9]  # repeated
    stamps[20:] -= 60_000_000_000  # a jump back
    stamps[30] -= 1  # late
    recording = replace(recording, stamps=stamps, segments=())
    write_bag(tmp_path / "take", recording, storage)
    assert_same_frames(read_bag(tmp_path / "take"), recording)


@pytest.mark.parametrize("storage", [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
def test_time_is_that_of_capture_and_order_that_of_arrival(tmp_path, make_recording, storage):
    recording = make_recording(4)
    frames = frames_of(recording)
    path = raw_bag(tmp_path / "take", {"/hands/raw": frames}, [40, 10, 30, 20], storage=storage)
    assert read_bag(path).stamps.tolist() == recording.stamps[[1, 3, 2, 0]].tolist()


def test_faulty_positions_become_untracked_and_are_counted(tmp_path, make_recording):
    frames = frames_of(make_recording(3))
    frames[0].right_positions[0] = np.nan
    frames[2].right_positions[4:8] = np.inf
    found = read_bag(raw_bag(tmp_path / "take", {"/hands/raw": frames}))
    assert found.untrackable == 3
    assert found.confidence[0, 21] == found.confidence[2, 22] == found.confidence[2, 23] == 0
    assert np.isfinite(found.positions).all()


def test_discarded_takes_are_no_segments(tmp_path, make_recording):
    recording = make_recording(60)
    stamps = recording.stamps.tolist()
    labels = labels_of(
        replace(
            recording,
            segments=(
                Segment(("A",), stamps[0], stamps[9]),
                Segment(("B",), stamps[20], stamps[29]),
            ),
            discarded=((stamps[20], stamps[29]),),
        )
    )
    topics = {"/hands/raw": frames_of(recording), "/annotation": labels}
    found = read_bag(raw_bag(tmp_path / "take", topics))
    assert found.segments == (Segment(("A",), stamps[0], stamps[9]),)
    assert found.discarded == ((stamps[20], stamps[29]),)


class TestTopics:
    def test_any_namespace(self, tmp_path, make_recording):
        recording = make_recording()
        topics = {
            "/lab/robot/hands/raw": frames_of(recording),
            "/lab/robot/annotation": labels_of(recording),
        }
        found = read_bag(raw_bag(tmp_path / "take", topics))
        assert_same_frames(found, recording)
        assert found.glosses == ("HELLO",)

    def test_filtered_comes_first_unless_asked_otherwise(self, tmp_path, make_recording):
        raw, filtered = make_recording(5), make_recording(6, smoothing="moving_average(5)")
        path = raw_bag(
            tmp_path / "take",
            {"/hands/raw": frames_of(raw), "/hands/filtered": frames_of(filtered)},
        )
        assert len(read_bag(path)) == 6
        assert len(read_bag(path, "hands/raw")) == 5
        assert len(read_bag(path, "/hands/raw")) == 5
        assert len(read_bag(path, prefer=("hands/raw", "hands/filtered"))) == 5

    def test_topic_without_messages_is_passed_over(self, tmp_path, make_recording):
        topics = {"/hands/filtered": [], "/hands/raw": frames_of(make_recording(5))}
        assert len(read_bag(raw_bag(tmp_path / "take", topics))) == 5

    def test_two_namespaces_need_a_choice(self, tmp_path, make_recording):
        here, there = make_recording(5), make_recording(6)
        there = replace(there, segments=(replace(there.segments[0], glosses=("BYE",)),))
        path = raw_bag(
            tmp_path / "take",
            {
                "/a/hands/raw": frames_of(here),
                "/a/annotation": labels_of(here),
                "/b/hands/raw": frames_of(there),
                "/b/annotation": labels_of(there),
            },
        )
        with pytest.raises(BagError, match="take: has the topics /a/hands/raw and /b/hands/raw"):
            read_bag(path)
        assert read_bag(path, "b/hands/raw").glosses == ("BYE",)
        with pytest.raises(BagError, match="has no topic c/hands/raw; it holds /a/annotation"):
            read_bag(path, "c/hands/raw")

    def test_none_of_ours(self, tmp_path):
        text = messages.typestore().types["std_msgs/msg/String"](data="x")
        path = raw_bag(tmp_path / "take", {"/chatter": [text]})
        with pytest.raises(BagError, match=r"has no topic hands/filtered or hands/raw; .*/chatter"):
            read_bag(path)
        with pytest.raises(BagError, match="has no topic robot/hands"):
            read_bag(path, "robot/hands")

    def test_another_type(self, tmp_path):
        text = messages.typestore().types["std_msgs/msg/String"](data="x")
        path = raw_bag(tmp_path / "take", {"/hands/raw": [text]})
        with pytest.raises(BagError, match="topic /hands/raw is std_msgs/msg/String, not whisper"):
            read_bag(path)

    @pytest.mark.parametrize("field", ["coordinates", "smoothing"])
    def test_mixed_frames(self, tmp_path, make_recording, field):
        other = {"coordinates": Coordinates.IMAGE_NORMALISED, "smoothing": "moving_average(3)"}
        frames = frames_of(make_recording(3)) + frames_of(
            make_recording(2, **{field: other[field]})
        )
        with pytest.raises(BagError, match=f"/hands/raw mixes frames whose {field}"):
            read_bag(raw_bag(tmp_path / "take", {"/hands/raw": frames}))

    def test_coordinates_that_mean_nothing(self, tmp_path, make_recording):
        frames = frames_of(make_recording(1))
        frames[0].coordinates = 9
        with pytest.raises(BagError, match="coordinates are 9"):
            read_bag(raw_bag(tmp_path / "take", {"/hands/raw": frames}))

    def test_annotation_that_ends_before_it_starts(self, tmp_path, make_recording):
        recording = make_recording(9, segments=(Segment(("A",), 5, 3),))
        topics = {"/hands/raw": frames_of(recording), "/annotation": labels_of(recording)}
        with pytest.raises(BagError, match="an annotation ends 2e-09 s before it starts"):
            read_bag(raw_bag(tmp_path / "take", topics))


class TestDefinitions:
    def test_another_definition_is_refused(self, tmp_path, make_recording):
        path = raw_bag(
            tmp_path / "take",
            {"/hands/raw": frames_of(make_recording(2))},
            definition=lambda name: messages.definition_text(name).replace(
                "float32[63] left", "float64[63] left"
            ),
        )
        with pytest.raises(BagError, match=r"left_positions.* is float64\[63\]") as caught:
            read_bag(path)
        assert str(path) in str(caught.value)

    def test_definition_that_cannot_be_parsed(self, tmp_path, make_recording):
        path = raw_bag(
            tmp_path / "take",
            {"/hands/raw": frames_of(make_recording(2))},
            definition=lambda _: "float32[[ left",
        )
        with pytest.raises(BagError, match="take: is damaged"):
            read_bag(path)

    def test_parser_s_words_are_cut(self, tmp_path, make_recording):
        path = raw_bag(
            tmp_path / "take",
            {"/hands/raw": frames_of(make_recording(2))},
            definition=lambda _: "float32[[ left " * 1000,
        )
        with pytest.raises(BagError, match="take: is damaged") as caught:
            read_bag(path)
        assert len(str(caught.value)) < 300 + len(str(path))

    def test_absent_definition_falls_back_on_ours(self, tmp_path, make_recording):
        # As rosbag2 of Humble writes: no definitions in sqlite3 files.
        recording = make_recording()
        write_bag(tmp_path / "take", recording, "sqlite3")
        connection = sqlite3.connect(storage_file(tmp_path / "take"))
        connection.executescript(
            "DROP TABLE message_definitions; UPDATE schema SET schema_version = 3;"
        )
        connection.close()
        assert_same_frames(read_bag(tmp_path / "take"), recording)

    def test_bytes_that_are_no_message(self, tmp_path):
        store = messages.typestore()
        with Writer(tmp_path / "take", version=9, storage_plugin=StoragePlugin.MCAP) as bag:
            connection = bag.add_connection("/hands/raw", messages.HAND_FRAME, typestore=store)
            bag.write(connection, 1, b"\x00\x01\x00\x00\xff\xff")
        with pytest.raises(BagError, match="take: is damaged"):
            read_bag(tmp_path / "take")


class TestDamage:
    @both_storages
    @pytest.mark.parametrize("whole", [True, False], ids=["folder", "file"])
    def test_cut_anywhere_is_one_line(self, tmp_path, make_recording, storage, whole):
        write_bag(tmp_path / "take", make_recording(), storage)
        file = storage_file(tmp_path / "take")
        content = file.read_bytes()
        for length in (0, 1, 7, 8, 60, 150, 4096, len(content) // 2, len(content) - 1):
            file.write_bytes(content[:length])
            with pytest.raises(BagError) as caught:
                read_bag(tmp_path / "take" if whole else file)
            assert "\n" not in str(caught.value)
            assert str(file) in str(caught.value)

    def test_recovery_gives_the_frames_before_the_cut(self, tmp_path, make_recording):
        recording = make_recording(3000)
        write_bag(tmp_path / "take", recording)
        file = storage_file(tmp_path / "take")
        content = file.read_bytes()
        found = []
        for share in (0.1, 0.5, 0.9):  # within the first, second and third chunk
            file.write_bytes(content[: int(len(content) * share)])
            part = read_bag(tmp_path / "take", recover=True)
            assert_same_frames(part, recording.between(0, int(part.stamps[-1])))
            found.append(len(part) / len(recording))
        np.testing.assert_allclose(found, [0.1, 0.5, 0.9], atol=0.02)

    def test_recovery_without_metadata_keeps_the_order_written(self, tmp_path, make_recording):
        # Log times of a recorder's threads may step back, which rosbags refuses without an index.
        recording = make_recording(4)
        path = raw_bag(
            tmp_path / "take", {"/hands/raw": frames_of(recording)}, log_times=[20, 10, 40, 30]
        )
        (path / "metadata.yaml").unlink()
        file = storage_file(path)
        file.write_bytes(file.read_bytes()[:-1])
        with pytest.raises(BagError, match="ends too early"):
            read_bag(path)
        assert_same_frames(read_bag(path, recover=True), recording)

    def test_frames_lost_without_a_trace_in_the_file(self, tmp_path, make_recording):
        write_bag(tmp_path / "take", make_recording(20), "sqlite3")
        connection = sqlite3.connect(storage_file(tmp_path / "take"))
        connection.execute("DELETE FROM messages WHERE id > 15")
        connection.commit()
        connection.close()
        with pytest.raises(BagError, match=r"holds 15 frames where its metadata.yaml says 20"):
            read_bag(tmp_path / "take")
        assert len(read_bag(tmp_path / "take", recover=True)) == 15

    def test_journal_of_a_killed_recorder_is_applied(self, tmp_path, make_recording):
        recording = make_recording(20)
        write_bag(tmp_path / "take", recording, "sqlite3")
        file = storage_file(tmp_path / "take")
        killed = tmp_path / "killed"
        killed.mkdir()
        connection = sqlite3.connect(file)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA wal_autocheckpoint=0")
        connection.execute("DELETE FROM messages WHERE id > 15")
        connection.commit()
        for name in (file.name, file.name + "-wal"):
            (killed / name.replace("take", "killed")).write_bytes((file.parent / name).read_bytes())
        connection.close()
        assert len(read_bag(killed)) == 15
        assert (killed / "killed.db3-wal").exists()  # the recording itself is left as it was

    @pytest.mark.parametrize("text", ["", "a: b", "rosbag2_bagfile_information: {}", "{", "\0"])
    def test_metadata_that_says_nothing(self, tmp_path, make_recording, text):
        write_bag(tmp_path / "take", make_recording())
        (tmp_path / "take" / "metadata.yaml").write_text(text)
        with pytest.raises(BagError, match=r"metadata\.yaml: is not the metadata of a rosbag2"):
            read_bag(tmp_path / "take")
        assert len(read_bag(tmp_path / "take", recover=True)) == len(make_recording())


@pytest.mark.parametrize("storage", [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
@pytest.mark.parametrize("compression", [CompressionMode.FILE, CompressionMode.MESSAGE])
def test_compressed_bags(tmp_path, make_recording, storage, compression):
    recording = make_recording()
    topics = {"/hands/raw": frames_of(recording), "/annotation": labels_of(recording)}
    path = raw_bag(tmp_path / "take", topics, storage=storage, compression=compression)
    found = read_bag(path)
    assert_same_frames(found, recording)
    assert found.segments == recording.segments


class TestWriter:
    @both_storages
    def test_fault_in_the_middle_leaves_nothing(self, tmp_path, make_recording, storage):
        def write():
            with BagWriter(tmp_path / "bags" / "take", storage) as bag:
                bag.write(make_recording())
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            write()
        assert list(tmp_path.iterdir()) == []

    def test_bag_appears_at_the_end(self, tmp_path, make_recording):
        with BagWriter(tmp_path / "take") as bag:
            bag.write(make_recording())
            assert not (tmp_path / "take").exists()
        assert [path.name for path in tmp_path.iterdir()] == ["take"]
        assert sorted(path.name for path in (tmp_path / "take").iterdir()) == [
            "metadata.yaml",
            "take.mcap",
        ]

    def test_existing_bag_stays(self, tmp_path, make_recording):
        write_bag(tmp_path / "take", make_recording(5))
        with pytest.raises(BagError, match="take: exists already"):
            write_bag(tmp_path / "take", make_recording(6))
        assert len(read_bag(tmp_path / "take")) == 5

    @both_storages
    def test_recordings_one_after_the_other(self, tmp_path, make_recording, storage):
        first, second = make_recording(5, segments=()), make_recording(6, segments=())
        with BagWriter(tmp_path / "take", storage) as bag:
            bag.write(first)
            bag.write(second)  # begins at the same time: a loop
        found = read_bag(tmp_path / "take")
        assert found.stamps.tolist() == first.stamps.tolist() + second.stamps.tolist()
        with AnyReader([tmp_path / "take"]) as reader:
            sequences = [reader.deserialize(d, c.msgtype).sequence for c, _, d in reader.messages()]
        assert sequences == [*range(5), *range(6)]

    def test_stamp_beyond_ros_time(self, tmp_path, make_recording):
        recording = make_recording(3, segments=())
        late = replace(recording, stamps=recording.stamps + 10**18)
        with pytest.raises(BagError, match="take: a stamp does not fit a ROS time"):
            write_bag(tmp_path / "take", late)
        assert list(tmp_path.iterdir()) == []

    def test_storage_that_does_not_exist(self, tmp_path):
        with pytest.raises(BagError, match="storage 'tape' is unknown; use mcap or sqlite3"):
            BagWriter(tmp_path / "take", "tape")

    def test_sqlite_path_that_rosbags_would_misread(self, tmp_path, make_recording):
        with pytest.raises(BagError, match="cannot hold any of"):
            write_bag(tmp_path / "c#" / "take", make_recording(), "sqlite3")
        write_bag(tmp_path / "c#" / "take", make_recording(), "mcap")
        assert len(read_bag(tmp_path / "c#" / "take")) == len(make_recording())
