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
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from pyimagesearch.data import images
from pyimagesearch.data.sets import BLOCK_BYTES
from pyimagesearch.system.errors import InputError, printable
from pyimagesearch.system.terminal import ProgressBar

log = logging.getLogger(__name__)
Shape = tuple[int, int, int]

FILE = "contrastive-2.sqlite"  # where the table or the reader changes, the number does
TABLE = """CREATE TABLE IF NOT EXISTS
    kept (store TEXT, key BLOB, value BLOB, PRIMARY KEY (store, key))"""
OWN_FILES = "contrastive-*.sqlite*"  # with the table's journal, and those of earlier versions
BLOCK_FILES = 1000  # files, or images, that are kept together
MANY = 100  # keys that one query asks for
PATIENCE = 120  # seconds to wait for other programs, each of which writes for a moment


class Reading(NamedTuple):
    """What came of some files; N of them could be read."""

    good: list[int]  # the places of these N in the list that was asked for
    values: np.ndarray  # (N, D), on disk
    contents: np.ndarray  # uint64 (N,), digests of the files' contents
    messages: dict[int, str]  # one for each other file, by its place, in order
    computed: int  # how many of the N were not there before


def read_files(
    store: str,
    paths: Sequence[str],
    shape: Shape | None,
    dtype: DTypeLike = np.uint8,
    compute: Callable[[np.ndarray], np.ndarray] = np.asarray,
) -> Reading:
    """What is computed of the pixels of image files, once for each content.

    store: names what is computed. shape: (H, W, C), of the pixels; None: images.look instead.
    compute: a block of these, uint8 (n, H, W, C) -> the values (n, D) of a dtype; by default
    they are the values.
    """
    images.opencv()  # where it is missing no file is to blame
    side = max(shape[:2]) if shape else images.SAMPLE
    finish = partial(images.fit, shape=shape) if shape else images.look
    step = max(min(BLOCK_BYTES // math.prod(shape or (1,)), BLOCK_FILES), images.THREADS)
    keys = []  # what tells a file from every other, and from itself after it was written anew
    for path in paths:
        try:
            s = os.stat(path)
            text = f"{os.path.abspath(path)} {s.st_size} {s.st_mtime_ns} {s.st_ctime_ns} {s.st_ino}"
            keys.append(hashlib.blake2b(os.fsencode(text), digest_size=16).digest())
        except (OSError, ValueError):  # said when it is read
            keys.append(os.urandom(16))

    def work(cache):
        found = cache.find("contents", keys)
        known = cache.find(store, list(found.values()), "1")
        contents = [c if (c := found.get(key)) in known else None for key in keys]
        (messages, computed) = ({}, 0)

        def read(k):
            try:
                data = images.read_bytes(paths[k])
                content = hashlib.blake2b(data, digest_size=16).digest()
                known = cache.find(store, [content], "1")
                return content, None if known else finish(images.decode(data, paths[k], side))
            except InputError as error:
                return None, str(error)

        wanted = [k for k, content in enumerate(contents) if content is None]
        pool = ThreadPoolExecutor(images.THREADS)
        with ProgressBar(len(wanted), "images read") as progress, pool:
            for start in range(0, len(wanted), step):
                block = wanted[start : start + step]
                (rows, new) = ([], {})
                for k, (content, seen) in zip(block, pool.map(read, block)):
                    progress.add(1)
                    if content is None:
                        messages[k] = seen
                        continue
                    contents[k] = content
                    rows.append(("contents", keys[k], content))
                    if seen is not None:
                        new[content] = seen
                        computed += 1
                if new:
                    values = np.asarray(compute(np.stack(list(new.values()))), dtype)
                    rows += [(store, key, value.tobytes()) for key, value in zip(new, values)]
                cache.add(rows)
        good = [k for k, content in enumerate(contents) if content]
        of_good = list(filter(None, contents))
        digests = np.frombuffer(b"".join(of_good), ">u8")[::2].astype(np.uint64)
        values = cache.array(store, of_good, dtype)
        return Reading(good, values, digests, messages, computed)

    return _use(work)


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
    store = f"embeddings {model_digest} {images.described(shape)}"
    (good, values, _, messages, computed) = read_files(store, paths, shape, np.float32, embed)
    return [paths[k] for k in good], values, list(messages.values()), len(good) - computed


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
        missing = np.array([k for k, name in enumerate(names) if name not in known], int)
        with ProgressBar(len(missing), what) as progress:
            for start in range(0, len(missing), BLOCK_FILES):
                block = missing[start : start + BLOCK_FILES]
                values = np.asarray(compute(block), dtype)
                cache.add((store, names[k], value.tobytes()) for k, value in zip(block, values))
                progress.add(len(block))
        return cache.array(store, names, dtype)

    return _use(work)


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
        path = folder / FILE if folder else ""
        self.db = sqlite3.connect(path, PATIENCE, 0, "IMMEDIATE", check_same_thread=False)
        self.close = self.db.close

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


def _use(work: Callable[[Cache], Any]) -> Any:
    """work(cache); where the cache fails, once more with a temporary one."""
    for folder in (place(), None):
        try:
            first = folder and not (folder / FILE).exists()
            with closing(Cache(folder)) as cache:
                cache.db.execute(TABLE)
                result = work(cache)
            if first:
                log.info(
                    f"pixels and embeddings are kept in {printable(place())}; CONTRASTIVE_CACHE "
                    "names another place"
                )
            return result
        except (OSError, sqlite3.Error) as error:
            if folder is None:
                raise
            reason = getattr(error, "strerror", None) or error
            log.info(f"the cache cannot be used ({reason}): this run keeps nothing for the next")
            if type(error) is sqlite3.DatabaseError:  # damaged: the next run starts a new one
                with suppress(OSError):
                    clear()


def place() -> Path:
    """The cache's folder: $CONTRASTIVE_CACHE, or one in the user's ~/.cache."""
    caches = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(os.environ.get("CONTRASTIVE_CACHE") or Path(caches, "contrastive-siamese"))


def size() -> int:
    """How many bytes the cache has."""
    total = 0
    for path in place().glob(OWN_FILES):
        with suppress(OSError):  # a journal comes and goes
            total += path.stat().st_size
    return total


def clear() -> None:
    """Delete the cache, and nothing else in its folder."""
    for path in place().glob(OWN_FILES):
        path.unlink(missing_ok=True)
