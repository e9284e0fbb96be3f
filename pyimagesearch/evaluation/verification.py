"""How well distances tell same from different. NumPy alone; terms as in ISO/IEC 19795.

Polarity: y = 1 same class, y = 0 different; a smaller distance = more alike; a pair is
called the same (matched) where distance < threshold.

FMR  false match rate: the share of different pairs that are called the same.
TMR  true match rate: the share of same pairs that are called the same; FNMR = 1 - TMR.
EER  equal error rate: where FMR = FNMR.
AUC  the chance that a same pair is nearer than a different one, a tie counting one half.

Everywhere distances is (B,) or (B, 1), finite, B > 0, and y as many, 0 or 1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

MIN_FALSE_MATCHES = 30  # Doddington's rule of 30: fewer independent errors support no rate


def called_same(distances: ArrayLike, threshold: float) -> np.ndarray:
    """Whether pairs are called the same: distance < threshold, bool in the distances' shape.

    In float64, so that a threshold between two float32 distances is not rounded to one of them.
    """
    return np.asarray(distances) < np.float64(threshold)


@dataclass
class Curve:
    """How many same and different pairs lie at which distance, and the rates that follow.

    tmr, fmr, right (of all pairs): (L + 1,), where none, one, two … levels match. best: how many
    match where most pairs are right. auc: the area under TMR over FMR; 0.5 is chance.
    """

    levels: np.ndarray  # float64 (L,), ascending: distances, or the lower ends of narrow steps
    same: np.ndarray  # int (L,), the pairs at each
    different: np.ndarray  # int (L,)
    balanced: bool = False  # whether same and different pairs weigh a half each, however many

    def __post_init__(self) -> None:
        (same, different) = (np.append(0, np.cumsum(n)) for n in (self.same, self.different))
        pairs = (same[-1], different[-1])
        (self.tmr, self.fmr) = (same / max(pairs[0], 1), different / max(pairs[1], 1))
        weights = (1, 1) if self.balanced else pairs
        self.right = np.average([self.tmr, 1 - self.fmr], axis=0, weights=weights)
        best = np.flatnonzero(self.right >= self.right.max() - 1e-12)
        self.best = int(best[len(best) // 2])  # of equally good cuts the middle one
        self.auc = float(np.trapezoid(self.tmr, self.fmr))

    @property
    def best_threshold(self) -> float:
        """The threshold that calls most pairs right: half-way between two neighbouring levels."""
        (k, levels) = (self.best, self.levels)
        if k == 0:  # nothing is the same
            return float(levels[0])
        above = np.nextafter(levels[k - 1], np.inf)  # the mean may be rounded to the lower level
        return float(max(levels[k - 1 : k + 1].mean(), above))  # behind the last: above it

    @property
    def eer(self) -> float:
        """Where FMR and FNMR meet."""
        gap = self.fmr - (1 - self.tmr)  # from -1 up to 1
        k = int(np.argmax(gap >= 0))
        share = gap[k - 1] / (gap[k - 1] - gap[k])
        return float(self.fmr[k - 1] + share * (self.fmr[k] - self.fmr[k - 1]))

    @property
    def collapsed(self) -> bool:
        """Whether all distances are alike: the network gives every image the same embedding."""
        pairs = np.cumsum(self.same + self.different)
        (low, high) = self.levels[np.searchsorted(pairs, np.array([0.01, 0.99]) * pairs[-1])]
        return bool(high - low <= 1e-3 * max(high, 1e-2))

    def threshold_at_fmr(self, fmr: float, least: int | None) -> float | None:
        """The largest threshold at which at most the share fmr of the different pairs match.

        least: how many false matches hold 30 independent ones, see independent. None where there
        are fewer than that.
        """
        matches = int(fmr * self.different.sum() + 1e-9)  # 0.01 * 3000 is a little below 30
        if least is None or matches < least:
            return None
        k = np.searchsorted(np.cumsum(self.different), matches, side="right")
        return float(self.levels[k])


def curve_of(distances: ArrayLike, y: ArrayLike, balanced: bool = False) -> Curve:
    """The Curve of some pairs. Pairs at one distance are one level."""
    (levels, place) = np.unique(np.asarray(distances, np.float64), return_inverse=True)
    of_kind = [place.ravel()[np.ravel(y) == kind] for kind in (1, 0)]
    (same, different) = (np.bincount(places, minlength=len(levels)) for places in of_kind)
    return Curve(levels, same, different, balanced)


def apart(ends: np.ndarray, count: int) -> list[int]:
    """The places of the first `count` pairs of which no two share an image; all, where fewer.

    ends: int (B, 2), the two images of each pair.
    """
    (found, taken) = (list[int](), set[int]())
    for place, pair in enumerate(ends.tolist()):
        if len(found) == count:
            break
        if taken.isdisjoint(pair):
            taken.update(pair)
            found.append(place)
    return found


def independent(ends: np.ndarray) -> int | None:
    """How many of these pairs it takes to have 30 of which no two share an image; None: too few.

    ends: int (B, 2), the two images of each pair, the nearest pair first. Two images with wrong
    labels make many false matches, but only two independent ones.
    """
    found = apart(ends, MIN_FALSE_MATCHES)
    return found[-1] + 1 if len(found) == MIN_FALSE_MATCHES else None
