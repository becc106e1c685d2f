# SPDX-License-Identifier: MIT
"""Storage files of every kind of recorder: all that they hold is read, or its loss is told."""

from __future__ import annotations

import os
import resource
import sqlite3
import struct
import time
from dataclasses import replace
from pathlib import Path

import lz4.frame
import numpy as np
import pytest
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

from whispersign_model.errors import BagError
from whispersign_model.recordings.bags import messages
from whispersign_model.recordings.bags.bag import read_bag, write_bag
from whispersign_model.recordings.bags.compression import zstd
from whispersign_model.recordings.bags.files import find_bags
from whispersign_model.recordings.bags.parts import possible_parts
from whispersign_model.recordings.recording import Recording, Segment

BOTH = pytest.mark.parametrize("storage", ["mcap", "sqlite3"])


@pytest.fixture
def signed(make_recording) -> Recording:
    """Return 40 frames with eight labels."""
    recording = make_recording(40)
    stamps = recording.stamps.tolist()
    return replace(
        recording,
        segments=tuple(Segment((f"G{n}",), stamps[5 * n], stamps[5 * n + 4]) for n in range(8)),
    )


@pytest.fixture
def topics(signed, topic_of):
    """Return the topics of ``signed``, with a label after every fifth frame."""
    frames = topic_of("/hands/raw", list(messages.write_frames(signed)), range(10, 410, 10))
    labels = list(messages.write_annotations(signed))
    return [frames, topic_of("/annotation", labels, range(55, 455, 50))]


def assert_all(found: Recording, expected: Recording) -> None:
    np.testing.assert_array_equal(found.stamps, expected.stamps)
    assert found.segments == expected.segments


def storage_of(bag: Path) -> Path:
    return next(file for file in bag.iterdir() if file.name != "metadata.yaml")


def bare(bag: Path) -> Path:
    """Remove a bag's metadata."""
    (bag / "metadata.yaml").unlink()
    return bag


class TestIndexes:
    @pytest.mark.parametrize(
        "parts",
        [
            {"message_index": False},
            {"chunk_index": False},
            {"message_index": False, "chunk_index": False},
            {"unindexed": (1, 3)},
            {"unindexed": (0,)},
            {"unindexed": (1,), "statistics": ""},
            {"unindexed": (1,), "statistics": "total"},
            {"statistics": ""},
            {"statistics": "total"},
            {"repeat": False},
            {"summary": False},
            {"loose": 7},
            {"loose": 7, "unindexed": (2,)},
            {"per_chunk": 0},
            {"per_chunk": 0, "statistics": ""},
            {},
        ],
        ids=str,
    )
    def test_every_message_is_read(self, tmp_path, mcap, topics, signed, parts):
        assert_all(read_bag(mcap(topics, **parts).write(tmp_path / "a.mcap")), signed)

    def test_order_is_that_of_arrival_without_message_indexes(
        self, tmp_path, mcap, topic_of, signed
    ):
        times = [*range(20, 0, -1), *range(21, 41)]  # the first two chunks are swapped
        frames = topic_of("/hands/raw", list(messages.write_frames(signed)), times)
        found = read_bag(mcap([frames], message_index=False).write(tmp_path / "a.mcap"))
        assert found.stamps.tolist() == signed.stamps[[*range(19, -1, -1), *range(20, 40)]].tolist()

    @pytest.mark.parametrize("parts", [{}, {"message_index": False}, {"statistics": "total"}])
    def test_statistics_that_promise_more(self, tmp_path, mcap, topics, signed, parts):
        path = mcap(topics, lost=3, **parts).write(tmp_path / "a.mcap")
        with pytest.raises(BagError, match=r"a.mcap: holds 4\d messages.* (43|51); `.*--recover`"):
            read_bag(path)
        assert_all(read_bag(path, recover=True), signed)

    def test_chunks_without_our_topics_are_not_opened(self, tmp_path, mcap, topics, topic, signed):
        camera = topic("/image", "sensor_msgs/msg/Image", [(500 + n, b"x" * 50) for n in range(20)])
        path = mcap([*topics, camera]).write(tmp_path / "a.mcap")
        content = bytearray(path.read_bytes())
        at = content.rindex(b"x" * 50)
        content[at - 40 : at + 50] = b"\xff" * 90  # such a chunk could not be parsed
        path.write_bytes(content)
        assert_all(read_bag(path), signed)

    def test_labels_that_metadata_counts(self, tmp_path, signed):
        write_bag(tmp_path / "take", signed, "sqlite3")
        with sqlite3.connect(storage_of(tmp_path / "take")) as database:
            database.execute("DELETE FROM messages WHERE topic_id = 2 AND timestamp % 2 = 0")
        with pytest.raises(BagError, match=r"holds \d labels where its metadata.yaml says 8"):
            read_bag(tmp_path / "take")
        with pytest.raises(BagError, match=r"take.db3: holds \d labels where"):
            read_bag(storage_of(tmp_path / "take"))
        with sqlite3.connect(storage_of(tmp_path / "take")) as database:
            database.execute("DELETE FROM topics WHERE id = 2")
            database.execute("DELETE FROM messages WHERE topic_id = 2")
        with pytest.raises(BagError, match=r"holds 0 labels where its metadata.yaml says 8"):
            read_bag(tmp_path / "take")

    def test_messages_of_no_topic(self, tmp_path, signed):
        write_bag(tmp_path / "take", signed, "sqlite3")
        with sqlite3.connect(storage_of(bare(tmp_path / "take"))) as database:
            database.execute("DELETE FROM topics WHERE id = 2")
        with pytest.raises(
            BagError, match=r"take.db3: holds 8 messages of topics that it does not"
        ):
            read_bag(tmp_path / "take")
        assert len(read_bag(tmp_path / "take", recover=True)) == 40


