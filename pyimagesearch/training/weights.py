"""The weights that a training starts from, and the images that they have seen."""

import hashlib
import logging
import os
from pathlib import Path

import keras
import numpy as np

from pyimagesearch import config
from pyimagesearch.config import Recipe
from pyimagesearch.data.sets import DataSet, pixel_digests, read_trained_on
from pyimagesearch.system.errors import InputError

log = logging.getLogger(__name__)


def file_digest(recipe: Recipe) -> str:
    """A digest of the content of the file that the recipe starts from; "missing" without one."""
    try:
        with open(recipe.network.weights, "rb") as f:
            return hashlib.file_digest(f, "sha256").hexdigest()
    except OSError:
        return "missing"


def known_digests(recipe: Recipe) -> np.ndarray | None:
    """Digests of the images that the model of --weights was trained on; None where there is none.

    They lie in the model's directory beside the file encoder.keras: uint64 (N,), see
    data.sets.pixel_digests. Where they are missing, says what that means for the figures.
    """
    if recipe.network.weights in ("none", "imagenet"):
        return None
    if not Path(recipe.network.weights).is_file():
        return None  # load_weights names it
    model = Path(recipe.network.weights).parent / os.path.basename(config.MODEL_PATH)
    try:
        return read_trained_on(model)
    except (OSError, ValueError):
        log.info(
            "nothing beside %s says which images it was trained on: the figures are not clean "
            "where test images are among them",
            recipe.network.weights,
        )
        return None


def trained_on(data: DataSet, known: np.ndarray | None = None) -> np.ndarray:
    """Digests of the images that chose anything: of all parts but the test, and those known.

    Sorted, each once: uint64 (N,). A part that is the test itself (a recipe that holds out none
    validates on it) does not count.
    """
    parts = [data.train]
    parts += [part for part in (data.validation, data.choices) if part is not data.test]
    once = {id(part.images): part.images for part in parts}
    digests = [pixel_digests(images) for images in once.values()]
    return np.unique(np.concatenate([*digests, *([] if known is None else [known])]))


def load_weights(encoder: keras.Model, recipe: Recipe) -> None:
    """Give the encoder the weights that the recipe starts from.

    weights: "none" (as drawn), "imagenet" (network mobilenet alone; from this disk or
    fetched), or the file encoder.keras of another training. Raises ValueError where they
    cannot be had, or are those of another network.
    """
    weights = recipe.network.weights
    if weights == "none":
        return
    if recipe.network.weights == "imagenet":
        if recipe.network.name != "mobilenet":
            raise InputError("Expected --weights imagenet with recipe triplet alone.")
        try:
            source = keras.applications.MobileNetV2(
                weights="imagenet", include_top=False, input_shape=(224, 224, 3)
            )
        except Exception as error:  # Keras raises whatever its download met
            raise InputError(
                "Expected the ImageNet weights of MobileNetV2 on this disk, or a network to "
                f"fetch them. Received: {error}. --recipe triplet-shipped starts from weights that "
                "ship with this project, --weights none from scratch."
            ) from None
    else:
        try:
            source = keras.models.load_model(recipe.network.weights, compile=False)
        except Exception:  # whatever Keras raises for a file that is none of its own
            raise InputError(
                f"Expected a file encoder.keras of another training. Received: {weights}, "
                "which Keras does not read."
            ) from None
    (wanted, found) = ([tuple(w.shape) for w in x.weights] for x in (encoder, source))
    if wanted != found:
        at = next((i for i, (a, b) in enumerate(zip(wanted, found)) if a != b), len(found))
        raise InputError(
            f"Expected weights of this recipe's network and image size: {len(wanted)} arrays. "
            f"Received: {weights} with {len(found)}, the first to differ: number {at + 1}."
        )
    encoder.set_weights(source.get_weights())
