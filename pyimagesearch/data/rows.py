"""Some rows of an array, in memory or on disk."""

from collections.abc import Sequence
from typing import Any, overload

import numpy as np


class Rows:
    """Some rows of an array on disk, read when they are asked for.

    array: (M, ...), mapped from a file. rows: int (N,), which of its rows. Indexing takes what
    NumPy takes for one axis (a slice, integers, a mask) and returns an array in memory.
    """

    def __init__(self, array: np.ndarray, rows: np.ndarray):
        self.array, self.rows = array, rows
        self.shape = (len(rows), *array.shape[1:])

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: Any) -> np.ndarray:
        return np.asarray(self.array[self.rows[key]])


@overload
def take(pixels: np.ndarray, rows: Sequence[int] | np.ndarray) -> np.ndarray: ...
@overload
def take(pixels: Rows, rows: Sequence[int] | np.ndarray) -> Rows: ...
@overload
def take(pixels: np.ndarray | Rows, rows: Sequence[int] | np.ndarray) -> np.ndarray | Rows: ...
def take(pixels: np.ndarray | Rows, rows: Sequence[int] | np.ndarray) -> np.ndarray | Rows:
    """pixels[rows]: copied where they are in memory, left on disk where they are there."""
    return Rows(pixels.array, pixels.rows[rows]) if isinstance(pixels, Rows) else pixels[rows]


def evenly(count: int, most: int) -> np.ndarray:
    """The indices of `most` of `count` things, evenly spread, or of all where they are fewer."""
    return np.linspace(0, count - 1, min(count, most)).astype(int)
