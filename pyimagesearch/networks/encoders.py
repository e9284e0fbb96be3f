"""The networks beside the article's: pixels in, embedding out."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops
from keras.models import Model

from pyimagesearch.config import SIDES
from pyimagesearch.metrics import MEMBERS, Tensor
from pyimagesearch.system.terminal import InputError, first_line, printable

Shape = tuple[int, int, int]  # height, width, channels


def build_fast_model(
    input_shape: Shape,
    embedding_dim: int = 48,
    filters: Sequence[int] = (16, 64, 128),
    sides: Sequence[int] = (5, 5, 3),
    padding: str = "valid",
) -> Model:
    """Like LeNet: rounds of CONV => RELU => POOL that keep what is where, then two Dense.

    The article's network averages over the whole image at its end and so forgets where a
    stroke was; this one does not. filters: of one round each; sides: of their windows, in pixels,
    which with padding "valid" see no zeros around. oneDNN is fastest where filters come by 32.
    input_shape: (H, W, C), pixels in [0, 1]. Returns a Model (B, H, W, C) -> (B, embedding_dim).
    """
    x = inputs = layers.Input(input_shape)
    for count, side in zip(filters, sides):
        x = layers.Conv2D(count, side, padding=padding, activation="relu")(x)
        x = layers.MaxPooling2D(pool_size=2)(x)
    x = layers.Dense(128, activation="relu")(layers.Flatten()(x))
    return Model(inputs, layers.Dense(embedding_dim)(x))


def build_best_model(input_shape: Shape, embedding_dim: int = 240) -> Model:
    """Five of build_fast_model side by side, with windows of different sides: an ensemble.

    Each is trained by itself, see metrics.members_contrastive_loss; where one errs, the others
    mostly do not. embedding_dim: of all five together. Returns as build_fast_model.
    """
    (inputs, size) = (layers.Input(input_shape), embedding_dim // MEMBERS)
    members = [build_fast_model(input_shape, size, sides=sides) for sides in SIDES]
    together = layers.Concatenate()([member(inputs) for member in members])
    return Model(inputs, layers.Rescaling(MEMBERS**-0.5)(together))


def over_places(network: Model, places: Sequence[tuple[int, int]]) -> Model:
    """The mean of what a network makes of an image at several places, its convolutions shared.

    network: build_fast_model's or build_best_model's, (B, H, W, C) -> (B, D). places: (down,
    across), up to 2 pixels. Returns a Model (B, H + 2, W + 2, C) -> (B, D), of the same layers.
    A convolution is computed once for all places; from a pooling on, once for those that lie an
    even number of pixels apart.
    """
    (_, height, width, channels) = network.input_shape
    (image, rest) = (layers.Input((height + 2, width + 2, channels)), network.layers[1:])
    if members := [layer for layer in rest if isinstance(layer, Model)]:
        means = [over_places(member, places)(image) for member in members]
        return Model(image, rest[-1](rest[-2](means)))
    maps = [(image, list(places))]  # each with the places to be cut from it, in its own pixels
    while not isinstance(rest[0], layers.Flatten):
        if isinstance(rest[0], layers.MaxPooling2D):  # a map for each start p, q
            maps = [
                (x[:, p:, q:], [(i // 2, j // 2) for i, j in at if (i % 2, j % 2) == (p, q)])
                for x, at in maps
                for p, q in sorted({(i % 2, j % 2) for i, j in at})
            ]
        layer = rest.pop(0)
        maps = [(layer(x), at) for x, at in maps]
    (_, height, width, _) = rest[0].input.shape
    windows = [x[:, i : i + height, j : j + width] for x, at in maps for i, j in at]
    x = layers.Concatenate(axis=0)(windows)
    for layer in rest:
        x = layer(x)
    return Model(image, ops.mean(ops.reshape(x, (len(places), -1, x.shape[1])), axis=0))


def build_keras_io_model(input_shape: Shape, embedding_dim: int = 10) -> Model:
    """The network of keras.io's example: BatchNorm on unscaled pixels, tanh, average pooling.

    input_shape: (H, W, C), pixels in [0, 255]. Returns as build_fast_model, numbers from -1 to 1.
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
    without_top: dict = {"weights": None, "include_top": False, "pooling": "avg"}
    base = keras.applications.MobileNetV2(input_tensor=inputs, **without_top)
    for layer in base.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.9  # its statistics follow the batches fast: a folder has few
    return Model(inputs, layers.UnitNormalization()(base.output))


