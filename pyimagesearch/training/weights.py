"""The weights that a training starts from."""

import keras

from pyimagesearch.system.errors import InputError


def load_weights(encoder, recipe):
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
                f"fetch them. Received: {error}. --weights none starts from scratch."
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
