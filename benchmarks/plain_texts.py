"""Plain readings of the texts' code, for compare_with_article.py: how each draws, and its model."""

import keras
import numpy as np
from keras import ops

from pyimagesearch import config, metrics, utils
from pyimagesearch.siamese_network import HEADS, NETWORKS


def make_pairs(images, labels):
    """The article's loop: for each image one of its class and one of another."""
    pairs, y = [], []
    of_class = [np.flatnonzero(labels == label) for label in range(len(np.unique(labels)))]
    for image, label in zip(images, labels, strict=True):
        pairs.append([image, images[np.random.choice(of_class[label])]])
        y.append([1])
        pairs.append([image, images[np.random.choice(np.flatnonzero(labels != label))]])
        y.append([0])
    return np.array(pairs), np.array(y)


def pair_model(recipe):
    """Two towers, a Lambda for the distance, compiled."""
    inputs = [keras.Input(config.IMG_SHAPE) for _ in "AB"]
    network = NETWORKS[recipe.network.name](config.IMG_SHAPE, recipe.network.embedding_dim)
    feats = [network(image) for image in inputs]
    distance = keras.layers.Lambda(utils.euclidean_distance)(feats)
    model = keras.Model(inputs, HEADS[recipe.network.head](distance))
    model.compile(
        loss=metrics.LOSSES[recipe.training.loss],
        optimizer=recipe.training.optimizer,
        metrics=[metrics.pair_accuracy] if recipe.network.head != "none" else None,
    )
    return model


def make_triplets(images, labels):
    """The triplet text's: a class's images two by two, each two with an image of another class."""
    triplets = np.empty((0, 3, *images.shape[1:]), images.dtype)
    for label in np.unique(labels):
        same = images[labels == label]
        same = same[: len(same) // 2 * 2].reshape(-1, 2, *images.shape[1:])
        others = images[labels != label]
        others = others[np.random.choice(len(others), len(same))][:, np.newaxis]
        triplets = np.concatenate([triplets, np.concatenate([same, others], axis=1)])
    return triplets, np.ones(len(triplets))


def triplet_model(recipe):
    """Three towers, the loss in a Lambda, an identity loss on dummy labels, compiled."""
    shape = recipe.reading.image_shape
    network = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=shape)

    def distance(x, y):
        (x, y) = (ops.normalize(x, axis=-1), ops.normalize(y, axis=-1))
        return 1 - ops.sum(x * y, axis=-1)

    def triplet_loss(templates):
        (anchor, positive, negative) = templates
        apart = distance(anchor, positive) - distance(anchor, negative)
        return ops.maximum(apart + recipe.training.margin, 0.0)

    inputs = [keras.Input(shape) for _ in range(3)]
    loss = keras.layers.Lambda(triplet_loss)([network(image) for image in inputs])
    model = keras.Model(inputs, loss)
    model.compile(
        loss=lambda y_true, y_pred: ops.mean(y_pred),
        optimizer=keras.optimizers.Adam(recipe.training.learning_rate),
    )
    return model