class TestChunks:
    @pytest.fixture
    def packed(self, tmp_path, mcap):
        """Return a function that writes a bag whose chunks hold records, compressed with zstd."""

        def write(topics, chunks, records, index=True):
            path = mcap(topics).write(tmp_path / "a.mcap")
            content = path.read_bytes()
            end = content.index(struct.pack("<BQ", 0x0F, 4))
            for _ in range(chunks):
                stored = zstd.compress(records)
                body = struct.pack("<QQQI", 0, 1, len(records), 0) + struct.pack("<I", 4)
                body += b"zstd" + struct.pack("<Q", len(stored)) + stored
                chunk = struct.pack("<BQ", 6, len(body)) + body
                content = content[:end] + chunk + content[end:]
            summary = struct.unpack_from("<Q", content, len(content) - 28)[0]
            moved = summary + chunks * len(chunk)
            path.write_bytes(content[:-28] + struct.pack("<Q", moved) + content[-20:])
            return path

        return write

    EMPTY = struct.pack("<BQHIQQ", 5, 22, 99, 0, 1, 1)  # of a channel that nobody reads

    LARGE = struct.pack("<BQ", 9, 1 << 24) + bytes(1 << 24)  # of a kind that nobody reads

    @pytest.mark.parametrize("what", ["bytes", "records"])
    def test_chunks_that_expand_to_too_much(self, packed, topics, what):
        chunks, record = (6, self.LARGE) if what == "bytes" else (1, self.EMPTY * 200_000)
        path = packed(topics, chunks, record)
        assert path.stat().st_size < 150_000
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with pytest.raises(BagError, match=f"a file of .* bytes expands to too many {what}"):
            read_bag(path)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000

    @pytest.mark.parametrize("recover", [False, True])
    def test_other_topics_may_be_compressed_well(self, packed, topics, signed, recover):
        path = packed(topics, 3, self.EMPTY * 10_000)
        assert_all(read_bag(path, recover=True), signed)

    @pytest.mark.parametrize("kind", ["zstd", "lz4"])
    @pytest.mark.parametrize("wrong", [-1, 1, 1000])
    def test_a_chunk_of_another_size_than_it_states(self, packed, topics, kind, wrong):
        path = packed(topics, 1, self.EMPTY)
        content = path.read_bytes()
        stored = zstd.compress(self.EMPTY) if kind == "zstd" else lz4.frame.compress(self.EMPTY)
        body = struct.pack("<QQQI", 0, 1, len(self.EMPTY) + wrong, 0)
        body += struct.pack("<I", len(kind)) + kind.encode() + struct.pack("<Q", len(stored))
        start = content.index(struct.pack("<BQ", 0x0F, 4))
        path.write_bytes(
            content[:start] + struct.pack("<BQ", 6, len(body + stored)) + body + stored
        )
        with pytest.raises(BagError, match=r"a chunk holds \d+ bytes instead of|is damaged"):
            read_bag(path, recover=True)


