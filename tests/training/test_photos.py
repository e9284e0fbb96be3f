"""The ways from a network that has seen photos: whitening, the choice between them, their runs."""

import json

import cv2
import keras
import numpy as np
import pytest

import train_contrastive_siamese_network as script
from pyimagesearch import fit
from pyimagesearch.config import RECIPES
from pyimagesearch.data.sets import DataSet, ImageSet
from pyimagesearch.system.terminal import InputError
from pyimagesearch.training import photos as photos_module
from pyimagesearch.training.checkpoints import Checkpoint
from pyimagesearch.training.photos import Choice, areas, features_of, mirror_helps, train, whitening
from tests.scripts import python

LABELS = np.repeat(np.arange(4), 10)


def test_areas_by_hand():
    """On a line: class 0 at 0, 1 and 5, class 1 at 4 and 6."""
    labels = np.array([0, 0, 0, 1, 1])
    (whole, own) = areas(np.array([[0.0], [1], [5], [4], [6]]), labels)
    # same: 1, 5, 4, 2; different: 4, 6, 3, 5, 1, 1. Of the 24 comparisons a same pair is nearer:
    # 1 against 4 6 3 5 and half of 1 1: 5; 5 against 6 and half of 5: 1.5;
    # 4 against 6 5 and half of 4: 2.5; 2 against 4 6 3 5: 4
    assert whole == pytest.approx((5 + 1.5 + 2.5 + 4) / 24)
    # image 0: same 1 5, different 4 6: 3 of 4. image 1: same 1 4, different 3 5: 3 of 4.
    # image 2: same 5 4, different 1 1: 0. image 3: same 2, different 4 3 1: 2 of 3.
    # image 4: same 2, different 6 5 1: 2 of 3
    np.testing.assert_allclose(own, [3 / 4, 3 / 4, 0, 2 / 3, 2 / 3])


def chosen(*embeddings, doubt=1, new_classes=False):
    """What is kept of ways with these embeddings of images of four classes."""
    choice = Choice(ImageSet(np.zeros((40, 1, 1, 1), np.uint8), LABELS), new_classes)
    for number, vectors in enumerate(embeddings):
        choice.add(str(number), number, vectors, doubt)
    return choice


@pytest.mark.parametrize(("axis", "helps"), [(1, True), (2, False)])
def test_mirror_images_help_where_classes_are_not_each_others(axis, helps):
    # noise, brighter in the upper or the lower half, which a mirror leaves there, so that the mean
    # has less of the noise; or in the left or the right one, which the mean makes one
    labels = np.arange(40) % 2
    images = np.random.default_rng(0).integers(0, 200, (40, 8, 8, 1))
    for image, label in zip(np.moveaxis(images, axis, 1), labels):
        image[4 * label : 4 * label + 4] += 40
    inputs = keras.Input((8, 8, 1), dtype="uint8")
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
    encoder = keras.Model(inputs, keras.layers.UnitNormalization()(x))
    assert mirror_helps(encoder, ImageSet(images.astype(np.uint8), labels)) == helps


