"""The cache's index and the files of rows beside it.

An index (SQLite) holds for each file, by its path and state, a digest of its content, and for
each content the row in which its pixels or its embedding lie: one after the other in a flat file
for each wanted shape or model, a "store". Rows are appended block by block, each block whole or
not at all, by one process at a time.
"""

import json
import math
import os
import sqlite3
import threading
import uuid
from collections.abc import Iterable, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import filelock
import numpy as np

from pyimagesearch.data.decoding import abilities

VERSION = 1  # of the reader and of the index: with another, all is read anew
INDEX, LOCK, ROWS = "contrastive-index.sqlite", "contrastive.lock", "contrastive-*.rows"
MANY = 500  # keys that one query asks for; SQLite may be built for no more than 999
PATIENCE = 120  # seconds to wait for another process, which holds the lock for a block at a time
TABLES = """
CREATE TABLE files (path BLOB PRIMARY KEY, state TEXT, content BLOB) WITHOUT ROWID;
CREATE TABLE stores (store TEXT PRIMARY KEY, file TEXT, dtype TEXT, shape TEXT) WITHOUT ROWID;
CREATE TABLE rows (store TEXT, content BLOB, row INTEGER, PRIMARY KEY (store, content))
    WITHOUT ROWID;
CREATE INDEX rows_in_order ON rows (store, row);
CREATE TABLE notes (subject TEXT, content BLOB, note TEXT, abilities TEXT,
    PRIMARY KEY (subject, content)) WITHOUT ROWID;
"""