class TestTables:
    @pytest.mark.parametrize(
        ("table", "fault"),
        [
            ("CREATE VIEW messages AS SELECT 1 id, 1 topic_id, 1 timestamp, 1 data", "lacks"),
            ("CREATE VIRTUAL TABLE messages USING fts5(id, topic_id, timestamp, data)", "lacks"),
            (
                "CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id, timestamp, "
                "data AS (zeroblob(1000000000)))",
                "its table messages computes columns",
            ),
        ],
    )
    def test_that_are_computed(self, tmp_path, signed, table, fault):
        write_bag(tmp_path / "take", signed, "sqlite3")
        with sqlite3.connect(storage_of(tmp_path / "take")) as database:
            database.execute("DROP TABLE messages")
            database.execute(table)
        with pytest.raises(BagError, match=f"is damaged .*{fault}"):
            read_bag(storage_of(tmp_path / "take"))

    @pytest.mark.parametrize("column", ["name", "type", "serialization_format"])
    @pytest.mark.parametrize("value", [5, None, b"x"])
    def test_of_topics_that_are_not_text(self, tmp_path, signed, column, value):
        write_bag(tmp_path / "take", signed, "sqlite3")
        file = storage_of(tmp_path / "take")
        with sqlite3.connect(file) as database:
            rows = database.execute("SELECT id, name, type, serialization_format FROM topics")
            topics = rows.fetchall()
            database.execute("DROP TABLE topics")
            database.execute("CREATE TABLE topics(id, name, type, serialization_format)")
            database.executemany("INSERT INTO topics VALUES (?, ?, ?, ?)", topics)
            database.execute(f"UPDATE topics SET {column} = ? WHERE id = 1", (value,))
        for recover in (False, True):
            with pytest.raises(
                BagError, match=r"is damaged \(its topic 1 is not described in text"
            ):
                read_bag(file, recover=recover)

    def test_that_lead_through_the_same_pages_endlessly(self, tmp_path, signed):
        write_bag(tmp_path / "take", signed, "sqlite3")
        file = storage_of(tmp_path / "take")
        with sqlite3.connect(file) as database:
            database.executemany(
                "INSERT INTO messages(topic_id, timestamp, data) VALUES (1, 1, ?)",
                [(bytes(300),)] * 3000,
            )
            query = "SELECT rootpage FROM sqlite_master WHERE name = 'messages'"
            (root,) = database.execute(query).fetchone()
            (size,) = database.execute("PRAGMA page_size").fetchone()
        content = bytearray(file.read_bytes())
        page = content[(root - 1) * size : root * size]
        assert page[0] == 5  # an inner page of the tree
        cells = struct.unpack_from(f">{struct.unpack_from('>H', page, 3)[0]}H", page, 12)
        children = [struct.unpack_from(">I", page, cell)[0] for cell in cells]
        for number, child in zip([root, *children], children[:16]):
            struct.pack_into(">I", page, 8, child)
            for cell in cells:
                struct.pack_into(">I", page, cell, child)
            content[(number - 1) * size : number * size] = page
        file.write_bytes(content)
        start = time.process_time()
        with pytest.raises(BagError, match=r"is damaged \(interrupted"):
            read_bag(file)
        assert time.process_time() - start < 60


