"""EfficientNet-Lite0 with the weights that ship: a network that has seen a million photos."""

from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras.layers import (
    Add,
    BatchNormalization,
    Concatenate,
    Conv2D,
    DepthwiseConv2D,
    EinsumDense,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    ReLU,
    Rescaling,
    UnitNormalization,
)
from keras.models import Model

Tensor = Any
WEIGHTS = Path(__file__).parents[1] / "data" / "efficientnet_lite0.npz"
STAGES = (  # repeats, kernel, stride, expansion, channels: Tan and Le, 2019, in Google's Lite form
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
NORM_OF = {  # a convolution, and the BatchNormalization that follows it
    "conv_stem": "bn0",
    "expand_conv": "bn0",
    "depthwise_conv": "bn1",
    "project_conv": "bn2",
    "conv_head": "bn1",
}
EPSILON = 1e-3  # of these BatchNormalizations
POOLED = {7: 4, 10: 4, 15: 2}  # block: tiles a side that its output is averaged over
FEATURES = 80 * 16 + 112 * 16 + 320 * 4 + 1280  # 5,632


def build_efficientnet_lite0(
    input_shape: tuple[int, int, int], embedding_dim: int = 1280
) -> keras.Model:
    """EfficientNet-Lite0 without its classifier, averaged over the image, with ImageNet's weights.

    The vectors leave it with length 1, as build_mobilenet_model's.
    input_shape: (H, W, 3) from 32 pixels up, RGB in [0, 1]. Returns a Model
    (B, H, W, 3) -> float32 (B, 1280). Raises ValueError for another embedding_dim than 1280.
    Source: M. Tan, Q. Le, "EfficientNet", 2019; the weights: Google's release, Apache-2.0.
    """
    if embedding_dim != 1280:
        raise ValueError(
            f"Expected 1280, EfficientNet-Lite0's own size. Received: {embedding_dim}."
        )
    (inputs, _, last) = _layers(input_shape)
    for layer in Model(inputs, last).layers:  # a folder has few batches: see build_mobilenet_model
        if isinstance(layer, BatchNormalization):
            layer.momentum = 0.9
    model = Model(inputs, UnitNormalization()(GlobalAveragePooling2D()(last)))
    _load_weights(model)
    return model


def build_features(input_shape: tuple[int, int, int], embedding_dim: int = FEATURES) -> keras.Model:
    """What EfficientNet-Lite0 sees at four depths, side by side.

    Blocks 7 and 10 averaged over 4x4 tiles, block 15 over 2x2, the last layer over the image:
    80 * 16 + 112 * 16 + 320 * 4 + 1280 = 5,632 numbers. Each BatchNormalization is folded into
    the convolution before it: as in inference, and nothing in it follows a batch.
    Input as build_efficientnet_lite0. Returns a Model (B, H, W, 3) -> float32 (B, 5632).
    Raises ValueError for another embedding_dim.
    """
    if embedding_dim != FEATURES:
        raise ValueError(
            f"Expected {FEATURES}, the size of four depths. Received: {embedding_dim}."
        )
    (inputs, blocks, last) = _layers(input_shape, folded=True)
    depths = [Flatten()(averaged_over(blocks[k], side)) for k, side in POOLED.items()]
    model = Model(inputs, Concatenate()([*depths, GlobalAveragePooling2D()(last)]))
    _load_weights(model)
    return model


def averaged_over(x: Tensor, side: int) -> Tensor:
    """A map averaged over side x side tiles: (B, H, W, C) -> (B, side, side, C).

    Tiles share a row or column where side does not divide the map's height or width, and repeat
    it where it is larger. See resampled: TensorFlow's resize by area has no gradient.
    """
    (height, width) = x.shape[1:3]
    return resampled(x, _tiles(height, side).T, _tiles(width, side).T)


def resampled(x: Tensor, by_row: np.ndarray, by_column: np.ndarray) -> Tensor:
    """A map whose rows and columns are mixed anew: (B, H, W, C) -> (B, I, J, C).

    by_row: (H, I), by_column: (W, J), what each old one gives to each new one. As two products
    with constant matrices in layers of Keras' own, which load in every program.
    """
    (width, channels) = x.shape[2:]
    ((_, height_out), (_, width_out)) = (by_row.shape, by_column.shape)
    rows = EinsumDense("bhwc,hi->biwc", (height_out, width, channels), trainable=False)
    columns = EinsumDense("bhwc,wj->bhjc", (height_out, width_out, channels), trainable=False)
    x = columns(rows(x))
    rows.set_weights([by_row])
    columns.set_weights([by_column])
    return x


def _tiles(size, side):
    # (side, size): each row the share of every place in one tile, summing to 1
    edges = np.linspace(0, size, side + 1)
    (low, high) = (edges[:-1, None], edges[1:, None])
    place = np.arange(size)
    overlap = np.clip(np.minimum(high, place + 1) - np.maximum(low, place), 0, 1)
    return (overlap / overlap.sum(axis=1, keepdims=True)).astype("float32")


def _layers(input_shape, folded=False):
    # (inputs, the output of each block, the last map); folded: without BatchNormalization
    def finished(x, conv, prefix="", relu=True):
        x = conv(use_bias=folded)(x)
        name = prefix + NORM_OF[conv.keywords["name"].removeprefix(prefix)]
        if not folded:
            x = BatchNormalization(epsilon=EPSILON, name=name)(x)
        return ReLU(6.0, name=f"{name}_relu6")(x) if relu else x

    def conv(filters, kernel, stride, name):
        return partial(Conv2D, filters, kernel, stride, "same", name=name)

    inputs = Input(input_shape)
    x = Rescaling(255 / 128, offset=-127 / 128)(inputs)  # the weights want (x - 127) / 128
    x = finished(x, conv(32, 3, 2, "conv_stem"))
    blocks: list[Tensor] = []
    for repeats, kernel, first_stride, expansion, filters in STAGES:
        for repeat in range(repeats):
            (before, name) = (x, f"blocks_{len(blocks)}_")
            stride = first_stride if repeat == 0 else 1
            if expansion > 1:
                wide = x.shape[-1] * expansion
                x = finished(x, conv(wide, 1, 1, f"{name}expand_conv"), name)
            depthwise = f"{name}depthwise_conv"
            x = finished(x, partial(DepthwiseConv2D, kernel, stride, "same", name=depthwise), name)
            x = finished(x, conv(filters, 1, 1, f"{name}project_conv"), name, relu=False)
            if stride == 1 and before.shape[-1] == filters:
                x = Add(name=f"{name}add")([x, before])
            blocks.append(x)
    return inputs, blocks, finished(x, conv(1280, 1, 1, "conv_head"))


@lru_cache(maxsize=1)
def _stored():
    with np.load(WEIGHTS) as data:
        return {name: data[name].astype("float32") for name in data.files}


def _load_weights(model):
    for layer in model.layers:
        if not layer.weights or isinstance(layer, EinsumDense):
            continue
        if isinstance(layer, BatchNormalization):
            layer.set_weights(_norm(layer.name))
            continue
        kernel = _stored()[f"{_stored_name(layer.name)}.kernel"]
        if not layer.use_bias:
            layer.set_weights([kernel])
            continue
        part = next(part for part in NORM_OF if layer.name.endswith(part))
        (gamma, beta, mean, variance) = _norm(layer.name.removesuffix(part) + NORM_OF[part])
        scale = gamma / np.sqrt(variance + EPSILON)
        one_a_channel = isinstance(layer, DepthwiseConv2D)  # kernels (h, w, C, 1), else (…, C)
        layer.set_weights(
            [kernel * (scale[:, None] if one_a_channel else scale), beta - mean * scale]
        )


def _norm(name):
    parts = ("weight", "bias", "running_mean", "running_var")
    return [_stored()[f"{_stored_name(name)}.{part}"] for part in parts]


def _stored_name(name):
    # blocks_3_bn0 -> _blocks.3._bn0
    (block, _, part) = name.removeprefix("blocks_").partition("_")
    return f"_blocks.{block}._{part}" if name.startswith("blocks_") else f"_{name}"
