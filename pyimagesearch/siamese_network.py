"""The networks, the encoder around one (pixels in, embedding out), and the siamese pair of it."""

# import the necessary packages
import keras
import tensorflow as tf
from keras.layers import (
    Average,
    AveragePooling2D,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Cropping2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    MaxPooling2D,
    Rescaling,
    UnitNormalization,
    ZeroPadding2D,
)
from keras.models import Model

from pyimagesearch import utils
from pyimagesearch.acceleration import accelerate, has_batch_statistics
from pyimagesearch.metrics import MEMBERS


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


def build_fast_model(inputShape, embeddingDim=48, filters=(16, 48, 96)):
    """Like LeNet: rounds of CONV => RELU => POOL that keep what is where, then two Dense.

    The article's network averages over the whole image at its end and so forgets where a
    stroke was; this one does not. filters: of one round each, at least 8 pixels for three.
    inputShape: (H, W, C), pixels in [0, 1]. Returns a Model (B, H, W, C) -> (B, embeddingDim).
    """
    x = inputs = Input(inputShape)
    for count in filters:
        x = Conv2D(count, (5, 5), padding="same", activation="relu")(x)
        x = MaxPooling2D(pool_size=2)(x)
    x = Dense(128, activation="relu")(Flatten()(x))
    return Model(inputs, Dense(embeddingDim)(x))


def build_best_model(inputShape, embeddingDim=144):
    """Three of build_fast_model with more filters, side by side: an ensemble.

    Each is trained by itself, see metrics.members_contrastive_loss; where one errs, the others
    mostly do not. embeddingDim: of all three together. Returns as build_fast_model.
    """
    inputs = Input(inputShape)
    size = embeddingDim // MEMBERS
    members = [build_fast_model(inputShape, size, (24, 64, 128)) for _ in range(MEMBERS)]
    together = Concatenate()([member(inputs) for member in members])
    return Model(inputs, Rescaling(MEMBERS**-0.5)(together))


def build_photo_model(inputShape, embeddingDim=48):
    """Four rounds of CONV => RELU => POOL with small windows, for photos from 16 pixels up.

    inputShape: (H, W, C), pixels in [0, 1]. Returns a Model (B, H, W, C) -> (B, embeddingDim).
    """
    x = inputs = Input(inputShape)
    for count in (32, 64, 96, 128):
        x = Conv2D(count, (3, 3), padding="same", activation="relu")(x)
        x = MaxPooling2D(pool_size=2)(x)
    x = Dense(128, activation="relu")(Flatten()(x))
    return Model(inputs, Dense(embeddingDim)(x))


def build_keras_io_model(inputShape, embeddingDim=10):
    """The network of keras.io's example: BatchNorm on unscaled pixels, tanh, average pooling.

    inputShape: (H, W, C), pixels in [0, 255]. Returns a Model (B, H, W, C) -> (B, embeddingDim),
    each number between -1 and 1.
    """
    inputs = Input(inputShape)
    x = BatchNormalization()(inputs)
    x = Conv2D(4, (5, 5), activation="tanh")(x)
    x = AveragePooling2D(pool_size=(2, 2))(x)
    x = Conv2D(16, (5, 5), activation="tanh")(x)
    x = AveragePooling2D(pool_size=(2, 2))(x)
    x = BatchNormalization()(Flatten()(x))
    return Model(inputs, Dense(embeddingDim, activation="tanh")(x))


def build_dogs_model(inputShape, embeddingDim=1):
    """The dogs text's network: three convolutions without padding, then 1024, 256 and one number.

    inputShape: (256, 256, 3), pixels in [0, 1]. Returns a Model (B, H, W, C) -> (B, embeddingDim).
    """
    inputs = Input(inputShape)
    x = Conv2D(256, (11, 11), strides=4, activation="relu")(inputs)
    x = MaxPooling2D(pool_size=3, strides=2)(x)
    x = Conv2D(256, (5, 5), activation="relu")(x)
    x = MaxPooling2D(pool_size=2, strides=2)(x)
    x = Conv2D(384, (3, 3), activation="relu")(x)
    x = Dense(1024)(Flatten()(x))  # no activation between these three, as the text has it
    x = Dense(256)(x)
    return Model(inputs, Dense(embeddingDim)(x))