class TestParts:
    """Folders of a recorder that was killed, so that there is no metadata."""

    @pytest.fixture
    def killed(self, tmp_path, make_recording):
        """Return a function that writes the parts of a recording, of 3, 4, 5, ... frames."""

        def write(names, storage="mcap"):
            folder = tmp_path / "k"
            folder.mkdir()
            for number, name in enumerate(names):
                bag = tmp_path / f"part{number}"
                write_bag(bag, make_recording(3 + number, segments=()), storage)
                content = storage_of(bag).read_bytes()
                if name.endswith(("zstd", "zst")):
                    content = zstd.compress(content)
                (folder / name).write_bytes(content)
            return folder

        return write

    @pytest.mark.parametrize(
        ("names", "storage"),
        [
            (["k_0.mcap.zstd", "k_1.mcap.zstd", "k_2.mcap"], "mcap"),
            (["k_0.mcap.zstd", "k_1.mcap.zstd", "k_2.mcap.zstd"], "mcap"),
            (["k_0.mcap.zst", "k_1.mcap", "k_2.mcap.zst"], "mcap"),
            (["k_0.db3.zstd", "k_1.db3.zstd", "k_2.db3"], "sqlite3"),
        ],
    )
    def test_all_parts_are_read_in_order(self, killed, make_recording, names, storage):
        folder = killed(names, storage)
        expected = np.concatenate([make_recording(frames).stamps for frames in (3, 4, 5)])
        assert read_bag(folder).stamps.tolist() == expected.tolist()
        assert find_bags([folder.parent / "k"]) == [folder]
        assert [len(read_bag(bag)) for bag in find_bags([f"{folder}/*"])] == [3, 4, 5]
        assert read_bag(folder / names[0]).name == "k_0"

    def test_parts_count_beyond_ten(self, killed):
        folder = killed(
            [f"k_{number}.mcap{'' if number == 11 else '.zstd'}" for number in range(12)]
        )
        lengths = np.diff(np.flatnonzero(np.append(read_bag(folder).stamps == START, True)))
        assert lengths.tolist() == list(range(3, 15))

    @pytest.mark.parametrize(
        ("names", "missing"),
        [
            (["k_0.mcap", "k_2.mcap"], "lacks k_1.mcap of"),
            (["k_1.mcap", "k_2.mcap"], "lacks k_0.mcap of"),
            (["k_2.mcap"], "lacks k_0.mcap, k_1.mcap of"),
            (["k_0.mcap.zstd", "k_9.mcap"], "lacks k_1.mcap, k_2.mcap, k_3.mcap and 5 more parts"),
        ],
    )
    def test_missing_part_is_named(self, killed, names, missing):
        folder = killed(names)
        with pytest.raises(BagError, match=f"k: {missing}.*--recover"):
            read_bag(folder)
        assert len(read_bag(folder, recover=True)) == sum(range(3, 3 + len(names)))
        assert len(read_bag(folder / names[0])) == 3

    def test_folder_that_was_renamed(self, killed):
        folder = killed(["k_0.mcap.zstd", "k_1.mcap.zstd", "k_2.mcap"])
        folder = folder.rename(folder.parent / "anna")
        assert find_bags([folder]) == [folder]
        assert len(read_bag(folder)) == 12
        (folder / "k_1.mcap.zstd").unlink()
        with pytest.raises(BagError, match=r"anna: lacks k_1\.mcap of its recording"):
            read_bag(folder)

    def test_numbered_recordings_are_no_parts(self, killed):
        folder = killed(["hello_0.mcap", "hello_1.mcap"])
        found = find_bags([folder])
        assert [len(read_bag(bag)) for bag in found] == [3, 4]
        (warning,) = possible_parts(found)
        assert warning.startswith(
            f"{folder / 'hello_0.mcap'} and hello_1.mcap are read as separate"
        )
        assert warning.endswith("into a folder named hello")
        assert possible_parts([*found[:1], folder, folder / "other_1.mcap"]) == []

    def test_part_that_was_being_compressed(self, killed):
        folder = killed(["k_0.mcap.zstd", "k_1.mcap"])
        (folder / "k_1.mcap.zstd").write_bytes((folder / "k_0.mcap.zstd").read_bytes()[:100])
        assert len(read_bag(folder)) == 7  # of both, the original is complete

    @pytest.mark.parametrize("share", [0.001, 0.3, 0.9])
    def test_compressed_part_that_is_cut_off(self, killed, share):
        folder = killed(["k_0.mcap.zstd"])
        file = folder / "k_0.mcap.zstd"
        file.write_bytes(file.read_bytes()[: max(2, int(file.stat().st_size * share))])
        with pytest.raises(BagError, match=r"k_0.mcap.zstd: (ends too early|is not a zstd)"):
            read_bag(folder)

    def test_compressed_part_that_expands_beyond_measure(self, killed, tmp_path):
        folder = killed(["k_0.mcap.zstd"])
        file = folder / "k_0.mcap.zstd"
        file.write_bytes(zstd.compress(b"\x89MCAP0\r\n" + bytes(1 << 27)))
        for recover in (False, True):
            with pytest.raises(BagError, match=r"k_0.mcap.zstd: is damaged \(.* expand to more"):
                read_bag(folder, recover=recover)

    def test_compressed_part_of_many_frames(self, killed):
        folder = killed(["k_0.mcap.zstd"])
        file = folder / "k_0.mcap.zstd"
        content = zstd.decompress(file.read_bytes())
        frames = [zstd.compress(content[at : at + 1000]) for at in range(0, len(content), 1000)]
        file.write_bytes(b"".join(frames))
        assert len(read_bag(folder)) == 3
        file.write_bytes(b"".join(frames) + zstd.compress(b"") * 100_000)
        with pytest.raises(BagError, match=r"k_0.mcap.zstd: is damaged \(.* too many zstd frames"):
            read_bag(folder)

    def test_compressed_part_that_is_no_zstd_file(self, killed):
        folder = killed(["k_0.mcap"])
        (folder / "k_0.mcap").rename(folder / "k_0.mcap.zstd")
        with pytest.raises(BagError, match=r"k_0.mcap.zstd: is not a zstd file"):
            read_bag(folder)

    def test_part_that_metadata_does_not_name(self, tmp_path, make_recording):
        write_bag(tmp_path / "k_0", make_recording(3, segments=()))
        folder = tmp_path / "k"
        (tmp_path / "k_0").rename(folder)
        (folder / "k_1.mcap").write_bytes((folder / "k_0.mcap").read_bytes())
        with pytest.raises(BagError, match=r"k_1.mcap: is not named in metadata.yaml; .*reindex"):
            read_bag(folder)
        assert len(read_bag(folder, recover=True)) == 6
        (folder / "k_1.mcap").rename(folder / "backup.mcap")
        assert len(read_bag(folder)) == 3

    def test_part_that_was_unpacked_by_hand(self, tmp_path, make_recording):
        write_bag(tmp_path / "k", make_recording(9))
        file = storage_of(tmp_path / "k")
        (tmp_path / "k" / "k.mcap.zst").write_bytes(zstd.compress(file.read_bytes()))
        file.unlink()
        assert_all(read_bag(tmp_path / "k"), make_recording(9))


