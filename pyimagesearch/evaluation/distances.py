"""What a model makes of two embeddings, in NumPy alone. A smaller distance = more alike.

The values are those of utils.euclidean_distance and utils.cosine_distance, to within float32's
rounding.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pyimagesearch.config import EPSILON

Comparison = Callable[[list[np.ndarray]], np.ndarray]  # two (B, D): what a model puts out, (B, 1)


NAMES = ("euclidean", "cosine")  # as utils.DISTANCES


def unit_length(vectors: np.ndarray) -> np.ndarray:
    """Rows divided by their length, of the same dtype; a row of zeros stays so. (N, D)."""
    return vectors / np.sqrt(np.maximum(np.square(vectors).sum(axis=1, keepdims=True), 1e-12))


def angular_similarity(distances: np.ndarray | float) -> np.ndarray:
    """1 - arccos(1 - d) / pi of cosine distances: 1 same direction, 0.5 at right angles, 0."""
    return 1 - np.arccos(np.clip(1 - np.asarray(distances, np.float64), -1, 1)) / np.pi


@dataclass(frozen=True)
class Distance:
    """A distance, and what the head behind it makes of it: 1 / (1 + exp(-(weight d + bias))).

    A head is monotone. So everything is counted on the distance, and only thresholds go through
    the head: 50 million pairs never do. Where its weight is below 0, distances are counted as -d.
    """

    name: str = "euclidean"  # or "cosine"
    head: tuple[float, float] | None = None  # weight and bias; None: there is no head
    sign: int = 1  # -1: the head's output falls while the distance grows

    def rows(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """The distance of row with row: float32 (B, D) twice -> float32 (B,).

        sqrt(max(sum((a - b)^2), 1e-7)), or 1 - sum(a b) / (|a| |b|).
        """
        if self.name == "cosine":
            far = 1 - (unit_length(a) * unit_length(b)).sum(axis=1)
        else:
            far = np.sqrt(np.maximum(np.square(a - b).sum(axis=1), np.float32(EPSILON)))
        return np.float32(self.sign) * far

    def matrix(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """The distance of each row of a with each of b: (Q, D), (N, D) -> float32 (Q, N).

        In float64 inside: |a|^2 + |b|^2 - 2 a b loses half of the digits.
        """
        (a, b) = (np.asarray(x, np.float64) for x in (a, b))
        if self.name == "cosine":
            far = 1 - unit_length(a) @ unit_length(b).T
        else:
            far = (-2 * a) @ b.T
            far += np.square(a).sum(axis=1)[:, np.newaxis]
            far += np.square(b).sum(axis=1)
            far = np.sqrt(np.maximum(far, EPSILON, out=far), out=far)
        return np.float32(self.sign) * far.astype(np.float32)

    def output(self, distances: np.ndarray | float) -> np.ndarray:
        """What the model puts out for these distances."""
        values = np.asarray(distances, np.float64)
        if self.head is None:
            return values
        (weight, bias) = self.head
        return np.exp(-np.logaddexp(0, -(self.sign * weight * values + bias)))

    def before_head(self, outputs: np.ndarray | float) -> np.ndarray:
        """The distances for which the model puts these out."""
        values = np.asarray(outputs, np.float64)
        if self.head is None:
            return values
        (weight, bias) = self.head
        values = np.clip(values, 1e-300, 1 - 2.0**-25)  # above, float32 is 1
        return (np.log(values / (1 - values)) - bias) / (self.sign * weight)


def distance_of(
    settings: Mapping[str, Any], comparison: Comparison | None = None, size: int = 2
) -> Distance:
    """The Distance of a model.

    settings: the model's, "distance" and "head". comparison: what it puts out for pairs of
    embeddings, (B, size); a head is asked once, for 4,000 pairs, and its weight and bias follow
    from the answers. None: they are stored in the settings, as "head_parameters".
    """
    name = settings.get("distance")
    name = name if name in NAMES else "euclidean"
    if settings.get("head", "none") in (None, "none"):
        return Distance(name)
    if comparison is None:
        (weight, bias) = (settings["head_parameters"][k] for k in ("weight", "bias"))
    else:
        (a, b) = np.zeros((2, 4000, size), np.float32)
        steps = np.geomspace(1e-3, 1e3, len(a))
        a[:, 0], b[:, -1], b[:, 0] = 1, steps, 1 - steps
        outputs = np.nan_to_num(np.ravel(comparison([a, b])).astype(np.float64))
        # weight d + bias = log(p / (1 - p)), known the less exactly the nearer p is to 0 or 1
        p = np.clip(outputs, 1e-7, 1 - 1e-7)
        exact = outputs * (1 - outputs) + 1e-12
        (weight, bias) = np.polyfit(Distance(name).rows(a, b), np.log(p / (1 - p)), 1, w=exact)
    return Distance(name, (float(weight), float(bias)), -1 if weight < 0 else 1)
