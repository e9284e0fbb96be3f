"""How well distances tell same from different. NumPy alone; terms as in ISO/IEC 19795.

Polarity: y = 1 same class, y = 0 different; a smaller distance = more alike; a pair is
called the same (matched) where distance < threshold.

FMR  false match rate: the share of different pairs that are called the same.
TMR  true match rate: the share of same pairs that are called the same; FNMR = 1 - TMR.
EER  equal error rate: where FMR = FNMR.

Everywhere distances is (B,) or (B, 1), finite, and y as many, 0 or 1. ValueError where they
are not one to one, or none, or a distance is NaN or infinite, or y holds anything else.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

MIN_FALSE_MATCHES = 30  # Doddington's rule of 30: fewer independent errors support no rate


class Roc(NamedTuple):
    """FMR and TMR at each threshold that calls pairs differently, from no match to all."""

    fmr: np.ndarray  # ascending, from 0 to 1
    tmr: np.ndarray  # ascending, from 0 to 1
    thresholds: np.ndarray  # ascending; the last is infinite


def called_same(distances: ArrayLike, threshold: float) -> np.ndarray:
    """Whether pairs are called the same: distance < threshold, bool in the distances' shape.

    In float64, so that a threshold between two float32 distances is not rounded to one of them.
    """
    return np.asarray(distances) < np.float64(threshold)


def choose_threshold(distances: ArrayLike, y: ArrayLike) -> float:
    """The threshold that calls most pairs right: half-way between two neighbouring distances.

    Of several equally good ones, the one in the middle.
    """
    d, kinds = _checked(distances, y)
    order = np.argsort(d, kind="stable")
    d, kinds = d[order], kinds[order]

    # right[k]: pairs called right when the k nearest are called the same
    right = np.concatenate([[0], np.cumsum(np.where(kinds == 1, 1, -1))]) + np.sum(kinds == 0)

    # a cut between two equal distances does not exist
    edges = np.concatenate([[d[0]], d, [np.nextafter(d[-1], np.inf)]])
    exists = np.concatenate([[True], d[1:] > d[:-1], [True]])
    best = np.flatnonzero(exists & (right == right[exists].max()))
    k = best[len(best) // 2]
    if k in (0, len(d)):  # nothing is the same, or everything
        return float(edges[k + 1])
    # above the lower of the two even where rounding would put the mean upon it
    return float(max((edges[k] + edges[k + 1]) / 2, np.nextafter(edges[k], np.inf)))


def threshold_at_fmr(
    different: ArrayLike, fmr: float, images: np.ndarray | None = None
) -> float | None:
    """The largest threshold at which at most the share fmr of the different pairs match.

    different: the distances of different pairs alone. images: int (B, 2), the two images of
    each; None: no two pairs share one.
    None where fewer than 30 of the false matches would be independent, no two of them sharing
    an image: two images with wrong labels make many false matches, but only two such.
    """
    d = _finite(different)
    matches = int(fmr * len(d) + 1e-9)  # 0.01 * 3000 is a little below 30
    if matches < MIN_FALSE_MATCHES:
        return None
    threshold = float(np.partition(d, matches)[matches])
    if images is not None:
        matched = np.flatnonzero(called_same(d, threshold))
        nearest = matched[np.argsort(d[matched], kind="stable")]
        if apart(np.asarray(images)[nearest], MIN_FALSE_MATCHES) < MIN_FALSE_MATCHES:
            return None
    return threshold


def apart(images: np.ndarray, most: int) -> int:
    """How many pairs share no image with one before them that was counted; at most `most`.

    images: int (B, 2), the two images of each pair.
    """
    (count, taken) = (0, set[int]())
    for a, b in images.tolist():
        if count == most:
            break
        if a not in taken and b not in taken:
            taken |= {a, b}
            count += 1
    return count


def accuracy(distances: ArrayLike, y: ArrayLike, threshold: float) -> float:
    """The share of pairs called right, 0 to 1."""
    d, kinds = _checked(distances, y)
    return float(np.mean(called_same(d, threshold) == (kinds == 1)))


def match_rates(distances: ArrayLike, y: ArrayLike, threshold: float) -> tuple[float, float]:
    """(TMR, FMR) at a threshold. ValueError where one kind of pair is missing."""
    d, kinds = _both_kinds(distances, y)
    matched = called_same(d, threshold)
    return float(matched[kinds == 1].mean()), float(matched[kinds == 0].mean())


class Ranking:
    """Pairs sorted by distance once, for curves with any weights.

    ValueError where one kind of pair is missing.
    """

    def __init__(self, distances: ArrayLike, y: ArrayLike):
        d, kinds = _both_kinds(distances, y)
        self.order = np.argsort(d, kind="stable")
        d = d[self.order]
        self.same = kinds[self.order].astype(np.float64)
        # of each run of equal distances: ties move both rates in one step
        self.last = np.flatnonzero(np.append(d[1:] > d[:-1], True))
        self.thresholds = np.append(d[self.last], np.inf)

    def curve(self, weights: ArrayLike | None = None) -> Roc:
        """The Roc. weights: (B,), how often each pair counts, in the order they were given."""
        same, different = self.same, 1 - self.same
        if weights is not None:
            counts = np.asarray(weights, dtype=np.float64)[self.order]
            same, different = counts * same, counts * different
        tmr, fmr = np.cumsum(same)[self.last], np.cumsum(different)[self.last]
        return Roc(
            np.append(0, fmr / fmr[-1]),
            np.append(0, tmr / tmr[-1]),
            self.thresholds,
        )


def roc_curve(distances: ArrayLike, y: ArrayLike, weights: ArrayLike | None = None) -> Roc:
    """The Roc. Ties move both rates in one step. ValueError where one kind is missing."""
    return Ranking(distances, y).curve(weights)


def area_under_curve(distances: ArrayLike, y: ArrayLike, weights: ArrayLike | None = None) -> float:
    """AUC: the chance that a same pair is nearer than a different one, a tie counting one half.

    1 is perfect, 0.5 is chance. ValueError where one kind of pair is missing.
    """
    return area(roc_curve(distances, y, weights))


def area(roc: Roc) -> float:
    """The area under a curve: AUC."""
    return float(np.trapezoid(roc.tmr, roc.fmr))


def crossing(roc: Roc) -> float:
    """Where FMR and FNMR meet on a curve: EER."""
    gap = roc.fmr - (1 - roc.tmr)  # from -1 up to 1
    k = np.argmax(gap >= 0)
    share = gap[k - 1] / (gap[k - 1] - gap[k])
    return float(roc.fmr[k - 1] + share * (roc.fmr[k] - roc.fmr[k - 1]))


def is_collapsed(distances: ArrayLike) -> bool:
    """Whether all distances are alike: the network gives every image the same embedding."""
    low, high = np.quantile(np.asarray(distances, dtype=np.float64), [0.01, 0.99])
    return bool(high - low <= 1e-3 * max(high, 1e-2))


def _both_kinds(distances: ArrayLike, y: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    d, kinds = _checked(distances, y)
    same = int(kinds.sum())
    if same in (0, len(kinds)):
        raise ValueError(
            f"Expected pairs of both kinds. Received: {same} same, {len(kinds) - same} different."
        )
    return d, kinds


def _checked(distances: ArrayLike, y: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    kinds = np.asarray(y).ravel()
    if np.size(distances) != len(kinds) or not len(kinds):
        raise ValueError(
            "Expected one label for each distance, and at least one pair. "
            f"Received: {np.size(distances)} distances, {len(kinds)} labels."
        )
    d = _finite(distances)
    if not np.isin(kinds, (0, 1)).all():
        raise ValueError(f"Expected labels 0 and 1. Received: {np.unique(kinds)[:5].tolist()}.")
    return d, kinds.astype(int)


def _finite(distances: ArrayLike) -> np.ndarray:
    d = np.asarray(distances, dtype=np.float64).ravel()
    if not np.isfinite(d).all():
        raise ValueError(
            "Expected finite distances. "
            f"Received: {np.sum(~np.isfinite(d))} that are NaN or infinite."
        )
    return d
