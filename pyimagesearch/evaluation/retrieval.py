"""How well the nearest images of an image are of its class. NumPy alone.

Every image is a query, and all others are its gallery. With R other images of the query's class,
and P(i) the share of its class among its i nearest:

recall@k     1 where one of the k nearest is of the class, else 0: the CMC curve at rank k.
mAP@R        1 / R times the sum of P(i) over those i <= R whose image is of the class (Musgrave,
             Belongie and Lim, A Metric Learning Reality Check, 2020: mean_average_precision_at_r).

Figures are means over the queries, 0 to 1, 1 is perfect. Of images at one distance those of other
classes come first: a network that gives every image one embedding gets the worst figure.
"""

import numpy as np

from pyimagesearch.data.sets import evenly, in_order
from pyimagesearch.evaluation.all_pairs import ImagePairs
from pyimagesearch.evaluation.intervals import Figure, interval

NEAREST = 5  # images that have to agree where a label is called into doubt
MOST_PAIRS = 25_000_000  # of queries with images: more queries are thinned out, the gallery is not


class Retrieval:
    """Figures of N images, each compared with all others; a class at least has two.

    queries: images that have asked; one without another of its class does not.
    doubtful: images whose label is probably wrong, each {"file", "class", "like"}: below the
    threshold (of distances in front of a head) are its five nearest, all of class "like".
    For the intervals one unit after another is left out. A unit that leaves asks no more; of
    recall@1 it leaves the gallery, too, and the next image answers. (mAP@R changes little by that.)
    """

    def __init__(self, pairs: ImagePairs, threshold: float = 0):
        (embeddings, class_of, unit_of) = (pairs.embeddings, pairs.class_of, pairs.unit_of)
        (sizes, n) = (pairs.sizes, len(class_of))
        able = np.flatnonzero(sizes[class_of] > 1)
        queries = able[evenly(len(able), max(MOST_PAIRS // n, 1))]
        columns = min(max(sizes.max(), np.bincount(unit_of).max(), 10) + 1, n - 1)  # past a unit
        units = int(unit_of.max()) + 1

        def ask(some):  # queries: their scores, which units leave and what that changes, doubtful
            rows = np.arange(len(some))
            distances = pairs.distance.matrix(embeddings[some], embeddings)
            distances[rows, some] = np.inf
            own = class_of == class_of[some, np.newaxis]
            of_own = np.where(own, distances, np.inf).min(axis=1)
            # at one distance those of other classes come first
            np.nextafter(distances, np.float32(np.inf), out=distances, where=own)
            near = np.argpartition(distances, columns - 1, axis=1)[:, :columns]
            order = np.argsort(np.take_along_axis(distances, near, axis=1), axis=1, kind="stable")
            near = np.take_along_axis(near, order, axis=1)  # (q, columns), nearest first
            (hits, five) = (np.take_along_axis(own, near, axis=1), near[:, :NEAREST])
            alike = (class_of[five] == class_of[five[:, :1]]).all(axis=1)
            alike &= (distances[rows, five[:, -1]] < threshold) & (threshold <= of_own)
            count = sizes[class_of[some], np.newaxis] - 1  # R
            rank = np.arange(1, columns + 1)
            precision = hits * (rank <= count) * np.cumsum(hits, axis=1) / rank
            average = precision.sum(axis=1) / count[:, 0]
            found = [hits[:, :k].any(axis=1) for k in (1, 5, 10)]
            nearest = unit_of[near[:, 0]]
            after = hits[rows, (unit_of[near] != nearest[:, np.newaxis]).argmax(axis=1)]
            apart = nearest != unit_of[some]
            change = hits[apart, 0] * 1.0 - after[apart]
            doubtful = np.stack([some, five[:, 0]], axis=1)[alike]
            return np.stack([*found, average], axis=1), nearest[apart], change, doubtful

        blocks = in_order(ask, np.split(queries, range(pairs.block, len(queries), pairs.block)))
        (score, leaving, change, doubtful) = map(np.concatenate, zip(*blocks))  # score: (Q, 4)
        self.doubtful: list[dict[str, str | int]] = [
            {"file": pairs.images.name_of(pairs.rows[place]),
             "class": pairs.names[class_of[place]], "like": pairs.names[class_of[like]]}
            for place, like in doubtful]  # fmt: skip
        figures = [Figure(float(mean)) for mean in score.mean(axis=0)]
        left = len(queries) - np.bincount(unit_of[queries], minlength=units)
        for column, changed in ((0, np.bincount(leaving, change, units)), (3, 0)):
            rest = score[:, column].sum() - np.bincount(unit_of[queries], score[:, column], units)
            left_out = (rest - changed)[left > 0] / left[left > 0]
            figures[column] = interval(figures[column].value, left_out, len(queries))
        self.queries = len(queries)
        (self.recall_at_1, self.recall_at_5, self.recall_at_10, self.map_at_r) = figures
