"""How well the nearest images of an image are of its class, leave one out. NumPy alone.

Every image asks for its like among all others (it is a query, they are the gallery). With R
other images of the query's class, and P(i) the share of its class among its i nearest:

recall@k     1 where one of the k nearest is of the class, else 0: the CMC curve at rank k;
             recall@1 is precision_at_1 of pytorch-metric-learning.
R-precision  P(R).
mAP@R        1 / R times the sum of P(i) over those i <= R whose image is of the class (Musgrave,
             Belongie and Lim, A Metric Learning Reality Check, 2020: mean_average_precision_at_r).

Figures are means over the queries, 0 to 1, 1 is perfect. A smaller distance = more alike. Of
images at one distance those of other classes come first, so that a network which gives every
image the same embedding gets the worst figure and not one that depends on the images' order.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from pyimagesearch.data.rows import evenly
from pyimagesearch.evaluation.distances import DistanceMatrix, euclidean_matrix
from pyimagesearch.evaluation.intervals import Figure
from pyimagesearch.evaluation.resampling import mean_figure
from pyimagesearch.system.errors import InputError

Units = Literal["images", "classes"] | np.ndarray
RANKS = (1, 5, 10)  # k of recall@k
MOST_PAIRS = 25_000_000  # of queries with images: more queries are thinned out, the gallery is not
BLOCK = 4_000_000  # distances that are in memory at a time


@dataclass(frozen=True)
class Retrieval:
    """Figures over all queries."""

    recall_at_1: Figure
    recall_at_5: Figure
    recall_at_10: Figure
    r_precision: Figure
    map_at_r: Figure
    queries: int  # images that have asked
    left_out: int  # images that could not: their class has no other image

    def as_dict(self) -> dict[str, Any]:
        """For JSON; a figure is {"value", "low", "high"}."""
        return asdict(self)


def retrieve(
    embeddings: np.ndarray,
    labels: np.ndarray,
    distances: DistanceMatrix = euclidean_matrix,
    units: Units = "images",
) -> Retrieval:
    """The figures of N images, each compared with all others.

    embeddings: float (N, D). labels: int (N,). distances: of (Q, D) and (N, D) -> (Q, N), see
    evaluation.distances; a head changes no ranks, so the distance in front of it will do.
    units: what is drawn anew for the intervals: "images", of which two that are each other's
    nearest go together, since what is right for one is right for both; "classes" where the
    classes are a sample of all that there are (test classes that were not in training); or
    int (N,), the group of each image. Below ten of them no interval.
    Raises InputError where no class has two images, or an embedding is not finite.
    """
    (embeddings, labels) = checked(embeddings, labels)
    (queries, left_out) = _queries(labels)
    rows = max(BLOCK // len(labels), 1)
    parts = [
        _scores(distances(embeddings[some], embeddings), labels, some)
        for some in np.split(queries, range(rows, len(queries), rows))
    ]
    (scores, nearest) = (np.concatenate(part) for part in zip(*parts))
    if isinstance(units, np.ndarray):
        drawn = units[queries]
    else:
        drawn = labels[queries] if units == "classes" else _couples(queries, nearest, len(labels))
    columns = ("recall_at_1", "recall_at_5", "recall_at_10", "r_precision", "map_at_r")
    figures: dict[str, Any] = {
        name: mean_figure(column, drawn) for name, column in zip(columns, scores.T)
    }
    return Retrieval(**figures, queries=len(queries), left_out=left_out)


def checked(embeddings: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Finite embeddings (N, D) and as many labels (N,); InputError for anything else."""
    (embeddings, labels) = (np.asarray(embeddings), np.asarray(labels).ravel())
    if embeddings.ndim != 2 or len(embeddings) != len(labels) or not len(labels):
        raise InputError(
            "Expected embeddings (N, D) and a label for each, at least one. "
            f"Received: {embeddings.shape} and {len(labels)} labels."
        )
    if not np.isfinite(embeddings).all():
        bad = int(np.sum(~np.isfinite(embeddings).all(axis=1)))
        raise InputError(
            f"Expected finite embeddings. Received: {bad} of {len(embeddings)} with NaN or "
            "infinity. Train the model again."
        )
    return embeddings, labels


def _queries(labels: np.ndarray) -> tuple[np.ndarray, int]:
    """The images that ask, int (Q,), evenly spread; and how many have no other of their class."""
    (_, class_of, sizes) = np.unique(labels, return_inverse=True, return_counts=True)
    able = np.flatnonzero(sizes[class_of] > 1)
    if not len(able):
        raise InputError(
            f"Expected a class with two images at least. Received: {len(labels)} images of "
            f"{len(sizes)} classes. Add images of the same class."
        )
    most = max(MOST_PAIRS // len(labels), 1)
    return able[evenly(len(able), most)], len(labels) - len(able)


def _couples(queries: np.ndarray, nearest: np.ndarray, count: int) -> np.ndarray:
    """A number for each query, the same for two that are each other's nearest: int (Q,)."""
    nearest_of = np.full(count, -1)
    nearest_of[queries] = nearest
    return np.where(nearest_of[nearest] == queries, np.minimum(queries, nearest), queries)


def _scores(
    distances: np.ndarray, labels: np.ndarray, queries: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """recall@1, @5, @10, R-precision and AP@R of each query, (Q, 5); its nearest image, (Q,).

    distances: (Q, N), of each query to every image. queries: int (Q,), which images they are.
    """
    scores = np.empty((len(queries), len(RANKS) + 2))
    distances = distances.copy()
    distances[np.arange(len(queries)), queries] = np.inf
    for row, query, score in zip(distances, queries, scores):
        same = labels == labels[query]
        others = np.sort(row[~same])
        same[query] = False
        own = np.sort(row[same])
        count = len(own)
        nth = np.arange(1, count + 1)
        # the rank of the nth of its class: n, and the others that are as near or nearer
        ranks = nth + np.searchsorted(others, own, side="right")
        within = ranks <= count
        score[: len(RANKS)] = [ranks[0] <= k for k in RANKS]
        score[-2:] = within.sum() / count, (nth / ranks)[within].sum() / count
    return scores, distances.argmin(axis=1)
