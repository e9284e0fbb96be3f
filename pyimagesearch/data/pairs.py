"""Pairs of images by their numbers, drawn from labels."""

from collections.abc import Callable
from typing import Any

import numpy as np

from pyimagesearch.data.sets import Pairs, class_numbers
from pyimagesearch.system.terminal import InputError

Rng = np.random.Generator | int | None


def sample_pairs(labels: Any, rng: Rng = None, alone: bool = False) -> Pairs:
    """Pairs with an anchor in each of N images, one positive and one negative to each.

    labels: one for each image, as class_numbers takes them.
    rng: a numpy Generator or a seed; None draws from numpy's global state (np.random.seed).
    others[:, 0]: a different image of the same class, each equally likely. others[:, 1]: an
    image of another class, each equally likely, as in the article. y: 1 and 0 in turn.
    An image alone in its class is no anchor, but a negative; with `alone` it is its own positive.
    Raises InputError where there are no labels, no two classes, or no anchor.
    """
    rng = np.random.default_rng(np.random.randint(2**31) if rng is None else rng)
    (by_class, place, first, size) = _sorted_by_class(labels)
    # positive: 1 to size - 1 places further on inside the class, round its end to its start
    step = rng.integers(1, np.maximum(size, 2))
    positive = first + (place - first + step) % size

    negative = _places_outside(first, size, len(place), rng)
    anchors = np.arange(len(place)) if alone else np.flatnonzero(size > 1)
    return _pairs(anchors, by_class[positive[anchors]], by_class[negative[anchors]])


def sample_triplets(labels: Any, rng: Rng = None) -> Pairs:
    """As sample_pairs, but each image is an anchor or a positive once: about N / 2 triplets.

    The images of a class are taken two by two in random order; a last one without a partner
    is left out. Raises InputError also where no class has two images.
    """
    rng = np.random.default_rng(np.random.randint(2**31) if rng is None else rng)
    labels = class_numbers(labels)
    order = rng.permutation(len(labels))
    (by_class, place, first, size) = _sorted_by_class(labels[order])
    rank = place - first
    anchors = np.flatnonzero((rank % 2 == 0) & (rank + 1 < size))
    positive = place[anchors] + 1
    negative = _places_outside(first[anchors], size[anchors], len(place), rng)
    return _pairs(order[anchors], order[by_class[positive]], order[by_class[negative]])


def _pairs(anchors, positive, negative):
    if not len(anchors):
        raise InputError("a class with two images at least", "none")
    others = np.stack([positive, negative], axis=1)
    return Pairs(anchors, others, np.tile([1, 0], (len(anchors), 1)))


def _sorted_by_class(labels):
    # sort the images by class: a class is then the places first to first + size; all (N,)
    class_of = class_numbers(labels)
    sizes = np.bincount(class_of)
    if len(sizes) < 2:
        raise InputError("labels of at least two classes", len(sizes))
    by_class = np.argsort(class_of, kind="stable")
    return by_class, np.argsort(by_class), (np.cumsum(sizes) - sizes)[class_of], sizes[class_of]


def _places_outside(first, size, total, rng):
    # any place but those of the class itself: those behind it are moved up past it
    place = rng.integers(0, total - size)
    return place + np.where(place >= first, size, 0)


SAMPLERS: dict[str, Callable[..., Pairs]] = {
    "single_pairs": lambda labels, rng=None: sample_pairs(labels, rng).singly(),
    "pairs": sample_pairs, "triplets": sample_triplets,
    "batch": sample_pairs,  # to measure with: in training the loss forms its own
}  # fmt: skip
