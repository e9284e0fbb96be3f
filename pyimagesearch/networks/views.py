"""An encoder comes in; one that looks at each image several times goes out."""

from typing import Any

import keras
from keras import ops
from keras.layers import Concatenate, Cropping2D, Input, Rescaling, UnitNormalization

from pyimagesearch.networks.defaults import keras_defaults

Tensor = Any
LEFT_OUT = 1 / 12  # of a side, at each of its two ends: the middle is enlarged to the whole


@keras_defaults()
def seen_again(encoder: keras.Model, mirror: bool = False) -> keras.Model:
    """The mean of what an encoder makes of each image and of its middle, enlarged.

    encoder: uint8 (B, H, W, C) -> float32 (B, D) of length 1, a Rescaling first. mirror: and of
    the mirror images of both. Returns one of the same kind, with the same weights, the mean of
    the embeddings brought to length 1.
    The views are made after the Rescaling, since rounding them to whole pixel values would differ
    between programs. All pass the encoder as one batch: its weights stand once in an exported file.
    """
    scale = next(layer for layer in encoder.layers if isinstance(layer, Rescaling))
    inputs = Input(encoder.input_shape[1:], dtype="uint8")
    views = [scale(inputs)]
    views.append(_middle(views[0]))
    if mirror:
        views += [ops.flip(view, axis=2) for view in views]
    embeddings = keras.Model(scale.output, encoder.output)(Concatenate(axis=0)(views))
    by_view = ops.reshape(embeddings, (len(views), -1, encoder.output_shape[1]))
    return keras.Model(inputs, UnitNormalization()(ops.mean(by_view, axis=0)))


def _middle(images: Tensor) -> Tensor:
    # float (B, H, W, C) -> the same shape
    (height, width) = images.shape[1:3]
    inside = Cropping2D((round(height * LEFT_OUT), round(width * LEFT_OUT)))(images)
    return ops.image.resize(inside, (height, width), data_format="channels_last")
