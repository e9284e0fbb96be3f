"""All pairs of images of known classes, or given pairs: counted, whole and by unit.

A unit is what an interval counts: an image, a group of images, or a class. Distances are those
in front of a head. In arrays with an axis for the kind of pair, 0 is different and 1 is same.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pyimagesearch.data.rows import evenly
from pyimagesearch.data.sets import ImageSet
from pyimagesearch.evaluation.distances import Distance
from pyimagesearch.evaluation.intervals import Figure, interval, touching
from pyimagesearch.evaluation.verification import Curve, curve_of
from pyimagesearch.system.errors import InputError

BLOCK = 2_000_000  # distances that are in memory at a time
MOST_EXACT = 3_000  # images; of more the distances are counted in steps
STEPS = 65_536
MOST_CLASSES = 1_000  # whose confusions are counted

Value = Callable[[np.ndarray], np.ndarray]  # of distances: which match, or a score of each


@dataclass(frozen=True)
class Counts:
    """K values of pairs, summed: over all pairs, and over those that each of U units is in."""

    pairs: np.ndarray  # (2,), by kind
    pairs_of: np.ndarray  # (2, U)
    sums: np.ndarray  # (2, K)
    sums_of: np.ndarray  # (2, U, K)
    images: np.ndarray  # int (U,), of each unit
    balanced: bool
    by_image: np.ndarray | None = None  # (2, N, K), in the order of the images
    confused: np.ndarray | None = None  # int (C, C): pairs of two classes for which the first holds

    def share(self, kind: int, k: int) -> Figure:
        """The share of the pairs of a kind for which value k holds: TMR of 1, FMR of 0."""
        touched = self.pairs_of[kind] > 0
        images = min(int(self.images[touched].sum()), int(self.pairs[kind]))
        value = float(self.sums[kind, k] / max(self.pairs[kind], 1))
        return interval(value, self.left_out(kind, k)[touched], images)

    def left_out(self, kind: int, k: int) -> np.ndarray:
        """That share with one unit after another left out: (U,), NaN where no pair is left."""
        pairs = self.pairs[kind] - self.pairs_of[kind]
        return _ratio(self.sums[kind, k] - self.sums_of[kind, :, k], pairs)

    def right(self, k: int) -> Figure:
        """The share of pairs called right where value k is whether they match."""
        images = min(int(self.images.sum()), int(self.pairs.sum()))
        value = float(self._right(self.sums[:, k], self.pairs))
        return interval(value, self.right_left_out(k), images)

    def right_left_out(self, k: int) -> np.ndarray:
        """That share with one unit after another left out: (U,)."""
        sums = self.sums[:, k, np.newaxis] - self.sums_of[:, :, k]
        return self._right(sums, self.pairs[:, np.newaxis] - self.pairs_of)

    def _right(self, sums: np.ndarray, pairs: np.ndarray) -> np.ndarray:
        if self.balanced:
            (fmr, tmr) = _ratio(sums, pairs)
            return (tmr + 1 - fmr) / 2
        return _ratio(sums[1] + pairs[0] - sums[0], pairs.sum(axis=0))


def _ratio(sums: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    return np.divide(sums, pairs, out=np.full(np.shape(pairs), np.nan), where=pairs > 0)


class AllPairs:
    """All pairs of N images of known classes. The two kinds of pair weigh a half each."""

    def __init__(
        self, embeddings: np.ndarray, labels: np.ndarray, distance: Distance, unit_of: np.ndarray
    ):
        """embeddings: (N, D). labels, unit_of: int (N,), the class and the unit of each image."""
        self.order = np.argsort(labels, kind="stable")  # a class is a run of rows
        (self.embeddings, self.distance) = (embeddings[self.order], distance)
        (_, self.first, self.class_of, self.sizes) = np.unique(
            labels[self.order], return_index=True, return_inverse=True, return_counts=True
        )
        (_, self.unit_of) = np.unique(unit_of[self.order], return_inverse=True)

    @cached_property
    def curve(self) -> Curve:
        """Exact of at most 3,000 images, of more in 65,536 steps of the largest distance."""
        (n, blocks) = (len(self.order), [])
        counts = np.zeros(2 * STEPS, np.int64)
        (low, width) = self._scale
        for start, distances in self._upper(0, n):
            (rows, columns) = distances.shape
            same = self.class_of[start : start + rows, np.newaxis] == self.class_of[start:]
            upper = np.arange(rows)[:, np.newaxis] < np.arange(columns)
            if n <= MOST_EXACT:
                blocks.append((distances[upper], same[upper]))
                continue
            steps = (distances - np.float32(low)) / np.float32(width)
            steps = np.clip(steps, 0, STEPS - 1).astype(np.int32) + np.int32(STEPS) * same
            counts += np.bincount(steps[upper], minlength=2 * STEPS)
        if blocks:
            (distances, same) = (np.concatenate(part) for part in zip(*blocks))
            return curve_of(distances, same.astype(int), balanced=True)
        (different, same) = counts.reshape(2, STEPS)
        some = np.flatnonzero(different + same)
        return Curve(low + some * width, same[some], different[some], balanced=True)

    def scan(self, values: Sequence[Value]) -> Counts:
        """Sums of some values over all pairs, and over those of each unit."""
        (n, classes, units) = (len(self.class_of), len(self.sizes), self.unit_of.max() + 1)
        by_image = np.zeros((2, n, len(values)))
        known = classes <= MOST_CLASSES and len(values) > 0
        confused = np.zeros((classes, classes), np.int64) if known else None
        for start in range(0, n, max(BLOCK // n, 1)):
            rows = np.arange(start, min(start + max(BLOCK // n, 1), n))
            distances = self.distance.matrix(self.embeddings[rows], self.embeddings)
            own = self.class_of[rows]
            same_class = own[:, np.newaxis] == self.class_of
            for k, value in enumerate(values):
                found = value(distances)
                found[rows - start, rows] = 0  # itself
                if k == 0 and confused is not None:
                    matched = np.add.reduceat(found, self.first, axis=1, dtype=np.float64)
                    np.add.at(confused, own, matched.astype(np.int64))  # (rows, C)
                same = (found * same_class).sum(axis=1)
                by_image[:, rows, k] = (found.sum(axis=1) - same, same)
        others = np.stack([n - self.sizes, self.sizes - 1])[:, self.class_of]  # (2, N)
        # a pair inside a unit is in two of its rows
        (within, pairs_within) = self._within_units(values, units)
        return Counts(
            pairs=others.sum(axis=1) / 2,
            pairs_of=_by(self.unit_of, others, units) - pairs_within,
            sums=by_image.sum(axis=1) / 2,
            sums_of=_by(self.unit_of, by_image, units) - within,
            images=np.bincount(self.unit_of),
            balanced=True,
            by_image=by_image[:, np.argsort(self.order)],
            confused=confused,
        )

    def extremes(self, kind: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The different pairs (0) that are nearest, or the same ones (1) that are furthest apart.

        Returns (int (B, 2), the images of each, the most extreme first; their distances (B,)).
        """
        (curve, sign) = (self.curve, -1 if kind else 1)
        pairs = np.cumsum(curve.same[::-1] if kind else curve.different)
        k = min(int(np.searchsorted(pairs, count)), len(pairs) - 1)
        limit = curve.levels[::-1][k] if kind else np.append(curve.levels[1:], np.inf)[k]
        ends = self.first[1:].tolist()
        runs = zip([0, *ends], [*ends, len(self.order)]) if kind else [(0, len(self.order))]
        (found, far) = (np.empty((0, 2), int), np.empty(0, np.float32))
        for start, distances in (block for run in runs for block in self._upper(*run)):
            near = np.flatnonzero(distances >= limit if kind else distances < limit)
            (rows, columns) = np.divmod(near, distances.shape[1])
            same = self.class_of[start + rows] == self.class_of[start + columns]
            some = (rows < columns) & (same == bool(kind))
            new = start + np.stack([rows[some], columns[some]], axis=1)
            found = np.append(found, new, axis=0)
            far = np.append(far, distances.ravel()[near[some]])
            if len(far) > 4 * count:  # many at one distance
                best = np.argpartition(sign * far, count)[:count]
                (found, far) = (found[best], far[best])
        best = np.argsort(sign * far, kind="stable")[:count]
        return self.order[found[best]], far[best]

    def _upper(self, start: int, end: int) -> Iterator[tuple[int, np.ndarray]]:
        # block by block of the rows from start to end: the first row, and the distances of some
        # rows to all from that row on, in which the pairs of row < column are new
        while start < end:
            stop = min(start + max(BLOCK // (end - start), 1), end)
            yield (
                start,
                self.distance.matrix(self.embeddings[start:stop], self.embeddings[start:end]),
            )
            start = stop

    @cached_property
    def _scale(self) -> tuple[float, float]:
        # the smallest distance and the width of a step; no distance is larger than 2 radii
        radius = np.linalg.norm(self.embeddings - self.embeddings.mean(axis=0), axis=1).max()
        high = 2.0 if self.distance.name == "cosine" else max(2 * float(radius), 1e-3)
        return min(0.0, self.distance.sign * high), high / (STEPS - 1)

    def _within_units(self, values: Sequence[Value], units: int) -> tuple[np.ndarray, np.ndarray]:
        # the same sums over the pairs inside each unit, (2, U, K), and how many there are, (2, U)
        (sums, pairs) = (np.zeros((2, units, len(values))), np.zeros((2, units)))
        order = np.argsort(self.unit_of, kind="stable")
        sizes = np.bincount(self.unit_of)
        for unit, rows in enumerate(np.split(order, np.cumsum(sizes)[:-1])):
            if len(rows) == 1:
                continue
            distances = self.distance.matrix(self.embeddings[rows], self.embeddings[rows])
            same = self.class_of[rows, np.newaxis] == self.class_of[rows]
            pairs[:, unit] = (np.sum(~same) / 2, (np.sum(same) - len(rows)) / 2)
            for k, value in enumerate(values):
                found = value(distances)
                np.fill_diagonal(found, 0)
                sums[:, unit, k] = (found[~same].sum() / 2, found[same].sum() / 2)
        return sums, pairs


class GivenPairs:
    """Pairs of which alone is known whether they are the same. Each weighs as much."""

    def __init__(
        self, embeddings: np.ndarray, images: ImageSet, distance: Distance, unit_of: np.ndarray
    ):
        """images: with pairs. unit_of: int (N,), the unit of each image."""
        (self.ends, self.distance) = (images.drawn.indices(), distance)
        self.y = images.drawn.labels().ravel()
        self.distances = distance.rows(*embeddings[self.ends.T])
        (_, units) = np.unique(unit_of[self.ends], return_inverse=True)
        self.units = units.reshape(-1, 2)
        self.curve = curve_of(self.distances, self.y)
        image_of = np.unique(self.ends)
        self.images = np.bincount(np.unique(unit_of[image_of], return_inverse=True)[1])

    def scan(self, values: Sequence[Value]) -> Counts:
        """Sums of some values over these pairs, and over those of each unit."""
        units = len(self.images)
        found = [np.asarray(value(self.distances), np.float64) for value in values]
        (kinds, sums) = ([self.y == 0, self.y == 1], np.zeros((2, units, len(values))))
        for kind, chosen in enumerate(kinds):
            for k, column in enumerate(found):
                sums[kind, :, k] = touching(self.units[chosen], units, column[chosen])
        return Counts(
            pairs=np.array([chosen.sum() for chosen in kinds]),
            pairs_of=np.stack([touching(self.units[chosen], units) for chosen in kinds]),
            sums=np.array([[column[chosen].sum() for column in found] for chosen in kinds]),
            sums_of=sums,
            images=self.images,
            balanced=False,
        )

    def extremes(self, kind: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """See AllPairs.extremes. A pair that is given twice is there once."""
        once = np.unique(np.sort(self.ends, axis=1), axis=0, return_index=True)[1]
        some = once[self.y[once] == kind]
        order = np.argsort(-self.distances[some] if kind else self.distances[some], kind="stable")
        return self.ends[some[order[:count]]], self.distances[some[order[:count]]]


def pairs_of(
    embeddings: np.ndarray, images: ImageSet, distance: Distance, unit_of: np.ndarray
) -> AllPairs | GivenPairs:
    """All pairs where the classes of the images are known, else the pairs that are given.

    Raises InputError where an embedding is not finite, or one kind of pair is missing.
    """
    if bad := int(np.sum(~np.isfinite(embeddings).all(axis=1))):
        raise InputError(
            f"Expected finite embeddings. Received: {bad} of {len(embeddings)} with NaN or "
            "infinity. Train the model again."
        )
    pairs: AllPairs | GivenPairs
    if images.labels is None:
        pairs = GivenPairs(embeddings, images, distance, unit_of)
    else:
        pairs = AllPairs(embeddings, np.ravel(images.labels), distance, unit_of)
    (same, different) = (pairs.curve.same.sum(), pairs.curve.different.sum())
    if not same or not different:
        raise InputError(
            f"Expected same and different pairs. Received: {same} same, {different} different, of "
            f"{len(embeddings)} images. Add images of the same and of other classes."
        )
    return pairs


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

    Of all classes of two images and more as many as there are or equally many, two at least; where
    even so there are too many, of some of the classes.
    """
    if len(labels) <= most:
        return np.arange(len(labels))
    order = np.argsort(labels, kind="stable")
    (_, first, sizes) = np.unique(labels[order], return_index=True, return_counts=True)
    able = np.flatnonzero(sizes > 1)
    able = able if len(able) > 1 else np.arange(len(sizes))
    chosen = able[evenly(len(able), most // 2)]
    quota = most // len(chosen)
    rows = [order[first[c] + evenly(sizes[c], quota)] for c in chosen]
    return np.sort(np.concatenate(rows))


def _by(unit_of, values, units):
    # sums of values (2, N) or (2, N, K) over the images of each unit
    result = np.zeros((2, units, *values.shape[2:]))
    for kind in (0, 1):
        np.add.at(result[kind], unit_of, values[kind])
    return result
