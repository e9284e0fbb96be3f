"""The article's helpers: pairs of images, the distance between their features, the plot."""

# import the necessary packages
import os
from concurrent.futures import ThreadPoolExecutor

import matplotlib.pyplot as plt
import numpy as np
from keras import ops
from matplotlib.ticker import MaxNLocator

from pyimagesearch.files import whole_file

EPSILON = 1e-7  # under the root of the distance: its gradient stays finite


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
    indices = pair_indices(sample_pairs(labels, rng))
    return np.take(images, indices, axis=0), np.tile([[1], [0]], (len(images), 1))


def sample_pairs(labels, rng=None):
    """The indices under make_pairs: for each of N images, the other image of its two pairs.

    labels: N values of any kind (numbers, strings), one for each image.
    Returns an int array (N, 2). Column 0: a different image of the same class, each equally
    likely (the image itself where its class has no other). Column 1: an image of another
    class, each equally likely, as in the article.
    Raises ValueError where there are no labels, or no two classes.
    """
    labels = np.asarray(labels)
    labels = labels.reshape(labels.size)
    if not isinstance(rng, np.random.Generator):
        rng = np.random.default_rng(np.random.randint(2**31) if rng is None else rng)

    # sort the images by class: a class is then the places first[c] to first[c] + size[c]
    classes, class_of, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    if len(classes) < 2:
        raise ValueError(
            "Expected labels of at least two classes: a negative pair needs two. "
            f"Received: {len(labels)} labels of {len(classes)} class(es)."
        )
    by_class = np.argsort(class_of, kind="stable")
    place = np.empty_like(by_class)
    place[by_class] = np.arange(len(labels))
    first = (np.cumsum(sizes) - sizes)[class_of]
    size = sizes[class_of]

    # positive: 1 to size - 1 places further on inside the class, round its end to its start
    step = rng.integers(1, np.maximum(size, 2))
    positive = first + (place - first + step) % size

    # negative: any place of those outside the class, those behind it moved up past it
    negative = rng.integers(0, len(labels) - size)
    negative += np.where(negative >= first, size, 0)

    return np.stack([by_class[positive], by_class[negative]], axis=1)


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


def pair_indices(partners):
    """The two images of each of sample_pairs' pairs: partners (N, 2) -> int (2N, 2)."""
    anchors = np.arange(len(partners)).repeat(2)
    return np.stack([anchors, np.ravel(partners)], axis=1)


def in_batches(function, images, batch_size):
    """function of the images batch by batch, on up to four cores: (N, …) -> N rows."""
    batches = [images[i : i + batch_size] for i in range(0, len(images), batch_size)]
    with ThreadPoolExecutor(min(os.cpu_count(), 4)) as pool:
        return np.concatenate(list(pool.map(function, batches)))


def pair_distances(embeddings, partners, block=5000):
    """Distances and labels of sample_pairs' pairs: ((2N, 1) float32, (2N, 1) 1 and 0 in turn).

    embeddings: (N, D). partners: (N, 2). Each image was embedded once, however many pairs
    it stands in; block: how many are looked at in one go, which bounds the memory.
    """
    distances = [
        euclidean_distance(
            [
                embeddings[i : i + block].repeat(2, axis=0),
                embeddings[partners[i : i + block].ravel()],
            ]
        )
        for i in range(0, len(embeddings), block)
    ]
    return np.concatenate([np.asarray(d) for d in distances]), np.tile(
        [[1], [0]], (len(partners), 1)
    )


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
