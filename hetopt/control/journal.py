"""The log on disk: SQLite with a write-ahead log, synced at each commit.

An entry is applied, and answered, only once its transaction is committed; ids of events are unique
in the table, so that an event counts once however often it is told. From time to time the whole
state is written beside; entries before it are let go, their ids are kept.

Whoever waits for an answer waits for one commit and its sync, and for nothing that grows with what
was told before: the state is made into text, and the write-ahead log moved into the file, by others
while entries go on being written, and what is old is let go a little with each commit.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from hetopt.errors import InputError, Problem

FORM = 1
KEPT_IDS = 5_000_000
"""Ids that are remembered; the oldest are let go beyond."""
MOVED_EVERY = 5_000
"""Entries after which the write-ahead log is moved into the file."""
MOST_PAGES = 20_000
"""Pages of the write-ahead log at which a commit moves it itself, should nobody else have."""
PIECE = 100
"""Rows of a list that are made into text without letting others have a turn."""
ASKED = 500
"""Ids that one statement asks for."""


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
            self._db.execute(f"PRAGMA wal_autocheckpoint={MOST_PAGES}")
            self._db.execute("BEGIN IMMEDIATE")
            for text in (
                "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT)",
                "CREATE TABLE IF NOT EXISTS entries (seq INTEGER PRIMARY KEY, body TEXT)",
                "CREATE TABLE IF NOT EXISTS ids (id TEXT PRIMARY KEY, seq INTEGER) WITHOUT ROWID",
                "CREATE INDEX IF NOT EXISTS ids_by_seq ON ids (seq)",
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
        first, last = self._db.execute("SELECT MIN(seq), MAX(seq) FROM entries").fetchone()
        self._snapshot_seq = int(self._meta("snapshot_seq") or 0)
        self.seq = max(int(last or 0), self._snapshot_seq)
        # Entries up to here are no longer there.
        self._gone = self.seq if first is None else int(first) - 1
        self._closed = False

    def _meta(self, key: str) -> str | None:
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def _put(self, key: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def append(self, entries: Iterable[tuple[str | None, str]]) -> list[bool]:
        """Write entries in one transaction: (id or None, body); return which are new.

        When this returns they survive the end of the process and of the machine.
        """
        rows = list(entries)
        with self._lock:
            db = self._db
            db.execute("BEGIN IMMEDIATE")
            try:
                known = self._known([name for name, _ in rows if name is not None])
                new: list[bool] = []
                ids: list[tuple[str, int]] = []
                bodies: list[tuple[int, str]] = []
                seq = self.seq
                for name, body in rows:
                    new.append(name is None or name not in known)
                    if not new[-1]:
                        continue
                    seq += 1
                    bodies.append((seq, body))
                    if name is not None:
                        known.add(name)
                        ids.append((name, seq))
                db.executemany("INSERT INTO ids VALUES (?, ?)", ids)
                db.executemany("INSERT INTO entries VALUES (?, ?)", bodies)
                self._let_go(seq, 2 * len(bodies))
                db.execute("COMMIT")
            except BaseException:
                db.execute("ROLLBACK")
                raise
            self.seq = seq
            return new

    def _known(self, names: list[str]) -> set[str]:
        found: set[str] = set()
        for begin in range(0, len(names), ASKED):
            some = names[begin : begin + ASKED]
            marks = ",".join("?" * len(some))
            asked = self._db.execute(f"SELECT id FROM ids WHERE id IN ({marks})", some)
            found.update(name for (name,) in asked)
        return found

    def _let_go(self, seq: int, most: int) -> None:
        """Remove some entries that the snapshot holds, and ids beyond those that are kept."""
        last = min(self._gone + most, self._snapshot_seq)
        if last > self._gone:
            self._db.execute("DELETE FROM entries WHERE seq <= ?", (last,))
            self._gone = last
        if seq > KEPT_IDS:
            self._db.execute("DELETE FROM ids WHERE seq <= ?", (seq - KEPT_IDS,))

    def snapshot(self, seq: int, state: dict[str, Any]) -> None:
        """Keep a whole state that holds all entries up to a number; these are let go in time.

        Entries may be written meanwhile.
        """
        text = in_pieces(state)
        with self._lock:
            if self._closed:
                return
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._put("snapshot", text)
                self._put("snapshot_seq", str(seq))
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._snapshot_seq = seq

    def move(self) -> None:
        """Move the write-ahead log into the file, while entries go on being written."""
        beside = sqlite3.connect(self.path, isolation_level=None)
        try:
            beside.execute("PRAGMA wal_checkpoint(PASSIVE)")
        finally:
            beside.close()

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
            self._closed = True
            self._db.close()


def in_pieces(value: Any, levels: int = 3) -> str:
    """Return what ``json.dumps`` does, made so that other threads have their turn in between."""
    if levels and isinstance(value, dict):
        parts = (f"{json.dumps(str(k))}:{in_pieces(v, levels - 1)}" for k, v in value.items())
        return "{" + ",".join(parts) + "}"
    if isinstance(value, list) and len(value) > PIECE:
        parts = (_after_others(value[i : i + PIECE]) for i in range(0, len(value), PIECE))
        return "[" + ",".join(parts) + "]"
    return json.dumps(value)


def _after_others(rows: list[Any]) -> str:
    time.sleep(0)
    return json.dumps(rows)[1:-1]
