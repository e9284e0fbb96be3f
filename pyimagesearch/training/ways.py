"""From a network that has seen photos to one for a folder: several ways, the best of which stays.

In their order, each on top of the one before: its features whitened, in closed form; a linear
head on these, or one of two layers; the last blocks of the network trained on with what is best;
the mean over an image and its middle with what is best then. Heads harm where new classes meet few
old ones, and training on helps most where the classes stay: the held-out images say which it is.
"""

import logging
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.layers import Dense, Dropout, Input, UnitNormalization

from pyimagesearch.config import Recipe
from pyimagesearch.data import batches
from pyimagesearch.data.batches import epochs_of
from pyimagesearch.data.rows import evenly
from pyimagesearch.data.sets import DataSet
from pyimagesearch.evaluation.embeddings import embed
from pyimagesearch.networks.acceleration import InParts
from pyimagesearch.networks.defaults import keras_defaults
from pyimagesearch.networks.views import seen_again
from pyimagesearch.system import terminal
from pyimagesearch.system.errors import InputError
from pyimagesearch.training import assemble
from pyimagesearch.training.callbacks import Divergence, Messages, Record
from pyimagesearch.training.checkpoints import Checkpoint
from pyimagesearch.training.choice import Choice
from pyimagesearch.training.features import features_of
from pyimagesearch.training.progress import Progress
from pyimagesearch.training.signals import StopOnSignal
from pyimagesearch.training.whitening import whitening

log = logging.getLogger(__name__)

HEADS = {
    "linear head": lambda x: Dense(128)(Dropout(0.3)(x)),
    "two-layer head": lambda x: Dense(128)(
        Dropout(0.2)(Dense(512, activation="relu")(Dropout(0.3)(x)))
    ),
}
WAYS = ("whitened", *HEADS, "trained on", "seen again")
FROZEN_TO = "blocks_6_expand_conv"  # of the network; what stands before stays as it is
HEAD_EPOCHS, HEAD_STEPS = 40, 600  # of each head, at least
MOVED_VIEWS = 4  # of each training image, for the heads,
MOST_VIEWS = 40_000  # and of all of them together
MANY_IMAGES = 2_000  # to train on
MOST_WHITENED = 10_000  # images that the whitening is computed from

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
    Returns (encoder, uint8 -> vectors of length 1; the history of the way that is kept, or
    where that needed no training of the last that did; {"way", "ways"}: what was kept, and
    each way's held-out AUC and seconds).

    A later way is kept where its AUC over the pairs of held-out images is larger by more than
    one standard error of the difference, see Choice; so where they are few or alike the simpler
    way stays. Training on makes more of many images, and of classes that stay, than heads do: for
    such classes it need only be better, and with thousands of images it is kept unless it is worse
    by one standard error. So is what sees each image again. Ctrl-C keeps the best way so far.
    """
    log.info("training model...")
    chosen = Choice(data.validation, data.new_choices)
    plain = features_of(features, data.train.images)
    whitened = _whitened(features, plain, data.train)
    held = _apply(whitened, features_of(features, data.validation.images))
    views = [_apply(whitened, plain)]
    for view in range(min(MOVED_VIEWS, MOST_VIEWS // len(data.train))):
        moved_ones = features_of(features, data.train.images, recipe, (seed, view))
        views.append(_apply(whitened, moved_ones))
    del plain
    encoder = _on(whitened, UnitNormalization())
    chosen.add("whitened", encoder, held / np.linalg.norm(held, axis=1, keepdims=True))

    stacked = np.stack(views)
    histories: dict[str, keras.callbacks.History] = {}
    for name in HEADS:
        if name in recipe.training.ways and not checkpoint.progress.stopped:
            chosen.start()
            log.info("training a %s...", name)
            (head, histories[name]) = _head(
                name, stacked, held, data, recipe, seed, checkpoint.progress
            )
            encoder = _on(whitened, head)
            chosen.add(name, encoder, head.predict(held, verbose=0))
    del views, stacked
    if "trained on" in recipe.training.ways and not checkpoint.progress.stopped:
        chosen.start()
        encoder = chosen.encoder  # from the best so far
        before = encoder.get_weights()
        try:
            histories["trained on"] = _trained_on(
                encoder, train_batches, steps, data, recipe, seed, checkpoint
            )
        except InputError as error:
            if not checkpoint.progress.diverged:
                raise
            log.info("not trained on: %s", error)  # in its first epoch: what was learned before is
        doubt = -1 if len(data.train) >= MANY_IMAGES else int(data.new_choices)
        chosen.add("trained on", encoder, embed(encoder, data.validation.images), doubt)
        if chosen.kept != "trained on":
            encoder.set_weights(before)  # the ways share the network
    if "seen again" in recipe.training.ways:
        chosen.start()
        encoder = seen_again(chosen.encoder, recipe.training.mirror)
        name = f"{chosen.kept}, seen again"
        chosen.add(name, encoder, embed(encoder, data.validation.images), doubt=-1)
    log.info("%s: kept %s", chosen, chosen.kept)
    shown = chosen.kept.removesuffix(", seen again")
    if histories and shown not in histories:
        (*_, shown) = histories
        log.info("plot and history show the training of the %s, which was not kept", shown)
    history = histories.get(shown, Record(Progress(1)))
    return chosen.encoder, history, {"way": chosen.kept, "ways": chosen.found}


def _whitened(features, plain, train):
    # features and the whitening on them: uint8 (B, H, W, C) -> (B, k)
    some = evenly(len(train), MOST_WHITENED)
    (kernel, bias) = whitening(plain[some], train.labels[some])
    dense = Dense(len(bias), name="whitening")
    model = _on(features, dense)
    dense.set_weights([kernel, bias])
    return model


def _apply(whitened, features):
    # the whitening alone, of features (N, 5632): float32 (N, k)
    (kernel, bias) = whitened.get_layer("whitening").get_weights()
    blocks = range(0, len(features), 4096)
    return np.concatenate(
        [features[i : i + 4096].astype(np.float32) @ kernel + bias for i in blocks]
    )


def _on(model, layer):
    return keras.Model(model.input, layer(model.output))


def _head(name, views, held, data, recipe, seed, progress):
    # a head trained on the whitened views, and its history
    x = inputs = Input(held.shape[1:])
    head = keras.Model(inputs, UnitNormalization()(HEADS[name](x)))
    (count, labels) = (views.shape[0] * views.shape[1], np.tile(data.train.labels, len(views)))
    epochs = epochs_of(count, 256, HEAD_EPOCHS, HEAD_STEPS)
    if "trained on" not in recipe.training.ways and not recipe.training.least_steps:
        epochs = recipe.training.epochs  # --quick --epochs
    recipe = recipe.changed(
        batch_size=256,
        epochs=epochs,
        learning_rate=1e-3,
        warmup_steps=20,
    )
    vectors = views.reshape(count, -1)
    (train, steps) = batches.image_batches(vectors, labels, 256, range(epochs), seed)
    (validation, count) = batches.image_batches(held, data.validation.labels, 256, range(1), seed)
    model = keras.Model(inputs, head(inputs))  # of its own: what is saved knows no loss of ours
    model.compile(**assemble.compiling(recipe, steps))
    own = Progress(epochs)
    history = model.fit(
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