class Cache:
    """The index and the stores in a folder, for one process; its threads may share it.

    Raises OSError or sqlite3.Error where it cannot be used.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.added = False  # whether rows were
        self._abilities = abilities()
        self._turn = threading.RLock()
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = filelock.FileLock(folder / LOCK, timeout=PATIENCE)
        try:
            self._lock.acquire()
        except NotImplementedError as error:  # a file system without locks
            raise OSError(str(error)) from None
        try:
            self._db = self._connect()
            try:
                if self._db.execute("PRAGMA user_version").fetchone() != (VERSION,):
                    self._db.close()
                    remove(folder)
                    self._db = self._connect()
                    self._db.executescript(f"BEGIN;{TABLES}PRAGMA user_version={VERSION};COMMIT;")
            except BaseException:
                self._db.close()
                raise
        finally:
            self._lock.release()

    def _connect(self):
        return sqlite3.connect(
            self.folder / INDEX, timeout=PATIENCE, isolation_level=None, check_same_thread=False
        )

    def __enter__(self) -> "Cache":
        return self

    def __exit__(self, *error: object) -> None:
        self._db.close()

    def contents(self, paths: Sequence[bytes], states: Sequence[str]) -> list[bytes | None]:
        """The digest of each file's content, where its state is what it was."""
        found = {
            path: (state, content)
            for path, state, content in self._of_many(
                "SELECT path, state, content FROM files WHERE path IN ({})", paths
            )
        }
        known = [found.get(path, ("", None)) for path in paths]
        return [content if was == now else None for (was, content), now in zip(known, states)]

    def rows(self, store: str, contents: Sequence[bytes]) -> np.ndarray:
        """The row that each content has in a store, -1 where it has none: int64 (N,)."""
        query = "SELECT content, row FROM rows WHERE store = ? AND content IN ({})"
        result = np.empty(len(contents), np.int64)
        for start in range(0, len(contents), MANY):
            some = contents[start : start + MANY]
            found = dict(self._of_many(query, some, store))
            result[start : start + MANY] = [found.get(content, -1) for content in some]
        return result

    def notes(self, subject: str, contents: Sequence[bytes]) -> dict[bytes, str]:
        """What was noted of some contents by a program that could read the same formats."""
        query = (
            "SELECT content, note FROM notes "
            "WHERE subject = ? AND abilities = ? AND content IN ({})"
        )
        return dict(self._of_many(query, contents, subject, self._abilities))

    def open_store(self, store: str) -> int:
        """Forget the rows of a store whose file has lost them. Returns how many it has."""
        with self._writing():
            found = self._store(store)
            if found:
                (path, dtype, shape) = found
                whole = path.stat().st_size // _bytes(dtype, shape) if path.exists() else 0
                self._db.execute("DELETE FROM rows WHERE store = ? AND row >= ?", (store, whole))
            return self._count(store)

    def array(self, store: str) -> np.ndarray:
        """All rows of a store, mapped from its file: (M, ...)."""
        if not (count := self._count(store)):
            return np.empty(0, np.uint8)
        (path, dtype, shape) = self._store(store)
        return np.memmap(path, dtype=dtype, mode="r", shape=(count, *shape))

    def add(
        self,
        store: str,
        files: Iterable[tuple[bytes, str, bytes]],
        contents: Sequence[bytes] = (),
        rows: np.ndarray | None = None,
        notes: Iterable[tuple[bytes, str]] = (),
    ) -> None:
        """Append a block, whole or not at all.

        files: path, state and content of each. contents: of the rows (n, ...), no two the same.
        notes: (content, note), under the store's name as their subject.
        """
        with self._writing():
            if len(contents):
                self._append(store, contents, np.ascontiguousarray(rows))
            self._db.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", files)
            self._db.executemany(
                "INSERT OR REPLACE INTO notes VALUES (?, ?, ?, ?)",
                [(store, content, note, self._abilities) for content, note in notes],
            )

    def _append(self, store, contents, rows):
        # another process may have brought the same in the meantime
        new = np.flatnonzero(self.rows(store, contents) < 0)
        if not len(new):
            return
        if not self._store(store):
            shape = json.dumps(rows.shape[1:])
            file = ROWS.replace("*", uuid.uuid4().hex)  # no cleared cache has had it
            self._db.execute(
                "INSERT INTO stores VALUES (?, ?, ?, ?)", (store, file, str(rows.dtype), shape)
            )
        (path, dtype, shape) = self._store(store)
        start = self._count(store)
        with open(path, "r+b" if path.exists() else "w+b") as f:
            f.seek(start * _bytes(dtype, shape))  # over what was not finished
            f.write(rows[new] if len(new) < len(rows) else rows)
            f.flush()
            os.fsync(f.fileno())
        self._db.executemany(
            "INSERT INTO rows VALUES (?, ?, ?)",
            [(store, contents[k], start + n) for n, k in enumerate(new)],
        )
        self.added = True

    @contextmanager
    def _writing(self):
        with self._lock, self._turn:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def _of_many(self, query, keys, *values):
        # of many keys in few queries: one for each file takes longer than reading the folder
        found = []
        for start in range(0, len(keys), MANY):
            some = keys[start : start + MANY]
            marks = ", ".join("?" * len(some))
            with self._turn:
                found += self._db.execute(query.format(marks), (*values, *some)).fetchall()
        return found

    def _count(self, store):
        query = "SELECT max(row) + 1 FROM rows WHERE store = ?"
        return self._db.execute(query, (store,)).fetchone()[0] or 0

    def _store(self, store):
        # its file, dtype and the shape of a row; None where it has none yet
        query = "SELECT file, dtype, shape FROM stores WHERE store = ?"
        found = self._db.execute(query, (store,)).fetchone()
        return found and (self.folder / found[0], found[1], tuple(json.loads(found[2])))


def _bytes(dtype, shape):
    return np.dtype(dtype).itemsize * math.prod(shape)


def size_of(folder: Path) -> int:
    """How many bytes a cache has."""
    total = 0
    for path in own_files(folder):
        with suppress(OSError):
            total += path.stat().st_size
    return total


def remove(folder: Path) -> None:
    """Delete a cache, and nothing else that lies in its folder."""
    for path in own_files(folder):
        path.unlink(missing_ok=True)


def own_files(folder: Path) -> list[Path]:
    """The files of a cache but its lock."""
    return [*folder.glob(f"{INDEX}*"), *folder.glob(ROWS)]
