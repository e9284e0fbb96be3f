"""What a model makes of two embeddings, in NumPy alone. A smaller distance = more alike.

The values are those of utils.euclidean_distance and utils.cosine_distance, to within float32's
rounding.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pyimagesearch.config import EPSILON

# of two arrays of embeddings, each (B, D): the distances, (B,) or (B, 1), or what a head makes
# of them
Comparison = Callable[[list[np.ndarray]], np.ndarray]


def euclidean_rows(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """sqrt(max(sum((a - b)^2), 1e-7)) of row with row: float32 (B, D) twice -> float32 (B,)."""
    return np.sqrt(np.maximum(np.square(a - b).sum(axis=1), np.float32(EPSILON)))


def cosine_rows(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """1 - sum(a b) / (|a| |b|) of row with row: float32 (B, D) twice -> float32 (B,)."""
    (a, b) = (unit_length(x) for x in (a, b))
    return 1 - (a * b).sum(axis=1)


def euclidean_matrix(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The Euclidean distance of each row of a with each of b: (Q, D), (N, D) -> float32 (Q, N).

    In float64 inside: |a|^2 + |b|^2 - 2 a b loses half of the digits.
    """
    (a, b) = (np.asarray(x, np.float64) for x in (a, b))
    squared = a @ b.T
    squared *= -2
    squared += np.square(a).sum(axis=1)[:, np.newaxis]
    squared += np.square(b).sum(axis=1)
    return np.sqrt(np.maximum(squared, EPSILON, out=squared), out=squared).astype(np.float32)


def cosine_matrix(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The cosine distance of each row of a with each of b: (Q, D), (N, D) -> float32 (Q, N).

    From 0 to 2. A vector of zeros is at distance 1 from every other.
    """
    (a, b) = (unit_length(np.asarray(x, np.float64)) for x in (a, b))
    return (1 - a @ b.T).astype(np.float32)


def unit_length(vectors: np.ndarray) -> np.ndarray:
    """Rows divided by their length, of the same dtype; a row of zeros stays so. (N, D)."""
    return vectors / np.sqrt(np.maximum(np.square(vectors).sum(axis=1, keepdims=True), 1e-12))


NUMPY_DISTANCES = {"euclidean": euclidean_rows, "cosine": cosine_rows}  # as utils.DISTANCES
MATRICES = {"euclidean": euclidean_matrix, "cosine": cosine_matrix}


def angular_similarity(distances: np.ndarray | float) -> np.ndarray:
    """1 - arccos(1 - d) / pi of cosine distances: 1 same direction, 0.5 at right angles, 0."""
    return 1 - np.arccos(np.clip(1 - np.asarray(distances, np.float64), -1, 1)) / np.pi


@dataclass(frozen=True)
class Distance:
    """A distance, and what the head behind it makes of it.

    A head is a monotone function. So everything is counted on the distance, and only thresholds
    go through the head: 50 million pairs never do.
    """

    name: str = "euclidean"  # in MATRICES
    # distances, ascending, and the head's outputs for them, ascending; None: there is no head
    head: tuple[np.ndarray, np.ndarray] | None = None
    sign: int = 1  # -1: the head's output falls where the distance grows

    def matrix(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """The distance of each row of a with each of b: (Q, D), (N, D) -> float32 (Q, N)."""
        return np.float32(self.sign) * MATRICES[self.name](a, b)

    def rows(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """The distance of row with row: float32 (B, D) twice -> float32 (B,)."""
        return np.float32(self.sign) * NUMPY_DISTANCES[self.name](a, b)

    def output(self, distances: np.ndarray | float) -> np.ndarray:
        """What the model puts out for these distances."""
        values = np.asarray(distances, np.float64)
        return values if self.head is None else np.interp(values, *self.head)

    def before_head(self, outputs: np.ndarray | float) -> np.ndarray:
        """The distances for which the model puts these out."""
        values = np.asarray(outputs, np.float64)
        return values if self.head is None else np.interp(values, *self.head[::-1])


def distance_of(settings: Mapping[str, Any], comparison: Comparison | None, size: int) -> Distance:
    """The Distance of a model.

    settings: the model's; "distance" and "head" are looked at. comparison: what it puts out for
    pairs; a head is asked once, for 4,000 pairs of known distance. size: of its embeddings.
    """
    name = settings.get("distance")
    name = name if name in list(MATRICES) else "euclidean"
    if settings.get("head", "none") in (None, "none") or comparison is None:
        return Distance(name)
    (a, b) = np.zeros((2, 4000, size), np.float32)
    if name == "cosine":
        known = np.linspace(0, 2, len(a))  # 1 minus the cosine of the angle between a and b
        a[:, 0], b[:, 0] = 1, 1 - known
        b[:, -1] = np.sqrt(np.maximum(1 - np.square(1 - known), 0)) if size > 1 else 0
    else:
        known = np.append(0, np.geomspace(1e-3, 1e3, len(a) - 1))
        b[:, 0] = known
    outputs = np.ravel(comparison([a, b])).astype(np.float64)
    sign = 1 if outputs[-1] >= outputs[0] else -1
    if sign == -1:
        (known, outputs) = (-known[::-1], outputs[::-1])
    # an output that has reached 1 or 0 in float32 stands for the first distance that gives it
    (outputs, first) = np.unique(np.maximum.accumulate(outputs), return_index=True)
    return Distance(name, (known[first], outputs), sign)
