"""The article's network to the letter, and the copy that trains faster computes the same."""

import io

import keras
import numpy as np
import pytest
import tensorflow as tf

from pyimagesearch import config, siamese_network
from pyimagesearch.evaluation.distances import unit_length
from pyimagesearch.networks import acceleration, encoders
from pyimagesearch.networks.acceleration import EightBitDropout, InParts, accelerate
from pyimagesearch.siamese_network import SisterNetworks, build_encoder, seen_again
from pyimagesearch.system.terminal import InputError


def test_the_article_s_layers():
    model = siamese_network.build_siamese_model(config.IMG_SHAPE)
    layers = [type(layer).__name__ for layer in model.layers]
    block = ["Conv2D", "MaxPooling2D", "Dropout"]
    assert layers == ["InputLayer", *block, *block, "GlobalAveragePooling2D", "Dense"]
    assert model.output_shape == (None, 48)
    # 64 kernels of 2x2x1 and 64 biases; 64 of 2x2x64 and 64; 64x48 and 48
    assert model.count_params() == (256 + 64) + (16384 + 64) + (3072 + 48)
    assert [x.rate for x in model.layers if isinstance(x, keras.layers.Dropout)] == [0.3, 0.3]
    small = siamese_network.build_siamese_model((20, 24, 3), embeddingDim=7)
    assert small.output_shape == (None, 7)


def test_bfloat16_where_the_processor_multiplies_it(monkeypatch):
    for flags, auto in (("amx_bf16", False), ("avx512_bf16", True)):
        file = io.StringIO(flags)
        monkeypatch.setattr(acceleration, "open", lambda path, file=file: file, raising=False)
        assert acceleration.computes_in_bfloat16("auto") == auto


def outputs_and_gradients(model, pixels, training=False):
    """What a network makes of pixels, and what changes the sum of the squares of that."""

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, pixels.shape[3]))])  # as batches
    def computed(pixels):
        with tf.GradientTape() as tape:
            tape.watch(pixels)
            outputs = model(pixels, training=training)
            loss = tf.reduce_sum(tf.cast(outputs, "float32") ** 2)
        return [outputs, *tape.gradient(loss, [pixels, *model.trainable_weights])]

    return [tf.cast(x, "float32") for x in computed(pixels)]


@pytest.mark.parametrize("name", ["article", "fast", "best", "photos"])
@pytest.mark.parametrize("bfloat16", [False, True])
@pytest.mark.parametrize("images", [1, 7])  # fewer than cores, and no multiple of them
def test_accelerated_network_computes_the_same(name, bfloat16, images, monkeypatch):
    monkeypatch.setattr(acceleration, "computes_in_bfloat16", lambda precision: bfloat16)
    monkeypatch.setattr(acceleration, "AT_ONCE", 4)
    network = siamese_network.NETWORKS[name]((28, 28, 1), 48)
    pixels = tf.constant(np.random.default_rng(0).random((images, 28, 28, 1), dtype="float32"))
    accelerated = accelerate(network)
    assert accelerated(pixels).dtype == tf.float32
    both = [outputs_and_gradients(model, pixels) for model in (network, accelerated)]
    # bfloat16 keeps 8 bits: a few parts in a thousand
    tolerance = 0.02 if bfloat16 else 1e-5
    for a, b in list(zip(*both, strict=True))[: 1 if bfloat16 else None]:
        np.testing.assert_allclose(a, b, atol=tolerance * np.abs(a).max())


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-5), ("bfloat16", 0.03)])
def test_accelerated_convolutions_compute_the_same(precision, tolerance):
    inputs = keras.Input((9, 8, 3))
    x = keras.layers.ReLU(6.0)(keras.layers.Conv2D(8, 1)(inputs))
    for side, stride in ((5, 1), (3, 2), (5, 2)):
        x = keras.layers.DepthwiseConv2D(side, stride, "same")(x)
    network = keras.Model(inputs, keras.layers.Add()([x, x]))
    network.set_weights([w + 0.1 for w in network.get_weights()])  # biases, too
    pixels = tf.constant(np.random.default_rng(0).random((4, 9, 8, 3), dtype="float32"))
    both = (network, InParts(acceleration.accelerate_convolutions(network, precision)))
    for a, b in zip(*(outputs_and_gradients(model, pixels) for model in both), strict=True):
        assert np.abs(a - b).mean() < tolerance * np.abs(a).mean()


