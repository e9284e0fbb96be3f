"""How far a figure may be from the truth: 95 % intervals. NumPy alone.

Pairs that share an image are not independent, so no interval counts pairs. What counts are the
units: the images; or groups of images that belong together; or the classes, where the question
is how a model does on classes that it has never seen.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

LEAST_UNITS = 10  # fewer say too little of how much they differ
ALIKE = 0.05  # the least correlation that is assumed between errors of images of one unit
Z = 1.959964  # 95 % of a normal distribution lie so many standard deviations around its mean


@dataclass(frozen=True)
class Figure:
    """A value and its 95 % interval; low and high are None where none is known to hold."""

    value: float
    low: float | None = None
    high: float | None = None

    def as_dict(self) -> dict[str, float | None]:
        """For JSON: {"value", "low", "high"}."""
        return asdict(self)

    def percent(self, digits: int = 2) -> str:
        """As text: "99.53 % (99.40 to 99.66)", "100.00 % (at least 97.5 %)", "99.53 %"."""
        return self._text(lambda share: f"{100 * share:.{digits}f}")

    def number(self) -> str:
        """As text without a percent sign: "0.9999", "0.9375 (0.8951 to 0.9639)"."""
        if self.low is None or self.high is None:
            return f"{self.value:.5f}"
        return f"{self.value:.4f} ({self.low:.4f} to {self.high:.4f})"

    def rate(self) -> str:
        """As text where values are small: "0.75 % (0.59 to 0.95)"."""
        return self._text(lambda share: f"{100 * share:{'.0f' if share >= 0.095 else '.2g'}}")

    def _text(self, number: Callable[[float], str]) -> str:
        text = f"{number(self.value)} %"
        if self.low is None or self.high is None:
            return text
        if self.value == 0:
            return f"{text} (at most {_rounded(100 * self.high, math.ceil)} %)"
        if self.value == 1:
            return f"{text} (at least {_rounded(100 * self.low, math.floor)} %)"
        low = self.low if self.low > self.value / 50 else 0
        return f"{text} ({number(low)} to {number(self.high)})"


def interval(value: float, left_out: np.ndarray, images: int) -> Figure:
    """A share with its interval, from what it is with one unit after another left out.

    value: the share, 0 to 1. left_out: (U,), the shares without each unit. images: how many
    images the units hold.
    The jackknife's variance (n - 1) / n sum (p_i - mean)^2 says how many independent trials tell
    as much, value (1 - value) / variance. Their number gives Wilson's interval (1927), with
    Student's t of n - 1. Where few errors are seen, the variance is too small: so there are at
    most images / (1 + (m - 1) 0.05) trials, with m images in a unit (Kish's design effect, 1965).
    """
    left_out = left_out[np.isfinite(left_out)]
    units = len(left_out)
    if units < LEAST_UNITS:
        return Figure(value)
    most = images / (1 + (images / units - 1) * ALIKE)
    (low, high) = wilson(value, most, Z)
    if 0 < value < 1 and (variance := variance_of(left_out)):
        trials = min(most, value * (1 - value) / variance)
        (lower, higher) = wilson(value, trials, student(units - 1))
        (low, high) = (min(low, lower), max(high, higher))
    return Figure(value, low, high)


def variance_of(left_out: np.ndarray) -> float:
    """The jackknife's variance of a figure, from what it is without each of the units, (U,)."""
    return float(np.square(left_out - left_out.mean()).sum() * (1 - 1 / len(left_out)))


def wilson(share: float, trials: float, z: float) -> tuple[float, float]:
    """Wilson's interval of a share of independent trials: (low, high).

    The ends are the p for which |share - p| = z sqrt(p (1 - p) / trials).
    """
    middle = share + z**2 / (2 * trials)
    half = z * math.sqrt(share * (1 - share) / trials + (z / (2 * trials)) ** 2)
    scale = 1 + z**2 / trials
    (low, high) = ((middle - half) / scale, (middle + half) / scale)
    return max(0.0, min(low, share)), min(1.0, max(high, share))


def student(freedom: int) -> float:
    """The 97.5 % quantile of Student's t, to within 0.002 from nine degrees of freedom on.

    The expansion of Abramowitz and Stegun, 26.7.5.
    """
    (z, n) = (Z, freedom)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / n + second / n**2 + third / n**3


def of_pairs(hits: np.ndarray, ends: np.ndarray) -> Figure:
    """The share of hits among given pairs, with its interval.

    hits: bool (B,). ends: int (B, 2), the units that the two images of each pair belong to.
    """
    (units, ends) = np.unique(ends, return_inverse=True)
    (ends, count) = (ends.reshape(-1, 2), len(units))
    hit = np.ravel(hits)
    left = len(hit) - touching(ends, count, np.ones(len(hit)))
    with np.errstate(invalid="ignore"):  # none is left where all pairs share an image
        left_out = (hit.sum() - touching(ends, count, hit)) / left
    return interval(float(hit.mean()), left_out, min(count, len(hit)))


def touching(ends: np.ndarray, units: int, weights: np.ndarray) -> np.ndarray:
    """The sum of the weights, (B,), of the pairs that each unit stands in: (units,).

    ends: int (B, 2), from 0. A pair inside one unit counts once.
    """
    second = np.where(ends[:, 0] == ends[:, 1], 0, weights)
    first = np.bincount(ends[:, 0], weights, units)
    return first + np.bincount(ends[:, 1], second, units)


def _rounded(percent, nearest):
    # a bound with as many digits as tell it from 0 or 100 %, rounded to the cautious side
    distance = 100 - percent if nearest is math.floor else percent
    digits = max(1, 1 - math.floor(math.log10(max(distance, 1e-6))))
    return f"{nearest(percent * 10**digits) / 10**digits:.{digits}f}"
