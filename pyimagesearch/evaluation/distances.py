"""All distances between two sets of embeddings at once: float32 (Q, N), smaller = more alike.

NumPy alone. The values are those that utils gives for pairs, to within float32's rounding.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pyimagesearch.config import EPSILON

PAIRS_AT_ONCE = 2_000_000  # numbers of the embeddings that a comparison is given in one go

DistanceMatrix = Callable[[np.ndarray, np.ndarray], np.ndarray]


def euclidean_matrix(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """sqrt(max(sum((a - b)^2), 1e-7)) for each row of a with each of b.

    a: (Q, D). b: (N, D). In float64 inside: |a|^2 + |b|^2 - 2 a b loses half of the digits.
    """
    (a, b) = (np.asarray(x, np.float64) for x in (a, b))
    squared = np.square(a).sum(axis=1)[:, np.newaxis] + np.square(b).sum(axis=1) - 2 * (a @ b.T)
    return np.sqrt(np.maximum(squared, EPSILON)).astype(np.float32)


def cosine_matrix(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """1 - sum(a b) / (|a| |b|) for each row of a with each of b, 0 to 2.

    a: (Q, D). b: (N, D). A vector of zeros is at distance 1 from every other.
    """
    (a, b) = (np.asarray(x, np.float64) for x in (a, b))
    (a, b) = (unit_length(x) for x in (a, b))
    return (1 - a @ b.T).astype(np.float32)


def euclidean_rows(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """sqrt(max(sum((a - b)^2), 1e-7)) of row with row: float32 (B, D) twice -> float32 (B,)."""
    return np.sqrt(np.maximum(np.square(a - b).sum(axis=1), np.float32(EPSILON)))


def cosine_rows(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """1 - sum(a b) / (|a| |b|) of row with row: float32 (B, D) twice -> float32 (B,)."""
    (a, b) = (unit_length(x) for x in (a, b))
    return 1 - (a * b).sum(axis=1)


def unit_length(vectors: np.ndarray) -> np.ndarray:
    """Rows divided by their length, of the same dtype; a row of zeros stays so. (N, D)."""
    return vectors / np.sqrt(np.maximum(np.square(vectors).sum(axis=1, keepdims=True), 1e-12))


NUMPY_DISTANCES = {"euclidean": euclidean_rows, "cosine": cosine_rows}  # as utils.DISTANCES


def angular_similarity(distances: np.ndarray | float) -> np.ndarray:
    """1 - arccos(1 - d) / pi of cosine distances: 1 same direction, 0.5 at right angles, 0."""
    return 1 - np.arccos(np.clip(1 - np.asarray(distances, np.float64), -1, 1)) / np.pi


def matrix_of(distance: Callable) -> DistanceMatrix:
    """The matrix that any distance of pairs gives: a comparison with a head, for one.

    distance: of [(B, D), (B, D)], as utils.euclidean_distance or SiameseModel.distance; gives
    (B,) or (B, 1). It is called with so many pairs that the memory is bounded.
    """

    def matrix(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        result = np.empty((len(a), len(b)), np.float32)
        rows = max(PAIRS_AT_ONCE // max(b.size, 1), 1)
        columns = max(PAIRS_AT_ONCE // b.shape[1], 1)
        for i in range(0, len(a), rows):
            for j in range(0, len(b), columns):
                (left, right) = (a[i : i + rows], b[j : j + columns])
                pairs = [np.repeat(left, len(right), axis=0), np.tile(right, (len(left), 1))]
                found = np.asarray(distance(pairs)).reshape(len(left), len(right))
                result[i : i + rows, j : j + columns] = found
        return result

    return matrix


MATRICES: dict[str, DistanceMatrix] = {"euclidean": euclidean_matrix, "cosine": cosine_matrix}


def matrix_for(settings: Mapping[str, Any], comparison: Callable) -> DistanceMatrix:
    """The matrix of what a model puts out: its distance's own, with a head what comparison gives.

    settings: the model's, "distance" and "head". comparison: as distance in matrix_of.
    """
    name = settings.get("distance")
    if settings.get("head", "none") == "none" and name in list(MATRICES):
        return MATRICES[name]
    return matrix_of(comparison)
