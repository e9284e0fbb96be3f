"""What fit needs beside model and data: optimizer and callbacks; and embeddings after it."""

# import the necessary packages
import signal
import time
from functools import lru_cache

import keras
import numpy as np
import tensorflow as tf

from pyimagesearch import metrics, utils, verification

MOST_STEPS = 25  # between two looks at the clock and at Ctrl-C


def steps_per_execution(steps):
    """How many steps run in one call: the largest divisor of an epoch's steps up to 25.

    Keras runs whole calls only: with any other number an epoch would run into the next.
    """
    return max(k for k in range(1, MOST_STEPS + 1) if steps % k == 0)


def make_optimizer(recipe, steps_per_epoch):
    """Adam at the recipe's learning rate: constant, or warm-up and then a cosine to zero."""
    if recipe.warmup_steps is None:
        return keras.optimizers.Adam(recipe.learning_rate)
    total = recipe.epochs * steps_per_epoch
    warmup = min(recipe.warmup_steps, total // 2)  # a short run still has both parts
    return keras.optimizers.Adam(
        keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=recipe.learning_rate / 100,
            decay_steps=max(total - warmup, 1),
            warmup_target=recipe.learning_rate,
            warmup_steps=warmup,
        )
    )


def embed(encoder, images, batch_size=250):
    """Every image through the encoder once: uint8 (N, H, W, C) -> float32 array (N, D)."""
    forward = _forward(encoder)
    return utils.in_batches(lambda batch: forward(batch).numpy(), images, batch_size)


@lru_cache(maxsize=4)  # an encoder is compiled once, not anew in each epoch
def _forward(encoder):
    return tf.function(
        lambda batch: encoder(batch, training=False),
        input_signature=[tf.TensorSpec(encoder.input_shape, tf.uint8)],
    )


def make_callbacks(encoder, validation, recipe):
    """The validation loss first, since the others and Keras' own read it; then the rest."""
    hint = "" if recipe.network == "fast" else " (--recipe fast takes under a minute)"
    return [
        PairValidation(encoder, validation, recipe.margin, keep_best=recipe.held_out > 0),
        StopOnSignal(),
        TimeLeft(recipe.epochs, hint),
    ]


class PairValidation(keras.callbacks.Callback):
    """Adds val_loss, the contrastive loss of the validation pairs, to each epoch's figures.

    keep_best: end with the weights of the epoch whose val_loss was lowest. Only for images
    that no reported figure comes from.
    """

    def __init__(self, encoder, validation, margin, keep_best):
        """validation: (images, labels, partners)."""
        super().__init__()
        self.encoder, self.margin, self.keep_best = encoder, margin, keep_best
        (self.images, _, self.partners) = validation
        self.best_loss, self.best_weights, self.best_epoch = np.inf, None, None

    def on_epoch_end(self, epoch, logs=None):
        distances, y = utils.pair_distances(embed(self.encoder, self.images), self.partners)
        logs["val_loss"] = float(metrics.contrastive_loss(y, distances, self.margin))
        if verification.is_collapsed(distances):
            print("\n[INFO] the network has collapsed: all distances are alike")
        if self.keep_best and logs["val_loss"] < self.best_loss:
            self.best_loss, self.best_epoch = logs["val_loss"], epoch + 1
            self.best_weights = self.encoder.get_weights()

    def on_train_end(self, logs=None):
        if self.best_weights is not None:
            self.encoder.set_weights(self.best_weights)
            print(f"[INFO] keeping epoch {self.best_epoch}, the best on held-out images")


class StopOnSignal(keras.callbacks.Callback):
    """Ctrl-C or SIGTERM ends the training after the running step; a second one ends the program.

    The first is still only noted after the training, while the model is being saved.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def on_train_begin(self, logs=None):
        self.stopped = False
        self.handlers = {s: signal.signal(s, self._stop) for s in self.SIGNALS}

    def _stop(self, signum, frame):
        self.stopped = True
        for s, handler in self.handlers.items():
            signal.signal(s, handler)
        print("\n[INFO] stopping; press Ctrl-C again to quit at once and lose what was learned")

    def on_train_batch_end(self, batch, logs=None):
        self.model.stop_training |= self.stopped

    def on_train_end(self, logs=None):
        if self.stopped:
            print("\n[INFO] stopped on request, what was learned is kept")


class TimeLeft(keras.callbacks.Callback):
    """Says after the first epoch, and at every tenth of the training, how long the rest takes,
    and at the end how long all of it took.
    """

    def __init__(self, epochs, hint=""):
        super().__init__()
        self.epochs, self.hint = epochs, hint
        self.start = None

    def on_train_begin(self, logs=None):
        self.start = time.monotonic()

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1 or (epoch and epoch % max(self.epochs // 10, 1) == 0):
            left = self.epochs - epoch
            seconds = (time.monotonic() - self.start) / epoch * left
            hint = self.hint if epoch == 1 else ""
            print(f"[INFO] about {duration(seconds)} left, {left} of {self.epochs} epochs{hint}")

    def on_train_end(self, logs=None):
        print(f"[INFO] training took {duration(time.monotonic() - self.start)}")


def duration(seconds):
    """Seconds in words: 42 s, 7 min, 1 h 05 min."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"
