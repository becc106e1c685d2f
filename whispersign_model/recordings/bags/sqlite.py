# SPDX-License-Identifier: MIT
"""Read the sqlite3 files of rosbag2, in all versions of its tables."""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from whispersign_model.recordings.bags.storage import Channel, definition

# SQLite's instructions in all queries of one file; a row takes about 30 in each of three queries.
FEW_INSTRUCTIONS, INSTRUCTIONS_PER_BYTE = 10_000_000, 20
INTERVAL = 100_000


class SqliteFile:
    """An open sqlite3 file; see :class:`~whispersign_model.recordings.bags.storage.StorageFile`.

    Raises:
        ValueError: tables are missing.
        sqlite3.Error: the file is damaged.
    """

    def __init__(self, path: Path) -> None:
        uri = f"file:{quote(str(path))}?mode=ro&immutable=1"
        self._database = sqlite3.connect(uri, uri=True)
        self._work = FEW_INSTRUCTIONS + INSTRUCTIONS_PER_BYTE * path.stat().st_size
        self._database.set_progress_handler(self._is_endless, INTERVAL)
        try:
            tables = self._tables()
            if not tables >= {"messages", "topics"}:
                raise ValueError("it lacks the tables of rosbag2")
            self.channels = self._channels("message_definitions" in tables)
            self.fault = self._fault()
        except BaseException:
            self.close()
            raise

    def _is_endless(self) -> bool:
        """Count instructions; a damaged tree of pages can lead through the same page endlessly."""
        self._work -= INTERVAL
        return self._work < 0

    def _tables(self) -> set[str]:
        """Return the tables that are stored in the file, not computed from SQL in it."""
        rows = self._database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage > 0"
        )
        tables = {str(name) for (name,) in rows}
        for table in tables & {"messages", "topics", "message_definitions"}:
            columns = self._database.execute(f"PRAGMA table_xinfo({table})")
            if any(column[6] for column in columns):
                raise ValueError(f"its table {table} computes columns")
        return tables

    def _channels(self, defined: bool) -> list[Channel]:
        """Return the topics; count their messages without the index, which can be incomplete."""
        definitions = {}
        if defined:
            rows = self._database.execute(
                "SELECT topic_type, encoding, encoded_message_definition FROM message_definitions"
            )
            definitions = {name: definition(encoding, str(text)) for name, encoding, text in rows}
        counts = dict(
            self._database.execute(
                "SELECT topic_id, count(*) FROM messages NOT INDEXED GROUP BY topic_id"
            )
        )
        columns = {row[1] for row in self._database.execute("PRAGMA table_info(topics)")}
        digest = "type_description_hash" if "type_description_hash" in columns else "''"
        rows = self._database.execute(
            f"SELECT id, name, type, serialization_format, {digest} FROM topics ORDER BY id"
        )
        channels = [
            Channel(
                number,
                topic,
                kind,
                encoding,
                definitions.get(kind, definition("", "")),
                str(digest or ""),
                counts.get(number, 0),
            )
            for number, topic, kind, encoding, digest in rows
        ]
        for each in channels:  # SQLite does not enforce the types of columns
            texts = (each.topic, each.msgtype, each.encoding)
            if not (isinstance(each.id, int) and all(isinstance(text, str) for text in texts)):
                raise ValueError(f"its topic {each.id} is not described in text")
        return channels

    def _fault(self) -> str:
        (lost,) = self._database.execute(
            "SELECT count(*) FROM messages NOT INDEXED "
            "WHERE topic_id NOT IN (SELECT id FROM topics)"
        ).fetchone()
        return f"holds {lost} messages of topics that it does not list" if lost else ""

    def messages(self, wanted: Sequence[Channel]) -> Iterator[tuple[Channel, bytes]]:
        """Yield the messages of some channels in the order of their log times."""
        channels = {channel.id: channel for channel in wanted}
        marks = ", ".join("?" * len(channels))
        rows = self._database.execute(
            f"SELECT topic_id, data FROM messages WHERE topic_id IN ({marks}) "
            "ORDER BY timestamp, id",
            list(channels),
        )
        for number, data in rows:
            yield channels[number], data

    def close(self) -> None:
        """Close the file."""
        self._database.close()
