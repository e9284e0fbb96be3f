"""A training shared out: over the cards of this machine, or over several machines."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from pyimagesearch.config import Recipe
from pyimagesearch.system import machines
from pyimagesearch.system.errors import InputError, first_line
from pyimagesearch.training import signals, steps_of_machines
from pyimagesearch.training.checkpoints import Checkpoint

log = logging.getLogger(__name__)
# what TensorFlow raises for addresses that it cannot use, or listen at
NOT_BEGUN = (ValueError, TypeError, tf.errors.InvalidArgumentError, tf.errors.UnknownError)


def strategy(recipe: Recipe) -> tf.distribute.Strategy:
    """How a training is shared out, to be called before the first tensor.

    Where the environment variable TF_CONFIG names several machines, waits for them all and
    shares with them; else over all cards that TensorFlow sees (CUDA_VISIBLE_DEVICES leaves some
    out), or over its logical CPUs where somebody has made several. A recipe with training.ways
    takes one card. Raises InputError where it was to be shared by machines.
    """
    if machines.count() > 1:
        if recipe.training.ways:
            raise InputError(
                "Expected one machine for a recipe that tries several ways. Received: TF_CONFIG "
                f"with {machines.count()}. Unset it, or take recipe photos-small."
            )
        log.info("waiting for %d machines; Ctrl-C gives up", machines.count())
        try:
            with signals.at_once():
                return tf.distribute.MultiWorkerMirroredStrategy()
        except NOT_BEGUN as error:
            log.info("%s", first_line(error))
            raise machines.refused() from None
    kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    names = [device.name for device in tf.config.list_logical_devices(kind)]
    if len(names) == 1 or recipe.training.ways:
        return tf.distribute.get_strategy()
    return tf.distribute.MirroredStrategy(names)


def shared_out(batches: tf.data.Dataset) -> Any:
    """Batches for fit, each in as many equal parts as the strategy in scope has devices.

    A batch is the same for one device and for many: ((anchors, others), y) with k others for
    each anchor, or (images, labels). So many anchors or images as would make parts unequal, at
    most one less than there are devices, are left out. Every machine makes the whole batch.
    """
    shared = tf.distribute.get_strategy()
    count = shared.num_replicas_in_sync
    if count == 1:
        return batches

    def of_machine(context):
        own = count // context.num_input_pipelines  # devices
        first = own * context.input_pipeline_id

        def parts(*batch):
            anchors = tf.shape(tf.nest.flatten(batch)[0])[0]

            def part(i, x):
                size = anchors // count * (tf.shape(x)[0] // anchors)
                return x[i * size : (i + 1) * size]

            return tf.data.Dataset.range(first, first + own, output_type=tf.int32).map(
                lambda i: tf.nest.map_structure(partial(part, i), batch)
            )

        return batches.flat_map(parts).prefetch(2 * own)

    return shared.distribute_datasets_from_function(of_machine)


def fit_of(model: keras.Model, recipe: Recipe, checkpoint: Checkpoint) -> Callable[..., Any]:
    """The fit of a model; for several machines, with which Keras' own fails, one that can."""
    if machines.count() > 1:
        return partial(steps_of_machines.fit, model, recipe, checkpoint)
    return model.fit
