"""The networks, and the encoder around one: uint8 pixels in, embedding out."""

# import the necessary packages
import os
import sys
from itertools import pairwise

import keras
import tensorflow as tf
from keras.layers import (
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    MaxPooling2D,
    Rescaling,
)
from keras.models import Model


def build_siamese_model(inputShape, embeddingDim=48):
    """The article's network: two rounds of CONV => RELU => POOL => DROPOUT, then 48 numbers.

    inputShape: (H, W, C), pixels in [0, 1]. Returns a Model (B, H, W, C) -> (B, embeddingDim).
    """
    # specify the inputs for the feature extractor network
    inputs = Input(inputShape)

    # define the first set of CONV => RELU => POOL => DROPOUT layers
    x = Conv2D(64, (2, 2), padding="same", activation="relu")(inputs)
    x = MaxPooling2D(pool_size=(2, 2))(x)
    x = Dropout(0.3)(x)

    # second set of CONV => RELU => POOL => DROPOUT layers
    x = Conv2D(64, (2, 2), padding="same", activation="relu")(x)
    x = MaxPooling2D(pool_size=2)(x)
    x = Dropout(0.3)(x)

    # prepare the final outputs
    pooledOutput = GlobalAveragePooling2D()(x)
    outputs = Dense(embeddingDim)(pooledOutput)

    # build the model
    model = Model(inputs, outputs)

    # return the model to the calling function
    return model


def build_fast_model(inputShape, embeddingDim=48):
    """Like LeNet: three rounds of CONV => RELU => POOL that keep what is where, then two Dense.

    The article's network averages over the whole image at its end and so forgets where a
    stroke was; this one does not.
    inputShape: (H, W, C), pixels in [0, 1]. Returns a Model (B, H, W, C) -> (B, embeddingDim).
    """
    x = inputs = Input(inputShape)
    for filters in (16, 48, 96):
        x = Conv2D(filters, (5, 5), padding="same", activation="relu")(x)
        x = MaxPooling2D(pool_size=2)(x)
    x = Dense(128, activation="relu")(Flatten()(x))
    return Model(inputs, Dense(embeddingDim)(x))


NETWORKS = {"article": build_siamese_model, "fast": build_fast_model}


def build_encoder(recipe, accelerated=False):
    """The recipe's network with its pixel scaling in front: uint8 (B, H, W, C) -> float32 (B, D).

    accelerated: compute in the ways that train fastest on this processor. The weights are
    the same in number, order and meaning, so set_weights carries them from one to the other.
    """
    network = NETWORKS[recipe.network](recipe.image_shape, recipe.embedding_dim)
    if accelerated:
        network = InParts(accelerate(network))
    inputs = Input(recipe.image_shape, dtype="uint8")
    return Model(inputs, network(Rescaling(recipe.pixel_scale)(inputs)))


def accelerate(network):
    """A copy of a chain of layers that computes the same function in fewer milliseconds.

    Three changes, none to the mathematics: bfloat16 where the processor multiplies it in
    hardware (the last layer stays float32); ReLU after max-pooling instead of before, on a
    quarter of the values (the two commute); dropout masks from half the random bits.
    """
    bfloat16 = "mixed_bfloat16" if has_bfloat16() else "float32"
    followed_by_pooling = {
        layer.name
        for layer, following in pairwise(network.layers)
        if isinstance(following, MaxPooling2D)
        and getattr(layer, "activation", None) is keras.activations.relu
    }

    def copy(layer):
        config = layer.get_config()
        if layer is not network.layers[-1]:
            config["dtype"] = bfloat16
        if layer.name in followed_by_pooling:
            config["activation"] = "linear"
        faster = {MaxPooling2D: MaxPoolingThenReLU, Dropout: SixteenBitDropout}
        return faster.get(type(layer), type(layer)).from_config(config)

    if len(followed_by_pooling) != sum(isinstance(x, MaxPooling2D) for x in network.layers):
        raise ValueError("Expected a ReLU before every MaxPooling2D of an accelerated network.")
    twin = keras.models.clone_model(network, clone_function=copy)
    twin.set_weights(network.get_weights())
    return twin


class SisterNetworks(keras.layers.Layer):
    """(imgA, imgB) -> (featsA, featsB): both through one network, in one pass.

    imgA: (B, H, W, C). imgB: (k B, H, W, C), k images for each of imgA, side by side; an image
    of imgA goes through the network once and its features are repeated for its k pairs.
    Returns two (k B, D).
    """

    def __init__(self, network):
        super().__init__()
        self.network = network

    def call(self, images, training=False):
        (imgA, imgB) = images
        (sizeA, sizeB) = (tf.shape(imgA)[0], tf.shape(imgB)[0])
        feats = self.network(tf.concat([imgA, imgB], axis=0), training=training)
        return tf.repeat(feats[:sizeA], sizeB // sizeA, axis=0), feats[sizeA:]


class InParts(keras.layers.Layer):
    """The same network on the parts of a batch side by side, a part for each core, up to four.

    One chain of layers after the other keeps a core busier than sharing out each small layer:
    it needs TensorFlow to run a layer on one thread, which console.py sees to.
    Not for a network with BatchNormalization, whose statistics are those of a whole batch.
    """

    def __init__(self, network):
        super().__init__(dtype="float32")
        self.network = network
        self.parts = 1 if tf.config.list_physical_devices("GPU") else min(os.cpu_count(), 4)

    def call(self, images, training=False):
        n = tf.shape(images)[0]
        cuts = [n * i // self.parts for i in range(self.parts + 1)]
        parts = [images[a:b] for a, b in pairwise(cuts)]
        return tf.concat([self.network(part, training=training) for part in parts], axis=0)

    def compute_output_shape(self, input_shape):
        return self.network.compute_output_shape(input_shape)


class MaxPoolingThenReLU(MaxPooling2D):
    """relu(maxpool(x)), which equals maxpool(relu(x))."""

    def call(self, inputs):
        return keras.ops.relu(super().call(inputs))


class SixteenBitDropout(Dropout):
    """Dropout that spends 16 random bits a value instead of 32: the rate is met to 1 / 65536."""

    def call(self, inputs, training=False):
        if not training or self.rate == 0:
            return inputs
        seed = self.seed_generator.next()
        size = tf.size(inputs)
        bits = tf.random.stateless_uniform(
            [(size + 1) // 2], seed, minval=None, maxval=None, dtype=tf.uint32
        )
        bits = tf.reshape(tf.bitcast(bits, tf.uint16), [-1])[:size]
        kept = tf.reshape(bits, tf.shape(inputs)) >= round(self.rate * 65536)
        scale = tf.cast(1 / (1 - self.rate), inputs.dtype)
        return inputs * (tf.cast(kept, inputs.dtype) * scale)


def has_bfloat16():
    """Whether this processor multiplies bfloat16 in hardware; elsewhere it would be emulated."""
    if tf.config.list_physical_devices("GPU") or not sys.platform.startswith("linux"):
        return False
    with open("/proc/cpuinfo") as f:
        return "avx512_bf16" in f.read()
