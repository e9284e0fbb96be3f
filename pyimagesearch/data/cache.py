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
from pyimagesearch.data.cache_index import Cache
from pyimagesearch.data.cache_place import clear, place, size, use
from pyimagesearch.data.rows import Rows
from pyimagesearch.data.sets import BLOCK_BYTES
from pyimagesearch.system.errors import InputError
from pyimagesearch.system.files import state
from pyimagesearch.system.names import printable
from pyimagesearch.system.progress_bar import ProgressBar

__all__ = ["clear", "embeddings_of", "looks_of", "pixels_of", "place", "size"]

BLOCK_FILES = 1000  # so that little is lost with an interrupted reading
SAMPLE = 64  # pixels: a picture's own size is looked at up to here

Shape = tuple[int, int, int]


@dataclass
class Reading:
    """What came of some files, by their places in the list that was asked for."""

    contents: dict[int, bytes] = field(default_factory=dict)  # of those that could be read
    messages: dict[int, str] = field(default_factory=dict)  # of the others
    added: set[bytes] = field(default_factory=set)  # contents that the cache did not have

    def good(self) -> list[int]:
        """The places of the files that could be read, in order."""
        return sorted(self.contents)

    def bad(self) -> list[str]:
        """One message for each of the others, naming it."""
        return [self.messages[k] for k in sorted(self.messages)]


def pixels_of(paths: Sequence[str], shape: Shape) -> tuple[Rows, np.ndarray, Reading]:
    """Pixels of image files at a shape (H, W, C), mapped from the cache.

    Returns (Rows (N, H, W, C) of the files that could be read, uint64 (N,) digests of their
    contents, what came of each file).
    """
    images.opencv()

    def work(cache):
        store = f"pixels {images.name_of(shape)}"
        reading = _fill(cache, store, paths, shape, lambda block: block, "images read")
        contents = [reading.contents[k] for k in reading.good()]
        rows = _rows(cache, store, contents)
        array = cache.array(store).reshape(-1, *shape)
        return Rows(array, rows), _numbers(contents), reading

    return use(work)


def embeddings_of(
    paths: Sequence[str],
    directory: str | os.PathLike,
    model_digest: str,
    shape: Shape,
    embed: Callable[[np.ndarray], np.ndarray],
) -> tuple[list[str], np.ndarray, list[str], int]:
    """Embeddings of image files, each embedded once for a model.

    embed: uint8 (n, H, W, C) -> float32 (n, D), called for one block of new files after the
    other; a block's embeddings are kept before the next is read. directory: where the files lie,
    for messages. Returns (paths that could be read, float32 (N, D) in their order, a message for
    each other file, for how many files nothing had to be embedded). The array is mapped from the
    cache where its rows follow each other there.
    Raises InputError where no file can be read.
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
            raise InputError(
                f"Expected readable images. Received: {printable(directory)} with none. "
                + "; ".join(reading.bad()[:3])
            )
        contents = [reading.contents[k] for k in good]
        rows = _rows(cache, store, contents)
        array = cache.array(store)
        in_order = np.all(np.diff(rows) == 1)
        array = array[rows[0] : rows[-1] + 1] if in_order else np.asarray(array[rows])
        new = sum(content in reading.added for content in contents)
        return [paths[k] for k in good], array, reading.bad(), len(good) - new

    return use(work)


def looks_of(paths: Sequence[str]) -> list[tuple[int, bool]]:
    """The shorter side in pixels, 128 where it is more, and whether coloured: of each good file."""
    images.opencv()

    def work(cache):
        keys = _keys(paths)
        (found, files, notes) = ([], [], [])
        for path, key in zip(paths, keys):
            now = state(path)
            content = cache.content(key, now)
            note = content and cache.note("looks", content)
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
            (side, coloured) = note.split()
            found.append((int(side), coloured == "1"))
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
    cache.open_store(store)
    reading = Reading()
    keys, states, wanted = _keys(paths), {}, []
    with cache.looking_up():
        for k, path in enumerate(paths):
            states[k] = state(path)
            content = cache.content(keys[k], states[k])
            if content and cache.row(store, content) is not None:
                reading.contents[k] = content
            elif content and (note := cache.note(store, content)):
                reading.messages[k] = f"{printable(path)}: {note}"
            else:
                wanted.append(k)

    def read(k):
        # (content, pixels where the store lacks them, what is wrong with the file itself)
        content = None
        try:
            data = images.read_bytes(paths[k])
            content = digest(data)
            if cache.row(store, content) is not None:
                return content, None, None
            picture = images.decode(data, paths[k], max(shape[:2]))
            return content, images.fit(picture, shape), None
        except ValueError as error:
            return content, None, str(error)

    step = max(min(BLOCK_BYTES // math.prod(shape), BLOCK_FILES), images.THREADS)
    with ProgressBar(len(wanted), what) as progress, ThreadPoolExecutor(images.THREADS) as pool:
        for start in range(0, len(wanted), step):
            block = wanted[start : start + step]
            files, notes, new = [], [], {}
            for k, (content, pixels, error) in zip(block, pool.map(read, block)):
                progress.add(1)
                if content:
                    files.append((keys[k], states[k], content))
                if error:
                    reading.messages[k] = error
                    if content:
                        reason = error.removeprefix(f"{printable(paths[k])}: ")
                        notes.append((content, reason))
                    continue
                reading.contents[k] = content
                if pixels is not None:
                    new[content] = pixels
            rows = convert(np.stack(list(new.values()))) if new else None
            cache.add(store, files, list(new), rows, notes)
            reading.added |= new.keys()
    return reading


def _rows(cache, store, contents):
    with cache.looking_up():
        rows = [cache.row(store, content) for content in contents]
    if None in rows:  # another process has found that they are lost
        raise FileNotFoundError(f"rows of {store}")
    return np.array(rows, np.int64)


def _keys(paths: Sequence[str]) -> list[bytes]:
    # real paths, each folder looked up once
    folders: dict[str, str] = {}
    keys = []
    for path in map(os.fspath, paths):
        (folder, name) = os.path.split(path)
        if folder not in folders:
            folders[folder] = os.path.realpath(folder)
        keys.append(os.fsencode(os.path.join(folders[folder], name)))
    return keys


def _numbers(contents: Sequence[bytes]) -> np.ndarray:
    # the first 8 bytes of each digest as a number
    return np.frombuffer(b"".join(content[:8] for content in contents), ">u8").astype(np.uint64)


def digest(content: bytes) -> bytes:
    """What stands for a file's content: 16 bytes."""
    return hashlib.blake2b(content, digest_size=16).digest()
