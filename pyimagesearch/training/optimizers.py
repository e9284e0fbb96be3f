"""What compile needs beside the loss: optimizer, metrics, steps a call; and the seeds."""

import keras
import numpy as np
import tensorflow as tf

from pyimagesearch import metrics
from pyimagesearch.data.batches import MOST_STEPS

OPTIMIZERS = {"adam": keras.optimizers.Adam, "rmsprop": keras.optimizers.RMSprop}


def set_seed(seed, deterministic=False):
    """Fix all that is random: initial weights, dropout, and the Generator that is returned.

    deterministic: also the order in which TensorFlow adds up numbers on several threads, at
    some cost in speed; two runs on one machine are then equal bit for bit.
    """
    keras.utils.set_random_seed(seed)
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    return np.random.default_rng(seed)


def steps_per_execution(steps):
    """How many steps run in one call: the largest divisor of an epoch's steps up to 25.

    Keras runs whole calls only: with any other number an epoch would run into the next.
    """
    return max(k for k in range(1, MOST_STEPS + 1) if steps % k == 0)


def make_optimizer(recipe, steps_per_epoch):
    """The recipe's optimizer and rate: constant, or warm-up and then a cosine to zero."""
    optimizer, rate = OPTIMIZERS[recipe.training.optimizer], recipe.training.learning_rate
    if recipe.training.warmup_steps is None:
        return optimizer(rate)
    total = recipe.training.epochs * steps_per_epoch
    warmup = min(recipe.training.warmup_steps, total // 2)  # a short run still has both parts
    return optimizer(
        keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=rate / 100,
            decay_steps=max(total - warmup, 1),
            warmup_target=rate,
            warmup_steps=warmup,
        )
    )


def make_metrics(recipe):
    """What fit shows beside the loss: accuracy, where a head's output says same below 0.5."""
    if recipe.network.head == "none":
        return None
    return [keras.metrics.MeanMetricWrapper(metrics.pair_accuracy, name="accuracy")]
