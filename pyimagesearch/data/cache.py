"""Pixels, embeddings and features are kept between runs, in one SQLite table.

A row holds a store's name, a key and the value as bytes. The key of a photo's pixels or embedding
is a digest of the file's content: a file that was moved or copied is not decoded again.
Each block of new values is one transaction: an interrupted run goes on where it was, and several
programs can share the cache. A cache that cannot be used costs time, and stops no run.
"""

import hashlib
import logging
import math
import os
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from pyimagesearch.data import images
from pyimagesearch.data.rows import Rows
from pyimagesearch.data.sets import BLOCK_BYTES
from pyimagesearch.system.errors import InputError, printable
from pyimagesearch.system.terminal import ProgressBar

log = logging.getLogger(__name__)
Shape = tuple[int, int, int]

FILE = "contrastive-2.sqlite"  # where the table or the reader changes, the number does
TABLE = """CREATE TABLE IF NOT EXISTS
    kept (store TEXT, key BLOB, value BLOB, PRIMARY KEY (store, key))"""
# its journal, and the files of earlier versions, belong to the cache, too
OWN_FILES = ("contrastive-*.sqlite*", "contrastive-*.rows", "contrastive.lock")
BLOCK_FILES = 1000  # files, or images, that are kept together
MANY = 100  # keys that one query asks for
PATIENCE = 120  # seconds to wait for other programs, each of which writes for a moment
SAMPLE = 64  # pixels: a picture's own size is looked at up to twice this
LOOKED_AT = 100  # files that say how a folder is to be read


@dataclass
class Reading:
    """What came of N files, by their places in the list that was asked for."""

    contents: list[bytes | None]  # of each a digest; None: it could not be read
    messages: dict[int, str] = field(default_factory=dict)  # one for each of those
    computed: int = 0  # of how many files the value was not there before

    def good(self) -> list[int]:
        """The places of the files that could be read, in order."""
        return [k for k, content in enumerate(self.contents) if content]


def pixels_of(paths: Sequence[str], shape: Shape) -> tuple[Rows, np.ndarray, Reading]:
    """Pixels of image files at a shape (H, W, C), on disk.

    Returns (Rows (N, H, W, C) of the files that could be read, uint64 (N,) digests of their
    contents, what came of each file).
    """
    store = f"pixels {images.name_of(shape)}"
    (reading, pixels) = _of_files(store, paths, np.uint8, _reader(shape), shape)
    digests = np.frombuffer(b"".join(filter(None, reading.contents)), ">u8")[::2]
    rows = np.arange(len(pixels))
    return Rows(pixels.reshape(-1, *shape), rows), digests.astype(np.uint64), reading


def embeddings_of(
    paths: Sequence[str],
    model_digest: str,
    shape: Shape,
    embed: Callable[[np.ndarray], np.ndarray],
) -> tuple[list[str], np.ndarray, list[str], int]:
    """Embeddings of image files, each embedded once for a model.

    embed: uint8 (n, H, W, C) -> float32 (n, D), called for one block of new files at a time.
    Returns (paths that could be read, float32 (N, D) in their order, on disk, a message for each
    other file, how many of the N were there before). Where no file could be read D is 0.
    """
    store = f"embeddings {model_digest} {images.name_of(shape)}"
    (reading, found) = _of_files(store, paths, np.float32, _reader(shape), shape, embed)
    good = [paths[k] for k in reading.good()]
    bad = [reading.messages[k] for k in sorted(reading.messages)]
    return good, found, bad, len(good) - reading.computed


def looks_of(paths: Sequence[str], longer: bool = False) -> list[tuple[int, bool]]:
    """The shorter side, or the longer one, and whether coloured: of about a hundred good files.

    A side is given in pixels, and as 128 where it is more. A digest of the names chooses the
    files: every k-th might be of the same camera, where two take turns.
    """

    def look(data, path):
        picture = images.decode(data, path, SAMPLE)
        sides = sorted(min(side, 2 * SAMPLE) for side in picture.shape[:2])
        return np.array([*sides, np.any(picture != picture[:, :, :1])], np.uint8)

    some = sorted(paths, key=lambda path: digest(os.fsencode(path)))[:LOOKED_AT]
    (_, looks) = _of_files("looks", some, np.uint8, look)
    return [(sides[longer], bool(coloured)) for *sides, coloured in looks.tolist()]