def test_one_kernel_normalizes_and_remembers_as_keras_does():
    inputs = keras.Input((2, 2, 2))
    x = keras.layers.ZeroPadding2D(((0, 1), (0, 1)))(inputs)
    x = keras.layers.BatchNormalization(momentum=0.75)(x)
    x = keras.layers.DepthwiseConv2D(3, 2, use_bias=False)(x)  # as MobileNetV2 has it
    x = keras.layers.DepthwiseConv2D(1, activation="relu")(x)  # which has no faster form
    network = keras.Model(inputs, x)
    twin = accelerate(network)
    assert type(twin.layers[2]).__name__ == "OneKernelNormalization"
    pixels = tf.constant(np.random.default_rng(0).random((3, 2, 2, 2), dtype="float32"))
    both = [outputs_and_gradients(model, pixels, training=True) for model in (network, twin)]
    weights = zip(network.get_weights(), twin.get_weights())
    for a, b in [*zip(*both, strict=True), *weights]:
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)
    # 1 and 3: mean 2, variance 1; of the old mean 0 and variance 1 three quarters stay
    layer = acceleration.OneKernelNormalization(momentum=0.75)
    layer(tf.constant([1.0, 3.0], shape=(1, 1, 2, 1)), training=True)
    (mean, variance) = layer.get_weights()[2:]
    assert (mean.item(), variance.item()) == (0.5, 1.0)


def test_parameters_of_the_other_texts():
    # keras.io prints 5,318 and 5,324; the head: 4 of its BatchNorm, 2 of its Dense
    assert encoders.build_keras_io_model((28, 28, 1)).count_params() == 5318
    assert siamese_network.build_comparison(config.RECIPES["keras-io"]).count_params() == 6
    # 46,464 features, 11 x 11 x 384, as the dogs text has them, each with 1,024 weights
    assert (46464, 1024) in {w.shape for w in encoders.build_dogs_model((256, 256, 3)).weights}


def test_sisters_of_a_network_with_batch_statistics_go_one_after_the_other():
    keras.utils.set_random_seed(0)
    network = encoders.build_keras_io_model((16, 16, 1), 4)
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 256, (2, 6, 16, 16, 1)).astype("float32")
    sisters = SisterNetworks(network, 1)
    (featsA, featsB) = sisters([a, b], training=True)
    # each batch is normalised by its own mean: adding 50 to one of the two changes neither
    (again, other) = sisters([a + 50, b], training=True)
    np.testing.assert_allclose(again, featsA, atol=1e-4)
    np.testing.assert_allclose(other, featsB, atol=1e-4)
    # two to each of a, side by side: b and a in turn, each again by its own mean
    both = np.stack([b, a - 30], axis=1).reshape(-1, 16, 16, 1)
    (twice, others) = SisterNetworks(network, 2)([a, both], training=True)
    np.testing.assert_allclose(twice, np.repeat(featsA, 2, axis=0), atol=1e-4)
    np.testing.assert_allclose(others[0::2], featsB, atol=1e-4)
    np.testing.assert_allclose(others[1::2], featsA, atol=1e-4)


def test_smaller_images_are_enlarged_and_coloured_inside_the_model():
    recipe = config.RECIPES["article"].changed(least_shape=(32, 32, 3), image_shape=(16, 16, 1))
    encoder = build_encoder(recipe)
    assert encoder.input_shape == (None, 16, 16, 1)
    images = np.full((1, 16, 16, 1), 51, np.uint8)
    expected = encoder.layers[-1](np.full((1, 32, 32, 3), 0.2, "float32"))
    np.testing.assert_allclose(encoder(images), expected, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name, shape, shifts", [("fast", (27, 22), [(0, 0), (1, 1), (-1, -1)]),
    ("best", (28, 28), [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)])])  # fmt: skip
