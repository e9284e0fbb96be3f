"""How well distances tell same from different. NumPy alone.

Polarity: y = 1 same class, y = 0 different; a smaller distance = more alike; a pair is
called the same where distance < threshold.
"""

# import the necessary packages
import numpy as np


def choose_threshold(distances, y):
    """The threshold that calls most pairs right: half-way between two neighbouring distances.

    distances: (B,) or (B, 1), finite. y: as many, 0 or 1. Of several equally good thresholds,
    the one in the middle. Raises ValueError as accuracy does.
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


def accuracy(distances, y, threshold):
    """The share of pairs called right, 0 to 1: distance < threshold just where y = 1.

    Raises ValueError where the two are not one to one, or empty, or y is neither 0 nor 1,
    or a distance is NaN or infinite.
    """
    distances, y = _checked(distances, y)
    return float(np.mean((distances < threshold) == (y == 1)))


def area_under_curve(distances, y):
    """AUC: the chance that a same pair is nearer than a different pair; a tie counts one half.

    1 is perfect, 0.5 is chance. Mann and Whitney's U divided by the number of such couples.
    Raises ValueError as accuracy does, and where one of the two kinds of pair is missing.
    """
    distances, y = _checked(distances, y)
    same, different = np.sort(distances[y == 1]), distances[y == 0]
    if not len(same) or not len(different):
        raise ValueError(
            "Expected pairs of both kinds. "
            f"Received: {len(same)} same, {len(different)} different."
        )
    nearer = np.searchsorted(same, different, side="left")
    nearer_or_equal = np.searchsorted(same, different, side="right")
    return float((nearer.sum() + nearer_or_equal.sum()) / 2 / (len(same) * len(different)))


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
