"""Images with what is known of them: rows on disk, pairs, image sets, the parts of a data set."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pyimagesearch.system.terminal import AT_ONCE, InputError

LEAST_IMAGES = 2  # of a class: its same pair takes two
UNEVEN = 3  # times the smallest class: the largest of classes of very different size has more
TRAINED_ON = Path("assets.extra", "trained_on.npy")  # in a model's directory: ImageSet.digests


class Rows:
    """Some rows, int (N,), of an array (M, ...) on disk, read when they are asked for.

    Indexing takes a slice, integers or a mask, and returns an array in memory.
    """

    def __init__(self, array: np.ndarray, rows: np.ndarray):
        self.array, self.rows = array, rows
        self.shape, self.dtype = (len(rows), *array.shape[1:]), array.dtype

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: Any) -> np.ndarray:
        return np.asarray(self.array[self.rows[key]])


class Pairs(NamedTuple):
    """M images, each with k others to compare it with: M k pairs."""

    anchors: np.ndarray  # int (M,), which images
    others: np.ndarray  # int (M, k), which images
    y: np.ndarray  # int (M, k), 1 same class, 0 different

    def indices(self) -> np.ndarray:
        """The two images of each pair: int (M k, 2)."""
        return np.stack([self.anchors.repeat(self.others.shape[1]), self.others.ravel()], axis=1)

    def labels(self) -> np.ndarray:
        """y of each pair: (M k, 1)."""
        return self.y.reshape(-1, 1)

    def singly(self) -> "Pairs":
        """The same pairs, each on its own: k = 1."""
        (anchors, others) = self.indices().T
        return Pairs(anchors, others[:, np.newaxis], self.labels())

    def within(self, rows: np.ndarray) -> "Pairs":
        """The anchors of which all images are among `rows`, in the numbering of these rows."""
        place = np.full(max(x.max(initial=0) for x in (self.anchors, self.others, rows)) + 1, -1)
        place[rows] = np.arange(len(rows))
        (anchors, others) = (place[self.anchors], place[self.others])
        whole = (anchors >= 0) & (others >= 0).all(axis=1)
        return Pairs(anchors[whole], others[whole], self.y[whole])


@dataclass(frozen=True)
class ImageSet:
    """N images with what is known of them."""

    images: np.ndarray | Rows  # uint8 (N, H, W, C), in memory or on disk
    labels: np.ndarray | None  # int32 (N,), places in class_names; None: only pairs are known
    pairs: Any = None  # Pairs; None: to be drawn from the labels
    class_names: tuple[str, ...] = ()
    groups: np.ndarray | None = None  # int32 (N,): images that belong together have one number
    contents: np.ndarray | None = None  # uint64 (N,): a digest of each file's content
    splits: np.ndarray | None = None  # int8 (N,): TRAIN, VALIDATION, TEST, as the data says it
    # (N,), for messages: the files' names, object, or the numbers of images in memory
    files: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.images)

    def name_of(self, row: int) -> str | int:
        """An image's file, or in memory its number."""
        name = row if self.files is None else self.files[row]
        return name if isinstance(name, str) else int(name)

    def digests(self) -> np.ndarray:
        """What an image is known by: pixel_digests, and contents if known: uint64 (1 or 2, N)."""
        own = [] if self.contents is None else [self.contents]
        return np.stack([pixel_digests(self.images), *own])

    def part(self, rows: np.ndarray) -> "ImageSet":
        """Some of the images, with those of the pairs that lie within. rows: int, each once."""
        known = (self.labels, self.groups, self.contents, self.splits, self.files)
        (labels, *others) = (None if x is None else x[rows] for x in known)
        pairs = None if self.pairs is None else self.pairs.within(rows)
        images = self.images  # left on disk where they are there
        images = Rows(images.array, images.rows[rows]) if isinstance(images, Rows) else images[rows]
        return ImageSet(images, labels, pairs, self.class_names, *others)


