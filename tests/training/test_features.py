"""Features of a frozen network: the same for an image whatever is beside it, and kept."""

import keras
import numpy as np

from pyimagesearch.config import RECIPES
from pyimagesearch.training import features

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3)).astype(np.uint8)
RECIPE = RECIPES["photos"]


def network(scale):
    inputs = keras.Input((8, 8, 3), dtype="uint8")
    x = keras.layers.Rescaling(scale)(inputs)
    return keras.Model(inputs, keras.layers.Flatten()(x))


def test_a_view_follows_image_seed_and_number_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("CONTRASTIVE_CACHE", str(tmp_path / "one"))
    whole = features.features_of(network(1 / 255), IMAGES, RECIPE, (42, 0))
    assert whole.shape == (6, 192) and whole.dtype == np.float16
    monkeypatch.setenv("CONTRASTIVE_CACHE", str(tmp_path / "two"))
    alone = features.features_of(network(1 / 255), IMAGES[3:4], RECIPE, (42, 0))
    np.testing.assert_array_equal(alone[0], whole[3])
    for view in ((42, 1), (1, 0)):
        assert (features.features_of(network(1 / 255), IMAGES, RECIPE, view) != whole).any()


def test_another_network_or_recipe_has_features_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("CONTRASTIVE_CACHE", str(tmp_path))
    plain = features.features_of(network(1 / 255), IMAGES)
    np.testing.assert_allclose(plain, IMAGES.reshape(6, -1) / 255, atol=1e-3)
    still = RECIPE.changed(light=0.0)
    first = features.features_of(network(1 / 255), IMAGES, RECIPE, (42, 0))
    assert (features.features_of(network(1 / 255), IMAGES, still, (42, 0)) != first).any()

    # and a second time nothing is computed
    monkeypatch.setattr(features, "embed", None)
    np.testing.assert_array_equal(features.features_of(network(1 / 255), IMAGES), plain)
