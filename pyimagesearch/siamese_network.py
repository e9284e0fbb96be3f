"""The article's network, the encoder around a network (pixels in, embedding out), and the pair."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf
from keras import layers, ops
from keras.layers import Conv2D, Dense, Dropout, GlobalAveragePooling2D, Input, MaxPooling2D
from keras.models import Model

from pyimagesearch import utils
from pyimagesearch.config import Recipe
from pyimagesearch.networks import encoders
from pyimagesearch.networks.acceleration import accelerate, has_batch_statistics
from pyimagesearch.system.terminal import InputError, first_line

# of an image in a frame of a pixel, in the order in which test_views takes them
PLACES = ((1, 1), (2, 2), (0, 0), (2, 0), (0, 2), (1, 2), (1, 0), (2, 1), (0, 1))
LEFT_OUT = 1 / 12  # of a side, at each of its two ends: the middle is enlarged to the whole


def build_siamese_model(inputShape: tuple[int, int, int], embeddingDim: int = 48) -> Model:
    """The article's network: two rounds of CONV => RELU => POOL => DROPOUT, then 48 numbers.

    inputShape: (H, W, C), pixels in [0, 1]. Returns a Model (B, H, W, C) -> (B, embeddingDim).
    """
    # an image comes in
    inputs = Input(inputShape)

    # 64 windows of 2x2 pixels slide over it; of each 2x2 answers the largest is kept; in training
    # three in ten of these are set to 0
    x = Conv2D(64, (2, 2), padding="same", activation="relu")(inputs)
    x = MaxPooling2D(pool_size=(2, 2))(x)
    x = Dropout(0.3)(x)

    # the same again, on what the first round left
    x = Conv2D(64, (2, 2), padding="same", activation="relu")(x)
    x = MaxPooling2D(pool_size=2)(x)
    x = Dropout(0.3)(x)

    # the mean of each of the 64 maps, and from these means the embedding
    pooledOutput = GlobalAveragePooling2D()(x)
    outputs = Dense(embeddingDim)(pooledOutput)

    model = Model(inputs, outputs)
    return model


NETWORKS = {"article": build_siamese_model, **encoders.NETWORKS}

# what a model makes of the distance: itself, or how different two images are, from 0 to 1
HEADS: dict[str, Callable] = {
    "none": lambda distance: distance,
    "sigmoid": lambda distance: Dense(1, activation="sigmoid")(distance),
    "normalized_sigmoid": lambda distance: HEADS["sigmoid"](layers.BatchNormalization()(distance)),
}


def build_encoder(recipe: Recipe, accelerated: bool = False, network: Model | None = None) -> Model:
    """The recipe's network with its pixel scaling in front: uint8 (B, H, W, C) -> float32 (B, D).

    Images smaller than the recipe's least_shape are enlarged, grey ones repeated in colour.
    accelerated: for training, in the fastest way, without the mean over several places
    (test_views). set_weights carries the weights from one to the other. network: instead of the
    recipe's. Raises InputError where the recipe's network takes no images of this size.
    """
    name = recipe.network.name
    given = recipe.reading.image_shape
    (height, width, channels) = map(max, given, recipe.reading.least_shape)
    shape = (height, width, channels)
    border = encoders.BORDERS.get(name, 0)
    if network is None:
        try:
            if name in NETWORKS:
                seen = (height + 2 * border, width + 2 * border, channels)
                network = NETWORKS[name](seen, recipe.network.embedding_dim)
            else:
                network = encoders.build_from_file(name, recipe.network.pixels, shape)
        except InputError:  # of the encoder's file
            raise
        except ValueError as error:  # Keras: a convolution or pooling that nothing is left for
            received = f"{shape} ({first_line(error)}). Change reading.least_shape or --image-size."
            raise InputError(f"images that network {name} takes", received) from None
    if accelerated and name in NETWORKS:
        network = accelerate(network, recipe.training.precision)
    inputs = Input(given, dtype="uint8")
    x = layers.Rescaling(recipe.network.pixel_scale)(inputs)
    if shape[:2] != given[:2]:
        # not the layer Resizing, which would switch the dropout behind it on
        x = ops.image.resize(x, (height, width), data_format="channels_last")
    if channels != given[2]:
        x = layers.Concatenate()([x] * channels)
    views = 1 if accelerated else recipe.network.test_views
    if views > 1:
        network = encoders.over_places(network, PLACES[:views])
        border += 1
    for axis, size in ((1, height), (2, width)) if border else ():  # repeat the edges
        x = ops.take(x, [min(max(k, 0), size - 1) for k in range(-border, size + border)], axis)
    return Model(inputs, network(x))


def seen_again(encoder: Model, mirror: bool = False) -> Model:
    """The mean of what an encoder makes of each image and of its middle, enlarged.

    encoder: uint8 (B, H, W, C) -> float32 (B, D) of length 1, a Rescaling first. mirror: and of
    the mirror images of both. Returns one of the same kind, with the same weights.
    The views are made after the Rescaling: rounding them would differ between programs. All pass
    the encoder as one batch: its weights stand once in an exported file.
    """

    def enlarging(size):
        # (size, size): in each column the shares of all places in one place of the enlarged
        # middle, bilinear. No layer that resizes: in ONNX one that makes 100 of 84 rows gives 99
        cut = round(size * LEFT_OUT)
        inside = size - 2 * cut
        place = cut + np.clip((np.arange(size) + 0.5) * inside / size - 0.5, 0, inside - 1)
        apart = np.abs(np.arange(size)[:, np.newaxis] - place)
        return np.maximum(1 - apart, 0).astype("float32")

    scale = next(layer for layer in encoder.layers if isinstance(layer, layers.Rescaling))
    (_, height, width, _) = encoder.input_shape
    inputs = Input(encoder.input_shape[1:], dtype="uint8")
    image = scale(inputs)
    views = [image, encoders.resampled(image, enlarging(height), enlarging(width))]
    if mirror:
        views += [ops.flip(view, axis=2) for view in views]
    embeddings = Model(scale.output, encoder.output)(layers.Concatenate(axis=0)(views))
    by_view = ops.reshape(embeddings, (len(views), -1, encoder.output_shape[1]))
    return Model(inputs, layers.UnitNormalization()(ops.mean(by_view, axis=0)))


def build_comparison(recipe: Recipe) -> Model:
    """(featsA, featsB) -> the distance, or with a head how different they are, float32 (B, 1)."""
    feats = [Input((None,)) for _ in "AB"]  # of whatever size the encoder's are
    distance = utils.DISTANCES[recipe.network.distance](feats)
    return Model(feats, HEADS[recipe.network.head](distance))


class SisterNetworks(layers.Layer):
    """Two batches of images -> their features, both through one network in one pass.

    images_a: (B, H, W, C). images_b: (k B, H, W, C), k images for each of images_a, side by side.
    Returns two (k B, D), the features of images_a repeated. A BatchNormalization takes images_a,
    the first of each k, the second … one after the other, each by statistics of their own.
    """

    def __init__(self, network: Model, k: int):
        super().__init__(dtype="float32")
        self.network, self.k = network, k

    def call(self, images, training=False):
        (images_a, images_b) = images
        if has_batch_statistics(self.network):
            others = [images_b[j :: self.k] for j in range(self.k)]
            (feats_a, *columns) = [self.network(x, training=training) for x in (images_a, *others)]
            feats_b = tf.reshape(tf.stack(columns, axis=1), [-1, feats_a.shape[1]])
        else:
            size = tf.shape(images_a)[0]
            feats = self.network(tf.concat([images_a, images_b], axis=0), training=training)
            (feats_a, feats_b) = (feats[:size], feats[size:])
        return tf.repeat(feats_a, self.k, axis=0), feats_b
