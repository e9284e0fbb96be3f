"""Many image files -> their pixels or embeddings, from the cache as far as it has them.

What is dear is kept between runs and found by the files' content; cache_index says how. Whoever
is interrupted goes on where they were; a new or unreadable file costs that file.
"""

import hashlib
import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from pyimagesearch.data import images
from pyimagesearch.data.cache_index import MANY, Cache
from pyimagesearch.data.cache_place import clear, place, size, use
from pyimagesearch.data.rows import Rows
from pyimagesearch.data.sets import BLOCK_BYTES
from pyimagesearch.system.files import state
from pyimagesearch.system.errors import printable
from pyimagesearch.system.terminal import ProgressBar

__all__ = ["clear", "embeddings_of", "looks_of", "pixels_of", "place", "size"]

BLOCK_FILES = 1000  # so that little is lost with an interrupted reading
SAMPLE = 64  # pixels: a picture's own size is looked at up to here

Shape = tuple[int, int, int]


@dataclass
class Reading:
    """What came of N files, by their places in the list that was asked for."""

    contents: np.ndarray  # V16 (N,), the digests of those that could be read
    readable: np.ndarray  # bool (N,)
    rows_before: int  # how many rows the store had: those from there on are new
    messages: dict[int, str] = field(default_factory=dict)  # of the files that are not readable

    def good(self) -> list[int]:
        """The places of the files that could be read, in order."""
        return np.flatnonzero(self.readable).tolist()

    def bad(self) -> list[str]:
        """One message for each of the others, naming it."""
        return [self.messages[k] for k in sorted(self.messages)]

    def add(self, k: int, content: bytes) -> None:
        """A file that could be read."""
        self.contents[k] = content
        self.readable[k] = True


def pixels_of(paths: Sequence[str], shape: Shape) -> tuple[Rows, np.ndarray, Reading]:
    """Pixels of image files at a shape (H, W, C), mapped from the cache.

    Returns (Rows (N, H, W, C) of the files that could be read, uint64 (N,) digests of their
    contents, what came of each file).
    """
    images.opencv()

    def work(cache):
        store = f"pixels {images.name_of(shape)}"
        reading = _fill(cache, store, paths, shape, lambda block: block, "images read")
        contents = reading.contents[reading.readable]
        rows = _rows(cache, store, contents)
        array = cache.array(store).reshape(-1, *shape)
        return Rows(array, rows), _numbers(contents), reading

    return use(work)


def embeddings_of(
    paths: Sequence[str],
    model_digest: str,
    shape: Shape,
    embed: Callable[[np.ndarray], np.ndarray],
) -> tuple[list[str], np.ndarray, list[str], int]:
    """Embeddings of image files, each embedded once for a model.

    embed: uint8 (n, H, W, C) -> float32 (n, D), called for one block of new files after the
    other; a block's embeddings are kept before the next is read. Returns (paths that could be
    read, float32 (N, D) in their order, a message for each other file, of how many files the
    embedding was there before). The array is mapped from the cache where its rows follow each
    other there; else it is a copy. Where no file could be read it is empty, without D.
    """
    images.opencv()

    def work(cache):
        store = f"embeddings {model_digest} {images.name_of(shape)}"
        reading = _fill(
            cache, store, paths, shape, lambda block: np.asarray(embed(block), np.float32),
            "images embedded",
        )  # fmt: skip
        good = reading.good()
        if not good:
            return [], np.empty(0, np.float32), reading.bad(), 0
        rows = _rows(cache, store, reading.contents[reading.readable])
        array = cache.array(store)
        in_order = np.all(np.diff(rows) == 1)
        array = array[rows[0] : rows[-1] + 1] if in_order else np.asarray(array[rows])
        reused = int(np.sum(rows < reading.rows_before))
        return [paths[k] for k in good], array, reading.bad(), reused

    return use(work)


