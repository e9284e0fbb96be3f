"""Images with what is known of them, and the four parts of a data set."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from pyimagesearch.data.pairs import Pairs
from pyimagesearch.data.rows import Rows, take


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


@dataclass(frozen=True)
class DataSet:
    """What a training is given. All four parts have pairs."""

    train: ImageSet
    validation: ImageSet  # chooses the epoch
    choices: ImageSet  # chooses the thresholds
    test: ImageSet  # reports
    parts: dict[str, Any] = field(default_factory=dict)  # sizes and what was left out, for JSON
    new_classes: bool = False  # whether no class of the test is in training


def pixel_digests(images: np.ndarray | Rows) -> np.ndarray:
    """Until the merge."""
    import hashlib

    digests = [hashlib.blake2b(image.tobytes(), digest_size=8).digest() for image in images[:]]
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)
