"""The article's network to the letter, and the copy that trains faster computes the same."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pyimagesearch import config, siamese_network
from pyimagesearch.siamese_network import (
    NETWORKS,
    SixteenBitDropout,
    accelerate,
    build_encoder,
    build_siamese_model,
)


def test_the_article_s_layers():
    model = build_siamese_model(config.IMG_SHAPE)
    layers = [type(layer).__name__ for layer in model.layers]
    block = ["Conv2D", "MaxPooling2D", "Dropout"]
    assert layers == ["InputLayer", *block, *block, "GlobalAveragePooling2D", "Dense"]
    assert model.output_shape == (None, 48)
    # 64 kernels of 2x2x1 and 64 biases; 64 of 2x2x64 and 64; 64x48 and 48
    assert model.count_params() == (256 + 64) + (16384 + 64) + (3072 + 48)
    assert [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == [
        0.3,
        0.3,
    ]
    assert build_siamese_model((20, 24, 3), embeddingDim=7).output_shape == (None, 7)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("bfloat16", [False, True])
def test_accelerated_network_computes_the_same(name, bfloat16, monkeypatch):
    monkeypatch.setattr(siamese_network, "has_bfloat16", lambda: bfloat16)
    network = NETWORKS[name]((28, 28, 1), 48)
    images = np.random.default_rng(0).random((8, 28, 28, 1), dtype="float32")
    expected, got = np.asarray(network(images)), np.asarray(accelerate(network)(images))
    assert got.dtype == np.float32
    # bfloat16 keeps 8 bits: a few parts in a thousand
    tolerance = 0.02 if bfloat16 else 1e-5
    np.testing.assert_allclose(got, expected, atol=tolerance * np.abs(expected).max())


def test_accelerated_network_has_the_same_gradient(monkeypatch):
    monkeypatch.setattr(siamese_network, "has_bfloat16", lambda: False)
    network = build_siamese_model((8, 8, 1), 4)
    images = tf.constant(np.random.default_rng(0).random((4, 8, 8, 1), dtype="float32"))
    gradients = []
    for model in (network, accelerate(network)):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(images) ** 2)
        gradients.append(tape.gradient(loss, model.trainable_variables))
    for a, b in zip(*gradients):
        np.testing.assert_allclose(a, b, atol=1e-5 * np.abs(a).max())


def test_weights_carry_over_and_scaling_is_inside():
    recipe = config.RECIPES["fast"]
    fast, plain = build_encoder(recipe, accelerated=True), build_encoder(recipe)
    plain.set_weights(fast.get_weights())
    images = np.random.default_rng(0).integers(0, 256, (2, 28, 28, 1), dtype=np.uint8)
    expected = plain.layers[-1](images.astype("float32") / 255)
    np.testing.assert_allclose(plain(images), expected, atol=1e-6)
    np.testing.assert_allclose(fast(images), expected, atol=0.02 * np.abs(expected).max())


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_dropout_meets_its_rate_and_keeps_the_mean(dtype):
    keras.utils.set_random_seed(0)
    layer = SixteenBitDropout(0.3, dtype=dtype)
    x = tf.ones((999, 1001))  # an odd number of values: half a draw is left over
    first, second = np.asarray(layer(x, training=True)), np.asarray(layer(x, training=True))
    n = first.size
    # 4 standard deviations of a share: sqrt(0.3 * 0.7 / n)
    assert abs((first == 0).mean() - 0.3) < 4 * np.sqrt(0.21 / n)
    assert set(np.unique(first)) == {0, np.float32(tf.cast(1 / 0.7, layer.compute_dtype))}
    # two draws are independent: both 0 in 0.3 * 0.3 of the places
    assert abs(((first == 0) & (second == 0)).mean() - 0.09) < 4 * np.sqrt(0.09 * 0.91 / n)
    assert (np.asarray(layer(x, training=False)) == 1).all()
