"""The article's own model as a .keras file, loaded in another process that imports the package."""

import keras
import numpy as np
import pytest

from pyimagesearch import config, metrics, utils
from pyimagesearch.siamese_network import build_siamese_model
from tests.scripts import python


@pytest.mark.slow
def test_the_article_s_own_model(tmp_path):
    imgA, imgB = keras.Input(config.IMG_SHAPE), keras.Input(config.IMG_SHAPE)
    featureExtractor = build_siamese_model(config.IMG_SHAPE)
    distance = keras.layers.Lambda(utils.euclidean_distance)(
        [featureExtractor(imgA), featureExtractor(imgB)]
    )
    model = keras.Model(inputs=[imgA, imgB], outputs=distance)
    model.compile(loss=metrics.contrastive_loss, optimizer="adam")
    images = np.random.default_rng(0).random((2, 3, 28, 28, 1), dtype="float32")
    model.fit(list(images), np.array([1, 0, 1]), verbose=0)
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", images)
    done = python(
        """
        import sys, pyimagesearch.utils, pyimagesearch.metrics
        import keras, numpy as np
        model = keras.models.load_model(sys.argv[1] + "/model.keras")
        np.save(sys.argv[1] + "/found.npy", model(list(np.load(sys.argv[1] + "/images.npy"))))
        assert model.loss is not None
        """,
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(np.load(tmp_path / "found.npy"), model(list(images)), rtol=1e-5)
