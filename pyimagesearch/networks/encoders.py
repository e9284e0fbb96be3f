"""The networks beside the article's: pixels in, embedding out."""

from collections.abc import Callable, Sequence

import keras
from keras import layers
from keras.models import Model

from pyimagesearch.metrics import MEMBERS
from pyimagesearch.networks.efficientnet import FEATURES, build_features
from pyimagesearch.networks.efficientnet import build_efficientnet_lite0 as build_lite0

Shape = tuple[int, int, int]  # height, width, channels


def build_fast_model(
    input_shape: Shape,
    embedding_dim: int = 48,
    filters: Sequence[int] = (16, 48, 96),
    side: int = 5,
) -> Model:
    """Like LeNet: rounds of CONV => RELU => POOL that keep what is where, then two Dense.

    The article's network averages over the whole image at its end and so forgets where a
    stroke was; this one does not. filters: of one round each, at least 8 pixels for three; side:
    of their windows, in pixels.
    input_shape: (H, W, C), pixels in [0, 1]. Returns a Model (B, H, W, C) -> (B, embedding_dim).
    """
    x = inputs = layers.Input(input_shape)
    for count in filters:
        x = layers.Conv2D(count, side, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D(pool_size=2)(x)
    x = layers.Dense(128, activation="relu")(layers.Flatten()(x))
    return Model(inputs, layers.Dense(embedding_dim)(x))


def build_best_model(input_shape: Shape, embedding_dim: int = 144) -> Model:
    """Three of build_fast_model with more filters, side by side: an ensemble.

    Each is trained by itself, see metrics.members_contrastive_loss; where one errs, the others
    mostly do not. embedding_dim: of all three together. Returns as build_fast_model.
    """
    inputs = layers.Input(input_shape)
    size = embedding_dim // MEMBERS
    members = [build_fast_model(input_shape, size, (24, 64, 128)) for _ in range(MEMBERS)]
    together = layers.Concatenate()([member(inputs) for member in members])
    return Model(inputs, layers.Rescaling(MEMBERS**-0.5)(together))


def build_photo_model(input_shape: Shape, embedding_dim: int = 48) -> Model:
    """build_fast_model with four rounds of small windows, for photos from 16 pixels up."""
    return build_fast_model(input_shape, embedding_dim, (32, 64, 96, 128), side=3)


def build_keras_io_model(input_shape: Shape, embedding_dim: int = 10) -> Model:
    """The network of keras.io's example: BatchNorm on unscaled pixels, tanh, average pooling.

    input_shape: (H, W, C), pixels in [0, 255]. Returns a Model (B, H, W, C) -> (B, embedding_dim),
    each number between -1 and 1.
    """
    inputs = layers.Input(input_shape)
    x = layers.BatchNormalization()(inputs)
    x = layers.Conv2D(4, (5, 5), activation="tanh")(x)
    x = layers.AveragePooling2D(pool_size=(2, 2))(x)
    x = layers.Conv2D(16, (5, 5), activation="tanh")(x)
    x = layers.AveragePooling2D(pool_size=(2, 2))(x)
    x = layers.BatchNormalization()(layers.Flatten()(x))
    return Model(inputs, layers.Dense(embedding_dim, activation="tanh")(x))


def build_dogs_model(input_shape: Shape, embedding_dim: int = 1) -> Model:
    """The dogs text's network: three convolutions without padding, then 1024, 256 and one number.

    input_shape: (256, 256, 3), pixels in [0, 1]. Returns as build_fast_model.
    """
    inputs = layers.Input(input_shape)
    x = layers.Conv2D(256, (11, 11), strides=4, activation="relu")(inputs)
    x = layers.MaxPooling2D(pool_size=3, strides=2)(x)
    x = layers.Conv2D(256, (5, 5), activation="relu")(x)
    x = layers.MaxPooling2D(pool_size=2, strides=2)(x)
    x = layers.Conv2D(384, (3, 3), activation="relu")(x)
    # no activation between these three, as the text has it
    x = layers.Dense(256)(layers.Dense(1024)(layers.Flatten()(x)))
    return Model(inputs, layers.Dense(embedding_dim)(x))


def build_mobilenet_model(input_shape: Shape, embedding_dim: int = 1280) -> Model:
    """The triplet text's network: MobileNetV2 without its top, averaged over the image.

    The vectors leave it with length 1: the cosine distance does not see lengths.
    input_shape: (H, W, 3) from 32 pixels up, pixels in [0, 1]. Returns a Model
    (B, H, W, C) -> (B, 1280): embedding_dim is the network's own.
    """
    inputs = layers.Input(input_shape)
    base = keras.applications.MobileNetV2(
        weights=None, include_top=False, pooling="avg", input_tensor=inputs
    )
    for layer in base.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.9  # its statistics follow the batches fast: a folder has few
    return Model(inputs, layers.UnitNormalization()(base.output))


# every network takes (input_shape, embedding_dim); a new one is a function and a line here
NETWORKS: dict[str, Callable[..., Model]] = {
    "fast": build_fast_model,
    "best": build_best_model,
    "photos": build_photo_model,
    "keras-io": build_keras_io_model,
    "dogs": build_dogs_model,
    "mobilenet": build_mobilenet_model,
    "efficientnet_lite0": build_lite0,
    "features": build_features,
}
# those whose embedding_dim is what it is, and those that are not accelerated
OWN_SIZES = {"mobilenet": 1280, "efficientnet_lite0": 1280, "features": FEATURES}
IN_FLOAT32 = ("keras-io", *OWN_SIZES)
