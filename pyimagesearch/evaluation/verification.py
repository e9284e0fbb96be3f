"""How well distances tell same from different. NumPy alone; terms as in ISO/IEC 19795.

Polarity: y = 1 same class, y = 0 different; a smaller distance = more alike; a pair is
called the same (matched) where distance < threshold.

FMR  false match rate: the share of different pairs that are called the same.
TMR  true match rate: the share of same pairs that are called the same; FNMR = 1 - TMR.
EER  equal error rate: where FMR = FNMR.

Everywhere distances is (B,) or (B, 1), finite, and y as many, 0 or 1. ValueError where they
are not one to one, or none, or a distance is NaN or infinite, or y holds anything else.
"""

# import the necessary packages
from typing import NamedTuple

import numpy as np

MIN_FALSE_MATCHES = 30  # Doddington's rule of 30: fewer errors than that support no rate


class Roc(NamedTuple):
    """FMR and TMR at each threshold that calls pairs differently, from no match to all."""

    fmr: np.ndarray  # ascending, from 0 to 1
    tmr: np.ndarray  # ascending, from 0 to 1
    thresholds: np.ndarray  # ascending; the last is infinite


def choose_threshold(distances, y):
    """The threshold that calls most pairs right: half-way between two neighbouring distances.

    Of several equally good ones, the one in the middle.
    """
    distances, y = _checked(distances, y)
    order = np.argsort(distances, kind="stable")
    distances, y = distances[order], y[order]

    # right[k]: pairs called right when the k nearest are called the same
    right = np.concatenate([[0], np.cumsum(np.where(y == 1, 1, -1))]) + np.sum(y == 0)

    # a cut between two equal distances does not exist
    edges = np.concatenate([[distances[0]], distances, [np.nextafter(distances[-1], np.inf)]])
    exists = np.concatenate([[True], distances[1:] > distances[:-1], [True]])
    best = np.flatnonzero(exists & (right == right[exists].max()))
    k = best[len(best) // 2]
    if k in (0, len(distances)):  # nothing is the same, or everything
        return float(edges[k + 1])
    # above the lower of the two even where rounding would put the mean upon it
    return float(max((edges[k] + edges[k + 1]) / 2, np.nextafter(edges[k], np.inf)))


def threshold_at_fmr(different, fmr):
    """The largest threshold at which at most the share fmr of the different pairs match.

    different: the distances of different pairs alone. None where fewer than 30 false matches
    would support it.
    """
    different, _ = _checked(different, np.zeros(np.size(different)))
    matches = int(fmr * len(different) + 1e-9)  # 0.01 * 3000 is a little below 30
    if matches < MIN_FALSE_MATCHES:
        return None
    return float(np.partition(different, matches)[matches])


def accuracy(distances, y, threshold, weights=None):
    """The share of pairs called right, 0 to 1. weights: how often each pair counts."""
    distances, y = _checked(distances, y)
    return float(np.average((distances < threshold) == (y == 1), weights=weights))


def match_rates(distances, y, threshold, weights=None):
    """(TMR, FMR) at a threshold. ValueError where one kind of pair is missing."""
    distances, y = _both_kinds(distances, y)
    weights = np.ones(len(y)) if weights is None else weights
    matched = distances < threshold
    same, different = weights * (y == 1), weights * (y == 0)
    return (
        float(same[matched].sum() / same.sum()),
        float(different[matched].sum() / different.sum()),
    )


def roc_curve(distances, y, weights=None):
    """The Roc. Ties move both rates in one step. ValueError where one kind is missing."""
    distances, y = _both_kinds(distances, y)
    weights = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=np.float64)
    order = np.argsort(distances, kind="stable")
    distances, y, weights = distances[order], y[order], weights[order]
    last = np.append(distances[1:] > distances[:-1], True)  # of each run of equal distances
    tmr = np.cumsum(weights * y)[last]
    fmr = np.cumsum(weights * (1 - y))[last]
    return Roc(
        np.append(0, fmr / fmr[-1]),
        np.append(0, tmr / tmr[-1]),
        np.append(distances[last], np.inf),
    )


