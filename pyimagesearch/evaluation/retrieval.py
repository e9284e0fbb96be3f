"""How well the nearest images of an image are of its class, leave one out. NumPy alone.

Every image asks for its like among all others (it is a query, they are the gallery). With R
other images of the query's class, and P(i) the share of its class among its i nearest:

recall@k     1 where one of the k nearest is of the class, else 0: the CMC curve at rank k;
             recall@1 is precision_at_1 of pytorch-metric-learning.
mAP@R        1 / R times the sum of P(i) over those i <= R whose image is of the class (Musgrave,
             Belongie and Lim, A Metric Learning Reality Check, 2020: mean_average_precision_at_r).

Figures are means over the queries, 0 to 1, 1 is perfect. Of images at one distance those of other
classes come first, so that a network which gives every image the same embedding gets the worst
figure and not one that depends on the images' order.
"""

from dataclasses import dataclass

import numpy as np

from pyimagesearch.data.rows import evenly
from pyimagesearch.evaluation.distances import Distance
from pyimagesearch.evaluation.intervals import Figure, interval

MOST_PAIRS = 25_000_000  # of queries with images: more queries are thinned out, the gallery is not
BLOCK = 2_000_000  # distances that are in memory at a time


@dataclass(frozen=True)
class Retrieval:
    """Figures over all queries."""

    queries: int  # images that have asked
    left_out: int  # images that could not: their class has no other image
    recall_at_1: Figure
    recall_at_5: Figure
    recall_at_10: Figure
    map_at_r: Figure


def retrieve(
    embeddings: np.ndarray, labels: np.ndarray, distance: Distance, unit_of: np.ndarray
) -> Retrieval | None:
    """The figures of N images, each compared with all others; None where no class has two.

    embeddings: float (N, D). labels: int (N,). unit_of: int (N,), from 0, the unit of each image:
    for the intervals one after another leaves both queries and gallery. Of recall@1 the answer
    is then that of the next image; of mAP@R what the unit's images change is added up.
    """
    (_, class_of, sizes) = np.unique(labels, return_inverse=True, return_counts=True)
    able = np.flatnonzero(sizes[class_of] > 1)
    if not len(able):
        return None
    queries = able[evenly(len(able), max(MOST_PAIRS // len(labels), 1))]
    columns = min(max(int(sizes.max()), 11), len(labels) - 1)  # R + 1 at least
    units = int(unit_of.max()) + 1
    (scores, lost, leaving) = ([], np.zeros((2, units)), np.zeros(units))
    size = max(BLOCK // len(labels), 1)
    for some in np.split(queries, range(size, len(queries), size)):
        rows = np.arange(len(some))
        distances = distance.matrix(embeddings[some], embeddings)
        distances[rows, some] = np.inf
        own = class_of == class_of[some, np.newaxis]
        np.nextafter(distances, np.float32(np.inf), out=distances, where=own)
        near = np.argpartition(distances, columns - 1, axis=1)[:, :columns]
        order = np.argsort(np.take_along_axis(distances, near, axis=1), axis=1, kind="stable")
        near = np.take_along_axis(near, order, axis=1)  # (q, columns), nearest first
        hits = np.take_along_axis(own, near, axis=1)
        count = sizes[class_of[some]] - 1  # R
        (average, change, unseen) = _average_precision(hits, count[:, np.newaxis])
        scores.append(np.stack([*(hits[:, :k].any(axis=1) for k in (1, 5, 10)), average], axis=1))

        other = unit_of[near] != unit_of[near[:, :1]]  # the next image that is not of that unit
        after = hits[rows, np.where(other.any(axis=1), other.argmax(axis=1), 0)]
        _add(lost[0], hits[:, :1] * 1.0 - after[:, np.newaxis], near[:, :1], some, unit_of)
        _add(lost[1], -change, near, some, unit_of)
        own[rows, some] = False
        (asking, asked) = np.nonzero(own)
        single = count[asking] == 1  # without it, its query cannot ask any more
        np.add.at(leaving, unit_of[asked[single]], 1)
        apart = unit_of[asked] != unit_of[some[asking]]
        np.add.at(lost[1], unit_of[asked[apart]], -unseen[asking[apart]])

    score = np.concatenate(scores)  # (Q, 4)
    asked_of = np.bincount(unit_of[queries], minlength=units)
    figures = [Figure(float(mean)) for mean in score.mean(axis=0)]
    for column, change in ((0, lost[0]), (3, lost[1])):
        sums = np.bincount(unit_of[queries], score[:, column], units)
        left = len(queries) - asked_of - leaving
        rest = score[:, column].sum() - sums - change
        left_out = np.divide(rest, left, out=np.full(units, np.nan), where=left > 0)
        figures[column] = interval(figures[column].value, left_out, len(queries))
    return Retrieval(len(queries), len(labels) - len(able), *figures)


def _average_precision(
    hits: np.ndarray, count: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """AP@R of each query, and how it changes where an image is taken from the gallery.

    hits: bool (q, K), whether the nearest, second nearest … is of the class. count: (q, 1), R,
    less than K. Returns AP (q,); the change where the image at each rank leaves (q, K), for
    those of the class less `unseen`; unseen (q,): the change where any other image of the class
    leaves, further away than these.
    """
    rank = np.arange(1, hits.shape[1] + 1)
    found = np.cumsum(hits, axis=1)  # n, of the class down to here
    before = np.maximum(rank - 1, 1)
    precision = hits * found / rank
    average = (precision * (rank <= count)).sum(axis=1) / count[:, 0]
    fewer = np.maximum(count - 1, 1)

    def behind(values):  # the sum over all ranks behind this one
        return np.cumsum(values[:, ::-1], axis=1)[:, ::-1] - values

    # an image of another class leaves: what is behind it moves up by one
    moved = hits * found * ((rank <= count + 1) / before) - precision * (rank <= count)
    other = behind(moved) / count
    # one of the class leaves: R is less by one, and what is behind it moves up with one hit less
    inside = precision * (rank < count)
    unseen = inside.sum(axis=1) / fewer[:, 0] - average
    unseen = np.where(count[:, 0] == 1, -average, unseen)
    front = np.cumsum(inside, axis=1) - inside
    own = front + behind(hits * (found - 1) / before * (rank <= count))
    own = np.where(count == 1, -average[:, np.newaxis], own / fewer - average[:, np.newaxis])
    return average, np.where(hits, own - unseen[:, np.newaxis], other), unseen


def _add(sums, values, images, queries, unit_of):
    # values (q, k) to the units of images (q, k), but for those of the query's own unit
    apart = unit_of[images] != unit_of[queries, np.newaxis]
    np.add.at(sums, unit_of[images[apart]], values[apart])
