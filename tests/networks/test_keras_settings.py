"""Another program's Keras settings do not reach this project's networks."""

import keras
import numpy as np
import pytest

from pyimagesearch import config
from pyimagesearch.networks.encoders import keras_defaults
from pyimagesearch.siamese_network import build_comparison, build_encoder, build_siamese_model

pytestmark = pytest.mark.slow


@pytest.fixture(params=["channels_first", "mixed_float16", "mixed_bfloat16", "float16"])
def foreign(request):
    """What another project may have set; afterwards Keras is as it was."""
    order, number = keras.config.image_data_format(), keras.config.floatx()
    policy = keras.config.dtype_policy()
    if request.param == "channels_first":
        keras.config.set_image_data_format("channels_first")
    elif request.param == "float16":
        keras.config.set_floatx("float16")
    else:
        keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_image_data_format(order)
    keras.config.set_floatx(number)
    keras.config.set_dtype_policy(policy)


def same_with(build, *inputs):
    # what is built now computes the same as what is built with Keras' own defaults
    keras.utils.set_random_seed(0)
    found = build()
    with keras_defaults():
        keras.utils.set_random_seed(0)
        expected = build()
    got = np.asarray(found(*inputs))
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, np.asarray(expected(*inputs)))
    return got


@pytest.mark.parametrize("name", ["article", "best", "keras-io"])
def test_an_encoder_is_built_as_ever(name, foreign):
    recipe = config.RECIPES[name].changed(image_shape=(16, 16, 1))
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 1), dtype=np.uint8)
    got = same_with(lambda: build_encoder(recipe), images)
    assert got.shape == (2, recipe.network.embedding_dim)


def test_mobilenet_is_built_channels_last():
    recipe = config.RECIPES["triplet"].changed(image_shape=(32, 32, 3))
    keras.config.set_image_data_format("channels_first")
    try:
        assert build_encoder(recipe).output_shape == (None, 1280)
    finally:
        keras.config.set_image_data_format("channels_last")


def test_smaller_images_are_enlarged_as_ever(foreign):
    recipe = config.RECIPES["fast"].changed(image_shape=(6, 7, 1), least_shape=(8, 8, 3))
    images = np.random.default_rng(0).integers(0, 256, (2, 6, 7, 1), dtype=np.uint8)
    same_with(lambda: build_encoder(recipe), images)


def test_the_article_s_network_and_a_comparison(foreign):
    same_with(lambda: build_siamese_model((28, 28, 1)), np.ones((2, 28, 28, 1), "float32"))
    recipe = config.RECIPES["bce"]
    feats = list(np.random.default_rng(0).random((2, 3, 48), dtype="float32"))
    same_with(lambda: build_comparison(recipe), feats)


def test_the_settings_of_the_other_program_stay(foreign):
    before = (
        keras.config.image_data_format(),
        keras.config.floatx(),
        keras.config.dtype_policy().name,
    )
    build_encoder(config.RECIPES["fast"])
    with pytest.raises(ZeroDivisionError), keras_defaults():
        raise ZeroDivisionError
    after = (
        keras.config.image_data_format(),
        keras.config.floatx(),
        keras.config.dtype_policy().name,
    )
    assert before == after
