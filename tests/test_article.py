"""The article's two scripts, as they call the package; and the train script's own run of it."""

import sys

import cv2
import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest
from imutils.paths import list_images
from keras.layers import Input, Lambda
from keras.models import Model

import train_contrastive_siamese_network as script
from pyimagesearch import config, metrics, utils
from pyimagesearch.data import datasets
from pyimagesearch.siamese_network import build_siamese_model
from pyimagesearch.training import arguments, run
from tests.scripts import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture
def small_mnist(monkeypatch):
    """The first digits of MNIST alone, for whatever loads it."""
    ((trainX, trainY), (testX, testY)) = datasets.load_mnist()
    part = ((trainX[:640], trainY[:640]), (testX[:200], testY[:200]))
    monkeypatch.setitem(datasets.DATASETS, "mnist", lambda: part)
    return part


def test_the_article_s_calls_in_their_order(small_mnist, tmp_path):
    ((trainX, trainY), (testX, testY)) = small_mnist
    (pairTrain, labelTrain) = utils.make_pairs(trainX / 255.0, trainY)
    (pairTest, labelTest) = utils.make_pairs(testX / 255.0, testY)

    imgA = Input(shape=config.IMG_SHAPE)
    imgB = Input(shape=config.IMG_SHAPE)
    featureExtractor = build_siamese_model(config.IMG_SHAPE)
    distance = Lambda(utils.euclidean_distance)([featureExtractor(imgA), featureExtractor(imgB)])
    model = Model(inputs=[imgA, imgB], outputs=distance)

    model.compile(loss=metrics.contrastive_loss, optimizer="adam")
    history = model.fit(
        [pairTrain[:, 0], pairTrain[:, 1]],
        labelTrain[:],
        validation_data=([pairTest[:, 0], pairTest[:, 1]], labelTest[:]),
        batch_size=config.BATCH_SIZE,
        epochs=1,
        verbose=0,
    )
    # the one line that has to change: Keras 3 wants an ending
    model.save(tmp_path / "contrastive_siamese_model.keras")
    utils.plot_training(history, str(tmp_path / "contrastive_plot"))  # .png, as Matplotlib does
    assert np.isfinite(history.history["val_loss"][0])
    assert cv2.imread(str(tmp_path / "contrastive_plot.png")) is not None

    # the test script's: two images from files, each as a batch of one
    model = keras.models.load_model(tmp_path / "contrastive_siamese_model.keras")
    images = [cv2.imread(path, 0) / 255.0 for path in sorted(list_images(ROOT / "examples"))[:2]]
    preds = model.predict([np.expand_dims(image, axis=(0, -1)) for image in images], verbose=0)
    assert preds.shape == (1, 1) and 0 < preds[0][0] < 2
    plt.close("all")


def test_the_script_s_lines_and_run_train_give_one_model(small_mnist, tmp_path, monkeypatch):
    (outputs, files) = ([tmp_path / "lines", tmp_path / "train"], [])
    for train, output in zip((script.train, run.train), outputs):
        flags = ["--epochs", "1", "--output", str(output)]
        monkeypatch.setattr(sys, "argv", ["train_contrastive_siamese_network.py", *flags])
        (args, recipe) = arguments.parse("")
        assert run.is_articles(args, recipe)
        with run.alone(args.output):
            train(args, recipe)
        files.append({p.relative_to(output) for p in output.rglob("*") if p.is_file()})
    encoders = [keras.models.load_model(x / "encoder.keras", compile=False) for x in outputs]
    for a, b in zip(*(encoder.get_weights() for encoder in encoders), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    assert files[0] == files[1]
