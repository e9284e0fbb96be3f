"""EfficientNet-Lite0 with the weights that ship: a network that has seen a million photos."""

from functools import lru_cache
from pathlib import Path

import keras
import numpy as np
from keras.layers import (
    Add,
    BatchNormalization,
    Conv2D,
    DepthwiseConv2D,
    GlobalAveragePooling2D,
    Input,
    ReLU,
    Rescaling,
    UnitNormalization,
)
from keras.models import Model

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
    (inputs, last) = _layers(input_shape)
    for layer in Model(inputs, last).layers:  # a folder has few batches: see build_mobilenet_model
        if isinstance(layer, BatchNormalization):
            layer.momentum = 0.9
    model = Model(inputs, UnitNormalization()(GlobalAveragePooling2D()(last)))
    _load_weights(model)
    return model


def _layers(input_shape):
    def norm_relu(x, name, relu=True):
        x = BatchNormalization(epsilon=1e-3, name=name)(x)
        return ReLU(6.0, name=f"{name}_relu6")(x) if relu else x

    def conv(x, filters, kernel, stride, name):
        return Conv2D(filters, kernel, stride, "same", use_bias=False, name=name)(x)

    inputs = Input(input_shape)
    x = Rescaling(255 / 128, offset=-127 / 128)(inputs)  # the weights want (x - 127) / 128
    x = norm_relu(conv(x, 32, 3, 2, "conv_stem"), "bn0")
    block = 0
    for repeats, kernel, first_stride, expansion, filters in STAGES:
        for repeat in range(repeats):
            (before, name) = (x, f"blocks_{block}_")
            stride = first_stride if repeat == 0 else 1
            if expansion > 1:
                x = conv(x, x.shape[-1] * expansion, 1, 1, f"{name}expand_conv")
                x = norm_relu(x, f"{name}bn0")
            x = DepthwiseConv2D(
                kernel, stride, "same", use_bias=False, name=f"{name}depthwise_conv"
            )(x)
            x = norm_relu(x, f"{name}bn1")
            x = norm_relu(conv(x, filters, 1, 1, f"{name}project_conv"), f"{name}bn2", relu=False)
            if stride == 1 and before.shape[-1] == filters:
                x = Add(name=f"{name}add")([x, before])
            block += 1
    return inputs, norm_relu(conv(x, 1280, 1, 1, "conv_head"), "bn1")


@lru_cache(maxsize=1)
def _stored():
    with np.load(WEIGHTS) as data:
        return {name: data[name].astype("float32") for name in data.files}


def _load_weights(model):
    for layer in model.layers:
        if not layer.weights:
            continue
        name = "_" + layer.name.replace("blocks_", "blocks.")  # blocks_3_bn0 -> _blocks.3._bn0
        if name.startswith("_blocks."):
            (block, part) = name.removeprefix("_blocks.").split("_", 1)
            name = f"_blocks.{block}._{part}"
        if isinstance(layer, BatchNormalization):
            parts = ("weight", "bias", "running_mean", "running_var")
            layer.set_weights([_stored()[f"{name}.{part}"] for part in parts])
        else:
            layer.set_weights([_stored()[f"{name}.kernel"]])
