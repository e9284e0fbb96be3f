"""Pairs of images by their numbers, and how they are drawn from labels."""

from typing import NamedTuple

import numpy as np

from pyimagesearch.system.errors import InputError


class Pairs(NamedTuple):
    """M images, each with k others to compare it with: M k pairs."""

    anchors: np.ndarray  # int (M,), which images
    others: np.ndarray  # int (M, k), which images
    y: np.ndarray  # int (M, k), 1 same class, 0 different

    def indices(self):
        """The two images of each pair: int (M k, 2)."""
        k = self.others.shape[1]
        return np.stack([self.anchors.repeat(k), self.others.ravel()], axis=1)

    def labels(self):
        """y of each pair: (M k, 1)."""
        return self.y.reshape(-1, 1)

    def singly(self):
        """The same pairs, each on its own: k = 1."""
        (anchors, others) = self.indices().T
        return Pairs(anchors, others[:, np.newaxis], self.labels())


def sample_pairs(labels, rng=None):
    """Pairs with an anchor in each of N images, one positive and one negative to each.

    labels: N values of any kind (numbers, strings), one for each image.
    rng: a numpy Generator or a seed; None draws from numpy's global state (np.random.seed).
    others[:, 0]: a different image of the same class, each equally likely (the image itself
    where its class has no other). others[:, 1]: an image of another class, each equally
    likely, as in the article. y: 1 and 0 in turn.
    Raises ValueError where there are no labels, or no two classes.
    """
    rng = _generator(rng)
    (by_class, place, first, size) = _sorted_by_class(labels)

    # positive: 1 to size - 1 places further on inside the class, round its end to its start
    step = rng.integers(1, np.maximum(size, 2))
    positive = first + (place - first + step) % size

    negative = _places_outside(first, size, len(place), rng)
    others = np.stack([by_class[positive], by_class[negative]], axis=1)
    return Pairs(np.arange(len(others)), others, np.tile([1, 0], (len(others), 1)))


def sample_triplets(labels, rng=None):
    """As sample_pairs, but each image is an anchor or a positive once: about N / 2 triplets.

    The images of a class are taken two by two in random order; a last one without a partner
    is left out. Raises ValueError also where no class has two images.
    """
    rng = _generator(rng)
    order = rng.permutation(np.size(labels))
    (by_class, place, first, size) = _sorted_by_class(np.ravel(labels)[order])
    rank = place - first
    anchors = np.flatnonzero((rank % 2 == 0) & (rank + 1 < size))
    if not len(anchors):
        raise InputError("Expected a class with two images at least. Received: none.")
    positive = place[anchors] + 1
    negative = _places_outside(first[anchors], size[anchors], len(place), rng)
    others = np.stack([by_class[positive], by_class[negative]], axis=1)
    return Pairs(order[anchors], order[others], np.tile([1, 0], (len(anchors), 1)))


def _generator(rng):
    if isinstance(rng, np.random.Generator):
        return rng
    return np.random.default_rng(np.random.randint(2**31) if rng is None else rng)


def _sorted_by_class(labels):
    # sort the images by class: a class is then the places first to first + size; all (N,)
    labels = np.ravel(labels)
    (classes, class_of, sizes) = np.unique(labels, return_inverse=True, return_counts=True)
    if len(classes) < 2:
        raise InputError(
            "Expected labels of at least two classes: a negative pair needs two. "
            f"Received: {len(labels)} labels of {len(classes)} class(es)."
        )
    by_class = np.argsort(class_of, kind="stable")
    place = np.empty_like(by_class)
    place[by_class] = np.arange(len(labels))
    return by_class, place, (np.cumsum(sizes) - sizes)[class_of], sizes[class_of]


def _places_outside(first, size, total, rng):
    # any place but those of the class itself: those behind it are moved up past it
    place = rng.integers(0, total - size)
    return place + np.where(place >= first, size, 0)


SAMPLERS = {
    "pairs": sample_pairs,
    "single_pairs": lambda labels, rng: sample_pairs(labels, rng).singly(),
    "triplets": sample_triplets,
    "batch": sample_pairs,  # to measure with: in training the loss forms its own
}
