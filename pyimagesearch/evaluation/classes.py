"""Figures by class: which are not recognised, and which are taken for one another."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pyimagesearch.evaluation.embeddings import Comparison, distances_of
from pyimagesearch.evaluation.intervals import Figure, counts_of, share_of_counts
from pyimagesearch.evaluation.verification import called_same
from pyimagesearch.system.errors import printable

MOST_PAIRS = 1_000_000  # same pairs that are looked at


@dataclass(frozen=True)
class ClassFigures:
    """How well one class is told from the others."""

    name: str
    images: int
    tmr: Figure | None  # the share of its same pairs that match; None: it has one image
    fmr: Figure | None  # the share of its pairs with others that match; None: not looked at

    def as_dict(self) -> dict:
        """For JSON."""
        (tmr, fmr) = (figure and figure.as_dict() for figure in (self.tmr, self.fmr))
        return {"name": self.name, "images": self.images, "tmr": tmr, "fmr": fmr}


@dataclass(frozen=True)
class ByClass:
    """The figures of all classes, and the couples of classes that are most confused."""

    classes: tuple[ClassFigures, ...]  # in the order of their numbers
    confused: tuple[tuple[str, str, float], ...]  # two names and the share of pairs that match

    def worst(self, count: int) -> list[tuple[str, int, float]]:
        """The classes of which the smallest shares of same pairs match, small classes first.

        Of each its name, how many images it has, and the share.
        """
        known = [(c.name, c.images, c.tmr.value) for c in self.classes if c.tmr is not None]
        return sorted(known, key=lambda c: (c[2], c[1]))[:count]

    def as_dict(self) -> dict:
        """For JSON: {"figures": [a class …], "confused": [{"classes", "fmr"} …]}."""
        return {
            "figures": [c.as_dict() for c in self.classes],
            "confused": [{"classes": [a, b], "fmr": fmr} for a, b, fmr in self.confused],
        }


def by_class(
    embeddings: np.ndarray,
    labels: np.ndarray,
    class_names: Sequence[str],
    threshold: float,
    comparison: Comparison,
    different: np.ndarray,
    distances: np.ndarray,
) -> ByClass:
    """The figures of each class where distance < threshold is called the same.

    embeddings: (N, D). labels: int (N,), places in class_names, which may be empty.
    TMR: over all same pairs of a class, of its first images where all classes have more than a
    million. FMR: over the different pairs, int (B, 2), with these distances, (B,). The units of
    the intervals are the class's own images.
    """
    (numbers, labels, sizes) = np.unique(labels, return_inverse=True, return_counts=True)
    names = [printable(class_names[k] if class_names else str(k)) for k in numbers]
    same = same_pairs(labels, sizes, int(MOST_PAIRS * min(1, 64 / embeddings.shape[1])))
    found = called_same(distances_of(embeddings, same, comparison), threshold)
    tmr = _of_each(same[found], same, labels, ends=2)
    matched = different[called_same(distances, threshold)]
    fmr = _of_each(matched, different, labels, ends=1)
    figures = (ClassFigures(*each) for each in zip(names, sizes.tolist(), tmr, fmr))
    return ByClass(tuple(figures), tuple(_confused(labels, names, matched, different)))


def same_pairs(labels: np.ndarray, sizes: np.ndarray, most: int) -> np.ndarray:
    """All pairs of two images of one class, int32 (B, 2).

    labels: int (N,), from 0. sizes: of the classes. most: bounds the pairs: of each class no
    more images are taken than this allows, two at the least.
    """
    taken = int(sizes.max())
    while taken > 2 and np.sum((m := np.minimum(sizes, taken)) * (m - 1) / 2) > most:
        taken = max(taken * 9 // 10, 2)
    order = np.argsort(labels, kind="stable")
    pairs = [np.empty((0, 2), np.int32)]
    for rows in np.split(order, np.cumsum(sizes)[:-1]):
        (a, b) = np.triu_indices(min(len(rows), taken), 1)
        pairs.append(np.stack([rows[a], rows[b]], axis=1).astype(np.int32))
    return np.concatenate(pairs)


def _of_each(hits, pairs, labels, ends):
    # of each class: the share of its images' pairs that are hits, or None where it has no pair
    (hits, pairs) = (counts_of(some, len(labels)) for some in (hits, pairs))
    order = np.argsort(labels, kind="stable")
    for rows in np.split(order, np.cumsum(np.bincount(labels))[:-1]):
        yield share_of_counts(hits[rows], pairs[rows], ends) if pairs[rows].any() else None


def _confused(labels, names, matched, different, most=5):
    # the couples of classes of whose pairs the largest shares match
    if not len(matched):
        return

    def couples(pairs):
        (a, b) = labels[pairs].T
        return np.minimum(a, b).astype(np.int64) * len(names) + np.maximum(a, b)

    (wrong, counts) = np.unique(couples(matched), return_counts=True)
    # how many different pairs each of these couples has: all of the images that were compared
    compared = counts_of(different, len(labels)) > 0
    sizes = np.bincount(labels[compared], minlength=len(names))
    shares = counts / (sizes[wrong // len(names)] * sizes[wrong % len(names)])
    for k in np.argsort(-shares, kind="stable")[:most]:
        yield names[wrong[k] // len(names)], names[wrong[k] % len(names)], float(shares[k])