def cached(
    store: str,
    keys: np.ndarray,
    compute: Callable[[np.ndarray], np.ndarray],
    what: str,
    dtype: DTypeLike = np.float32,
) -> np.ndarray:
    """What is computed for each of N keys, once for each key: (N, D), on disk.

    store: names what is computed; a digest of weights and settings belongs into it.
    keys: uint64 (N,), digests of what it is computed from. compute: int (n,), places in keys ->
    the values (n, D). what: for the progress bar, "images looked at".
    """
    names = [key.tobytes() for key in keys]

    def work(cache):
        known = cache.find(store, names, "1")
        first = np.sort(np.unique(keys, return_index=True)[1])
        missing = np.array([k for k in first if names[k] not in known], int)
        with ProgressBar(len(missing), what) as progress:
            for start in range(0, len(missing), BLOCK_FILES):
                block = missing[start : start + BLOCK_FILES]
                values = np.asarray(compute(block), dtype)
                cache.add((store, names[k], value.tobytes()) for k, value in zip(block, values))
                progress.add(len(block))
        return cache.array(store, names, dtype)

    return _use(work)


def _reader(shape: Shape) -> Callable[[bytes, str], np.ndarray]:
    return lambda data, path: images.fit(images.decode(data, path, max(shape[:2])), shape)


