"""An encoder that looks at each image several times."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.layers import Concatenate, Input, Rescaling, UnitNormalization

from pyimagesearch import SiameseModel, config
from pyimagesearch.inference import export, saving
from pyimagesearch.networks import views
from pyimagesearch.networks.views import seen_again
from pyimagesearch.siamese_network import build_comparison


def first_column_and_mean():
    """uint8 (B, 12, 4, 1) -> the mean of the first column and of all, brought to length 1."""
    inputs = Input((12, 4, 1), dtype="uint8")
    x = Rescaling(1 / 255)(inputs)
    first = keras.ops.mean(x[:, :, 0], axis=1)
    pair = Concatenate()([first, keras.ops.mean(x, axis=(1, 2))])
    return keras.Model(inputs, UnitNormalization()(pair))


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_the_mean_of_an_image_and_its_middle():
    """Rows 1 to 10 of 12 are the middle; of four columns none is left out: 4 / 12 rounds to 0."""
    image = np.zeros((1, 12, 4, 1), np.uint8)
    image[0, 1:11, 0] = 90  # ten of twelve rows of the first column; of the middle all
    image[0, :, 1:] = 30
    # the image: (75, (75 + 3 * 30) / 4); its middle, enlarged: (90, (90 + 3 * 30) / 4)
    wanted = unit(unit([[75, 41.25]]) + unit([[90, 45]]))
    again = seen_again(first_column_and_mean())
    np.testing.assert_allclose(again(image).numpy(), wanted, atol=1e-6)
    mixed = np.concatenate([image, 255 - image, image])  # each image has its own views
    np.testing.assert_allclose(again(mixed).numpy()[[0, 2]], wanted.repeat(2, axis=0), atol=1e-6)


def test_the_middle_is_as_tensorflow_resizes_it():
    inputs = Input((100, 60, 3))
    middle = keras.Model(inputs, views._middle(inputs))
    images = np.random.default_rng(0).uniform(size=(2, 100, 60, 3)).astype("float32")
    wanted = tf.image.resize(images[:, 8:92, 5:55], (100, 60))
    np.testing.assert_allclose(middle(images), wanted, atol=1e-5)


def test_with_mirror_images_an_image_is_as_its_mirror_image():
    images = np.random.default_rng(0).integers(0, 256, (5, 12, 4, 1), np.uint8)
    encoder = first_column_and_mean()
    again = seen_again(encoder, mirror=True)
    np.testing.assert_allclose(again(images), again(images[:, :, ::-1]), atol=1e-6)
    assert np.abs(encoder(images).numpy() - encoder(images[:, :, ::-1]).numpy()).max() > 0.01


@pytest.mark.parametrize("mirror", [False, True])
def test_it_leaves_as_any_encoder(tmp_path, mirror):
    """As a file of Keras' own, and of LiteRT."""
    inputs = Input((36, 24, 3), dtype="uint8")
    x = keras.layers.Conv2D(4, 3, 2)(Rescaling(1 / 255)(inputs))
    encoder = keras.Model(inputs, UnitNormalization()(keras.layers.Flatten()(x)))
    again = seen_again(encoder, mirror)
    # each of the encoder's weights once, and what enlarges rows and columns
    assert again.count_params() == encoder.count_params() + 36 * 36 + 24 * 24
    images = np.random.default_rng(0).integers(0, 256, (5, 36, 24, 3), np.uint8)
    again.save(tmp_path / "encoder.keras")
    loaded = keras.models.load_model(tmp_path / "encoder.keras")
    np.testing.assert_array_equal(loaded(images), again(images))
    settings = {"image_shape": (36, 24, 3), "threshold": 0.5}
    saving.save(tmp_path / "model", again, build_comparison(config.RECIPES["fast"]), settings)
    model = SiameseModel(tmp_path / "model")
    export.export(model, tmp_path / "encoder.tflite", images)  # raises where they differ
