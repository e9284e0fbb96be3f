"""Images with what is known of them, and the four parts of a data set."""

import hashlib
import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from pyimagesearch.data.pairs import Pairs
from pyimagesearch.data.rows import Rows, take

BLOCK_BYTES = 2**26  # of pixels that are in memory at a time, where they lie on disk
TRAINED_ON = Path("assets.extra", "trained_on.npy")  # in a model's directory: pixel_digests


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

    @property
    def drawn(self) -> Pairs:
        """The pairs, where they are there. Raises ValueError where they are still to be drawn."""
        if self.pairs is None:
            raise ValueError("Expected images with pairs. Received: none drawn from the labels.")
        return self.pairs

    def replace(self, **changes: Any) -> "ImageSet":
        """The same set with other values."""
        return replace(self, **changes)

    def take(self, rows: np.ndarray) -> "ImageSet":
        """Some of the images, without pairs. rows: int, which."""
        (labels, groups, contents) = (
            None if known is None else known[rows]
            for known in (self.labels, self.groups, self.contents)
        )
        return ImageSet(take(self.images, rows), labels, None, self.class_names, groups, contents)

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


def read_trained_on(model: str | Path) -> np.ndarray:
    """The pixel_digests of what a model was trained on, from its directory: uint64 (N,).

    Raises FileNotFoundError where it says none, ValueError where they are damaged.
    """
    try:
        # mapped first: a damaged header cannot ask for more memory than the file has bytes
        digests = np.array(np.load(Path(model, TRAINED_ON), mmap_mode="r", allow_pickle=False))
    except (EOFError, SyntaxError) as error:
        raise ValueError(str(error)) from None
    if digests.dtype != np.uint64 or digests.ndim != 1:
        raise ValueError(f"Expected uint64 (N,). Received: {digests.dtype} {digests.shape}.")
    return digests