START = 1_700_000_000_123_456_789  # stamp of the first frame of every recording


class TestOtherChannels:
    @pytest.mark.parametrize(
        ("encoding", "schema_encoding", "text"),
        [
            ("json", "jsonschema", "{}"),
            ("protobuf", "protobuf", "\x00\x01"),
            ("ros1", "ros1msg", "string data"),
            ("cbor", "", ""),
            ("flatbuffer", "flatbuffer", "x"),
            ("", "unheard of", "\ufeff"),
            ("cdr", "ros2msg", "float32[[ no definition"),
        ],
    )
    @pytest.mark.parametrize("name", ["/status", "/hands/raw", "/vision/hands/raw"])
    def test_are_none_of_our_business(
        self, tmp_path, mcap, topic, topics, signed, name, encoding, schema_encoding, text
    ):
        other = topic(name, "foxglove.Log", [(7, b"{}")], encoding, schema_encoding, text)
        assert_all(read_bag(mcap([other, *topics]).write(tmp_path / "a.mcap")), signed)

    def test_in_a_sqlite3_file(self, tmp_path, signed):
        write_bag(tmp_path / "take", signed, "sqlite3")
        with sqlite3.connect(storage_of(tmp_path / "take")) as database:
            database.execute(
                "INSERT INTO topics VALUES (9, '/status', 'foxglove.Log', 'json', 'no: [yaml', '')"
            )
            database.execute(
                "INSERT INTO message_definitions VALUES (9, 'foxglove.Log', 'jsonschema', '{}', '')"
            )
            database.execute("INSERT INTO messages VALUES (900, 9, 7, '{}')")
        assert_all(read_bag(tmp_path / "take"), signed)

    @pytest.mark.parametrize("kind", [messages.HAND_FRAME, "foxglove.Log"])
    def test_our_topic_in_another_encoding_is_named(self, tmp_path, mcap, topic, kind):
        other = topic("/hands/raw", kind, [(7, b"{}")], "json", "jsonschema", "{}")
        path = mcap([other]).write(tmp_path / "a.mcap")
        with pytest.raises(BagError, match=r"topic /hands/raw is (encoded as json|foxglove.Log)"):
            read_bag(path)

    def test_labels_in_another_encoding_are_not_lost_silently(self, tmp_path, mcap, topic, topics):
        labels = topic("/annotation", messages.GLOSS_ANNOTATION, [(7, b"{}")], "json", "jsonschema")
        path = mcap([topics[0], labels]).write(tmp_path / "a.mcap")
        with pytest.raises(BagError, match="topic /annotation is encoded as json, not cdr"):
            read_bag(path)

    def test_definition_in_another_form(self, tmp_path, mcap, topics):
        path = mcap([replace(topics[0], schema_encoding="jsonschema")]).write(tmp_path / "a.mcap")
        with pytest.raises(BagError, match=r"topic /hands/raw: another definition.* format"):
            read_bag(path)


