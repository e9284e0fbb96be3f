"""From a network that has seen photos to one for a folder: several ways, the best of which stays.

In their order, each on top of the one before: its features whitened, in closed form; a linear
head on these, or one of two layers; the last blocks of the network trained on with what is best.
Heads harm where new classes meet few old ones, and training on helps most where the classes
stay: the held-out images say which it is.
"""

import logging
import time
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.layers import Dense, Dropout, Input, UnitNormalization

from pyimagesearch.config import Recipe
from pyimagesearch.data import batches
from pyimagesearch.data.augmentation import moved
from pyimagesearch.data.orders import epochs_of
from pyimagesearch.data.rows import evenly
from pyimagesearch.data.sets import DataSet, ImageSet, in_blocks
from pyimagesearch.evaluation import verification
from pyimagesearch.evaluation.embeddings import embed
from pyimagesearch.networks.acceleration import InParts
from pyimagesearch.networks.defaults import keras_defaults
from pyimagesearch.system import terminal
from pyimagesearch.system.errors import InputError
from pyimagesearch.training import assemble
from pyimagesearch.training.callbacks import Divergence, Messages, Record
from pyimagesearch.training.checkpoints import Checkpoint
from pyimagesearch.training.progress import Progress
from pyimagesearch.training.signals import StopOnSignal
from pyimagesearch.training.whitening import whitening

log = logging.getLogger(__name__)

HEADS = {
    "linear head": lambda x: Dense(128)(Dropout(0.3)(x)),
    "two-layer head": lambda x: Dense(64)(Dropout(0.2)(Dense(256, activation="relu")(x))),
}
WAYS = ("whitened", *HEADS, "trained on")
FROZEN_TO = "blocks_6_expand_conv"  # of the network; what stands before stays as it is
MOVED_VIEWS = 4  # of each training image, for the heads
MOST_WHITENED = 10_000  # images that the whitening is computed from
MOST_COMPARED = 2_500  # held-out images that the ways are compared on

Found = tuple[keras.Model, keras.callbacks.History, dict[str, Any]]


@keras_defaults()
def train(
    features: keras.Model,
    train_batches: tf.data.Dataset,
    steps: int,
    data: DataSet,
    recipe: Recipe,
    seed: int,
    checkpoint: Checkpoint,
) -> Found:
    """Each of the recipe's ways, and the one that tells held-out images apart best.

    features: the recipe's encoder, uint8 (B, H, W, C) -> float32 (B, 5632).
    train_batches, steps: of data.batches.batches, for the training on; checkpoint: its.
    Returns (encoder, uint8 -> vectors of length 1; the history of the last way that was
    trained; {"way", "ways"}: what was kept, and each way's held-out AUC and seconds).

    A later way is kept where its AUC over the pairs of held-out images is larger by more than
    one standard error of the difference, see areas; so where they are few or alike the simpler
    way stays. Ctrl-C keeps the best way so far.
    """
    log.info("training model...")
    chosen = Choice(data.validation)
    whitened = _whitened(features, data.train)
    held = embed(whitened, data.validation.images)
    views = _views(whitened, data.train, recipe, seed)
    encoder = _on(whitened, UnitNormalization())
    chosen.add("whitened", encoder, embed(encoder, data.validation.images))

    history = Record(Progress(1))
    for name in HEADS:
        if name in recipe.training.ways and not checkpoint.progress.stopped:
            chosen.start()
            (head, history) = _head(name, views, held, data, recipe, seed, checkpoint.progress)
            encoder = _on(whitened, head)
            chosen.add(name, encoder, head.predict(held, verbose=0))
    del views
    if "trained on" in recipe.training.ways and not checkpoint.progress.stopped:
        chosen.start()
        encoder = chosen.encoder  # from the best so far
        before = encoder.get_weights()
        try:
            history = _trained_on(encoder, train_batches, steps, data, recipe, seed, checkpoint)
        except InputError as error:
            if not checkpoint.progress.diverged:
                raise
            log.info("not trained on: %s", error)  # in its first epoch: what was learned before is
        chosen.add("trained on", encoder, embed(encoder, data.validation.images))
        if chosen.kept != "trained on":
            encoder.set_weights(before)  # the ways share the network
    log.info("%s: kept %s", chosen, chosen.kept)
    return chosen.encoder, history, {"way": chosen.kept, "ways": chosen.found}


def _whitened(features, train):
    # features and the whitening on them: uint8 (B, H, W, C) -> (B, k)
    some = train.take(evenly(len(train), MOST_WHITENED))
    (kernel, bias) = whitening(embed(features, some.images), some.labels)
    dense = Dense(len(bias), name="whitening")
    model = _on(features, dense)
    dense.set_weights([kernel, bias])
    return model


def _on(model, layer):
    return keras.Model(model.input, layer(model.output))


def _views(whitened, train, recipe, seed):
    # (views, N, k): the training images as they are, and moved
    def block(rows, view):
        pixels = tf.constant(train.images[rows])
        return embed(whitened, moved(pixels, recipe, (seed, view * 1_000_003 + rows.start)).numpy())

    plain = embed(whitened, train.images)
    blocks = in_blocks(train.images)
    return np.stack(
        [plain]
        + [
            np.concatenate([block(rows, view) for rows in blocks])
            for view in range(1, MOVED_VIEWS + 1)
        ]
    )


