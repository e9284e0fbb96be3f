"""How far a figure may be from the truth: 95 % intervals. NumPy alone.

Pairs that share an image are not independent: what an interval counts are not the pairs but
units. These are the images, groups of them, or the classes where these are new to the model.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

LEAST_UNITS = 10  # fewer say too little of how much they differ
ALIKE = 0.05  # the least correlation that is assumed between errors of images of one unit
Z = 1.959964  # 95 % of a normal distribution lie so many standard deviations around its mean


def two_digits(percent: float) -> str:
    """A number with two digits, for small percentages: "0.0052", "0.75", "12", "100"."""
    return np.format_float_positional(percent, 2, unique=False, fractional=False, trim="-")


@dataclass(frozen=True)
class Figure:
    """A value and its 95 % interval; low and high are None where none is known to hold."""

    value: float
    low: float | None = None
    high: float | None = None

    def percent(self, number: Callable[[float], str] = "{:.2f}".format) -> str:
        """As text: "99.53 % (99.40 to 99.66)", "100.00 % (at least 97.5 %)", "99.53 %"."""
        text = f"{number(100 * self.value)} %"
        if self.low is None or self.high is None:
            return text
        if self.value in (0, 1):  # the bound has as many digits as tell it from 0 or 100 %
            (words, bound) = ("at most", self.high) if self.value == 0 else ("at least", self.low)
            digits = max(1, 1 - math.floor(math.log10(max(100 * abs(bound - self.value), 1e-6))))
            cautious = math.ceil if self.value == 0 else math.floor
            bound = cautious(100 * bound * 10**digits) / 10**digits
            return f"{text} ({words} {bound:.{digits}f} %)"
        low = self.low if self.low > self.value / 50 else 0
        return f"{text} ({number(100 * low)} to {number(100 * self.high)})"

    def number(self) -> str:
        """As text without a percent sign: "0.99995", "0.9375 (0.8951 to 0.9639)"."""
        if self.low is None or self.high is None:
            return f"{self.value:.5f}"
        return f"{self.value:.4f} ({self.low:.4f} to {self.high:.4f})"


def interval(value: float, left_out: np.ndarray, images: int) -> Figure:
    """A share with its interval, from what it is with one unit after another left out.

    value: the share, 0 to 1. left_out: (U,), the shares without each unit. images: of all units.
    The jackknife's variance (n - 1) / n sum (p_i - mean)^2 says how many independent trials tell
    as much, value (1 - value) / variance. Their number gives Wilson's interval (1927), with
    Student's t of n - 1. Where few errors are seen, the variance is too small: so there are at
    most images / (1 + (m - 1) 0.05) trials, with m images in a unit (Kish's design effect, 1965).
    """
    left_out = left_out[np.isfinite(left_out)]
    units = len(left_out)
    if units < LEAST_UNITS:
        return Figure(value)
    (trials, z) = (images / (1 + (images / units - 1) * ALIKE), Z)
    if 0 < value < 1 and (variance := variance_of(left_out)):
        (trials, z) = (min(trials, value * (1 - value) / variance), student(units - 1))
    return Figure(value, *wilson(value, trials, z))


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

    The expansion of Abramowitz and Stegun, 26.7.5, with its polynomials at Z.
    """
    return Z + 2.37227127871 / freedom + 2.82249870533 / freedom**2 + 2.55584979 / freedom**3
