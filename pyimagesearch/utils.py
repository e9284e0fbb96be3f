"""The article's helpers: pairs of images, the distance between their features, the plot."""

import os

import matplotlib.pyplot as plt
import numpy as np
from keras import ops
from keras.losses import cosine_similarity
from keras.saving import register_keras_serializable
from matplotlib.ticker import MaxNLocator

from pyimagesearch.config import EPSILON
from pyimagesearch.data.pairs import sample_pairs
from pyimagesearch.data.sets import array_of, class_numbers
from pyimagesearch.system.files import whole_file
from pyimagesearch.system.terminal import InputError


def make_pairs(images, labels, rng=None):
    """Two pairs for each image: one with an image of its class, one with one of another class.

    images: array (N, ...), of any dtype, which the pairs keep. labels: N whole numbers or
    strings, (N,) or (N, 1).
    rng: a numpy Generator or a seed; None draws from numpy's global state (np.random.seed).
    Returns (pairs (2N, 2, ...), y (2N, 1)): positive (y = 1) and negative (y = 0) in turn. An
    image without another of its class is paired with itself.
    Raises InputError, a ValueError, for images of different sizes, labels that are no classes
    (one-hot, fractions), fewer than two classes, more or fewer labels than images.
    """
    (images, numbers) = (array_of(images), class_numbers(labels))
    if len(images) != len(numbers):
        raise InputError("one label for each image", f"{len(images)} images, {len(numbers)} labels")
    pairs = sample_pairs(numbers, rng, alone=True)
    return np.take(images, pairs.indices(), axis=0), pairs.labels()


@register_keras_serializable(package="pyimagesearch")
def euclidean_distance(vectors):
    """The Euclidean distance between two sets of features: smaller = more alike.

    sqrt(max(sum((a - b)^2), 1e-7)): the maximum keeps the gradient finite where a = b.
    vectors: a pair (featsA, featsB), each (B, D). Returns float32 (B, 1).
    """
    # what the network makes of the first images, and of the second
    (featsA, featsB) = vectors
    featsA = ops.cast(featsA, "float32")
    featsB = ops.cast(featsB, "float32")

    # for each pair the squared differences of all features, added up
    sumSquared = ops.sum(ops.square(featsA - featsB), axis=1, keepdims=True)

    # the root of that; at 0 its gradient would be infinite
    return ops.sqrt(ops.maximum(sumSquared, EPSILON))


@register_keras_serializable(package="pyimagesearch")
def cosine_distance(vectors):
    """1 minus the cosine of the angle between two sets of features: 0 to 2, smaller = more alike.

    1 - sum(a b) / (|a| |b|). vectors: a pair (featsA, featsB), each (B, D); a vector of zeros
    is at distance 1 from every other. Returns float32 (B, 1).
    """
    (featsA, featsB) = (ops.cast(feats, "float32") for feats in vectors)
    return 1 + ops.expand_dims(cosine_similarity(featsA, featsB, axis=1), 1)  # Keras negates it


DISTANCES = {"euclidean": euclidean_distance, "cosine": cosine_distance}


def plot_training(H, plotPath):
    """Plot the loss of each epoch, from 1 on, of a Keras History and save it to plotPath."""
    # one figure in the style of R's ggplot, with whole epochs on its axis
    plt.style.use("ggplot")
    plt.figure()
    plt.gca().xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    epochs = range(1, len(H.history["loss"]) + 1)
    # a single epoch is a point, which a line would not show
    marker = "o" if len(epochs) == 1 else None
    plt.plot(epochs, H.history["loss"], label="train_loss", marker=marker)
    if "val_loss" in H.history:
        plt.plot(epochs, H.history["val_loss"], label="val_loss", marker=marker)
    plt.title("Training Loss")
    plt.xlabel("Epoch #")
    plt.ylabel("Loss")
    plt.legend(loc="best")  # the article's "lower left" may hide a curve
    with whole_file(plotPath if os.path.splitext(plotPath)[1] else f"{plotPath}.png") as path:
        plt.savefig(path)
    plt.close()
