"""Distances of embeddings, and how well they tell same from different. NumPy alone.

Polarity: y = 1 same class, y = 0 different; a smaller distance = more alike; a pair is called the
same (matched) where distance < threshold. Terms are those of ISO/IEC 19795:
FMR  false match rate: the share of different pairs that are called the same.
TMR  true match rate: the share of same pairs that are called the same; FNMR = 1 - TMR.
EER  equal error rate: where FMR = FNMR.
AUC  the chance that a same pair is nearer than a different one, a tie counting one half.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pyimagesearch.config import EPSILON

BLUR = 4  # of Curve.threshold_from; 3 and 5 lose a little more (benchmarks/LOG.md)
MIN_FALSE_MATCHES = 30  # Doddington's rule of 30: fewer independent errors support no rate


def unit_length(vectors: np.ndarray) -> np.ndarray:
    """Rows divided by their length, of the same dtype; a row of zeros stays so. (N, D)."""
    return vectors / np.sqrt(np.maximum(np.square(vectors).sum(axis=1, keepdims=True), 1e-12))


@dataclass(frozen=True)
class Distance:
    """A distance, and what the head behind it makes of it: 1 / (1 + exp(-(weight d + bias))).

    Its values are those of utils.DISTANCES within rounding.
    A head is monotone: everything is counted on the distance, and only thresholds go through it.
    Where its weight is below 0, distances are counted as -d.
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
            far = np.sqrt(np.maximum(far, EPSILON, out=far).astype(np.float32))
        return np.float32(self.sign) * far.astype(np.float32, copy=False)

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


def distance_of(settings: Mapping[str, Any]) -> Distance:
    """The Distance of a model. settings: its "distance", "head" and "head_parameters"."""
    name = "cosine" if settings.get("distance") == "cosine" else "euclidean"
    if settings.get("head", "none") in (None, "none"):
        return Distance(name)
    (weight, bias) = (float(settings["head_parameters"][k]) for k in ("weight", "bias"))
    return Distance(name, (weight, bias), -1 if weight < 0 else 1)


def head_parameters(weights: list[np.ndarray]) -> dict[str, float]:
    """A head's "weight" and "bias", see Distance. weights: of siamese_network.build_comparison.

    Those of a Dense of one number, and before it perhaps of a BatchNormalization of one.
    """
    (*norm, weight, bias) = (float(np.squeeze(x)) for x in weights)
    if norm:
        (gamma, beta, mean, variance) = norm
        scale = gamma / (variance + 1e-3) ** 0.5  # Keras' epsilon
        (weight, bias) = (weight * scale, bias + weight * (beta - scale * mean))
    return {"weight": weight, "bias": bias}


