"""The mean of scores that are not independent, with its interval."""

from dataclasses import dataclass

import numpy as np

try:
    from pyimagesearch.evaluation.intervals import Figure
except ImportError:  # until intervals is there

    @dataclass(frozen=True)
    class Figure:
        """A value with its interval. low, high: None where there is no interval."""

        value: float
        low: float | None = None
        high: float | None = None


LEAST_UNITS = 10  # fewer units that can be drawn anew say too little about the spread


def mean_figure(
    scores: np.ndarray, units: np.ndarray, level_z: float = 1.96, repeats: int = 500, seed: int = 0
) -> Figure:
    """The mean of scores between 0 and 1, and Wilson's interval for it.

    units: int (B,), which scores belong together: the image that a score is of, or its class
    where the classes themselves are a sample. Whole units are drawn anew with replacement; from
    the variance v of the mean m that they give follows the number of independent trials,
    n = m (1 - m) / v, at most the number of units, which is taken where v is 0.
    scores: (B,), 0 to 1. level_z: 1.96 for 95 %. No interval below ten units.
    """
    scores = np.asarray(scores, np.float64)
    (_, unit) = np.unique(units, return_inverse=True)
    count = int(unit.max()) + 1
    mean = float(scores.mean())
    if count < LEAST_UNITS:
        return Figure(mean, None, None)
    sums = np.bincount(unit, scores)
    sizes = np.bincount(unit).astype(np.float64)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(count, np.full(count, 1 / count), repeats)  # (repeats, count)
    variance = np.var(drawn @ sums / (drawn @ sizes)) * count / (count - 1)
    trials = min(mean * (1 - mean) / variance, count) if variance > 0 else count
    return Figure(mean, *wilson(mean, trials, level_z))


def wilson(share: float, trials: float, z: float = 1.96) -> tuple[float, float]:
    """Wilson's interval for a share: (low, high).

    (share + z^2 / 2n -+ z sqrt(share (1 - share) / n + z^2 / 4n^2)) / (1 + z^2 / n).
    """
    middle = share + z**2 / (2 * trials)
    half = z * np.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    scale = 1 + z**2 / trials
    return float(max((middle - half) / scale, 0)), float(min((middle + half) / scale, 1))