def test_the_saved_encoder_takes_the_mean_over_shifted_images(name, shape, shifts):
    recipe = config.RECIPES[name].changed(image_shape=(*shape, 1))
    encoder, training = build_encoder(recipe), build_encoder(recipe, accelerated=True)
    encoder.set_weights(training.get_weights())
    images = np.full((2, *shape, 1), 9, np.uint8)  # a ground that is not black: edges are repeated
    images[:, 8:20, 8:20] = np.random.default_rng(0).integers(0, 256, (2, 12, 12, 1))
    network = build_encoder(recipe.changed(test_views=1))
    network.set_weights(training.get_weights())
    expected = np.mean([network(np.roll(images, shift, (1, 2))) for shift in shifts], axis=0)
    np.testing.assert_allclose(encoder(images), expected, atol=1e-5)
    assert np.abs(network(images) - expected).max() > 1e-3


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_dropout_meets_its_rate_and_keeps_the_mean(dtype):
    keras.utils.set_random_seed(0)
    layer = EightBitDropout(0.3, dtype=dtype)
    x = tf.ones((999, 1001))  # an odd number of values: part of a draw is left over
    calls = np.array([layer(x, training=True) for _ in range(40)], np.float32)
    # 0.3 * 256 = 76.8: of 256 numbers 77 are dropped in 8 of 10 calls, 76 in the others. Within
    # 4 standard deviations of 40 calls, and of all values
    deviations = np.sqrt([0.8 * 0.2 / 40 / 256**2, 0.3 * 0.7 / calls.size])
    assert abs((calls == 0).mean() - 0.3) < 4 * deviations.sum()
    assert set(np.unique(calls)) == {0, np.float32(tf.cast(1 / 0.7, layer.compute_dtype))}
    assert (np.asarray(layer(x, training=False)) == 1).all()


