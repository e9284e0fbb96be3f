"""EfficientNet-Lite0 with the weights that ship: a network that has seen a million photos.

Source: M. Tan, Q. Le, "EfficientNet", 2019; the weights: Google's release, Apache-2.0.
"""

from pathlib import Path
from typing import Any

import numpy as np
from keras import layers
from keras.models import Model

Tensor = Any
WEIGHTS = Path(__file__).parents[1] / "data" / "efficientnet_lite0.npz"
STAGES = (  # repeats, kernel, stride, expansion, channels
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
EPSILON = 1e-3  # of these BatchNormalizations
POOLED = {7: 4, 10: 4, 15: 2}  # block: tiles a side that its output is averaged over
FEATURES = 80 * 16 + 112 * 16 + 320 * 4 + 1280  # 5,632


def build_efficientnet_lite0(input_shape: tuple[int, int, int], embedding_dim: int = 1280) -> Model:
    """EfficientNet-Lite0 without its classifier, averaged over the image, of length 1.

    input_shape: (H, W, 3) from 32 pixels up, RGB in [0, 1]. Returns a Model
    (B, H, W, 3) -> float32 (B, 1280): embedding_dim is the network's own.
    """
    (inputs, _, last) = _layers(input_shape)
    return Model(inputs, layers.UnitNormalization()(layers.GlobalAveragePooling2D()(last)))


def build_features(input_shape: tuple[int, int, int], embedding_dim: int = FEATURES) -> Model:
    """What EfficientNet-Lite0 sees at four depths, side by side.

    Blocks 7 and 10 averaged over 4x4 tiles, block 15 over 2x2, the last layer over the image:
    80 * 16 + 112 * 16 + 320 * 4 + 1280 = 5,632 numbers. Each BatchNormalization is folded into
    the convolution before it: nothing follows a batch. Input as build_efficientnet_lite0. Returns
    a Model (B, H, W, 3) -> float32 (B, 5632): embedding_dim is the network's own.
    """
    (inputs, blocks, last) = _layers(input_shape, folded=True)
    depths = [layers.Flatten()(averaged_over(blocks[k], side)) for k, side in POOLED.items()]
    return Model(inputs, layers.Concatenate()([*depths, layers.GlobalAveragePooling2D()(last)]))


def _layers(input_shape, folded=False):
    # (inputs, the output of each block, the last map); folded: without BatchNormalization
    with np.load(WEIGHTS) as data:  # in the order of the layers
        stored = iter([data[name].astype("float32") for name in data.files])

    def convolved(layer, x, relu=True):
        x = layer(x)
        (kernel, *normalized) = (next(stored) for _ in range(5))
        if folded:
            (gamma, beta, mean, variance) = normalized
            scale = gamma / np.sqrt(variance + EPSILON)
            one_a_channel = kernel.shape[-1] == 1  # kernels (h, w, C, 1), else (…, C)
            kernel *= scale[:, None] if one_a_channel else scale
            layer.set_weights([kernel, beta - mean * scale])
        else:
            layer.set_weights([kernel])
            # the statistics follow the batches fast: a folder has few of them
            normalization = layers.BatchNormalization(momentum=0.9, epsilon=EPSILON)
            x = normalization(x)
            normalization.set_weights(normalized)
        return layers.ReLU(6.0)(x) if relu else x

    inputs = layers.Input(input_shape)
    x = layers.Rescaling(255 / 128, offset=-127 / 128)(inputs)  # the weights want (x - 127) / 128
    x = convolved(layers.Conv2D(32, 3, 2, "same", use_bias=folded), x)
    blocks: list[Tensor] = []
    for repeats, kernel, first_stride, expansion, filters in STAGES:
        for repeat in range(repeats):
            (before, name) = (x, f"block_{len(blocks)}")
            stride = first_stride if repeat == 0 else 1
            if expansion > 1:
                wide = x.shape[-1] * expansion
                x = convolved(layers.Conv2D(wide, 1, use_bias=folded, name=f"{name}_expand"), x)
            x = convolved(layers.DepthwiseConv2D(kernel, stride, "same", use_bias=folded), x)
            x = convolved(layers.Conv2D(filters, 1, use_bias=folded), x, relu=False)
            if stride == 1 and before.shape[-1] == filters:
                x = layers.Add()([x, before])
            blocks.append(x)
    return inputs, blocks, convolved(layers.Conv2D(1280, 1, use_bias=folded), x)


def averaged_over(x: Tensor, side: int) -> Tensor:
    """A map averaged over side x side tiles: (B, H, W, C) -> (B, side, side, C).

    Tiles share a row or column where side does not divide the map's height or width, and repeat
    it where it is larger. TensorFlow's own resize by area has no gradient.
    """

    def tiles(size):  # (size, side): in each column the share of every place in one tile
        edges = np.linspace(0, size, side + 1)
        place = np.arange(size)[:, np.newaxis]
        overlap = np.clip(np.minimum(edges[1:], place + 1) - np.maximum(edges[:-1], place), 0, 1)
        return (overlap / overlap.sum(axis=0)).astype("float32")

    return resampled(x, tiles(x.shape[1]), tiles(x.shape[2]))


def resampled(x: Tensor, by_row: np.ndarray, by_column: np.ndarray) -> Tensor:
    """A map whose rows and columns are mixed anew: (B, H, W, C) -> (B, I, J, C).

    by_row: (H, I), by_column: (W, J), what each old one gives to each new one. In layers of Keras'
    own, which load in every program.
    """
    (rows, columns, channels) = (by_row.shape[1], by_column.shape[1], x.shape[3])
    mixed_rows = layers.EinsumDense("bhwc,hi->biwc", (rows, *x.shape[2:]), trainable=False)
    mixed = layers.EinsumDense("bhwc,wj->bhjc", (rows, columns, channels), trainable=False)
    x = mixed(mixed_rows(x))
    mixed_rows.set_weights([by_row])
    mixed.set_weights([by_column])
    return x
