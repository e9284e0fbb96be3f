"""The mean of scores that are not independent, with its interval."""

import numpy as np

from pyimagesearch.evaluation.intervals import LEAST_UNITS, Figure, interval


def mean_figure(scores: np.ndarray, units: np.ndarray, most: int | None = None) -> Figure:
    """The mean of scores between 0 and 1, and its 95 % interval: see intervals.interval.

    scores: (B,), 0 to 1. units: int (B,), the unit that each score is of: an image, or a class
    where the classes themselves are a sample; or (B, 2), two units that it lies between.
    Scores that share a unit are not independent. From the variance v of their mean m, that of
    sums over units (Liang and Zeger, 1986; for two units Aronow, Samii and Assenova, 2015),
    follows the number of independent trials, n = m (1 - m) / v. It is at most the number of
    units, or `most`; where v is 0, the number of units. No interval below ten units.
    """
    scores = np.asarray(scores, np.float64)
    mean = float(scores.mean())
    (known, unit) = np.unique(units, return_inverse=True)
    (count, unit) = (len(known), unit.reshape(len(scores), -1))
    if count < LEAST_UNITS:
        return Figure(mean, None, None)
    sums = sum(np.bincount(column, scores - mean, count) for column in unit.T)
    variance = np.square(sums).sum() / len(scores) ** 2 * count / (count - 1)
    trials = count if variance < 1e-12 else mean * (1 - mean) / variance
    return Figure(mean, *interval(mean, min(trials, most or count)))
