"""What compile needs beside the loss: optimizer, metrics, steps in a call; and the seeds."""

import keras
import tensorflow as tf

from pyimagesearch import metrics
from pyimagesearch.config import Recipe
from pyimagesearch.data.batches import steps_of_a_call

OPTIMIZERS: dict[str, type[keras.optimizers.Optimizer]] = {
    "adam": keras.optimizers.Adam,
    "rmsprop": keras.optimizers.RMSprop,
}


def set_seed(seed: int, deterministic: bool = False) -> None:
    """Fix what TensorFlow and Keras draw at random: initial weights and dropout.

    deterministic: also the order in which TensorFlow adds up numbers on several threads, at
    some cost in speed; two runs on one machine are then equal bit for bit.
    """
    keras.utils.set_random_seed(seed)
    if deterministic:
        tf.config.experimental.enable_op_determinism()


def steps_per_execution(steps: int) -> int:
    """How many steps run in one call: the largest divisor of an epoch's steps up to 25.

    Keras runs whole calls only: with any other number an epoch would run into the next.
    """
    return steps_of_a_call(steps)


def make_optimizer(recipe: Recipe, steps_per_epoch: int) -> keras.optimizers.Optimizer:
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


def make_metrics(recipe: Recipe) -> list[keras.metrics.Metric] | None:
    """What fit shows beside the loss: accuracy, where a head's output says same below 0.5."""
    if recipe.network.head == "none":
        return None
    accuracy = keras.metrics.MeanMetricWrapper(
        metrics.pair_accuracy, name="accuracy", dtype="float32"
    )
    return [accuracy]