def looks_of(paths: Sequence[str]) -> list[tuple[int, bool]]:
    """The shorter side in pixels, 128 where it is more, and whether coloured: of each good file."""
    images.opencv()

    def work(cache):
        (keys, states) = (_keys(paths, {}), list(map(state, paths)))
        known = cache.contents(keys, states)
        noted = cache.notes("looks", [content for content in known if content])
        (found, files, notes) = ([], [], [])
        for path, key, now, content in zip(paths, keys, states, known):
            note = noted.get(content) if content else None
            if not note:
                try:
                    data = images.read_bytes(path)
                    picture = images.decode(data, path, SAMPLE)
                except ValueError:
                    continue  # it is named when all are read
                content = digest(data)
                coloured = bool(np.any(picture != picture[:, :, :1]))
                note = f"{min(min(picture.shape[:2]), 2 * SAMPLE)} {int(coloured)}"
                files.append((key, now, content))
                notes.append((content, note))
            (side, colour) = note.split()
            found.append((int(side), colour == "1"))
        if notes:
            cache.add("looks", files, notes=notes)
        return found

    return use(work)


def _fill(
    cache: Cache,
    store: str,
    paths: Sequence[str],
    shape: Shape,
    convert: Callable[[np.ndarray], np.ndarray],
    what: str,
) -> Reading:
    # bring the files that a store does not have into it; convert: uint8 (n, H, W, C) -> (n, ...)
    rows_before = cache.open_store(store)
    count = len(paths)
    reading = Reading(np.zeros(count, "V16"), np.zeros(count, bool), rows_before)
    wanted: list[int] = []
    folders: dict[str, str] = {}
    for start in range(0, count, MANY):
        some = paths[start : start + MANY]
        contents = cache.contents(_keys(some, folders), list(map(state, some)))
        known = [content for content in contents if content]
        rows = dict(zip(known, cache.rows(store, known).tolist()))
        noted = cache.notes(store, [content for content, row in rows.items() if row < 0])
        for k, content in enumerate(contents, start):
            if content and rows[content] >= 0:
                reading.add(k, content)
            elif content in noted:
                reading.messages[k] = f"{printable(paths[k])}: {noted[content]}"
            else:
                wanted.append(k)

    def read(k):
        # (state, content, pixels where the store lacks them, what is wrong with the file itself)
        now = state(paths[k])  # first: where the file changes after this, it is read anew
        content = None
        try:
            data = images.read_bytes(paths[k])
            content = digest(data)
            if cache.rows(store, [content])[0] >= 0:
                return now, content, None, None
            picture = images.decode(data, paths[k], max(shape[:2]))
            return now, content, images.fit(picture, shape), None
        except ValueError as error:
            return now, content, None, str(error)

    step = max(min(BLOCK_BYTES // math.prod(shape), BLOCK_FILES), images.THREADS)
    with ProgressBar(len(wanted), what) as progress, ThreadPoolExecutor(images.THREADS) as pool:
        for start in range(0, len(wanted), step):
            block = wanted[start : start + step]
            files, notes, new = [], [], {}
            keys = _keys([paths[k] for k in block], folders)
            for k, key, (now, content, pixels, error) in zip(block, keys, pool.map(read, block)):
                progress.add(1)
                if content:
                    files.append((key, now, content))
                if error:
                    reading.messages[k] = error
                    if content:
                        reason = error.removeprefix(f"{printable(paths[k])}: ")
                        notes.append((content, reason))
                    continue
                reading.add(k, content)
                if pixels is not None:
                    new[content] = pixels
            made = convert(np.stack(list(new.values()))) if new else None
            cache.add(store, files, list(new), made, notes)
    return reading


def _rows(cache, store, contents):
    rows = cache.rows(store, contents.tolist())
    if np.any(rows < 0):  # another process has found that they are lost
        raise FileNotFoundError(f"rows of {store}")
    return rows


def _keys(paths: Sequence[str], folders: dict[str, str]) -> list[bytes]:
    # real paths; folders: those that were looked up, each once
    keys = []
    for path in map(os.fspath, paths):
        (folder, name) = os.path.split(path)
        if folder not in folders:
            folders[folder] = os.path.realpath(folder)
        keys.append(os.fsencode(os.path.join(folders[folder], name)))
    return keys


def _numbers(contents: np.ndarray) -> np.ndarray:
    # the first 8 bytes of each digest as a number
    return contents.view(">u8")[::2].astype(np.uint64)


def digest(content: bytes) -> bytes:
    """What stands for a file's content: 16 bytes."""
    return hashlib.blake2b(content, digest_size=16).digest()