# of EfficientNet-Lite2, a network that has seen a million photos: Google's release, Apache-2.0
WEIGHTS = Path(__file__).parents[1] / "data" / "efficientnet_lite2.npz"
STAGES = (  # repeats, kernel, stride, expansion, channels
    (1, 3, 1, 1, 16), (3, 3, 2, 6, 24), (3, 5, 2, 6, 48), (4, 3, 2, 6, 88),
    (4, 5, 1, 6, 120), (5, 5, 2, 6, 208), (1, 3, 1, 6, 352),
)  # fmt: skip
POOLED = {10: 4, 14: 4, 20: 2}  # block: tiles a side that its output is averaged over
LAST_LAYER = 1280
FEATURES = 88 * 16 + 120 * 16 + 352 * 4 + LAST_LAYER  # 6,016


def build_efficientnet_lite2(input_shape: Shape, embedding_dim: int = 1280) -> Model:
    """EfficientNet-Lite2 without its classifier, averaged over the image, of length 1.

    Source: M. Tan, Q. Le, "EfficientNet", 2019. With the weights that ship, each BatchNormalization
    folded into the convolution before it: nothing follows a batch. input_shape: (H, W, 3) from 32
    pixels up, RGB in [0, 1]. Returns a Model (B, H, W, 3) -> float32 (B, 1280).
    """
    (inputs, _, last) = _layers(input_shape)
    return Model(inputs, layers.UnitNormalization()(layers.GlobalAveragePooling2D()(last)))


def build_features(input_shape: Shape, embedding_dim: int = FEATURES) -> Model:
    """What EfficientNet-Lite2 sees at four depths, side by side.

    Blocks 10 and 14 averaged over 4x4 tiles, block 20 over 2x2, the last layer over the image:
    88 * 16 + 120 * 16 + 352 * 4 + 1280 = 6,016 numbers. Input as build_efficientnet_lite2. Returns
    a Model (B, H, W, 3) -> float32 (B, 6016): embedding_dim is the network's own.
    """
    (inputs, blocks, last) = _layers(input_shape)
    depths = [layers.Flatten()(averaged_over(blocks[k], side)) for k, side in POOLED.items()]
    return Model(inputs, layers.Concatenate()([*depths, layers.GlobalAveragePooling2D()(last)]))


def _layers(input_shape):
    # (inputs, the output of each block, the last map)
    with np.load(WEIGHTS) as data:  # in the order of the layers
        stored = iter([data[name].astype("float32") for name in data.files])

    def convolved(layer, x, relu=True):
        x = layer(x)
        (kernel, gamma, beta, mean, variance) = (next(stored) for _ in range(5))
        scale = gamma / np.sqrt(variance + 1e-3)  # the folded normalization's epsilon
        one_a_channel = kernel.shape[-1] == 1  # kernels (h, w, C, 1), else (…, C)
        kernel *= scale[:, None] if one_a_channel else scale
        layer.set_weights([kernel, beta - mean * scale])
        return layers.ReLU(6.0)(x) if relu else x

    inputs = layers.Input(input_shape)
    x = layers.Rescaling(255 / 128, offset=-127 / 128)(inputs)  # the weights want (x - 127) / 128
    x = convolved(layers.Conv2D(32, 3, 2, "same"), x)
    blocks: list[Tensor] = []
    for repeats, kernel, first_stride, expansion, filters in STAGES:
        for repeat in range(repeats):
            (before, name) = (x, f"block_{len(blocks)}")
            stride = first_stride if repeat == 0 else 1
            if expansion > 1:
                x = convolved(layers.Conv2D(x.shape[-1] * expansion, 1, name=f"{name}_expand"), x)
            x = convolved(layers.DepthwiseConv2D(kernel, stride, "same"), x)
            x = convolved(layers.Conv2D(filters, 1), x, relu=False)
            if stride == 1 and before.shape[-1] == filters:
                x = layers.Add()([x, before])
            blocks.append(x)
    return inputs, blocks, convolved(layers.Conv2D(1280, 1), x)


def averaged_over(x: Tensor, side: int) -> Tensor:
    """A map averaged over side x side tiles: (B, H, W, C) -> (B, side, side, C).

    Tiles share a row or column where side does not divide the map's height or width, and repeat
    it where it is larger. TensorFlow's own resize by area has no gradient.
    """

    def tiles(size):  # (size, side): in each column the share of every place in one tile
        (edges, place) = (np.linspace(0, size, side + 1), np.arange(size)[:, np.newaxis])
        overlap = np.clip(np.minimum(edges[1:], place + 1) - np.maximum(edges[:-1], place), 0, 1)
        return (overlap / overlap.sum(axis=0)).astype("float32")

    return resampled(x, tiles(x.shape[1]), tiles(x.shape[2]))


