"""Pixels, embeddings and features are kept between runs, in one SQLite table.

A row holds a store's name, a key and the value as bytes. The key of what comes from a file is
made of its path, size, times and inode; its value begins with a digest of its content.
Each block of new values is one transaction: an interrupted run goes on where it was, and several
programs can share the cache. A cache that cannot be used costs time, and stops no run.
"""

import hashlib
import logging
import math
import os
import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from pyimagesearch.data import images
from pyimagesearch.data.sets import BLOCK_BYTES
from pyimagesearch.system.errors import InputError, printable
from pyimagesearch.system.terminal import ProgressBar

log = logging.getLogger(__name__)
Shape = tuple[int, int, int]
# some places in keys, a progress bar -> (a place, its value) of those that have one
Rows = Callable[[list[int], ProgressBar], list[tuple[int, bytes]]]

FILE = "contrastive-3.sqlite"  # where the table or the reader changes, the number does
OWN_FILES = "contrastive-*.sqlite*"  # with the table's journal, and those of earlier versions
TABLE = """CREATE TABLE IF NOT EXISTS
    kept (store TEXT, key BLOB, value BLOB, PRIMARY KEY (store, key))"""
CONTENT_BYTES = 8  # of the digest of a file's content
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
    """What is computed of the pixels of image files, once for each file.

    store: names what is computed. shape: (H, W, C), of the pixels; None: images.look instead.
    compute: a block of these, uint8 (n, H, W, C) -> the values (n, D) of a dtype; by default
    they are the values.
    """
    images.opencv()  # where it is missing no file is to blame
    side = max(shape[:2]) if shape else images.SAMPLE
    finish = partial(images.fit, shape=shape) if shape else images.look
    messages: dict[int, str] = {}

    def read(path):
        data = images.read_bytes(path)
        digest = hashlib.blake2b(data, digest_size=16).digest()[:CONTENT_BYTES]
        return digest, finish(images.decode(data, path, side))

    def rows(block, progress):
        (places, found) = ([], [])
        for k, future in [(k, pool.submit(read, paths[k])) for k in block]:
            try:
                found.append(future.result())
                places.append(k)
            except InputError as error:
                messages[k] = str(error)
            progress.add(1)
        values = np.asarray(compute(np.stack([x for _, x in found])) if found else [], dtype)
        return [(k, digest + x.tobytes()) for k, (digest, _), x in zip(places, found, values)]

    step = max(min(BLOCK_BYTES // math.prod(shape or (1,)), BLOCK_FILES), images.THREADS)
    with ThreadPoolExecutor(images.THREADS) as pool:
        (good, found, new) = _kept(store, list(map(_key, paths)), rows, "images read", step)
    contents = np.ascontiguousarray(found[:, :CONTENT_BYTES]).view(">u8").ravel().astype(np.uint64)
    values = found[:, CONTENT_BYTES:].view(dtype)
    return Reading(good, values, contents, messages, new)


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

    def rows(block, progress):
        values = np.asarray(compute(np.array(block)), dtype)
        progress.add(len(block))
        return [(k, value.tobytes()) for k, value in zip(block, values)]

    return _kept(store, [key.tobytes() for key in keys], rows, what)[1].view(dtype)


def _key(path: str) -> bytes:
    """What tells a file from every other, and from itself after it was written anew."""
    try:
        s = os.stat(path)
    except (OSError, ValueError):  # said when it is read
        return os.urandom(16)
    text = f"{os.path.abspath(path)} {s.st_size} {s.st_mtime_ns} {s.st_ctime_ns} {s.st_ino}"
    return hashlib.blake2b(os.fsencode(text), digest_size=16).digest()


def _kept(
    store: str, keys: list[bytes], rows: Rows, what: str, step: int = BLOCK_FILES
) -> tuple[list[int], np.ndarray, int]:
    """The places of the keys that have a value, these, and how many were not there before.

    rows: asked for what the store lacks, at most `step` keys at a time. The values are uint8
    (N, D). Where the cache fails, all of it is done once more with a temporary one.
    """
    try:
        return _kept_in(place(), store, keys, rows, what, step)
    except (OSError, sqlite3.Error) as error:
        reason = getattr(error, "strerror", None) or error
        log.info(f"the cache cannot be used ({reason}): this run keeps nothing for the next")
        if type(error) is sqlite3.DatabaseError:  # damaged: the next run starts a new one
            with suppress(OSError):
                clear()
    return _kept_in(None, store, keys, rows, what, step)


def _kept_in(
    folder: Path | None, store: str, keys: list[bytes], rows: Rows, what: str, step: int
) -> tuple[list[int], np.ndarray, int]:
    """_kept, with the table in a folder, or for None in a temporary file of SQLite's own."""
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / FILE).exists():
            log.info(f"pixels and embeddings are kept in {printable(folder)}; CONTRASTIVE_CACHE "
                     "names another place")  # fmt: skip
    path = folder / FILE if folder else ""
    with closing(sqlite3.connect(path, PATIENCE, isolation_level="IMMEDIATE")) as db:
        db.execute(TABLE)

        def find(column):  # (k, value) of each key, None where it has none
            for start in range(0, len(keys), MANY):
                some = keys[start : start + MANY]
                marks = ", ".join("?" * len(some))
                query = f"SELECT key, {column} FROM kept WHERE store = ? AND key IN ({marks})"
                found = dict(db.execute(query, (store, *some)))
                yield from enumerate(map(found.get, some), start)

        missing = [k for k, value in find("1") if value is None]
        new = 0
        with ProgressBar(len(missing), what) as progress:
            for start in range(0, len(missing), step):
                block = [(store, keys[k], value)
                         for k, value in rows(missing[start : start + step], progress)]  # fmt: skip
                new += len(block)
                with db:  # all or none
                    db.executemany("INSERT OR IGNORE INTO kept VALUES (?, ?, ?)", block)
        # mapped from a file they take no memory, and stay when the cache is cleared
        good: list[int] = []
        with tempfile.TemporaryFile(dir=folder) as file:
            for k, value in find("value"):
                if value is not None:
                    good.append(k)
                    file.write(value)
            file.flush()
            values = np.memmap(file, np.uint8, mode="r") if good else np.empty(0, np.uint8)
    return good, np.asarray(values).reshape(len(good), -1 if good else 0), new


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