class TestReadableBags:
    def test_definitions_with_any_line_ends(self, tmp_path, mcap, topics, signed):
        for number, end in enumerate(("\r\n", "\r", " \n", "\t\r\n")):
            changed = [
                replace(each, definition="\ufeff" + each.definition.replace("\n", end))
                for each in topics
            ]
            assert_all(read_bag(mcap(changed).write(tmp_path / f"{number}.mcap")), signed)

    def test_definition_that_differs_behind_such_line_ends(self, tmp_path, mcap, topics):
        text = topics[0].definition.replace("float32[63] left", "float64[63] left")
        changed = replace(topics[0], definition=text.replace("\n", "\r\n"))
        with pytest.raises(BagError, match=r"left_positions.* is float64\[63\]"):
            read_bag(mcap([changed]).write(tmp_path / "a.mcap"))

    @pytest.mark.parametrize("profile", ["", "ros2", "x-ours"])
    def test_any_profile(self, tmp_path, mcap, topics, signed, profile):
        path = mcap(topics, profile=profile).write(tmp_path / "a.mcap")
        assert_all(read_bag(path), signed)

    QUALITIES = pytest.mark.parametrize(
        "quality", ["- history: 1\n  depth: 5", "[", "- 3", "x", "- {depth: deep}"]
    )

    @QUALITIES
    def test_any_quality_of_service(self, tmp_path, mcap, topics, signed, quality):
        changed = [replace(each, quality=quality) for each in topics]
        assert_all(read_bag(mcap(changed).write(tmp_path / "a.mcap")), signed)

    @QUALITIES
    def test_any_quality_of_service_in_sqlite3(self, tmp_path, signed, quality):
        write_bag(tmp_path / "take", signed, "sqlite3")
        with sqlite3.connect(storage_of(tmp_path / "take")) as database:
            database.execute("UPDATE topics SET offered_qos_profiles = ?", (quality,))
        assert_all(read_bag(tmp_path / "take"), signed)

    def test_sqlite3_path_with_characters_of_uris(self, tmp_path, signed):
        write_bag(tmp_path / "take", signed, "sqlite3")
        (tmp_path / "take").rename(tmp_path / "50% #1?")
        assert_all(read_bag(tmp_path / "50% #1?"), signed)