def area_under_curve(distances, y, weights=None):
    """AUC: the chance that a same pair is nearer than a different one, a tie counting one half.

    1 is perfect, 0.5 is chance. ValueError where one kind of pair is missing.
    """
    roc = roc_curve(distances, y, weights)
    return float(np.trapezoid(roc.tmr, roc.fmr))


def equal_error_rate(distances, y, weights=None):
    """EER, 0 is perfect: where FMR and FNMR meet, on the straight line between two points."""
    roc = roc_curve(distances, y, weights)
    gap = roc.fmr - (1 - roc.tmr)  # from -1 up to 1
    k = np.argmax(gap >= 0)
    share = gap[k - 1] / (gap[k - 1] - gap[k])
    return float(roc.fmr[k - 1] + share * (roc.fmr[k] - roc.fmr[k - 1]))


def bootstrap_interval(statistic, distances, y, images, repeats=250, level=0.95, seed=0):
    """The interval that statistic(distances, y, weights) keeps to when other images are drawn.

    Pairs that share an image are not independent, so it is the images that get random
    weights (mean 1, standard deviation 1/5; deviations count five-fold), and a pair that of
    its two images: a + b - 1. That counts each pair's own chance twice, so the variance that
    random weights of single pairs give is taken off again, as in the dyadic-robust variance
    of Aronow, Samii and Assenova, 2015.
    images: int (B, 2), the two images of each pair. statistic may return an array of figures.
    Returns (low, high), each as statistic's.
    """
    distances, y = _checked(distances, y)
    images = np.asarray(images)
    rng = np.random.default_rng(seed)
    value = np.asarray(statistic(distances, y, np.ones(len(y))))
    of_images, of_pairs = [], []
    for _ in range(repeats):
        drawn = rng.gamma(25, 1 / 25, images.max() + 1)
        weights = np.maximum(drawn[images[:, 0]] + drawn[images[:, 1]] - 1, 0)
        of_images.append(5 * (statistic(distances, y, weights) - value))
        of_pairs.append(5 * (statistic(distances, y, rng.gamma(25, 1 / 25, len(y))) - value))
    (total, twice) = (np.var(of_images, axis=0), np.var(of_pairs, axis=0))
    shrink = np.sqrt(np.maximum(1 - twice / np.maximum(total, 1e-30), 0.25))
    low, high = np.quantile(of_images, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return (value + shrink * low, value + shrink * high)


def is_collapsed(distances):
    """Whether all distances are alike: the network gives every image the same embedding."""
    low, high = np.quantile(np.asarray(distances, dtype=np.float64), [0.01, 0.99])
    return bool(high - low <= 1e-3 * max(high, 1e-2))


def _both_kinds(distances, y):
    distances, y = _checked(distances, y)
    if y.all() or not y.any():
        raise ValueError(
            f"Expected pairs of both kinds. Received: {y.sum()} same, {len(y) - y.sum()} different."
        )
    return distances, y


def _checked(distances, y):
    distances = np.asarray(distances, dtype=np.float64).ravel()
    y = np.asarray(y).ravel()
    if len(distances) != len(y) or not len(y):
        raise ValueError(
            "Expected one label for each distance, and at least one pair. "
            f"Received: {len(distances)} distances, {len(y)} labels."
        )
    if not np.isfinite(distances).all():
        raise ValueError(
            "Expected finite distances. "
            f"Received: {np.sum(~np.isfinite(distances))} that are NaN or infinite."
        )
    if not np.isin(y, (0, 1)).all():
        raise ValueError(f"Expected labels 0 and 1. Received: {np.unique(y)[:5].tolist()}.")
    return distances, y.astype(int)