def test_the_best_is_kept_and_within_its_noise_the_simpler(monkeypatch):
    rng = np.random.default_rng(0)
    classes = np.eye(4)[LABELS]
    noise = rng.normal(0, 0.8, classes.shape)
    poor, good = classes + noise, classes + 0.3 * noise
    assert chosen(poor, good).kept == "1" and chosen(good, poor).kept == "0"
    assert chosen(poor, poor).kept == "0"
    # with doubt -1 what mostly helps stays unless it is clearly worse
    assert chosen(good, good, doubt=-1).kept == "1" and chosen(good, good, doubt=0).kept == "0"
    assert chosen(good, poor, doubt=-1).kept == "0"
    broken = chosen(poor, np.full_like(good, np.nan), good)
    assert broken.kept == "2" and broken.found["1"]["auc"] == 0
    monkeypatch.setattr(photos_module, "MOST_COMPARED", 10)  # two images of each small class
    assert np.bincount(Choice(ImageSet(np.zeros(40), np.arange(40) // 2)).labels).max() == 2


def test_one_feature_whitened_by_hand():
    """Two classes at 0 and 2, 10 and 12: mean 0 and variance 1 afterwards."""
    values, labels = np.array([[0.0], [2], [10], [12]]), np.array([0, 0, 1, 1])
    (kernel, bias) = whitening(values, labels)
    out = values @ kernel + bias
    # mean 6, variance (36 + 16 + 16 + 36) / 4 = 26
    np.testing.assert_allclose(out * np.sign(out[-1]), (values - 6) / 26**0.5, atol=1e-5)


def test_classes_are_round_after_whitening(monkeypatch):
    """Without shrinking, the covariance inside classes becomes a multiple of the identity."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 50)
    values = rng.normal(0, 3, (4, 6))[labels] + rng.normal(size=(200, 6)) * [1, 2, 0.5, 3, 1, 1]
    monkeypatch.setattr(photos_module, "SHRUNK", 0)
    (kernel, bias) = whitening(values, labels)
    out = values @ kernel + bias
    inside = out - np.stack([out[labels == c].mean(axis=0) for c in range(4)])[labels]
    covariance = inside.T @ inside / 200
    np.testing.assert_allclose(covariance / covariance[0, 0], np.eye(6), atol=1e-3)
    assert out.var(axis=0).mean() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("labels", [[0, 1, 2, 3], [0, 0, 1, 1]])
def test_few_images_and_equal_ones_stay_finite(labels):
    values = np.array([[1.0, 5, 0], [1, 5, 0], [2, 7, 0], [2, 7, 0]])
    (kernel, bias) = whitening(values, np.array(labels))
    assert kernel.shape == (3, 3) and np.isfinite(values @ kernel + bias).all()


def a_network(scale=1 / 255, *more):
    """uint8 (B, 8, 8, 3) -> (B, 192)."""
    x = inputs = keras.Input((8, 8, 3), dtype="uint8")
    for layer in (keras.layers.Rescaling(scale), keras.layers.Flatten(), *more):
        x = layer(x)
    return keras.Model(inputs, x)


def test_features_are_kept_and_follow_image_seed_and_view_alone(tmp_path, monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3)).astype(np.uint8)
    network = a_network()
    recipe = RECIPES["photos"]
    monkeypatch.setenv("CONTRASTIVE_CACHE", str(tmp_path / "one"))
    plain = features_of(network)(images)
    assert plain.dtype == np.float32  # float16 is for the network that ships
    np.testing.assert_allclose(plain, images.reshape(6, -1) / 255, atol=1e-3)
    np.testing.assert_allclose(features_of(a_network(1 / 51))(images), 5 * plain, rtol=1e-5)
    half = a_network(1 / 255, lambda x: keras.ops.minimum(x, 0.5))  # with the first one's weights
    np.testing.assert_array_equal(features_of(half)(images), np.minimum(plain, 0.5))
    whole = features_of(network)(images, recipe, (42, 0))
    for other, view in ((recipe, (42, 1)), (recipe, (1, 0)), (recipe.changed(light=0), (42, 0))):
        assert (features_of(network)(images, other, view) != whole).any()
    with monkeypatch.context() as patch:  # a second time nothing is computed
        patch.setattr(photos_module, "embed", None)
        np.testing.assert_array_equal(features_of(network)(images), plain)
    monkeypatch.setenv("CONTRASTIVE_CACHE", str(tmp_path / "two"))
    alone = features_of(network)(images[3:4], recipe, (42, 0))
    np.testing.assert_array_equal(alone[0], whole[3])


@pytest.fixture
def short_heads(monkeypatch):
    monkeypatch.setattr(photos_module, "HEAD_EPOCHS", 2)
    monkeypatch.setattr(photos_module, "HEAD_STEPS_AND_RATE", ((10, 4e-3), (10, 1e-3)))


def bright_columns(labels, side):
    """Dark noise with a bright column, another one for each class."""
    images = np.random.default_rng(0).integers(0, 20, (len(labels), side, side, 3), np.uint8)
    images[np.arange(len(labels)), :, 2 * labels] += 200
    return images


@pytest.mark.slow
def test_what_cannot_win_is_skipped(short_heads, tmp_path, monkeypatch, said):
    monkeypatch.setenv("CONTRASTIVE_CACHE", str(tmp_path))
    easy = ImageSet(bright_columns(LABELS, 8), LABELS)
    recipe = RECIPES["photos"].changed(image_shape=(8, 8, 3), epochs=1)
    checkpoint = Checkpoint(str(tmp_path), {}, recipe)
    (_, _, found) = train(a_network(), DataSet(easy, easy, easy, easy), recipe, 0, checkpoint)
    assert "skipped training on: held-out AUC is 1.0000 already" in said()
    assert [*found["ways"]][:-1] == ["last layer", "whitened", "two-layer head"]


@pytest.mark.slow
def test_a_folder_by_the_script_and_its_model_alone(short_heads, tmp_path, runs):
    ways = ["last layer", "whitened", "trained on", "seen again"]  # of each kind
    (tmp_path / "mine.toml").write_text(f'base = "photos"\n[training]\nways = {json.dumps(ways)}\n')
    small = ("--image-size", 32, "--batch-size", 8, "--epochs", 1, "--channels", 1)
    flags = ("--recipe", tmp_path / "mine.toml", *small, "--output", tmp_path)
    rng = np.random.default_rng(0)
    for k in range(48):  # noise: no way can tell its classes apart
        file = tmp_path / "hard" / f"class {k % 6}" / f"{k}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(file), rng.integers(0, 256, (32, 32), np.uint8))
    printed = runs(script, "--dataset", tmp_path / "hard", *flags)
    settings = json.loads((tmp_path / "metrics.json").read_text())["settings"]
    (*tried, again) = settings["ways"]
    assert tried == [*ways[:-1], "trained on, averaged"] and again.endswith(", seen again")
    assert f": kept {settings['way']}" in printed
    assert settings["training"]["epochs"] == 1  # as asked for, however few its steps

    # in a process that has TensorFlow and nothing of this project; and with Keras, to train on
    alone = python(
        """
        import sys
        import keras, numpy as np, tensorflow as tf
        model = tf.saved_model.load(sys.argv[1] + "/contrastive_siamese_model")
        images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 1), dtype=np.uint8)
        e = model.embed(tf.constant(images))["embedding"].numpy()
        d = model.serve({"image_a": tf.constant(images[:2]), "image_b": tf.constant(images[1:])})
        apart = np.linalg.norm(e[:2] - e[1:], axis=1)
        np.testing.assert_allclose(d["distance"].numpy().ravel(), apart, atol=1e-3)
        encoder = keras.models.load_model(sys.argv[1] + "/encoder.keras")
        np.testing.assert_allclose(encoder(images), e, atol=1e-4)
        layers = [layer for layer in encoder._flatten_layers() if "conv" in layer.name]
        assert layers and all(layer.trainable for layer in layers)
        assert "pyimagesearch" not in sys.modules
        """,
        tmp_path,
    )
    assert alone.returncode == 0, alone.stderr


def small_encoder():
    inputs = keras.Input((None, None, 3))
    return keras.Model(inputs, keras.layers.Conv2D(8, 3)(keras.layers.Rescaling(1 / 255)(inputs)))


def mobilenet():
    return keras.applications.MobileNetV2((32, 32, 3), alpha=0.35, include_top=False, weights=None)


@pytest.mark.slow
@pytest.mark.parametrize(("encoder", "flags"), [(small_encoder, {}),
                                                (mobilenet, {"encoder_pixels": "tf"})])  # fmt: skip
def test_any_keras_model_takes_the_networks_place(encoder, flags, short_heads):
    keras.utils.set_random_seed(0)
    labels = np.arange(60) % 4
    images = bright_columns(labels, 32)
    model = fit(images, labels, encoder=encoder(), epochs=1, **flags)
    network = model.settings["network"]
    assert network["pixels"] == flags.get("encoder_pixels", "0..255")
    assert {"last layer", "whitened"} < {*model.settings["ways"]}
    assert model.embed(images[:2]).shape == (2, model.embedding_dim)


def test_an_encoder_that_is_given_wrong_pixels_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("CONTRASTIVE_CACHE", str(tmp_path))
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), np.uint8)
    recipe = RECIPES["photos"].changed(image_shape=(8, 8, 3), pixels="0..1")
    part = ImageSet(images, LABELS)
    inputs = keras.Input((8, 8, 3), dtype="uint8")  # hardly anything of the pixels, and much else
    pixels = keras.layers.Flatten()(keras.layers.Rescaling(1e-5, offset=1.0)(inputs))
    data = DataSet(part, part, part, part)
    with pytest.raises(InputError, match=r"hardly does, with --encoder-pixels 0\.\.1"):
        train(keras.Model(inputs, pixels), data, recipe, 0, Checkpoint(".", {}, recipe))
