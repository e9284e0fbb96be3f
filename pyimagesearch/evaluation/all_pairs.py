"""All pairs of images of known classes, or given pairs: counted, whole and by unit.

A unit is what an interval counts: an image, a group of images, or a class. Distances are those
in front of a head. In arrays with an axis for the kind of pair, 0 is different and 1 is same.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from pyimagesearch.data.sets import Pairs
from pyimagesearch.evaluation.distances import Distance
from pyimagesearch.evaluation.intervals import Figure, interval, touching
from pyimagesearch.evaluation.verification import Curve, curve_of

BLOCK = 2_000_000  # distances that are in memory at a time
MOST_EXACT = 3_000  # images; of more the distances are counted in steps
STEPS = 65_536
MOST_CLASSES = 1_000  # whose confusions are counted

Value = Callable[[Any], Any]  # of distances: which match, or a score of each


@dataclass(frozen=True)
class Counts:
    """Sums of K values over all pairs, and over those that each of U units is in.

    A last column is the number of the pairs.
    """

    sums: np.ndarray  # (2, K + 1), by kind
    sums_of: np.ndarray  # (U, 2, K + 1)
    images: np.ndarray  # int (U,), of each unit
    balanced: bool
    by_class: Any = None  # (C, 2, K + 1): a different pair is in two classes; same ones are twice
    confused: np.ndarray | None = None  # (C, C): pairs of two classes for which the first holds

    def share(self, kind: int, k: int) -> Figure:
        """The share of the pairs of a kind for which value k holds: TMR of 1, FMR of 0."""
        touched = self.sums_of[:, kind, -1] > 0
        images = min(int(self.images[touched].sum()), int(self.sums[kind, -1]))
        value = float(ratio(self.sums[kind, k], self.sums[kind, -1]))
        return interval(value, self.left_out(kind, k)[touched], images)

    def left_out(self, kind: int, k: int) -> np.ndarray:
        """That share with one unit after another left out: (U,), NaN where no pair is left."""
        left = self.sums[kind] - self.sums_of[:, kind]
        return ratio(left[:, k], left[:, -1])

    def right(self, k: int) -> Figure:
        """The share of pairs called right where value k is whether they match."""
        images = min(int(self.images.sum()), int(self.sums[:, -1].sum()))
        return interval(float(self._right(self.sums, k)), self.right_left_out(k), images)

    def right_left_out(self, k: int) -> np.ndarray:
        """That share with one unit after another left out: (U,)."""
        return self._right(self.sums - self.sums_of, k)

    def _right(self, sums: np.ndarray, k: int) -> np.ndarray:
        (hits, pairs) = (sums[..., k], sums[..., -1])  # (..., 2)
        if self.balanced:
            rates = ratio(hits, pairs)
            return (rates[..., 1] + 1 - rates[..., 0]) / 2
        return ratio(hits[..., 1] + pairs[..., 0] - hits[..., 0], pairs.sum(axis=-1))


def ratio(sums: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """sums / pairs, NaN where there are no pairs."""
    return np.divide(sums, pairs, out=np.full(np.shape(pairs), np.nan), where=pairs > 0)


class AllPairs:
    """All pairs of N images of known classes. The two kinds of pair weigh a half each."""

    def __init__(
        self, embeddings: np.ndarray, labels: np.ndarray, distance: Distance, unit_of: np.ndarray
    ):
        """embeddings: (N, D). labels, unit_of: int (N,), the class and the unit of each image."""
        self.order = np.argsort(labels, kind="stable")  # a class is a run of rows
        (self.embeddings, self.distance) = (embeddings[self.order], distance)
        (self.classes, self.first, self.class_of, self.sizes) = np.unique(
            labels[self.order], return_index=True, return_inverse=True, return_counts=True
        )
        (_, self.unit_of) = np.unique(unit_of[self.order], return_inverse=True)
        self.block = max(BLOCK // len(labels), 1)  # rows of distances

    @cached_property
    def curve(self) -> Curve:
        """Exact of at most 3,000 images, of more in 65,536 steps of the largest distance."""
        blocks = []
        counts = np.zeros(2 * STEPS, np.int64)
        # the width of a step; no distance is larger than 2 radii
        radius = np.linalg.norm(self.embeddings - self.embeddings.mean(axis=0), axis=1).max()
        high = 2.0 if self.distance.name == "cosine" else max(2 * float(radius), 1e-3)
        (low, width) = (min(0.0, self.distance.sign * high), high / (STEPS - 1))
        for _, distances, same, new in self._upper():
            if len(self.order) <= MOST_EXACT:
                blocks.append((distances[new], same[new]))
                continue
            steps = (distances - np.float32(low)) / np.float32(width)
            steps = np.clip(steps, 0, STEPS - 1).astype(np.int32) + np.int32(STEPS) * same
            counts += np.bincount(steps[new], minlength=2 * STEPS)
        if blocks:
            (distances, same) = (np.concatenate(part) for part in zip(*blocks))
            return curve_of(distances, same, balanced=True)
        (different, same) = counts.reshape(2, STEPS)
        some = np.flatnonzero(different + same)
        return Curve(low + some * width, same[some], different[some], balanced=True)

    def scan(self, values: Sequence[Value]) -> Counts:
        """Sums of some values over all pairs, and over those of each unit."""
        asked: list[Value] = [*values, np.ones_like]
        (n, classes, units) = (len(self.order), len(self.sizes), self.unit_of.max() + 1)
        by_image = np.zeros((n, 2, len(asked)))
        inside = np.zeros((2 * units, len(asked)))  # twice the pairs inside each unit
        confused = np.zeros((classes, classes)) if classes <= MOST_CLASSES else None
        for start in range(0, n, self.block):
            rows = np.arange(start, min(start + self.block, n))
            (own, unit) = (self.class_of[rows], self.unit_of[rows])
            distances = self.distance.matrix(self.embeddings[rows], self.embeddings)
            (a, b) = np.nonzero(unit[:, np.newaxis] == self.unit_of)
            place = 2 * unit[a] + (own[a] == self.class_of[b])
            for k, value in enumerate(asked):
                found = value(distances)
                found[rows - start, rows] = 0  # itself
                matched = np.add.reduceat(found, self.first, axis=1, dtype=np.float64)  # (rows, C)
                same = matched[rows - start, own]
                by_image[rows, :, k] = np.stack([matched.sum(axis=1) - same, same], axis=1)
                inside[:, k] += np.bincount(place, found[a, b], 2 * units)
                if k == 0 and confused is not None:
                    np.add.at(confused, own, matched)
        sums_of = np.zeros((units, 2, len(asked)))
        np.add.at(sums_of, self.unit_of, by_image)
        return Counts(
            sums=by_image.sum(axis=0) / 2,
            sums_of=sums_of - inside.reshape(sums_of.shape) / 2,
            images=np.bincount(self.unit_of),
            balanced=True,
            by_class=np.add.reduceat(by_image, self.first, axis=0),
            confused=confused,
        )

    def extremes(self, kind: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The different pairs (0) that are nearest, or the same ones (1) that are furthest apart.

        Returns (int (B, 2), the images of each, the most extreme first; their distances (B,)).
        """
        sign = -1 if kind else 1
        (ends, far, limit) = (np.empty((0, 2), int), np.empty(0, np.float32), np.inf)
        for start, distances, same, new in self._upper(kind):
            (rows, columns) = np.nonzero((sign * distances < limit) & (same == kind) & new)
            ends = np.append(ends, start + np.stack([rows, columns], axis=1), axis=0)
            far = np.append(far, distances[rows, columns])
            best = np.argsort(sign * far, kind="stable")[:count]
            (ends, far) = (ends[best], far[best])
            if len(far) == count:
                limit = sign * far[-1]
        return self.order[ends], far

    def _upper(self, kind: int = 0) -> Iterator[tuple[int, np.ndarray, np.ndarray, np.ndarray]]:
        # block by block: its first row, the distances of its rows to all images from that row
        # on (of kind 1: to the end of a class), which of them are of one class, and which new
        for start in range(0, len(self.order), self.block):
            own = self.class_of[start : start + self.block]
            end = np.searchsorted(self.class_of, own[-1], side="right") if kind else None
            rows = self.embeddings[start : start + self.block]
            same = own[:, np.newaxis] == self.class_of[start:end]
            distances = self.distance.matrix(rows, self.embeddings[start:end])
            yield start, distances, same, np.triu(np.ones_like(same), 1)