def first_column_and_mean():
    """uint8 (B, 12, 4, 1) -> the mean of the first column and of all, brought to length 1."""
    inputs = keras.Input((12, 4, 1), dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(inputs)
    first = keras.ops.mean(x[:, :, 0], axis=1)
    pair = keras.layers.Concatenate()([first, keras.ops.mean(x, axis=(1, 2))])
    return keras.Model(inputs, keras.layers.UnitNormalization()(pair))


def test_the_mean_of_an_image_and_its_middle():
    """Rows 1 to 10 of 12 are the middle; of four columns none is left out: 4 / 12 rounds to 0."""
    image = np.zeros((1, 12, 4, 1), np.uint8)
    image[0, 1:11, 0] = 90  # ten of twelve rows of the first column; of the middle all
    image[0, :, 1:] = 30
    # the image: (75, (75 + 3 * 30) / 4); its middle, enlarged: (90, (90 + 3 * 30) / 4)
    wanted = unit_length(unit_length(np.array([[75, 41.25]])) + unit_length(np.array([[90, 45.0]])))
    again = seen_again(first_column_and_mean())
    np.testing.assert_allclose(again(image).numpy(), wanted, atol=1e-6)
    mixed = np.concatenate([image, 255 - image, image])  # each image has its own views
    np.testing.assert_allclose(again(mixed).numpy()[[0, 2]], wanted.repeat(2, axis=0), atol=1e-6)


def test_with_mirror_images_an_image_is_as_its_mirror_image(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (5, 12, 4, 1), np.uint8)
    encoder = first_column_and_mean()
    again = seen_again(encoder, mirror=True)
    np.testing.assert_allclose(again(images), again(images[:, :, ::-1]), atol=1e-6)
    assert np.abs(encoder(images).numpy() - encoder(images[:, :, ::-1]).numpy()).max() > 0.01
    # each of the encoder's weights once, and what enlarges rows and columns
    assert again.count_params() == encoder.count_params() + 12 * 12 + 4 * 4
    again.save(tmp_path / "encoder.keras")
    loaded = keras.models.load_model(tmp_path / "encoder.keras")
    np.testing.assert_array_equal(loaded(images), again(images))


@pytest.mark.slow
def test_the_features_are_those_of_the_network_and_its_norms_are_folded_into_convolutions():
    network = encoders.build_efficientnet_lite2((64, 48, 3))
    images = np.random.default_rng(0).random((2, 64, 48, 3)).astype("float32")
    with np.load(encoders.WEIGHTS) as data:
        (kernel, gamma, beta, mean, variance) = (data[k].astype("float32") for k in data.files[:5])
    plain = tf.nn.conv2d((255 * images - 127) / 128, kernel, 2, "SAME")
    normalized = gamma * (plain - mean) / np.sqrt(variance + 1e-3) + beta
    first = keras.Model(network.input, network.layers[2].output)(images)
    np.testing.assert_allclose(first, normalized, atol=1e-4)
    features = encoders.build_features((64, 48, 3))
    assert not any(isinstance(x, keras.layers.BatchNormalization) for x in features.layers)
    found = np.asarray(features(images))
    assert found.shape == (2, encoders.FEATURES) == (2, 6016)
    adds = [layer for layer in network.layers if isinstance(layer, keras.layers.Add)]
    maps = [layer for layer in network.layers if isinstance(layer, keras.layers.ReLU)]
    # block 10 is the seventh that adds its input: two of stages 2 and 3, three of stage 4
    for layer, pooled in ((adds[6], found[:, :1408]), (maps[-1], found[:, -1280:])):
        of_layer = keras.Model(network.input, layer.output)(images)
        whole = np.asarray(of_layer).mean(axis=(1, 2))
        tiles = pooled.reshape(2, -1, whole.shape[1]).mean(axis=1)  # of 4x3 places: 4x4 tiles
        np.testing.assert_allclose(tiles, whole, atol=1e-3)


def test_averages_over_tiles_by_hand():
    rows = np.arange(3, dtype="float32").reshape(1, 3, 1, 1)
    # two tiles of one and a half rows: (0 + 1 / 2) / 1.5 and (1 / 2 + 2) / 1.5
    inputs = keras.Input((3, 2, 1))
    averages = keras.Model(inputs, encoders.averaged_over(inputs, 2))
    found = np.ravel(averages(np.repeat(rows, 2, axis=2)))
    np.testing.assert_allclose(found, [1 / 3, 1 / 3, 5 / 3, 5 / 3], rtol=1e-6)


def test_a_model_of_a_file_gets_the_pixels_it_takes(tmp_path):
    """By hand: red, of which the model puts out a map of the pixels as it gets them."""
    (path, red) = (str(tmp_path / "encoder.keras"), np.float32([[[[1, 0, 0]] * 2] * 2]))
    inputs = keras.Input((None, None, 3))
    keras.Model(inputs, {"map": keras.layers.AveragePooling2D(1)(inputs)}).save(path)
    wanted = {
        "0..255": [255, 0, 0],
        "0..1": [1, 0, 0],
        "tf": [1, -1, -1],
        "torch": [(1 - 0.485) / 0.229, -0.456 / 0.224, -0.406 / 0.225],
        "caffe": [0 - 103.939, 0 - 116.779, 255 - 123.68],  # blue first
    }
    assert wanted.keys() == encoders.PIXELS.keys()
    for pixels, values in wanted.items():
        found = encoders.build_from_file(path, pixels, (2, 2, 3))(red)
        np.testing.assert_allclose(found, [values], rtol=1e-4)
    assert encoders.pixels_of(encoders.read_encoder(path)) is None
    for scale, pixels in ((1 / 255, "0..255"), (2.0, None)):
        conv = keras.layers.Conv2D(2, 1)(keras.layers.Rescaling(scale)(inputs))
        scaled = keras.Model(inputs, keras.Model(inputs, conv)(inputs))
        assert encoders.pixels_of(scaled) == pixels


def test_what_is_no_encoder_is_refused(tmp_path):
    (tmp_path / "text.keras").write_text("abc")
    inputs = keras.Input((5,))
    keras.Model(inputs, keras.layers.Dense(2)(inputs)).save(tmp_path / "vectors.keras")
    inputs = keras.Input((8, 8, 3))
    keras.Model(inputs, [keras.layers.Flatten()(inputs)] * 2).save(tmp_path / "two.keras")
    for name in ("text", "vectors", "two", "missing"):
        with pytest.raises(InputError, match=rf"model from images .B, H, W, 3.*{name}\.keras, "):
            encoders.read_encoder(str(tmp_path / f"{name}.keras"))
