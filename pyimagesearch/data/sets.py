"""Images with what is known of them, and the four parts of a data set."""

import hashlib
import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from pyimagesearch.data.pairs import Pairs
from pyimagesearch.data.rows import Rows, take

BLOCK_BYTES = 2**26  # of pixels that are looked at in one go


@dataclass(frozen=True)
class ImageSet:
    """N images with what is known of them."""

    images: np.ndarray | Rows  # uint8 (N, H, W, C), in memory or on disk
    labels: np.ndarray | None  # int32 (N,), places in class_names; None: only pairs are known
    pairs: Pairs | None = None  # None: to be drawn from the labels
    class_names: tuple[str, ...] = ()
    groups: np.ndarray | None = None  # int32 (N,): images that belong together have one number
    contents: np.ndarray | None = None  # uint64 (N,): a digest of each file's content

    def __len__(self) -> int:
        return len(self.images)

    def replace(self, **changes: Any) -> "ImageSet":
        """The same set with other values."""
        return replace(self, **changes)

    def take(self, rows: np.ndarray) -> "ImageSet":
        """Some of the images, without pairs. rows: int, which."""
        known = {
            name: None if value is None else value[rows]
            for name, value in vars(self).items()
            if name in ("labels", "groups", "contents")
        }
        return replace(self, images=take(self.images, rows), pairs=None, **known)

    def part(self, rows: np.ndarray) -> "ImageSet":
        """Some of the images, with those of the pairs that lie within. rows: int, each once."""
        pairs = None if self.pairs is None else self.pairs.within(rows)
        return self.take(rows).replace(pairs=pairs)


@dataclass(frozen=True)
class DataSet:
    """What a training is given. All four parts have pairs."""

    train: ImageSet
    validation: ImageSet  # chooses the epoch
    choices: ImageSet  # chooses the thresholds
    test: ImageSet  # reports
    parts: dict[str, Any] = field(default_factory=dict)  # sizes and what was left out, for JSON
    new_classes: bool = False  # whether no class of the test is in training
    new_choices: bool = False  # whether no class of the choices is


def some_pairs(image_set: ImageSet, most: int) -> ImageSet:
    """Some of the pairs of an image set, evenly spread, which stand on at most `most` images.

    An anchor keeps all its others, so that both kinds of pair stay equally many where they
    were. No image of the result is compared with itself, and none is in no pair.
    """
    pairs = image_set.pairs
    pairs = Pairs(*(x[(pairs.others != pairs.anchors[:, np.newaxis]).all(axis=1)] for x in pairs))
    used = np.unique(pairs.indices())
    if len(used) > most:
        rows = evenly(len(pairs.anchors), most // (1 + pairs.others.shape[1]))
        pairs = Pairs(*(x[rows] for x in pairs))
        used = np.unique(pairs.indices())
    return image_set.take(used).replace(pairs=pairs.within(used))


def evenly(count: int, most: int) -> np.ndarray:
    """The indices of `most` of `count` things, evenly spread, or of all where they are fewer."""
    return np.linspace(0, count - 1, min(count, most)).astype(int)


def in_blocks(images: np.ndarray | Rows) -> list[slice]:
    """Slices that cut the images into blocks of at most 64 MB of pixels, at least one image."""
    size = max(BLOCK_BYTES // max(math.prod(images.shape[1:]), 1), 1)
    return [slice(start, start + size) for start in range(0, len(images), size)]


def pixel_digests(images: np.ndarray | Rows) -> np.ndarray:
    """A number for each image that tells its shape and pixels from all others: uint64 (N,).

    images: uint8 (N, H, W, C), read in blocks. The first eight bytes of BLAKE2b, little-endian.
    """
    shape = np.array(images.shape[1:], "<u8").tobytes()
    digests = [
        hashlib.blake2b(shape + np.ascontiguousarray(image).tobytes(), digest_size=8).digest()
        for rows in in_blocks(images)
        for image in images[rows]
    ]
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)
