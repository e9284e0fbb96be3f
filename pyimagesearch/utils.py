"""The article's helpers: pairs of images, the distance between their features, the plot."""

# import the necessary packages
import os
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from keras import ops
from matplotlib.ticker import MaxNLocator

from pyimagesearch.files import whole_file

EPSILON = 1e-7  # under the root of the distance: its gradient stays finite


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


def make_pairs(images, labels, rng=None):
    """Two pairs for each image: one with an image of its class, one with one of another class.

    images: array (N, ...), of any dtype, which the pairs keep. labels: N values of any kind.
    rng: a numpy Generator or a seed; None draws from numpy's global state (np.random.seed).
    Returns (pairs (2N, 2, ...), y (2N, 1)): positive (y = 1) and negative (y = 0) in turn.
    Raises ValueError as sample_pairs does.
    """
    images = np.asarray(images)
    if len(images) != np.size(labels):
        raise ValueError(
            f"Expected one label for each image. Received: {len(images)} images, "
            f"{np.size(labels)} labels."
        )
    pairs = sample_pairs(labels, rng)
    return np.take(images, pairs.indices(), axis=0), pairs.labels()


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
        raise ValueError("Expected a class with two images at least. Received: none.")
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
        raise ValueError(
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


def euclidean_distance(vectors):
    """The Euclidean distance between two sets of features: smaller = more alike.

    sqrt(max(sum((a - b)^2), 1e-7)): the maximum keeps the gradient finite where a = b.
    vectors: a pair (featsA, featsB), each (B, D). Returns float32 (B, 1).
    """
    # unpack the vectors into separate lists
    (featsA, featsB) = vectors
    featsA = ops.cast(featsA, "float32")
    featsB = ops.cast(featsB, "float32")

    # compute the sum of squared distances between the vectors
    sumSquared = ops.sum(ops.square(featsA - featsB), axis=1, keepdims=True)

    # return the euclidean distance between the vectors
    return ops.sqrt(ops.maximum(sumSquared, EPSILON))


def cosine_distance(vectors):
    """1 minus the cosine of the angle between two sets of features: 0 to 2, smaller = more alike.

    1 - sum(a b) / (|a| |b|). vectors: a pair (featsA, featsB), each (B, D); a vector of zeros
    is at distance 1 from every other. Returns float32 (B, 1).
    """
    (featsA, featsB) = (_unit_length(ops.cast(feats, "float32")) for feats in vectors)
    return 1 - ops.sum(featsA * featsB, axis=1, keepdims=True)


def angular_similarity(distances):
    """1 - arccos(1 - d) / pi of cosine distances: 1 same direction, 0.5 at right angles, 0."""
    return 1 - np.arccos(np.clip(1 - np.asarray(distances, np.float64), -1, 1)) / np.pi


def _unit_length(feats):
    squared = ops.sum(ops.square(feats), axis=1, keepdims=True)
    return feats / ops.sqrt(ops.maximum(squared, 1e-12))


SAMPLERS = {
    "pairs": sample_pairs,
    "single_pairs": lambda labels, rng: sample_pairs(labels, rng).singly(),
    "triplets": sample_triplets,
    "batch": sample_pairs,  # to measure with: in training the loss forms its own
}
DISTANCES = {"euclidean": euclidean_distance, "cosine": cosine_distance}


def in_batches(function, images, batch_size=None):
    """function of the images batch by batch, on up to four cores: (N, H, W, C) -> N rows.

    batch_size: by default as many as bound the memory, 255 of MNIST's and fewer of larger ones.
    """
    batch_size = batch_size or max(200_000 // (images.shape[1] * images.shape[2]), 4)
    starts = range(0, len(images), batch_size)
    with ThreadPoolExecutor(min(os.cpu_count(), 4)) as pool:
        # a batch is taken from the images, which may be on disk, when its turn comes
        parts = pool.map(lambda start: function(images[start : start + batch_size]), starts)
        return np.concatenate(list(parts))


def evenly(count, most):
    """The indices of `most` of `count` things, evenly spread, or of all where they are fewer."""
    return np.linspace(0, count - 1, min(count, most)).astype(int)


def pair_distances(embeddings, pairs, distance=euclidean_distance, numbers=2_000_000):
    """Distances and labels of Pairs: ((B, 1) float32, (B, 1) int).

    embeddings: (N, D). distance: of two (B, D), as euclidean_distance.
    Each image was embedded once, however many pairs it stands in. numbers: how many of the
    embeddings' are looked at in one go, which bounds the memory.
    """
    indices = pairs.indices()
    block = max(numbers // embeddings.shape[1], 1)
    parts = [indices[i : i + block].T for i in range(0, len(indices), block)]
    distances = [np.asarray(distance([embeddings[a], embeddings[b]])) for a, b in parts]
    return np.concatenate(distances).reshape(-1, 1), pairs.labels()


def plot_training(H, plotPath):
    """Plot the training and validation loss of a Keras History and save it to plotPath."""
    # construct a plot that plots and saves the training history
    plt.style.use("ggplot")
    plt.figure()
    plt.gca().xaxis.set_major_locator(MaxNLocator(integer=True))
    # a single epoch is a point, which a line would not show
    marker = "o" if len(H.history["loss"]) == 1 else None
    plt.plot(H.history["loss"], label="train_loss", marker=marker)
    if "val_loss" in H.history:
        plt.plot(H.history["val_loss"], label="val_loss", marker=marker)
    plt.title("Training Loss")
    plt.xlabel("Epoch #")
    plt.ylabel("Loss")
    plt.legend(loc="lower left")
    with whole_file(plotPath) as path:
        plt.savefig(path)
    plt.close()