@dataclass
class Curve:
    """How many same and different pairs lie at which distance, and the rates that follow.

    tmr, fmr, right (the mean of tmr and 1 - fmr): (L + 1,), where none, one, two … levels match.
    best: how many match where that is highest. auc: the area under TMR over FMR; 0.5 is chance.
    eer: where FMR and FNMR meet. collapsed: whether all distances are alike, as of equal ones.
    """

    levels: np.ndarray  # float64 (L,), ascending: distances, or the lower ends of narrow steps
    same: np.ndarray  # int (L,), the pairs at each
    different: np.ndarray  # int (L,)

    def __post_init__(self) -> None:
        (same, different) = (np.append(0, np.cumsum(n)) for n in (self.same, self.different))
        pairs = (same[-1], different[-1])
        (self.tmr, self.fmr) = (same / max(pairs[0], 1), different / max(pairs[1], 1))
        self.right = (self.tmr + 1 - self.fmr) / 2  # the two kinds weigh a half each, however many
        best = np.flatnonzero(self.right >= self.right.max() - 1e-12)
        self.best = int(best[len(best) // 2])  # of equally good cuts the middle one
        self.auc = float(np.trapezoid(self.tmr, self.fmr))
        gap = self.fmr - (1 - self.tmr)  # from -1 up to 1
        k = int(np.argmax(gap >= 0))
        share = gap[k - 1] / (gap[k - 1] - gap[k])
        self.eer = float(self.fmr[k - 1] + share * (self.fmr[k] - self.fmr[k - 1]))
        ends = np.searchsorted(same + different, np.array([0.01, 0.99]) * sum(pairs)) - 1
        (low, high) = self.levels[ends]
        self.collapsed = bool(high - low <= 1e-3 * max(abs(low), abs(high), 1e-2))

    @property
    def best_threshold(self) -> float:
        """The threshold that calls most pairs right: half-way between two neighbouring levels."""
        (k, levels) = (self.best, self.levels)
        if k == 0:  # nothing is the same
            return float(levels[0])
        above = np.nextafter(levels[k - 1], np.inf)  # the mean may be rounded to the lower level
        return float(max(levels[k - 1 : k + 1].mean(), above))  # behind the last: above it

    def threshold_from(self, images: int) -> float:
        """The threshold that calls most pairs right on other images: the best of blurred distances.

        Few images leave gaps, in which the best of their own lies by chance. So each distance is
        blurred: normal, 4 / sqrt(images) as wide as one kind spreads between its quarters, which no
        odd image moves; for the kind with c times as many pairs 1 / sqrt(c) of that.
        """
        kinds = np.stack([self.same, self.different]).astype(float)
        counts = kinds.sum(axis=1, keepdims=True)
        shares = kinds / counts
        quarters = [np.interp((0.25, 0.75), np.cumsum(x), self.levels) for x in shares]
        spread = np.square(np.diff(quarters) / 1.349).mean()  # a normal one's variance
        (low, high) = self.levels[[0, -1]]
        width = BLUR * max(float(spread) / images, 1e-12) ** 0.5
        step = max(width / 20, (high - low) / 20_000)
        edges = np.arange(low - 5 * width, high + 5 * width, step)
        gain: Any = 0
        apart = np.square(np.arange(-80, 81) * step / width) / 2
        for sign, of_kind, count in zip((1, -1), shares / 2, counts):
            pairs = np.histogram(self.levels, edges, weights=of_kind)[0]
            normal = np.exp(-apart * count / counts.min())
            gain += sign * np.cumsum(np.convolve(pairs, normal / normal.sum(), "same"))
        best = np.flatnonzero(gain >= gain.max() - 1e-9)  # of a gap between the kinds the middle
        return float(np.clip(edges[1 + best[len(best) // 2]], low, np.nextafter(high, np.inf)))

    def threshold_at_fmr(self, fmr: float, independent: list[int]) -> float | None:
        """The largest threshold at which at most the share fmr of the different pairs match.

        independent: which of the different pairs, nearest first, share no image (see apart). None
        if fewer than 30 of these match: two wrong labels make many false matches, but few of these.
        """
        matches = int(fmr * self.different.sum() + 1e-9)  # 0.01 * 3000 is a little below 30
        if np.searchsorted(independent, matches) < MIN_FALSE_MATCHES:
            return None
        return float(self.levels[np.searchsorted(np.cumsum(self.different), matches, side="right")])


def curve_of(distances: ArrayLike, y: ArrayLike) -> Curve:
    """The Curve of some pairs. Pairs at one distance are one level."""
    (levels, place) = np.unique(np.asarray(distances, np.float64), return_inverse=True)
    of_kind = [place.ravel()[np.ravel(y) == kind] for kind in (1, 0)]
    (same, different) = (np.bincount(places, minlength=len(levels)) for places in of_kind)
    return Curve(levels, same, different)


def logistic_of(
    distances: np.ndarray, same: np.ndarray, different: np.ndarray, middle: float
) -> dict[str, float]:
    """The logistic curve (Platt, 1999) through same and different pairs, for probability_of.

    distances: float (L,). same, different: (L,), how many pairs lie at each; the two kinds weigh a
    half each. middle: where it is 50 %, at the threshold for such pairs: so the two never disagree.
    Where a threshold gets all right, the curve would be a step: so it is drawn to (n + 1) / (n + 2)
    for n same pairs and 1 / (n + 2) for n different ones, not to 1 and 0.
    """
    weights = np.stack([different / different.sum(), same / same.sum()]) / 2
    weight = weights.sum(axis=0)
    target = weights[0] / (different.sum() + 2) + weights[1] * (1 - 1 / (same.sum() + 2))
    scale = max(np.sqrt(weight @ np.square(distances - middle)), 1e-9)
    nearer = (middle - distances) / scale
    if (weights[1] - weights[0]) @ nearer < 1e-9:  # same pairs are no nearer
        return {"middle": middle, "slope": 0.0}
    (low, high) = (0.0, 1e6)  # the likelihood rises up to the slope, and falls behind it
    for _ in range(60):
        slope = (low + high) / 2
        shares = np.exp(-np.logaddexp(0, -slope * nearer))
        (low, high) = (slope, high) if (target - weight * shares) @ nearer > 0 else (low, slope)
    return {"middle": middle, "slope": float(slope / scale)}


def probability_of(distances: ArrayLike, settings: Mapping[str, Any]) -> np.ndarray | None:
    """How probable it is that pairs are the same, where half of all pairs are: 0 to 1.

    1 / (1 + exp(slope (distance - middle))). distances: what the model puts out. settings: the
    model's, "probability". None: a model of an earlier version has no such numbers.
    """
    if not (curve := settings.get("probability")):
        return None
    steps = curve["slope"] * (np.asarray(distances, np.float64) - curve["middle"])
    return np.exp(-np.logaddexp(0, steps))


def apart(ends: np.ndarray) -> list[int]:
    """The places of the first pairs of images, int (B, 2), of which no two share an image."""
    (found, taken) = (list[int](), set[int]())
    for place, pair in enumerate(zip(*ends.T.tolist())):
        if taken.isdisjoint(pair):
            taken.update(pair)
            found.append(place)
    return found
