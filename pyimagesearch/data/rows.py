"""Some rows of an array, in memory or on disk."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from pyimagesearch.system.terminal import at_once


class Rows:
    """Some rows of an array on disk, read when they are asked for.

    array: (M, ...), mapped from a file. rows: int (N,), which of its rows. Indexing takes what
    NumPy takes for one axis (a slice, integers, a mask) and returns an array in memory.
    """

    def __init__(self, array: np.ndarray, rows: np.ndarray):
        self.array, self.rows = array, rows
        self.shape, self.dtype = (len(rows), *array.shape[1:]), array.dtype

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: Any) -> np.ndarray:
        return np.asarray(self.array[self.rows[key]])


def evenly(count: int, most: int) -> np.ndarray:
    """The indices of `most` of `count` things, evenly spread, or of all where they are fewer."""
    return np.linspace(0, count - 1, min(count, most)).astype(int)


def in_batches(
    function: Callable[[np.ndarray], np.ndarray],
    images: np.ndarray | Rows,
    batch_size: int | None = None,
) -> np.ndarray:
    """function of the images batch by batch, on up to four cores: (N, H, W, C) -> N rows.

    batch_size: by default as many as bound the memory, 255 of MNIST's and fewer of larger ones.
    """
    batch_size = batch_size or max(200_000 // (images.shape[1] * images.shape[2]), 4)
    starts = range(0, len(images), batch_size)
    with ThreadPoolExecutor(at_once()) as pool:
        # a batch is taken from the images, which may be on disk, when its turn comes
        parts = pool.map(lambda start: function(images[start : start + batch_size]), starts)
        return np.concatenate(list(parts))
