"""The log on disk: SQLite with a write-ahead log, synced at each commit.

An entry is applied, and answered, only once its transaction is committed; ids of events are unique
in the table, so that an event counts once however often it is told. From time to time the whole
state is written beside; entries before it are let go, their ids are kept.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from hetopt.errors import InputError, Problem

FORM = 1
KEPT_IDS = 5_000_000
"""Ids that are remembered; the oldest are let go beyond."""


class Journal:
    """Entries by number, a snapshot, and the ids of events.

    Raises
    ------
    InputError
        Where the file cannot be opened, is no journal, or belongs to another instance.
    """

    def __init__(self, path: Path, instance: str) -> None:
        self.path = path
        self._lock = threading.Lock()
        try:
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute("BEGIN IMMEDIATE")
            for text in (
                "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT)",
                "CREATE TABLE IF NOT EXISTS entries (seq INTEGER PRIMARY KEY, body TEXT)",
                "CREATE TABLE IF NOT EXISTS ids (id TEXT PRIMARY KEY, seq INTEGER) WITHOUT ROWID",
            ):
                self._db.execute(text)
            self._db.execute("COMMIT")
            known = self._meta("instance")
        except sqlite3.DatabaseError as error:
            text = f"A file for the state that can be written and is no other's ({error})."
            raise InputError([Problem("--state", str(path), text)]) from None
        if known is None:
            self._put("instance", instance)
            self._put("form", str(FORM))
        elif known != instance:
            text = "A state of this instance; it was begun with another one. Choose another file."
            raise InputError([Problem("--state", str(path), text)])
        row = self._db.execute("SELECT MAX(seq) FROM entries").fetchone()
        kept = self._meta("snapshot_seq")
        self.seq = max(int(row[0] or 0), int(kept or 0))

    def _meta(self, key: str) -> str | None:
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def _put(self, key: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def append(self, entries: Iterable[tuple[str | None, str]]) -> list[bool]:
        """Write entries in one transaction: (id or None, body); return which are new.

        When this returns they survive the end of the process and of the machine.
        """
        with self._lock:
            db = self._db
            new = []
            seq = self.seq
            db.execute("BEGIN IMMEDIATE")
            try:
                for name, body in entries:
                    if name is not None:
                        found = db.execute(
                            "INSERT OR IGNORE INTO ids VALUES (?, ?)", (name, seq + 1)
                        )
                        if not found.rowcount:
                            new.append(False)
                            continue
                    seq += 1
                    db.execute("INSERT INTO entries VALUES (?, ?)", (seq, body))
                    new.append(True)
                db.execute("COMMIT")
            except BaseException:
                db.execute("ROLLBACK")
                raise
            self.seq = seq
            return new

    def snapshot(self, seq: int, state: dict[str, Any]) -> None:
        """Keep a whole state that holds all entries up to a number, and let these go."""
        text = json.dumps(state)
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            self._put("snapshot", text)
            self._put("snapshot_seq", str(seq))
            self._db.execute("DELETE FROM entries WHERE seq <= ?", (seq,))
            self._db.execute("DELETE FROM ids WHERE seq <= ?", (seq - KEPT_IDS,))
            self._db.execute("COMMIT")

    def load(self) -> tuple[dict[str, Any] | None, Iterator[dict[str, Any]]]:
        """Return the latest snapshot, and the entries since."""
        text = self._meta("snapshot")
        begin = int(self._meta("snapshot_seq") or 0)
        rows = self._db.execute(
            "SELECT body FROM entries WHERE seq > ? ORDER BY seq", (begin,)
        ).fetchall()
        return None if text is None else json.loads(text), (json.loads(body) for (body,) in rows)

    def value(self, key: str) -> str | None:
        """Return what was stored under a name."""
        return self._meta(key)

    def store(self, key: str, value: str) -> None:
        """Store a text under a name."""
        with self._lock:
            self._put(key, value)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()
