"""EfficientNet-Lite0 with the weights that ship."""

import keras
import numpy as np
import pytest

from pyimagesearch.networks.efficientnet import (
    FEATURES,
    WEIGHTS,
    averaged_over,
    build_efficientnet_lite0,
    build_features,
)


@pytest.fixture(scope="module")
def network():
    return build_efficientnet_lite0((64, 48, 3))


def test_every_stored_array_is_in_the_network(network):
    with np.load(WEIGHTS) as data:
        stored = sum(data[name].size for name in data.files)
    assert network.count_params() == stored == 3_413_024
    assert network.output_shape == (None, 1280)


def test_the_first_convolution_by_hand(network):
    """One output of the stem: 27 products, the batch norm and ReLU6."""
    image = np.random.default_rng(0).random((1, 64, 48, 3)).astype("float32")
    first = next(layer for layer in network.layers if isinstance(layer, keras.layers.ReLU))
    stem = keras.Model(network.input, first.output)
    with np.load(WEIGHTS) as data:
        kernel = data["_conv_stem.kernel"].astype("float64")  # (3, 3, 3, 32)
        (gamma, beta, mean, variance) = (
            data[f"_bn0.{name}"] for name in ("weight", "bias", "running_mean", "running_var")
        )
    pixels = (image[0] * 255 - 127) / 128
    # "same" with stride 2 on an even side pads below and to the right: place (5, 7) sees 10, 14 on
    products = np.einsum("ijc,ijcf->f", pixels[10:13, 14:17], kernel)
    expected = np.clip(gamma * (products - mean) / np.sqrt(variance + 1e-3) + beta, 0, 6)
    np.testing.assert_allclose(stem(image)[0, 5, 7], expected, atol=1e-3)


def test_the_features_are_those_of_the_network_with_its_norms(network):
    """Folding each BatchNormalization into the convolution before it changes nothing."""
    images = np.random.default_rng(0).random((2, 64, 48, 3)).astype("float32")
    features = build_features((64, 48, 3))
    assert not any(isinstance(x, keras.layers.BatchNormalization) for x in features.layers)
    found = np.asarray(features(images))
    assert found.shape == (2, FEATURES) == (2, 5632)
    adds = [layer for layer in network.layers if isinstance(layer, keras.layers.Add)]
    maps = [layer for layer in network.layers if isinstance(layer, keras.layers.ReLU)]
    # block 7 is the fourth that adds its input: the second of stages 2 and 3, two of stage 4
    for layer, pooled in ((adds[3], found[:, :1280]), (maps[-1], found[:, -1280:])):
        of_layer = keras.Model(network.input, layer.output)(images)
        whole = np.asarray(of_layer).mean(axis=(1, 2))
        tiles = pooled.reshape(2, -1, whole.shape[1]).mean(axis=1)  # of 4x3 places: 4x4 tiles
        np.testing.assert_allclose(tiles, whole, atol=1e-3)


def test_averages_over_tiles_by_hand():
    rows = np.arange(3, dtype="float32").reshape(1, 3, 1, 1)
    # two tiles of one and a half rows: (0 + 1 / 2) / 1.5 and (1 / 2 + 2) / 1.5
    inputs = keras.Input((3, 2, 1))
    found = np.ravel(keras.Model(inputs, averaged_over(inputs, 2))(np.repeat(rows, 2, axis=2)))
    np.testing.assert_allclose(found, [1 / 3, 1 / 3, 5 / 3, 5 / 3], rtol=1e-6)