class GivenPairs:
    """Pairs of which alone is known whether they are the same. Each weighs as much."""

    def __init__(
        self, embeddings: np.ndarray, pairs: Pairs, distance: Distance, unit_of: np.ndarray
    ):
        """embeddings: (N, D). unit_of: int (N,), the unit of each image."""
        (self.ends, self.y, self.distance) = (pairs.indices(), pairs.labels().ravel(), distance)
        self.distances = distance.rows(*embeddings[self.ends.T])
        units = np.unique(unit_of[self.ends], return_inverse=True)[1]
        self.units = units.reshape(-1, 2)
        self.images = np.bincount(np.unique(unit_of[np.unique(self.ends)], return_inverse=True)[1])
        self.curve = curve_of(self.distances, self.y)

    def scan(self, values: Sequence[Value]) -> Counts:
        """Sums of some values over these pairs, and over those of each unit."""
        asked: list[Value] = [*values, np.ones_like]
        columns = [value(self.distances) for value in asked]
        sums = np.zeros((2, len(columns)))
        sums_of = np.zeros((len(self.images), *sums.shape))
        for kind in (0, 1):
            some = self.y == kind
            for k, column in enumerate(columns):
                sums[kind, k] = column[some].sum()
                sums_of[:, kind, k] = touching(self.units[some], len(self.images), column[some])
        return Counts(sums, sums_of, self.images, balanced=False)

    def extremes(self, kind: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """See AllPairs.extremes."""
        some = np.flatnonzero(self.y == kind)
        order = np.argsort(-self.distances[some] if kind else self.distances[some], kind="stable")
        return self.ends[some[order[:count]]], self.distances[some[order[:count]]]


def auc_left_out(pairs: AllPairs | GivenPairs) -> np.ndarray:
    """The AUC with one unit after another left out: (U,).

    A same pair's score is the share of different pairs that are further apart, a different
    pair's the share of same pairs that are nearer: the mean of either is the AUC. What the unit's
    same pairs do together with its different pairs is taken as the sum of both.
    """
    curve = pairs.curve
    further = 1 - (curve.fmr[:-1] + curve.fmr[1:]) / 2  # (L,), ties count one half
    nearer = (curve.tmr[:-1] + curve.tmr[1:]) / 2

    def level(distances):
        return np.maximum(np.searchsorted(curve.levels, distances, side="right") - 1, 0)

    counts = pairs.scan([lambda d: further[level(d)], lambda d: nearer[level(d)]])
    return counts.left_out(1, 0) + counts.left_out(0, 1) - curve.auc


def matches(threshold: float) -> Value:
    """Which distances are below a threshold: as verification.called_same, in float32."""
    limit = np.float32(threshold)
    if limit < threshold:  # the next float32, so that no float32 lies between the two
        limit = np.nextafter(limit, np.float32(np.inf))
    return lambda distances: distances < limit


def some_of(labels: np.ndarray, most: int) -> np.ndarray:
    """Which images are taken where there are more than `most`: int, ascending.

    The first two of each class, the next two of each, and so on; the classes by chance.
    """
    (_, class_of, sizes) = np.unique(labels, return_inverse=True, return_counts=True)
    rank = np.empty(len(labels), int)  # inside the class
    rank[np.argsort(class_of, kind="stable")] = np.concatenate([np.arange(n) for n in sizes])
    class_order = np.random.default_rng(0).permutation(len(sizes))
    return np.sort(np.lexsort((class_order[class_of], rank // 2))[:most])