class TestCompressedMessages:
    @pytest.fixture
    def compressed(self, tmp_path, signed):
        """Return a function that writes a bag whose messages are compressed."""

        def write(storage):
            store = messages.typestore()
            bag = Writer(
                tmp_path / "take", version=9, storage_plugin=StoragePlugin[storage.upper()]
            )
            bag.set_compression(CompressionMode.MESSAGE, CompressionFormat.ZSTD)
            with bag:
                for topic, objects in (
                    ("/hands/raw", messages.write_frames(signed)),
                    ("/annotation", messages.write_annotations(signed)),
                ):
                    kind = messages.HAND_FRAME if "raw" in topic else messages.GLOSS_ANNOTATION
                    connection = bag.add_connection(
                        topic,
                        kind,
                        msgdef=messages.definition_text(kind),
                        rihs01=store.hash_rihs01(kind),
                    )
                    for time, message in enumerate(objects, 1):
                        bag.write(connection, time, store.serialize_cdr(message, kind))
            return tmp_path / "take"

        return write

    @BOTH
    def test_without_metadata(self, compressed, signed, storage):
        assert_all(read_bag(bare(compressed(storage))), signed)

    @BOTH
    def test_lone_file(self, compressed, signed, tmp_path, storage):
        file = storage_of(compressed(storage))
        assert_all(read_bag(file), signed)
        os.rename(file, tmp_path / file.name)
        assert_all(read_bag(tmp_path / file.name), signed)

    @BOTH
    def test_metadata_with_another_quality_of_service(self, compressed, signed, storage):
        bag = compressed(storage)
        metadata = bag / "metadata.yaml"
        text = metadata.read_text().replace("offered_qos_profiles: []", QUALITY)
        assert "deadline" in text
        metadata.write_text(text)
        assert_all(read_bag(bag), signed)

    def test_message_that_is_damaged(self, compressed):
        bag = compressed("sqlite3")
        with sqlite3.connect(storage_of(bag)) as database:
            database.execute("UPDATE messages SET data = substr(data, 1, 20) WHERE id = 7")
        with pytest.raises(BagError, match="take: is damaged"):
            read_bag(bag)

    @pytest.mark.parametrize("size", [5000, 1 << 26])
    def test_bomb(self, tmp_path, mcap, topics, size):
        bomb = zstd.compress(bytes(size))
        path = mcap([replace(topics[0], sent=[(1, bomb)])]).write(tmp_path / "a.mcap")
        with pytest.raises(BagError, match=r"is damaged \(\d+ bytes expand to more"):
            read_bag(path)

    def test_a_million_empty_frames(self, tmp_path, mcap, topics):
        bomb = zstd.compress(b"") * 1_000_000
        path = mcap([replace(topics[0], sent=[(1, bomb)])]).write(tmp_path / "a.mcap")
        start = time.process_time()
        with pytest.raises(BagError, match="bytes hold too many zstd frames"):
            read_bag(path)
        assert time.process_time() - start < 10

    def test_message_that_states_another_size(self, tmp_path, mcap, topics):
        frame = bytearray(zstd.compress(topics[0].sent[0][1]))
        assert frame[4] >> 6 == 1  # the content's size is in the two bytes at 5
        for size in (0, 0xFFFF):
            frame[5:7] = size.to_bytes(2, "little")
            path = mcap([replace(topics[0], sent=[(1, bytes(frame))])]).write(tmp_path / "a.mcap")
            with pytest.raises(BagError, match=r"a.mcap: is damaged"):
                read_bag(path)

    def test_format_that_is_not_supported(self, compressed):
        metadata = compressed("mcap") / "metadata.yaml"
        metadata.write_text(metadata.read_text().replace("zstd", "lz4"))
        with pytest.raises(BagError, match=r"metadata.yaml: states the compression 'lz4'"):
            read_bag(metadata.parent)


QUALITY = """offered_qos_profiles:
        - {history: keep_last, depth: 7, reliability: reliable, durability: volatile,
           deadline: {sec: 0, nsec: 0}, lifespan: {sec: 0, nsec: 0}, liveliness: automatic,
           liveliness_lease_duration: {sec: 0, nsec: 0}, avoid_ros_namespace_conventions: false}"""
