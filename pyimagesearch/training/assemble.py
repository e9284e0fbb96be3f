"""What is trained, put together in one place: a recipe comes in, what fit needs goes out."""

from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from pyimagesearch import metrics
from pyimagesearch.config import Recipe
from pyimagesearch.data.batches import epochs_of
from pyimagesearch.data.sets import ImageSet
from pyimagesearch.siamese_network import SisterNetworks, build_comparison, build_encoder
from pyimagesearch.training import optimizers
from pyimagesearch.training.weights import load_weights


@dataclass(frozen=True)
class Parts:
    """The networks of a recipe, with the weights that it starts from."""

    encoder: keras.Model  # uint8 (B, H, W, C) -> float32 (B, D), as it trains fastest
    sisters: SisterNetworks | None  # two batches of images, both through the encoder
    comparison: keras.Model  # two (B, D) -> (B, 1): the distance, or what a head makes of it


def fitted(recipe: Recipe, train: ImageSet) -> Recipe:
    """The recipe with what the data decides: the shape of the images, and how many epochs."""
    training = recipe.training
    epochs = training.epochs
    if training.least_steps:
        epochs = epochs_of(len(train), training.batch_size, epochs, training.least_steps)
    return recipe.changed(image_shape=tuple(train.images.shape[1:]), epochs=epochs)


def networks(recipe: Recipe, train: ImageSet) -> Parts:
    """The networks that a recipe trains: no sisters where the loss pairs the images of a batch.

    train: an ImageSet with pairs, k others to each anchor.
    """
    encoder = build_encoder(recipe, accelerated=True)
    load_weights(encoder, recipe)
    sisters = None
    if recipe.training.pairing != "batch" and train.pairs is not None:
        sisters = SisterNetworks(encoder, train.pairs.others.shape[1])
    return Parts(encoder, sisters, build_comparison(recipe))


def compiling(recipe: Recipe, steps: int) -> dict[str, Any]:
    """The keywords for compile: loss, optimizer, metrics, steps_per_execution.

    steps: of an epoch.
    """
    shared = tf.distribute.get_strategy().num_replicas_in_sync > 1
    return {
        "loss": metrics.RecipeLoss(recipe.training.loss, recipe.training.margin),
        "optimizer": optimizers.make_optimizer(recipe, steps),
        "metrics": optimizers.make_metrics(recipe),
        # several devices: no XLA over all of them, and Keras' loop over steps fails there
        "steps_per_execution": 1 if shared else optimizers.steps_per_execution(steps),
        "jit_compile": False if shared else "auto",
    }


def exported(
    recipe: Recipe, encoder: keras.Model, comparison: keras.Model
) -> tuple[keras.Model, keras.Model]:
    """Encoder and comparison as they are saved: in float32 and on one device, however trained."""
    if recipe.training.ways:
        return encoder, comparison  # they are that
    plain = (build_encoder(recipe), build_comparison(recipe))
    for copy, model in zip(plain, (encoder, comparison)):
        copy.set_weights(model.get_weights())
    return plain
