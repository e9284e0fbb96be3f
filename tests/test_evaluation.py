"""Calibration and measurement on embeddings that are known."""

import numpy as np
import pytest

from pyimagesearch import evaluation
from pyimagesearch.utils import sample_pairs


def clusters(n, spread, seed, classes=4):
    """n points on a line in classes at 0, 1, 2, …, each spread around its place."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    return (labels + rng.normal(0, spread, n)).astype("float32")[:, None], labels


def test_all_pairs_once():
    embeddings, labels = clusters(25, 0.1, 0)
    got = [np.concatenate(x) for x in zip(*evaluation.all_pairs(embeddings, labels, block=7))]
    expected = [
        (abs(embeddings[i, 0] - embeddings[j, 0]), labels[i] == labels[j])
        for i in range(25)
        for j in range(i + 1, 25)
    ]
    assert len(got[0]) == 25 * 24 / 2
    np.testing.assert_allclose(np.sort(got[0]), np.sort([d for d, _ in expected]), atol=1e-3)
    assert got[1].sum() == sum(same for _, same in expected)


def test_calibrated_rates_are_met_on_other_images():
    calibration = evaluation.calibrate(
        *clusters(2000, 0.2, 0), sample_pairs(np.arange(2000) % 4, 0)
    )
    # same pairs lie 0.2 sqrt(2) = 0.28 apart, neighbouring classes 1: most is right in between
    assert 0.4 < calibration["threshold"] < 0.7
    embeddings, labels = clusters(2000, 0.2, 1)
    figures = evaluation.measure(embeddings, labels, sample_pairs(labels, 1), calibration)
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
    calibration = evaluation.calibrate(embeddings, labels, sample_pairs(labels, 0))
    # 40 * 30 / 2 = 600 different pairs: 1 % of them are 6 false matches, too few
    assert calibration["operating_points"] == {"0.01": None, "0.001": None, "0.0001": None}
    figures = evaluation.measure(embeddings, labels, sample_pairs(labels, 1), calibration)
    assert "not enough pairs" in evaluation.report(figures, "here")


def test_a_collapsed_network_is_called_so():
    embeddings, labels = np.ones((40, 3), "float32"), np.arange(40) % 2
    partners = sample_pairs(labels, 0)
    figures = evaluation.measure(
        embeddings, labels, partners, evaluation.calibrate(embeddings, labels, partners)
    )
    assert figures["collapsed"] and figures["accuracy"][0] == 0.5
    assert "collapsed" in evaluation.report(figures, "here")