def _of_files(
    store: str,
    paths: Sequence[str],
    dtype: DTypeLike,
    look: Callable[[bytes, str], np.ndarray],
    shape: tuple[int, ...] = (1,),
    compute: Callable[[np.ndarray], np.ndarray] = np.asarray,
) -> tuple[Reading, np.ndarray]:
    """What came of the files, and the values of the N good ones: (N, D), on disk.

    look: a file's bytes and its path -> an array of a shape; called in several threads.
    compute: a block of these, stacked -> their values; by default they are the values.
    """
    images.opencv()  # where it is missing no file is to blame
    step = max(min(BLOCK_BYTES // math.prod(shape), BLOCK_FILES), images.THREADS)

    def work(cache):
        reading = Reading([])
        for start in range(0, len(paths), MANY):
            keys = [file_key(path) for path in paths[start : start + MANY]]
            contents = cache.find("contents", keys)
            known = cache.find(store, list(contents.values()), "1")
            found = (contents.get(key) for key in keys)
            reading.contents += [content if content in known else None for content in found]

        def read(k):
            key = file_key(paths[k])  # first: a file that changes after this is read anew
            try:
                data = images.read_bytes(paths[k])
                content = digest(data)
                known = cache.find(store, [content], "1")
                return key, content, None if known else look(data, paths[k])
            except InputError as error:
                return key, None, str(error)

        wanted = [k for k, content in enumerate(reading.contents) if content is None]
        pool = ThreadPoolExecutor(images.THREADS)
        with ProgressBar(len(wanted), "images read") as progress, pool:
            for start in range(0, len(wanted), step):
                block = wanted[start : start + step]
                (rows, new) = ([], {})
                for k, (key, content, seen) in zip(block, pool.map(read, block)):
                    progress.add(1)
                    if content is None:
                        reading.messages[k] = seen
                        continue
                    reading.contents[k] = content
                    rows.append(("contents", key, content))
                    if seen is not None:
                        new[content] = seen
                        reading.computed += 1
                if new:
                    values = np.asarray(compute(np.stack(list(new.values()))), dtype)
                    rows += [(store, key, value.tobytes()) for key, value in zip(new, values)]
                cache.add(rows)
        return reading, cache.array(store, list(filter(None, reading.contents)), dtype)

    return _use(work, say=store != "looks")


def file_key(path: str) -> bytes:
    """What tells a file from every other, and from itself after it was written anew: 16 bytes."""
    try:
        s = os.stat(path)
    except (OSError, ValueError):  # said when it is read
        return os.urandom(16)
    text = f"{os.path.abspath(path)} {s.st_size} {s.st_mtime_ns} {s.st_ctime_ns} {s.st_ino}"
    return digest(os.fsencode(text))


def digest(content: bytes) -> bytes:
    """What stands for a file's content: 16 bytes."""
    return hashlib.blake2b(content, digest_size=16).digest()


class Cache:
    """The table, for one process.

    folder: where it lies; None: in a temporary file of SQLite's own.
    Raises OSError or sqlite3.Error where it cannot be used.
    """

    def __init__(self, folder: Path | None):
        self.folder = folder
        self.turn = threading.Lock()  # of the threads that ask
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
        self.db = sqlite3.connect(
            folder / FILE if folder else "",
            timeout=PATIENCE, isolation_level="IMMEDIATE", check_same_thread=False,
        )  # fmt: skip
        self.close = self.db.close
        try:
            self.db.execute(TABLE)
        except sqlite3.Error:
            self.close()
            raise

    def find(self, store: str, keys: Sequence[bytes], column: str = "value") -> dict[bytes, Any]:
        """{key: value} of those keys that the store has; column "1": only whether it has them."""
        found: dict[bytes, Any] = {}
        for start in range(0, len(keys), MANY):
            some = keys[start : start + MANY]
            marks = ", ".join("?" * len(some))
            query = f"SELECT key, {column} FROM kept WHERE store = ? AND key IN ({marks})"
            with self.turn:
                found.update(self.db.execute(query, (store, *some)))
        return found

    def add(self, rows: Iterable[tuple[str, bytes, bytes]]) -> None:
        """Keep a block of (store, key, value), all or none."""
        with self.db:
            self.db.executemany("INSERT OR IGNORE INTO kept VALUES (?, ?, ?)", rows)

    def array(self, store: str, keys: Sequence[bytes], dtype: DTypeLike) -> np.ndarray:
        """The values of N keys, (N, D), written to a temporary file and mapped from it.

        So they take no memory, and stay when the cache is cleared.
        """
        if not keys:
            return np.empty((0, 0), dtype)
        with tempfile.TemporaryFile(dir=self.folder) as file:
            for start in range(0, len(keys), MANY):
                some = keys[start : start + MANY]
                values = self.find(store, some)
                file.writelines(values[key] for key in some)
            file.flush()
            return np.asarray(np.memmap(file, dtype, mode="r")).reshape(len(keys), -1)


def _use(work: Callable[[Cache], Any], say: bool = False) -> Any:
    """work(cache); where the cache fails, once more with a temporary one.

    say: whether to log where the cache is, if it has grown.
    """
    try:
        before = size()
        with closing(Cache(place())) as cache:
            result = work(cache)
        if say and (after := size()) > before:
            log.info(
                "pixels and embeddings are kept in %s, %s MB; CONTRASTIVE_CACHE names "
                "another place", printable(place()), f"{-(-after // 10**6):,}",
            )  # fmt: skip
        return result
    except (OSError, sqlite3.Error) as error:
        reason = getattr(error, "strerror", None) or error
        log.info("the cache cannot be used (%s): this run keeps nothing for the next", reason)
        if type(error) is sqlite3.DatabaseError:  # damaged: the next run starts a new one
            with suppress(OSError):
                clear()
    with closing(Cache(None)) as cache:
        return work(cache)


def place() -> Path:
    """The cache's folder: $CONTRASTIVE_CACHE, or one in the user's ~/.cache."""
    caches = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(os.environ.get("CONTRASTIVE_CACHE") or Path(caches, "contrastive-siamese"))


def size() -> int:
    """How many bytes the cache has."""
    total = 0
    for path in _own_files():
        with suppress(OSError):  # a journal comes and goes
            total += path.stat().st_size
    return total


def clear() -> None:
    """Delete the cache, and nothing else in its folder."""
    for path in _own_files():
        path.unlink(missing_ok=True)


def _own_files() -> list[Path]:
    return [path for pattern in OWN_FILES for path in place().glob(pattern)]
