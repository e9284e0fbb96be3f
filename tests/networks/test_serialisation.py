"""Models as .keras files: saved in one process, loaded in another that imports the package."""

import keras
import numpy as np
import pytest

from pyimagesearch import config, metrics, utils
from pyimagesearch.data import batches
from pyimagesearch.data.pairs import SAMPLERS
from pyimagesearch.data.sets import ImageSet
from pyimagesearch.networks import acceleration
from pyimagesearch.siamese_network import build_siamese_model
from pyimagesearch.training import build
from tests.scripts import python

pytestmark = pytest.mark.slow


def load_in_a_new_process(imports, path, inputs):
    """What the model of a file, loaded under safe mode, computes in a process of its own."""
    np.savez(path.with_suffix(".npz"), *inputs)
    program = f"""
import sys, {imports}
import keras, numpy as np
model = keras.models.load_model({str(path)!r})
inputs = list(np.load({str(path.with_suffix(".npz"))!r}).values())
np.save({str(path.with_suffix(".npy"))!r}, model(inputs if len(inputs) > 1 else inputs[0]))
assert model.loss is not None
"""
    done = python(program)
    assert done.returncode == 0, done.stderr
    return np.load(path.with_suffix(".npy"))


@pytest.mark.slow
def test_the_article_s_own_model(tmp_path):
    imgA, imgB = keras.Input(config.IMG_SHAPE), keras.Input(config.IMG_SHAPE)
    featureExtractor = build_siamese_model(config.IMG_SHAPE)
    distance = keras.layers.Lambda(utils.euclidean_distance)(
        [featureExtractor(imgA), featureExtractor(imgB)]
    )
    model = keras.Model(inputs=[imgA, imgB], outputs=distance)
    model.compile(loss=metrics.contrastive_loss, optimizer="adam")
    images = list(np.random.default_rng(0).random((2, 3, 28, 28, 1), dtype="float32"))
    model.fit(images, np.array([1, 0, 1]), verbose=0)
    model.save(tmp_path / "model.keras")
    imports = "pyimagesearch.utils, pyimagesearch.metrics"
    found = load_in_a_new_process(imports, tmp_path / "model.keras", images)
    np.testing.assert_allclose(found, model(images), rtol=1e-5)


def fitted(name, folder):
    """One epoch of a recipe on sixteen images, with Keras' own ModelCheckpoint beside it."""
    shape = (16, 16, 1)
    recipe = config.RECIPES[name].changed(image_shape=shape, batch_size=4, epochs=1)
    pixels = np.random.default_rng(0).integers(0, 256, (16, *shape), dtype=np.uint8)
    labels = np.arange(16, dtype=np.int32) % 2
    train = ImageSet(pixels, labels, SAMPLERS[recipe.training.pairing](labels, 0))
    (model, _, _) = build.networks(recipe, train)
    (dataset, steps) = batches.batches(train, recipe, 0)
    model.compile(**build.compiling(recipe, steps))
    keeper = keras.callbacks.ModelCheckpoint(str(folder / "model.keras"))
    model.fit(dataset, steps_per_epoch=steps, verbose=0, shuffle=False, callbacks=[keeper])
    k = train.pairs.others.shape[1]
    inputs = [pixels] if len(model.inputs) == 1 else [pixels[:2], pixels[: 2 * k]]
    return model, inputs


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("best", "keras-io")]


@pytest.mark.parametrize("name", ["article", "fast", *SLOW])
def test_keras_model_checkpoint_of_what_is_trained(name, tmp_path, monkeypatch):
    monkeypatch.setattr(acceleration, "has_bfloat16", lambda: False)
    (model, inputs) = fitted(name, tmp_path)
    again = keras.models.load_model(tmp_path / "model.keras")
    single = len(inputs) == 1
    expected, found = (m(inputs[0] if single else inputs) for m in (model, again))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert again.loss.get_config() == model.loss.get_config()
    assert len(again.optimizer.variables) == len(model.optimizer.variables)


@pytest.mark.slow
def test_what_is_trained_in_a_new_process(tmp_path):
    (model, inputs) = fitted("article", tmp_path)
    imports = "pyimagesearch.siamese_network, pyimagesearch.metrics"
    found = load_in_a_new_process(imports, tmp_path / "model.keras", inputs)
    np.testing.assert_allclose(found, model(inputs), rtol=1e-5, atol=1e-6)


def test_layers_come_back_from_their_configuration():
    layer = acceleration.EightBitDropout.from_config(
        acceleration.EightBitDropout(0.25, seed=3).get_config()
    )
    assert layer.rate == 0.25 and layer.seed == 3
    loss = metrics.RecipeLoss("contrastive", 2)
    again = metrics.RecipeLoss.from_config(loss.get_config())
    # different at 0.5 with margin 2: (2 - 0.5)^2 = 2.25
    assert float(again(np.array([0]), np.array([0.5]))) == pytest.approx(2.25)
