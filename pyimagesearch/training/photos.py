"""From a network that has seen photos to one for a folder: several ways, the best of which stays.

In their order, each on top of the one before: its features whitened, in closed form; a linear
head on these, or one of two layers; the last blocks of the network trained on with what is best;
the mean over an image and its middle with what is best then. Heads harm where new classes meet few
old ones, and training on helps most where the classes stay: the held-out images say which it is.
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
from pyimagesearch.data.batches import epochs_of
from pyimagesearch.data.sets import DataSet, ImageSet, evenly
from pyimagesearch.evaluation.embeddings import embed
from pyimagesearch.evaluation.verification import curve_of
from pyimagesearch.networks.acceleration import InParts
from pyimagesearch.siamese_network import seen_again
from pyimagesearch.system import terminal
from pyimagesearch.training import build
from pyimagesearch.training.callbacks import Record, StopOnSignal
from pyimagesearch.training.checkpoints import Checkpoint, Progress
from pyimagesearch.training.features import features_of, whitening

log = logging.getLogger(__name__)

HEADS = {
    "linear head": lambda x: Dense(128)(Dropout(0.3)(x)),
    "two-layer head": lambda x: Dense(128)(
        Dropout(0.2)(Dense(512, activation="relu")(Dropout(0.3)(x)))
    ),
}
WAYS = ("whitened", *HEADS, "trained on", "seen again")
FROZEN_TO = "block_6_expand"  # a layer of the network; what stands before stays as it is
HEAD_EPOCHS, HEAD_STEPS = 40, 600  # of each head, at least
MOVED_VIEWS = 4  # of each training image, for the heads,
MOST_VIEWS = 40_000  # and of all of them together
MANY_IMAGES = 2_000  # to train on
MOST_WHITENED = 10_000  # images that the whitening is computed from
MOST_COMPARED = 2_500  # held-out images that the ways are compared on


def train(
    network: keras.Model,
    train_batches: tf.data.Dataset,
    steps: int,
    data: DataSet,
    recipe: Recipe,
    seed: int,
    checkpoint: Checkpoint,
) -> tuple[keras.Model, keras.callbacks.History, dict[str, Any]]:
    """Each of the recipe's ways, and the one that tells held-out images apart best.

    network: the recipe's encoder, uint8 (B, H, W, C) -> float32 (B, 5632).
    train_batches, steps: of data.batches.batches, for the training on; checkpoint: its.
    Returns (encoder, uint8 -> vectors of length 1; the history of the way that is kept, or of the
    last that was trained; {"way", "ways"}: what was kept, each way's held-out AUC and seconds).

    A head is kept where it is better beyond doubt, see Choice: where held-out images are few or
    alike the simpler way stays. Training on makes more of many images, and of classes that stay:
    for such classes it need only be better, and with thousands of images it is kept unless it is
    worse beyond doubt. So is what sees each image again. Ctrl-C keeps the best way so far.
    """
    log.info("training model...")
    (progress, ways) = (checkpoint.progress, recipe.training.ways)
    stop = StopOnSignal(progress)
    chosen = Choice(data.validation, data.new_choices)

    # whitened: one Dense layer on the features, in closed form
    features = features_of(network, data.train.images)
    some = evenly(len(features), MOST_WHITENED)
    of_train: Any = data.train.labels
    (kernel, bias) = whitening(features[some], of_train[some])
    dense = Dense(len(bias), name="whitening")
    whitened = keras.Model(network.input, dense(network.output))
    dense.set_weights([kernel, bias])

    def apply(features):  # float16 (N, 5632) -> float32 (N, k)
        blocks = [features[i : i + 4096] for i in range(0, len(features), 4096)]
        return np.concatenate([block.astype(np.float32) @ kernel + bias for block in blocks])

    held = apply(features_of(network, data.validation.images))
    views = [apply(features)]
    for view in range(min(MOVED_VIEWS, MOST_VIEWS // len(data.train))):
        views.append(apply(features_of(network, data.train.images, recipe, (seed, view))))
    del features  # they are large
    encoder = keras.Model(whitened.input, UnitNormalization()(whitened.output))
    chosen.add("whitened", encoder, held / np.linalg.norm(held, axis=1, keepdims=True))

    # a head on these, trained on all views of the training images
    vectors = np.concatenate(views)
    del views
    labels = np.tile(of_train, len(vectors) // len(of_train))
    histories: dict[str, keras.callbacks.History] = {}
    for name in HEADS:
        if name in ways and not progress.stopped:
            log.info("training a %s...", name)
            inputs = Input(vectors.shape[1:])
            head = keras.Model(inputs, UnitNormalization()(HEADS[name](inputs)))
            own = recipe.changed(batch_size=256, learning_rate=1e-3, warmup_steps=20)
            epochs = epochs_of(len(labels), 256, HEAD_EPOCHS, HEAD_STEPS)
            if "trained on" in ways or recipe.training.least_steps:  # else --quick --epochs
                own = own.changed(epochs=epochs)
            epochs = own.training.epochs
            train = batches.batches(ImageSet(vectors, labels), own, seed, move=False)
            model = keras.Model(inputs, head(inputs))  # what is saved knows no loss of ours
            validation = ImageSet(held, data.validation.labels)
            chain = [stop, Record(Progress(epochs))]
            histories[name] = _fit(model, train, validation, own, seed, chain)
            encoder = keras.Model(whitened.input, head(whitened.output))
            chosen.add(name, encoder, head.predict(held, verbose=0))
    del vectors

    # the best so far trained on, but for its first blocks: the ways share the network, so it goes
    # back where that was no gain
    if "trained on" in ways and not progress.stopped:
        encoder = chosen.encoder
        before = encoder.get_weights()
        inner = next(layer for layer in encoder.layers if isinstance(layer, keras.Model))
        for layer in inner.layers[: inner.layers.index(inner.get_layer(FROZEN_TO))]:
            layer.trainable = False
        inputs = Input(encoder.input_shape[1:], dtype="uint8")
        model = keras.Model(inputs, InParts(encoder)(inputs))
        chain = [stop, Record(progress), keras.callbacks.ProgbarLogger(), checkpoint]
        validation = data.validation
        train = (train_batches, steps)
        histories["trained on"] = _fit(model, train, validation, recipe, seed, chain, checkpoint)
        doubt = -1 if len(data.train) >= MANY_IMAGES else int(data.new_choices)
        chosen.add("trained on", encoder, embed(encoder, data.validation.images), doubt)
        if chosen.kept != "trained on":
            encoder.set_weights(before)

    kept = chosen.kept
    if "seen again" in ways:
        encoder = seen_again(chosen.encoder, recipe.training.mirror)
        name = f"{kept}, seen again"
        chosen.add(name, encoder, embed(encoder, data.validation.images), doubt=-1)
    figures = ", ".join(f"{way} {found['auc']:.3f}" for way, found in chosen.found.items())
    log.info("held-out AUC: %s: kept %s", figures, chosen.kept)
    last = next(reversed(histories.values()), Record(Progress(1)))
    found = {"way": chosen.kept, "ways": chosen.found}
    return chosen.encoder, histories.get(kept, last), found


def _fit(model, train, held, recipe, seed, callbacks, checkpoint=None):
    # train: (batches, steps of an epoch). held: images or vectors. Returns the history.
    # checkpoint: of a training that shows its progress and can be resumed
    (dataset, steps) = train
    (validation, count) = batches.batches(held, recipe.changed(epochs=1), seed, move=False)
    model.compile(**build.compiling(recipe, steps))
    return model.fit(
        dataset,
        steps_per_epoch=steps,
        initial_epoch=checkpoint.first_epoch if checkpoint else 0,
        epochs=recipe.training.epochs,
        shuffle=False,
        verbose=terminal.verbosity() if checkpoint else 0,
        validation_data=validation,
        validation_steps=count,
        callbacks=callbacks,
    )


class Choice:
    """The best of the ways so far, by what it makes of the held-out images.

    new_classes: whether none of these images' classes was trained on. How sure a difference is
    follows then from the classes, which differ more than chance lets images differ.
    """

    def __init__(self, held: ImageSet, new_classes: bool = False):
        self.new_classes = new_classes
        self.some = evenly(len(held), MOST_COMPARED)
        self.labels = np.asarray(held.labels)[self.some]
        self.found: dict[str, dict[str, float]] = {}  # way: its AUC and seconds
        self.kept = ""
        self.encoder: Any = None  # a Keras Model
        self.own = np.zeros(0)  # the AUC of each held-out image against the others, see areas
        self.mark = time.monotonic()

    def add(self, way: str, encoder: keras.Model, embeddings: np.ndarray, doubt: float = 1) -> None:
        """A way with its embeddings of the held-out images, (N, D): kept where it is better.

        Better: its AUC is larger than the best so far by more than doubt standard errors of the
        difference. With -1 it may be smaller by one, and stays where both are alike. Its seconds
        are those since the way before it.
        """
        embeddings = embeddings[self.some]
        (area, own) = (0.0, np.zeros(len(self.own)))
        if np.isfinite(embeddings).all():
            (area, own) = areas(embeddings, self.labels)
        (now, before) = (time.monotonic(), self.mark)
        self.found[way], self.mark = {"auc": area, "seconds": now - before}, now
        if self.kept:
            gain = own - self.own
            if self.new_classes:
                of = self.labels[np.bincount(self.labels)[self.labels] > 1]
                gain = np.array([gain[of == c].mean() for c in np.unique(of)])
            error = gain.std() / len(gain) ** 0.5
            ahead = area - self.found[self.kept]["auc"] - doubt * error
            if not area or ahead < 0 or (ahead == 0 and doubt >= 0):
                return
        (self.kept, self.encoder, self.own) = (way, encoder, own)


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
    whole = curve_of(squared[a, b], same[a, b]).auc

    np.fill_diagonal(squared, -np.inf)  # itself, the first in each row
    order = np.argsort(squared, axis=1)[:, 1:]
    sorted_same = np.take_along_axis(same, order, axis=1)
    further = np.cumsum(~sorted_same[:, ::-1], axis=1)[:, ::-1]  # of other classes, from here on
    pairs = sorted_same.sum(axis=1) * (~sorted_same).sum(axis=1)
    known = pairs > 0
    return whole, (sorted_same * further).sum(axis=1)[known] / pairs[known]
