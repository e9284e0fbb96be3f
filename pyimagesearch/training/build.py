"""What is trained: the networks of a recipe, the weights they start from, what compile needs."""

import math
import os
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pyimagesearch import config, metrics
from pyimagesearch.config import Recipe
from pyimagesearch.data.batches import steps_and_size, steps_of_a_call
from pyimagesearch.data.sets import DataSet, ImageSet, read_trained_on
from pyimagesearch.siamese_network import SisterNetworks, build_comparison, build_encoder
from pyimagesearch.system.terminal import InputError, first_line, warn


class Muon(keras.optimizers.Muon):
    """Keras' Muon, for a convolution's kernel, too: as the matrix (h w C, F). Biases take Adam's.

    A step makes all directions of the momentum about equally long (Jordan et al., 2024).
    """

    def _should_use_adamw(self, variable: Any) -> bool:
        return len(variable.shape) < 2

    def zeropower_via_newtonschulz5(self, x: Any, steps: int) -> Any:
        matrix = keras.ops.reshape(x, (-1, x.shape[-1]))
        step = super().zeropower_via_newtonschulz5(matrix, steps)
        return keras.ops.reshape(0.2 * max(matrix.shape) ** 0.5 * step, x.shape)


OPTIMIZERS: dict[str, Any] = {
    "adam": keras.optimizers.Adam, "rmsprop": keras.optimizers.RMSprop,
    "muon": lambda rate: Muon(rate, adam_lr_ratio=1.5, ns_steps=3, rms_rate=None,
        weight_decay=None, adam_weight_decay=None),
}  # fmt: skip


def set_seed(seed: int, deterministic: bool = False) -> None:
    """Fix what TensorFlow and Keras draw at random: initial weights and dropout.

    deterministic: also the order in which threads add up numbers; slower, equal bit for bit.
    """
    keras.utils.set_random_seed(seed)
    if deterministic:
        tf.config.experimental.enable_op_determinism()


def fitted(recipe: Recipe, train: ImageSet, new_classes: bool = False) -> Recipe:
    """The recipe with the images' shape, and as many epochs as they need: for new classes fewer."""
    (training, epochs) = (recipe.training, recipe.training.epochs)
    shape = tuple(train.images.shape[1:])
    if training.more_steps:
        (steps, _) = steps_and_size(len(train), training.batch_size)
        # a step takes so much longer for images above the least size
        longer = max(math.prod(shape[:2]) / math.prod(recipe.reading.least_shape[:2]), 1)
        epochs = 1 if new_classes else epochs  # longer it forgets what tells others apart
        epochs = max(round((epochs + training.more_steps / steps) / longer), 1)
    return recipe.changed(image_shape=shape, epochs=epochs)


def networks(recipe: Recipe, train: ImageSet) -> tuple[keras.Model, keras.Model, keras.Model]:
    """(model, encoder, comparison), with the weights that the recipe starts from.

    encoder, comparison: of siamese_network. model, which is trained: the encoder, where the loss
    pairs the images of a batch itself; else two batches of images -> (B, 1), k others an anchor.
    """
    encoder = build_encoder(recipe, accelerated=not recipe.training.ways)  # else by photos.train
    load_weights(encoder, recipe)
    comparison = build_comparison(recipe)
    if recipe.training.pairing == "batch":
        return encoder, encoder, comparison
    images = [keras.Input(recipe.reading.image_shape, dtype="uint8") for _ in "AB"]
    sisters = SisterNetworks(encoder, train.pairs.others.shape[1])
    return keras.Model(images, comparison(sisters(images))), encoder, comparison


def compiling(recipe: Recipe, steps: int) -> dict[str, Any]:
    """The keywords for compile: loss, optimizer, metrics, steps_per_execution.

    The rate is constant, or warms up and then falls to zero along a cosine.
    steps: of an epoch. Keras runs whole calls only, so their number divides it.
    """
    training = recipe.training
    rate: Any = float(training.learning_rate)
    if training.warmup_steps is not None:
        total = training.epochs * steps
        warmup = min(training.warmup_steps, total // 2)  # a short run still has both parts
        rate = keras.optimizers.schedules.CosineDecay(
            rate / 100, max(total - warmup, 1), warmup_target=rate, warmup_steps=warmup
        )
    alone = tf.distribute.get_strategy().num_replicas_in_sync == 1
    accuracy = keras.metrics.MeanMetricWrapper(metrics.pair_accuracy, "accuracy", "float32")
    return {
        "loss": metrics.RecipeLoss(training.loss, training.margin),
        "optimizer": OPTIMIZERS[training.optimizer](rate),
        # a head's output says same below 0.5
        "metrics": [accuracy] if recipe.network.head != "none" else None,
        # several devices: no XLA over all of them, and Keras' loop over steps fails there
        "steps_per_execution": steps_of_a_call(steps) if alone else 1,
        "jit_compile": "auto" if alone else False,
    }


def load_weights(encoder: keras.Model, recipe: Recipe) -> None:
    """Give the encoder the weights that the recipe starts from.

    weights: "none" (as drawn), "imagenet" (of network mobilenet; from this disk or fetched), or the
    file encoder.keras of another training. Raises InputError where they are missing or do not fit.
    """
    weights = recipe.network.weights
    if weights == "none":
        return
    try:
        if weights == "imagenet":
            source = keras.applications.MobileNetV2(include_top=False, input_shape=(224, 224, 3))
        else:
            source = keras.models.load_model(weights, compile=False)
        encoder.set_weights(source.get_weights())
    except Exception as error:  # Keras raises whatever its download met, or the file did
        wanted = "a file encoder.keras of a training with this network and image size, or for "
        wanted += "imagenet a network to fetch it"
        mend = "--weights none starts from scratch, --recipe triplet-shipped from weights that ship"
        raise InputError(wanted, f"{weights} ({first_line(error)}). {mend}") from None


def known_digests(recipe: Recipe) -> np.ndarray | None:
    """Digests of the images that the model of --weights was trained on; None where there is none.

    uint64 (N,), see ImageSet.digests, from beside its encoder.keras. Warns where they are missing.
    """
    weights = Path(recipe.network.weights)
    if not weights.is_file():
        return None  # none, imagenet, or a file that is missing, which load_weights names
    known = read_trained_on(weights.parent / os.path.basename(config.MODEL_PATH))
    if known is None:
        warn(f"nothing beside {weights} says which images it was trained on, maybe test images")
    return known


def trained_on(data: DataSet, known: np.ndarray | None = None) -> np.ndarray:
    """Digests of the images that chose anything: of all parts but the test, and those known.

    Sorted, each once: uint64 (N,). A recipe that holds out none validates on the test itself.
    """
    parts = {id(part.images): part for part in (data.train, data.validation, data.choices)}
    parts.pop(id(data.test.images), None)
    digests = [part.digests().ravel() for part in parts.values()]
    return np.unique(np.concatenate([*digests, *([] if known is None else [known])]))
