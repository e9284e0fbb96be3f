"""An encoder comes in; one that looks at each image several times goes out."""

from typing import Any

import keras
import numpy as np
from keras import ops
from keras.layers import Concatenate, Input, Rescaling, UnitNormalization

from pyimagesearch.networks.defaults import keras_defaults
from pyimagesearch.networks.efficientnet import resampled

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
    # float (B, H, W, C) -> the same shape; no layer that resizes: in ONNX one that enlarges 84
    # rows by 100 / 84 gives 99
    (height, width) = images.shape[1:3]
    return resampled(images, _enlarging(height), _enlarging(width))


def _enlarging(size):
    # (size, size): in each column the shares of all places in one place of the enlarged middle,
    # two neighbours' at most, as resizing with bilinear interpolation has them
    cut = round(size * LEFT_OUT)
    inside = size - 2 * cut
    place = cut + np.clip((np.arange(size) + 0.5) * inside / size - 0.5, 0, inside - 1)
    apart = np.abs(np.arange(size)[:, np.newaxis] - place)
    return np.maximum(1 - apart, 0).astype("float32")