def _head(name, views, held, data, recipe, seed, progress):
    # a head trained on the whitened views, and its history
    x = inputs = Input(held.shape[1:])
    head = keras.Model(inputs, UnitNormalization()(HEADS[name](x)))
    (count, labels) = (views.shape[0] * views.shape[1], np.tile(data.train.labels, len(views)))
    recipe = recipe.changed(
        batch_size=256, epochs=epochs_of(count, 256, 20, 300), learning_rate=1e-3, warmup_steps=20
    )
    (vectors, epochs) = (views.reshape(count, -1), recipe.training.epochs)
    (train, steps) = batches.image_batches(vectors, labels, 256, range(epochs), seed)
    (validation, count) = batches.image_batches(held, data.validation.labels, 256, range(1), seed)
    head.compile(**assemble.compiling(recipe, steps))
    own = Progress(epochs)
    history = head.fit(
        train,
        steps_per_epoch=steps,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        validation_data=validation,
        validation_steps=count,
        callbacks=[Divergence(own), StopOnSignal(progress), Record(own)],
    )
    return head, history


def _trained_on(encoder, train_batches, steps, data, recipe, seed, checkpoint):
    # the last blocks, the whitening and the head trained on, in place; returns the history
    network = next(layer for layer in encoder.layers if isinstance(layer, keras.Model))
    for layer in network.layers[: network.layers.index(network.get_layer(FROZEN_TO))]:
        layer.trainable = False
    inputs = Input(encoder.input_shape[1:], dtype="uint8")
    model = keras.Model(inputs, InParts(encoder)(inputs))
    held = data.validation
    (validation, count) = batches.image_batches(
        held.images, held.labels, recipe.training.batch_size, range(1), seed
    )
    progress = checkpoint.progress
    model.compile(**assemble.compiling(recipe, steps))
    return model.fit(
        train_batches,
        steps_per_epoch=steps,
        initial_epoch=checkpoint.first_epoch,
        epochs=recipe.training.epochs,
        shuffle=False,
        verbose=terminal.verbosity(),
        validation_data=validation,
        validation_steps=count,
        callbacks=[
            Divergence(progress),
            StopOnSignal(progress),
            Record(progress),
            keras.callbacks.ProgbarLogger(),
            Messages(progress, " (--quick leaves this out)"),
            checkpoint,
        ],
    )


class Choice:
    """The best of the ways so far, by what it makes of the held-out images."""

    def __init__(self, held: ImageSet):
        self.some = evenly(len(held), MOST_COMPARED)
        self.labels = np.asarray(held.labels)[self.some]
        self.found: dict[str, dict[str, float]] = {}  # way: its AUC and seconds
        self.kept = ""
        self.encoder: Any = None  # a Keras Model
        self.own = np.zeros(0)  # each held-out image's own AUC
        self.start()

    def start(self) -> None:
        """A way begins: its time counts from here."""
        self.mark = time.monotonic()

    def add(self, way: str, encoder: keras.Model, embeddings: np.ndarray) -> None:
        """A way with its embeddings of the held-out images, (N, D): kept where it is better."""
        embeddings = embeddings[self.some]
        (area, own) = (0.0, np.zeros(1))
        if np.isfinite(embeddings).all():
            (area, own) = areas(embeddings, self.labels)
        self.found[way] = {"auc": area, "seconds": time.monotonic() - self.mark}
        if self.kept:
            gain = own - self.own
            if not area - self.found[self.kept]["auc"] > gain.std() / len(gain) ** 0.5:
                return
        (self.kept, self.encoder, self.own) = (way, encoder, own)

    def __str__(self) -> str:
        figures = ", ".join(f"{way} {found['auc']:.3f}" for way, found in self.found.items())
        return f"held-out AUC: {figures}"


def areas(embeddings: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    """The AUC over all pairs of images, and each image's own AUC against all others, (M,).

    embeddings: (N, D). labels: int (N,). The own ones are of the M images that have another of
    their class and one of another: how these differ between two ways says how sure the
    difference of the whole is, its standard error being theirs / sqrt(M).
    """
    squares = np.square(embeddings).sum(axis=1)
    squared = squares[:, np.newaxis] + squares - 2 * embeddings @ embeddings.T
    same = labels[:, np.newaxis] == labels
    (a, b) = np.triu_indices(len(labels), 1)
    whole = float(verification.area_under_curve(squared[a, b], same[a, b].astype(int)))

    np.fill_diagonal(squared, -np.inf)  # itself, the first in each row
    order = np.argsort(squared, axis=1)[:, 1:]
    sorted_same = np.take_along_axis(same, order, axis=1)
    further = np.cumsum(~sorted_same[:, ::-1], axis=1)[:, ::-1]  # of other classes, from here on
    pairs = sorted_same.sum(axis=1) * (~sorted_same).sum(axis=1)
    known = pairs > 0
    return whole, (sorted_same * further).sum(axis=1)[known] / pairs[known]
