"""The pairs of images, counted in all and by unit (see intervals).

Distances are those in front of a head. The kind of a pair: 0 different, 1 same, 2 no pair.
"""

from collections.abc import Callable, Iterator, Mapping
from copy import copy
from functools import cached_property, reduce
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pyimagesearch.data.sets import ImageSet, in_order
from pyimagesearch.evaluation.distances import Curve, curve_of, distance_of
from pyimagesearch.evaluation.intervals import LEAST_UNITS, Figure, interval, student, variance_of
from pyimagesearch.system.terminal import AT_ONCE, InputError, printable

BLOCK = 1_000_000  # distances that are in memory at a time
MOST_IMAGES = 12_000  # of more some are taken: 72 million pairs take some seconds
MOST_EXACT = 500  # images; of more the distances are counted in steps, in a fifth of the memory
STEPS = 65_536
NONE = 2  # the kind of an image with itself, and of what is no pair
MOST_THRESHOLDS = 40
AUC_WITH_INTERVAL = 0.975
MOST_CLASSES = 1_000  # whose confusions are counted, and in the report's table


class ImagePairs:
    """Embeddings of images and their pairs.

    whole: whether the classes are known. Then all pairs are compared, else those that are given.
    rows: int (N,), which images are compared, sorted by class. embeddings: (N, D), theirs. unit:
    "images", "groups", or "classes". unit_of: int (N,). sizes: int (C,), the numbers of images of
    the classes, names: theirs. class_of: int (N,), places in these.
    """

    def __init__(
        self,
        embeddings: np.ndarray,
        images: ImageSet,
        settings: Mapping[str, Any],
        new_classes: bool = False,
        asked: np.ndarray | None = None,
    ):
        """embeddings: (N, D), of `images`. settings: the model's, for distance_of.

        new_classes: whether no class of these images was trained on. asked: bool (N,): each pair
        has one of these. Raises InputError where embeddings are not finite, or all pairs of a kind.
        """
        (self.images, labels) = (images, images.labels)
        self.whole = labels is not None
        self.new_classes = new_classes if self.whole else None  # nobody knows
        if labels is None:
            self.y = images.pairs.labels().astype(np.int32)  # (B, 1)
            (self.rows, ends) = np.unique(images.pairs.indices(), return_inverse=True)
            (self.ends, self.sizes) = (ends.reshape(-1, 2), np.zeros(0, int))
            of_one_kind = len(np.unique(self.y)) < 2
        else:
            rows = some_of(labels, MOST_IMAGES)
            self.rows = rows[np.argsort(labels[rows], kind="stable")]
            found = np.unique(labels[self.rows], return_inverse=True, return_counts=True)
            (classes, self.class_of, self.sizes) = found
            of_one_kind = len(classes) in (1, len(rows))
            names = images.class_names
            self.names = [printable(names[k] if names else str(k)) for k in classes]
        (self.embeddings, n) = (embeddings[self.rows], len(self.rows))
        if bad := int(np.sum(~np.isfinite(self.embeddings).all(axis=1))):
            raise InputError("finite embeddings", f"{bad} of {n} with NaN or infinity. Train again")
        if of_one_kind:
            received = f"{n} images whose pairs are all of one kind. Add images of other classes"
            raise InputError("same and different pairs", received)
        self.distance = distance_of(settings)
        (self.unit, unit_of) = ("images", np.arange(len(images)))
        if new_classes and labels is not None:
            (self.unit, unit_of) = ("classes", labels)
        elif images.groups is not None:
            (self.unit, unit_of) = ("groups", images.groups)
        (_, self.unit_of) = np.unique(unit_of[self.rows], return_inverse=True)
        self.asked = None if asked is None else asked[self.rows]
        self.block = max(min(BLOCK, n * n // AT_ONCE) // n, 1)  # rows of distances

    @cached_property
    def curve(self) -> Curve:
        """Exact, but for all pairs of more than 500 images: in 65,536 steps of the largest."""
        if not self.whole or len(self.rows) <= MOST_EXACT:
            parts = [(far[y < NONE], y[y < NONE]) for *_, y, far in self.blocks()]
            (distances, same) = (np.concatenate(part) for part in zip(*parts))
            return curve_of(distances, same)
        # the width of a step; no distance is larger than 2 radii
        radius = np.linalg.norm(self.embeddings - self.embeddings.mean(axis=0), axis=1).max()
        high = 2.0 if self.distance.name == "cosine" else max(2 * float(radius), 1e-3)
        (low, width) = (min(0.0, self.distance.sign * high), high / (STEPS - 1))

        def count(a, b, y, far):
            steps = np.clip((far - low) / width, 0, STEPS - 1).astype(int) + STEPS * y
            return np.bincount(steps.ravel(), minlength=3 * STEPS)

        (different, same, _) = reduce(np.add, self.blocks(count)).reshape(3, STEPS)
        some = np.flatnonzero(different + same)
        return Curve(low + some * width, same[some], different[some])

    def extremes(self, count: int, kind: int) -> tuple[np.ndarray, np.ndarray]:
        """The different pairs (0) that are nearest, or the same ones (1) that are furthest apart.

        Returns int (B, 2), the images of each pair, the most extreme first; their distances (B,).
        """
        # the curve says at which level the last lies; two further, as levels are rounded
        (sign, pairs) = (-1, self.curve.same) if kind else (1, self.curve.different)
        levels = np.append(self.curve.levels[::sign], sign * np.inf)  # the most extreme first
        limit = levels[min(int(np.searchsorted(np.cumsum(pairs[::sign]), count)) + 2, len(pairs))]

        def of_kind(a, b, y, far):
            some = np.flatnonzero((sign * far <= sign * limit) & (y == kind))
            order = np.argsort(sign * far.ravel()[some], kind="stable")[:count]  # all may be alike
            some = np.sort(some[order])
            return *(np.broadcast_to(end, far.shape).flat[some] for end in (a, b)), far.flat[some]

        (a, b, distances) = map(np.concatenate, zip(*self.blocks(of_kind)))
        order = np.argsort(sign * distances, kind="stable")[:count]
        return self.rows[np.stack([a, b], axis=1)[order]], distances[order]

    def blocks(self, of: Callable = lambda *block: block) -> Iterator[Any]:
        """What `of` makes, on all cores, of the pairs block by block, as R rows with C columns.

        of(images of the rows, (R, 1), of the columns, (1, C) or (R, 1); kinds, (R, C); distances)
        """
        if not self.whole:
            far = self.distance.rows(*self.embeddings[self.ends.T])
            yield of(self.ends[:, :1], self.ends[:, 1:], self.y, far[:, np.newaxis])
            return
        places = np.arange(len(self.rows))

        def block(start):
            (a, b) = (places[start : start + self.block, np.newaxis], places[np.newaxis, start:])
            y = (self.class_of[a] == self.class_of[b]).astype(np.int32)
            y[a >= b] = NONE
            if self.asked is not None:
                y[~(self.asked[a] | self.asked[b])] = NONE
            far = self.distance.matrix(self.embeddings[a[:, 0]], self.embeddings[b[0]])
            return of(a, b, y, far)

        yield from in_order(block, places[:: self.block])


class Counts:
    """How many pairs, and pairs of each unit, lie below K thresholds.

    sums: int (2, K + 1), by kind; the last column is the number of the pairs. sums_of: (U, 2,
    K + 1), of the pairs that each unit is in. images: int (U,), of each unit. shares: (C, C), of
    the pairs of two classes the share below the first threshold; None of more than 1,000.
    """

    def __init__(self, compared: ImagePairs, thresholds: ArrayLike):
        (steps, step_of) = np.unique(np.append(thresholds, np.inf), return_inverse=True)
        (unit_of, sizes, size) = (compared.unit_of, compared.sizes, 3 * len(steps))
        units = (unit_of.max() + 1) * size
        cells = len(sizes) ** 2 if len(sizes) <= MOST_CLASSES else 0

        def count(a, b, y, far):
            near = far < steps[-2:][0]  # below a threshold: most different pairs are not
            place = np.full(far.shape, len(steps) - 1)
            place[near] = np.searchsorted(steps, far[near], side="right")
            matched = np.zeros(cells, int)
            if cells:
                (row, column) = np.nonzero((place <= step_of[0]) & (y < NONE))
                (first, second) = compared.class_of[[a[row, 0], b[0, column]]]
                matched = np.bincount(len(sizes) * first + second, minlength=cells)
            # a pair as a number, (unit * 3 + kind) * len(steps) + place: here without its unit
            place += len(steps) * y
            once = np.bincount(place.ravel(), minlength=size)
            place += size * unit_of[a]  # in one array, since its passes wait for memory
            of_unit = np.bincount(place.ravel(), minlength=units)
            # a pair in a unit is one of its pairs once
            of_unit -= np.bincount(place[unit_of[a] == unit_of[b]], minlength=units)
            place += size * unit_of[b]
            place -= size * unit_of[a]
            return matched, once, of_unit + np.bincount(place.ravel(), minlength=units)

        found = compared.blocks(count)
        (matched, once, of_unit) = reduce(lambda *both: [a + b for a, b in zip(*both)], found)
        (self.compared, self.images, self.thresholds) = (compared, np.bincount(unit_of), thresholds)
        self.sums = once.reshape(3, -1).cumsum(axis=1)[:NONE, step_of]
        self.sums_of = of_unit.reshape(-1, 3, len(steps)).cumsum(axis=2)[:, :NONE, step_of]
        self.shares: np.ndarray | None = None
        if len(matched):
            upper = matched.reshape(len(sizes), -1)  # as the images are sorted by class
            pairs = np.outer(sizes, sizes)
            np.fill_diagonal(pairs, sizes * (sizes - 1) // 2)
            self.shares = (np.triu(upper, 1) + upper.T) / np.maximum(pairs, 1)

    def share(self, k: int, kind: int | None = None) -> Figure:
        """The share of the pairs of a kind that lie below threshold k: TMR of 1, FMR of 0.

        Without a kind what this threshold calls right, (TMR + 1 - FMR) / 2.
        """
        kinds = [0, 1] if kind is None else [kind]
        each = self.sums_of[:, kinds, -1] > 0
        touched = each.any(axis=1) & (each.sum(axis=0).min() >= LEAST_UNITS)  # of each kind so many
        pairs = len(kinds) * int(self.sums[kinds, -1].min())  # the kinds weigh as much
        images = min(int(self.images[touched].sum()), pairs)
        value = float(self._share(self.sums, k, kind))
        return interval(value, self.left_out(k, kind)[touched], images)

    def left_out(self, k: int, kind: int | None = None) -> np.ndarray:
        """That share with one unit after another left out: (U,), NaN where no pair is left."""
        return self._share(self.sums - self.sums_of, k, kind)

    def suits(self, stored: int, best: int) -> bool:
        """Whether `best` gets no more pairs right than `stored` but for chance, or 0.2 points."""
        if len(self.images) < LEAST_UNITS and self.compared.unit != "images":
            by_image = copy(self.compared)  # since so few say little of how much is chance
            (by_image.unit, by_image.unit_of) = ("images", np.arange(len(by_image.rows)))
            return Counts(by_image, np.take(self.thresholds, [stored, best])).suits(0, 1)
        gain = self.share(best).value - self.share(stored).value
        gains = self.left_out(best) - self.left_out(stored)
        gains = gains[np.isfinite(gains)]
        error = student(len(gains) - 1) * variance_of(gains) ** 0.5 if len(gains) > 1 else 0
        return bool(gain <= max(error, 0.002))

    @np.errstate(invalid="ignore", divide="ignore")  # NaN where there are no pairs
    def _share(self, sums: np.ndarray, k: int, kind: int | None) -> np.ndarray:
        (hits, pairs) = (sums[..., k], sums[..., -1])  # (..., 2)
        rates = hits / pairs
        return (rates[..., 1] + 1 - rates[..., 0]) / 2 if kind is None else rates[..., kind]


@np.errstate(invalid="ignore", divide="ignore")  # NaN where no pair is left
def auc_of(compared: ImagePairs) -> Figure:
    """The AUC, below 0.975 with its interval: nearer to 1 hardly a pair is out of order."""
    curve = compared.curve
    if curve.auc >= AUC_WITH_INTERVAL:
        return Figure(curve.auc)
    # without each unit from its rates at some thresholds, which tell differences well enough
    some = np.searchsorted(curve.tmr + curve.fmr, np.linspace(0, 2, MOST_THRESHOLDS))
    counts = Counts(compared, curve.levels[np.minimum(some, len(curve.levels) - 1)])
    rest = counts.sums - counts.sums_of  # (U, 2, K + 1)
    (fmr, tmr) = np.moveaxis(rest / rest[..., -1:], 1, 0)
    return interval(curve.auc, np.trapezoid(tmr, fmr, axis=-1), len(compared.rows))


def some_of(labels: np.ndarray, most: int) -> np.ndarray:
    """Which images are taken where there are more than `most`: int, ascending.

    The first two of each class, the next two of each, and so on; the classes by chance.
    """
    (_, class_of, sizes) = np.unique(labels, return_inverse=True, return_counts=True)
    rank = np.empty(len(labels), int)  # inside the class
    rank[np.argsort(class_of, kind="stable")] = np.concatenate([np.arange(n) for n in sizes])
    class_order = np.random.default_rng(0).permutation(len(sizes))
    return np.sort(np.lexsort((class_order[class_of], rank // 2))[:most])