@dataclass(frozen=True)
class DataSet:
    """What a training is given."""

    train: ImageSet
    validation: ImageSet  # chooses the epoch
    choices: ImageSet  # chooses the thresholds
    test: ImageSet  # reports
    parts: dict[str, Any] = field(default_factory=dict)  # sizes and what was left out, for JSON
    new_classes: bool = False  # whether no class of the test is in training
    new_choices: bool = False  # whether no class of the choices is
    copies: Sequence[int] | np.ndarray = ()  # the test images that have a near copy in training


def array_of(images: Any) -> np.ndarray:
    """Images as one array (N, ...). Raises InputError where they are of several sizes."""
    with suppress(ValueError):
        array = np.asarray(images)
        if array.dtype != object and array.ndim:
            return array
    raise InputError("images of one size, as an array (N, ...)", "several sizes, or no numbers")


def evenly(count: int, most: int) -> np.ndarray:
    """The indices of `most` of `count` things, evenly spread, or of all where they are fewer."""
    return np.linspace(0, count - 1, min(count, most)).astype(int)


def in_order(function: Callable[[Any], Any], items: Iterable) -> Iterator:
    """function of each item, in their order, by up to four threads, which run some items ahead."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        waiting: list[Future] = []
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > AT_ONCE:
                yield waiting.pop(0).result()
        yield from (future.result() for future in waiting)


def in_batches(
    function: Callable[..., np.ndarray], images: np.ndarray | Rows, batch_size: int | None = None
) -> np.ndarray:
    """function of the images batch by batch, on up to four cores: (N, H, W, C) -> N rows."""
    size = batch_size or min(max(200_000 // (images.shape[1] * images.shape[2]), 4), 128)  # memory
    starts = range(0, len(images), size)
    return np.concatenate([*in_order(lambda k: function(images[k : k + size]), starts)])


def class_numbers(labels: Any) -> np.ndarray:
    """The labels as numbers 0 to C - 1, in the order of the labels' values: int32 (N,).

    labels: (N,) or (N, 1) whole numbers, bools or strings; a list, an array or a tensor.
    Raises InputError for labels that are no classes: fractions, rows, a mixture of kinds.
    """
    if not isinstance(labels, (list, tuple)):  # no array: of strings as wide as the longest
        labels = np.atleast_1d(np.asarray(labels)).tolist()
    values = [v[0] if isinstance(v, list) and len(v) == 1 else v for v in labels]
    wrong = [v for v in values if not (isinstance(v, (Real, np.bool_)) and v % 1 == 0)]
    if wrong and not all(isinstance(value, str) for value in values):
        wanted = "one label for each image, whole numbers or strings, (N,) or (N, 1)"
        mend = ". np.argmax(labels, axis=1) makes labels of one-hot rows"
        raise InputError(wanted, f"{wrong[0]!r}{mend if isinstance(wrong[0], list) else ''}")
    numbers = {value: number for number, value in enumerate(sorted(set(values)))}
    return np.array([numbers[value] for value in values], np.int32)


def pixel_digests(images: np.ndarray | Rows) -> np.ndarray:
    """uint64 (N,): for each image the first eight bytes of BLAKE2b of its shape and pixels."""
    shape = np.array(images.shape[1:], "<u8").tobytes()
    return digests_of(shape + images[k].tobytes() for k in range(len(images)))


def digests_of(contents: Iterable[bytes]) -> np.ndarray:
    """uint64 (N,): for each content the first eight bytes of its BLAKE2b."""
    digests = [hashlib.blake2b(content, digest_size=8).digest() for content in contents]
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)


def read_trained_on(model: str | Path) -> np.ndarray | None:
    """The ImageSet.digests of what a model was trained on, uint64 (N,); None where unknown."""
    with suppress(OSError, ValueError, EOFError, SyntaxError):  # an older version, a damaged file
        # mapped first: a damaged header cannot ask for more memory than the file has bytes
        digests = np.array(np.load(Path(model, TRAINED_ON), mmap_mode="r", allow_pickle=False))
        if digests.dtype == np.uint64 and digests.ndim == 1:
            return digests
    return None