def resampled(x: Tensor, by_row: np.ndarray, by_column: np.ndarray) -> Tensor:
    """A map whose rows and columns are mixed anew: (B, H, W, C) -> (B, I, J, C).

    by_row: (H, I), by_column: (W, J), what each old one gives each new one. In Keras' own layers.
    """
    (rows, columns, channels) = (by_row.shape[1], by_column.shape[1], x.shape[3])
    mixed_rows = layers.EinsumDense("bhwc,hi->biwc", (rows, *x.shape[2:]), trainable=False)
    mixed = layers.EinsumDense("bhwc,wj->bhjc", (rows, columns, channels), trainable=False)
    x = mixed(mixed_rows(x))
    mixed_rows.set_weights([by_row])
    mixed.set_weights([by_column])
    return x


# what a network takes of pixels in [0, 1]: so many times, plus so much. The names are Keras' own
PIXELS: dict[str, tuple[float | list[float], float | list[float]]] = {
    "0..255": (255.0, 0.0), "0..1": (1.0, 0.0), "tf": (2.0, -1.0),  # tf: from -1 to 1
    "torch": ([4.3668, 4.4643, 4.4444], [-2.1179, -2.0357, -1.8044]),  # mean 0, variance 1
    "caffe": (255.0, [-103.939, -116.779, -123.68]),  # mean 0, blue first
}  # fmt: skip


def build_from_file(path: str, pixels: str, input_shape: Shape) -> Model:
    """A Keras model of a file as a network: what it makes of an image, averaged if it is a map.

    path: a model from images (B, H, W, 3) to vectors (B, D), to maps (B, h, w, D) or to tokens
    (B, T, D). pixels: in PIXELS, what it takes. Its BatchNormalizations keep their statistics.
    input_shape: (H, W, 3), RGB in [0, 1]. Returns a Model (B, H, W, 3) -> float32 (B, D).
    """
    (scale, offset) = PIXELS[pixels]
    x = inputs = layers.Input(input_shape)
    if pixels == "caffe":
        x = keras.ops.flip(x, axis=-1)
    x = read_encoder(path)(layers.Rescaling(scale, offset)(x), training=False)
    (x,) = keras.tree.flatten(x)  # it may be in a list or a dictionary
    if len(x.shape) > 2:
        x = keras.ops.mean(x, axis=tuple(range(1, len(x.shape) - 1)))
    return Model(inputs, x)


def read_encoder(path: str) -> Model:
    """The Keras model of a file, see build_from_file. Raises InputError where it is none."""
    try:
        model = keras.models.load_model(path, compile=False)
        (shape, (output, *more)) = (model.input_shape, [x.shape for x in model.outputs])
        is_map = not more and len(output) in (2, 3, 4) and output[-1]
        if is_map and len(shape) == 4 and shape[3] in (3, None):
            return model
        reason = f"a model from {shape} to {output}"
    except Exception as error:  # Keras raises whatever a file makes it raise
        reason = first_line(error)
    wanted = "a file .keras with a model from images (B, H, W, 3) to vectors or to a map"
    raise InputError(wanted, f"{printable(path)}, {reason}")


def leaves(model: Model) -> list[layers.Layer]:
    """The layers of a model and of the models inside it, in their order."""
    inner = [leaves(x) if isinstance(x, Model) else [x] for x in model.layers]
    return [layer for some in inner for layer in some]


def pixels_of(model: Model) -> str | None:
    """What a model takes, in PIXELS, as its first layers say it; None where they do not."""
    scales = (layers.Rescaling, layers.Normalization)
    first = next((x for x in leaves(model) if x.weights or isinstance(x, scales)), None)
    (scale, mean) = (np.max(getattr(first, name, 1)) for name in ("scale", "mean"))
    return "0..255" if scale < 0.1 or mean > 2 else None


# every network takes (input_shape, embedding_dim); a new one is a function and a line here
NETWORKS: dict[str, Callable[..., Model]] = {
    "fast": build_fast_model, "best": build_best_model,
    # four rounds of small windows, for photos from 16 pixels up
    "photos": partial(build_fast_model, filters=(32, 64, 96, 128), sides=(3,) * 4, padding="same"),
    "keras-io": build_keras_io_model, "dogs": build_dogs_model, "mobilenet": build_mobilenet_model,
    "efficientnet_lite2": build_efficientnet_lite2, "features": build_features,
}  # fmt: skip
BORDERS = {"fast": 4, "best": 4}  # pixels that these see around an image, its edges repeated
# those whose embedding_dim is what it is, and those that are not asked to compute in bfloat16
OWN_SIZES = {"mobilenet": 1280, "efficientnet_lite2": 1280, "features": FEATURES}
IN_FLOAT32 = ("keras-io", "mobilenet", "features")
