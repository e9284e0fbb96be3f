"""Pixels, embeddings and features are kept between runs, in one SQLite table.

A row holds a store's name, a key and the value as bytes. The key of what comes from a file is
made of its path, size, times and inode; its value begins with a digest of its content.
Each block of new values is one transaction: an interrupted run goes on where it was, and several
programs can share the cache. A cache that cannot be used costs time, and stops no run.
"""

import hashlib
import math
import os
import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from pyimagesearch.data import images
from pyimagesearch.data.sets import in_order
from pyimagesearch.system.terminal import AT_ONCE, InputError, printable, progress_bar, say, warn

FILE = "contrastive-7.sqlite"  # where the table or the reader changes, the number does
OWN_FILES = "contrastive-*.sqlite*"  # with the table's journal, and those of earlier versions
TABLE = """CREATE TABLE IF NOT EXISTS
    kept (store TEXT, key BLOB, value BLOB, PRIMARY KEY (store, key))"""
CONTENT_BYTES = 8  # of the digest of a file's content
BLOCK_FILES = 1000  # files, or images, that are kept together,
BLOCK_BYTES = 2**26  # or fewer: as many as have so many bytes of pixels
SMALL = 4000  # bytes: files that one thread reads faster than several
PATIENCE = 120  # seconds to wait for other programs, each of which writes for a moment


class Found(NamedTuple):
    """What came of some files; N of them could be read."""

    good: list[int]  # the places of these N in the list that was asked for
    values: np.ndarray  # (N, D), on disk
    contents: np.ndarray  # uint64 (N,), digests of the files' contents
    messages: dict[int, str]  # one for each other file, by its place, in order
    reused: int  # how many of the N were there before


def read_files(
    what: str,
    paths: Sequence[str],
    shape: tuple[int, int, int] | None,
    compute: Callable[[np.ndarray], np.ndarray] = np.asarray,
    dtype: DTypeLike = np.uint8,
) -> Found:
    """What is computed of the pixels of image files, once for each file. what: as cached's store.

    shape: (H, W, C), of the pixels; None: images.look instead.
    compute: a block of these, uint8 (n, H, W, C) -> the values (n, D) of a dtype.
    """
    side = max(shape[:2]) if shape else images.SAMPLE
    messages: dict[int, str] = {}
    (keys, size) = ({}, 0)
    for k, path in enumerate(paths):
        try:  # what tells a file from every other, and from itself after it was written anew
            s = os.stat(path)
            size += s.st_size
            text = f"{os.path.abspath(path)} {s.st_size} {s.st_mtime_ns} {s.st_ctime_ns} {s.st_ino}"
            keys[k] = hashlib.blake2b(os.fsencode(text), digest_size=16).digest()
        except (OSError, ValueError):  # said when it is read
            keys[k] = os.urandom(16)

    def read(k):  # (the digest of a file's content, its picture), or (why not, None)
        try:
            (pixels, data) = images.read_picture(paths[k], side)
        except InputError as error:
            return str(error), None
        digest = hashlib.blake2b(data, digest_size=16).digest()[:CONTENT_BYTES]
        return digest, images.fit(pixels, shape) if shape else images.look(pixels)

    def rows(block, done):
        (digests, pixels) = ({}, [])
        for k, (text, picture) in zip(block, (in_order if is_large else map)(read, block)):
            if picture is None:
                messages[k] = text
            else:
                digests[k] = text
                pixels.append(picture)
            done(1)
        values = np.asarray(compute(np.stack(pixels)) if pixels else [], dtype)
        return {k: digests[k] + x.tobytes() for k, x in zip(digests, values)}

    is_large = size > SMALL * len(paths)
    store = f"{what} {images.described(shape)}" if shape else what
    step = max(min(BLOCK_BYTES // math.prod(shape or (1,)), BLOCK_FILES), AT_ONCE)
    (good, found, reused) = cached(store, keys, rows, "images read", step)
    contents = np.ascontiguousarray(found[:, :CONTENT_BYTES]).view(">u8").ravel().astype(np.uint64)
    return Found(good, found[:, CONTENT_BYTES:].view(dtype), contents, messages, reused)


def cached(
    store: str, keys: dict[Any, bytes], compute: Callable, what: str, step: int = BLOCK_FILES
) -> tuple[list, np.ndarray, int]:
    """The things that have a value, these values, and how many of them were there before.

    store: names what is computed; a digest of weights and settings belongs into it.
    keys: of each thing, a digest of what its value is computed from. compute(things, done): the
    bytes of each thing that has a value, of at most `step` that the store lacks; done is told how
    many are. what: for the progress bar, "images looked at". The values are uint8 (N, D), their
    bytes, on disk, in the keys' order. Where the cache fails, all is done again in a temporary one.
    """
    folder = place()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / FILE).exists():
            say(f"pixels are kept in {printable(folder)}; CONTRASTIVE_CACHE names another place")
        return _cached_in(folder, store, keys, compute, what, step)
    except (OSError, sqlite3.Error) as error:
        reason = getattr(error, "strerror", None) or error
        warn(f"the cache cannot be used ({reason}): this run keeps nothing for the next")
        if type(error) is sqlite3.DatabaseError:  # damaged: the next run starts a new one
            with suppress(OSError):
                clear()
    with tempfile.TemporaryDirectory() as temporary:
        return _cached_in(Path(temporary), store, keys, compute, what, step)


def _cached_in(folder, store, keys, compute, what, step):
    """cached, with the table in a folder."""
    things = list(keys)
    with closing(sqlite3.connect(folder / FILE, PATIENCE, isolation_level="IMMEDIATE")) as db:
        db.execute(TABLE)
        db.execute("CREATE TEMP TABLE asked (k INTEGER PRIMARY KEY, key BLOB)")
        with db:
            db.executemany("INSERT INTO asked VALUES (?, ?)", enumerate(keys.values()))
        asked = "FROM asked LEFT JOIN kept ON store = ? AND kept.key = asked.key"
        absent = db.execute(f"SELECT k {asked} WHERE kept.key IS NULL ORDER BY k", (store,))
        missing = [things[k] for (k,) in absent.fetchall()]
        with progress_bar(len(missing), what) as done:
            for start in range(0, len(missing), step):
                new = compute(missing[start : start + step], done)
                block = [(store, keys[thing], value) for thing, value in new.items()]
                with db:  # all or none
                    db.executemany("INSERT OR IGNORE INTO kept VALUES (?, ?, ?)", block)
        # mapped from a file they take no memory, and stay when the cache is cleared
        good = []
        with tempfile.TemporaryFile(dir=folder) as file:
            found = f"SELECT k, value {asked} WHERE value IS NOT NULL ORDER BY k"
            for k, value in db.execute(found, (store,)):
                good.append(things[k])
                file.write(value)
            file.flush()
            values = np.asarray(np.memmap(file, np.uint8, mode="r") if good else [], np.uint8)
    return good, values.reshape(len(good), -1 if good else 0), len(things) - len(missing)


def place() -> Path:
    """The cache's folder: $CONTRASTIVE_CACHE, or one in the user's ~/.cache."""
    caches = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(os.environ.get("CONTRASTIVE_CACHE") or Path(caches, "contrastive-siamese"))


def clear() -> None:
    """Delete the cache, and nothing else in its folder."""
    for path in place().glob(OWN_FILES):
        path.unlink(missing_ok=True)