def build_mobilenet_model(inputShape, embeddingDim=1280):
    """The triplet text's network: MobileNetV2 without its top, averaged over the image.

    The vectors leave it with length 1: the cosine distance does not see lengths. Its statistics
    follow the batches with momentum 0.9, not 0.999: a folder has few batches.
    inputShape: (H, W, 3) from 32 pixels up, pixels in [0, 1]. Returns a Model
    (B, H, W, C) -> (B, embeddingDim). Raises ValueError for another embeddingDim than 1280.
    """
    if embeddingDim != 1280:
        raise ValueError(f"Expected 1280, MobileNetV2's own size. Received: {embeddingDim}.")
    inputs = Input(inputShape)
    base = keras.applications.MobileNetV2(
        weights=None, include_top=False, pooling="avg", input_tensor=inputs
    )
    for layer in base.layers:
        if isinstance(layer, BatchNormalization):
            layer.momentum = 0.9
    return Model(inputs, UnitNormalization()(base.output))


NETWORKS = {
    "article": build_siamese_model,
    "fast": build_fast_model,
    "best": build_best_model,
    "photos": build_photo_model,
    "keras-io": build_keras_io_model,
    "dogs": build_dogs_model,
    "mobilenet": build_mobilenet_model,
}

# what a model makes of the distance: itself, or how different two images are, from 0 to 1
HEADS = {
    "none": lambda distance: distance,
    "sigmoid": lambda distance: Dense(1, activation="sigmoid")(distance),
    "normalized_sigmoid": lambda distance: Dense(1, activation="sigmoid")(
        BatchNormalization()(distance)
    ),
}


def build_encoder(recipe, accelerated=False):
    """The recipe's network with its pixel scaling in front: uint8 (B, H, W, C) -> float32 (B, D).

    Images smaller than the recipe's least_shape are enlarged, grey ones repeated in colour.
    accelerated: compute in the ways that train fastest on this processor, and without the mean
    over shifted images, recipe.test_shift. The weights are the same in number, order and
    meaning, so set_weights carries them from one to the other.
    """
    (height, width, channels) = shape = network_shape(recipe)
    network = NETWORKS[recipe.network](shape, recipe.embedding_dim)
    if accelerated:
        network = accelerate(network)
    inputs = Input(recipe.image_shape, dtype="uint8")
    x = Rescaling(recipe.pixel_scale)(inputs)
    if shape[:2] != recipe.image_shape[:2]:
        # not the layer Resizing, which would switch the dropout behind it on
        x = keras.ops.image.resize(x, (height, width))
    if channels != recipe.image_shape[2]:
        x = Concatenate()([x] * channels)
    if accelerated or not recipe.test_shift:
        return Model(inputs, network(x))
    width = 2 * recipe.test_shift  # black comes in at the edges
    padded = ZeroPadding2D(recipe.test_shift)(x)
    crops = [((i, width - i), (j, width - j)) for i in range(width + 1) for j in range(width + 1)]
    return Model(inputs, Average()([network(Cropping2D(crop)(padded)) for crop in crops]))


def network_shape(recipe):
    """The shape of the images inside the model: the data's, at least the recipe's least_shape."""
    return tuple(max(pair) for pair in zip(recipe.image_shape, recipe.least_shape))


def build_comparison(recipe):
    """(featsA, featsB) -> what the recipe's model puts out, float32 (B, 1), smaller = more alike.

    The distance, or with a head how different the two images are, from 0 to 1.
    """
    feats = [Input((recipe.embedding_dim,)) for _ in "AB"]
    distance = utils.DISTANCES[recipe.distance](feats)
    return Model(feats, HEADS[recipe.head](distance))


class SisterNetworks(keras.layers.Layer):
    """(imgA, imgB) -> (featsA, featsB): both through one network, in one pass.

    imgA: (B, H, W, C). imgB: (k B, H, W, C), k images for each of imgA, side by side; an image
    of imgA goes through the network once and its features are repeated for its k pairs.
    Returns two (k B, D). A network with BatchNormalization looks at imgA, the first of each k,
    the second … one after the other: the statistics of each are its own.
    """

    def __init__(self, network, k):
        super().__init__()
        self.network, self.k = network, k

    def call(self, images, training=False):
        (imgA, imgB) = images
        if has_batch_statistics(self.network):
            featsA = self.network(imgA, training=training)
            columns = [self.network(imgB[j :: self.k], training=training) for j in range(self.k)]
            featsB = tf.reshape(tf.stack(columns, axis=1), [-1, featsA.shape[1]])
        else:
            size = tf.shape(imgA)[0]
            feats = self.network(tf.concat([imgA, imgB], axis=0), training=training)
            (featsA, featsB) = (feats[:size], feats[size:])
        return tf.repeat(featsA, self.k, axis=0), featsB
