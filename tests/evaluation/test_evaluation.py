"""Calibration and measurement on embeddings that are known."""

import numpy as np
import pytest

from pyimagesearch.data.pairs import Pairs, sample_pairs
from pyimagesearch.data.sets import ImageSet
from pyimagesearch.evaluation import measuring


def clusters(n, spread, seed, classes=4):
    """n points on a line in classes at 0, 1, 2, …, each spread around its place."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    return (labels + rng.normal(0, spread, n)).astype("float32")[:, None], labels


def measurable(labels, seed):
    """What is known of images without pixels: labels, and pairs of them."""
    return ImageSet(None, labels, sample_pairs(labels, seed))


def test_all_different_pairs_once():
    embeddings, labels = clusters(25, 0.1, 0)
    got = measuring.different_distances(embeddings, ImageSet(None, labels, None))
    expected = [
        abs(embeddings[i, 0] - embeddings[j, 0])
        for i in range(25)
        for j in range(i + 1, 25)
        if labels[i] != labels[j]
    ]
    np.testing.assert_allclose(np.sort(got), np.sort(expected), atol=1e-3)


def test_where_only_pairs_are_known_these_are_the_different_pairs():
    embeddings = np.array([[0.0], [1.0], [3.0]], "float32")
    pairs = Pairs(np.array([0, 0, 1]), np.array([[1], [2], [2]]), np.array([[1], [0], [0]]))
    got = measuring.different_distances(embeddings, ImageSet(None, None, pairs))
    assert got.tolist() == [3.0, 2.0]


def test_raw_pixels_are_the_pixels_or_the_means_of_tiles():
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28, 1), dtype=np.uint8)
    np.testing.assert_allclose(measuring.raw_pixels(images), images.reshape(3, -1) / 255)
    large = images.repeat(2, axis=1).repeat(3, axis=2)  # 56x84: tiles of 2x3
    np.testing.assert_allclose(measuring.raw_pixels(large), images.reshape(3, -1) / 255, rtol=1e-5)


def test_calibrated_rates_are_met_on_other_images():
    (embeddings, labels) = clusters(2000, 0.2, 0)
    calibration = measuring.calibrate(embeddings, measurable(labels, 0))
    # same pairs lie 0.2 sqrt(2) = 0.28 apart, neighbouring classes 1: most is right in between
    assert 0.4 < calibration["threshold"] < 0.7
    embeddings, labels = clusters(2000, 0.2, 1)
    figures = measuring.measure(embeddings, measurable(labels, 1), calibration)
    assert figures["pairs"] == 4000 and not figures["collapsed"]
    for rate, point in figures["operating_points"].items():
        assert point["fmr"] == pytest.approx(float(rate), rel=0.6)
        low, high = point["tmr"][1:]
        assert low <= point["tmr"][0] <= high
    for name in ("accuracy", "balanced_accuracy", "auc", "eer"):
        value, low, high = figures[name]
        assert 0 <= low <= value <= high <= 1


def test_few_images_support_no_rate():
    embeddings, labels = clusters(40, 0.2, 0)
    calibration = measuring.calibrate(embeddings, measurable(labels, 0))
    # 40 * 30 / 2 = 600 different pairs: 1 % of them are 6 false matches, too few
    assert calibration["operating_points"] == {"0.01": None, "0.001": None, "0.0001": None}
    figures = measuring.measure(embeddings, measurable(labels, 1), calibration)
    assert "not enough pairs" in measuring.report(figures, "here")


def test_a_collapsed_network_is_called_so():
    embeddings, labels = np.ones((40, 3), "float32"), np.arange(40) % 2
    images = measurable(labels, 0)
    figures = measuring.measure(embeddings, images, measuring.calibrate(embeddings, images))
    assert figures["collapsed"] and figures["accuracy"][0] == 0.5
    assert "collapsed" in measuring.report(figures, "here")
