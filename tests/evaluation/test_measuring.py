"""Calibration and measurement on embeddings that are known."""

import json

import numpy as np
import pytest

from pyimagesearch.data.pairs import Pairs, sample_pairs
from pyimagesearch.data.sets import ImageSet
from pyimagesearch.evaluation import embeddings as of_images
from pyimagesearch.evaluation import measuring
from pyimagesearch.evaluation.intervals import Figure, interval


def clusters(n, spread, seed, classes=4):
    """n points on a line in classes at 0, 1, 2, …, each spread around its place."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(n) % classes).astype(np.int32)
    return (labels + rng.normal(0, spread, n)).astype("float32")[:, None], labels


def measurable(labels, seed, **known):
    """What is known of images without pixels: labels, and pairs of them."""
    return ImageSet(None, labels, sample_pairs(labels, seed), **known)


def measured(n=200, spread=0.2, classes=4, new_classes=False, **known):
    """A calibration on some clusters, measured on others."""
    (embeddings, labels) = clusters(n, spread, 0, classes)
    calibration = measuring.calibrate(embeddings, measurable(labels, 0))
    (embeddings, labels) = clusters(n, spread, 1, classes)
    images = measurable(labels, 1, **known)
    return measuring.measure(embeddings, images, calibration, new_classes=new_classes)


def test_all_different_pairs_once():
    embeddings, labels = clusters(25, 0.1, 0)
    (images, got) = measuring.different_pairs(embeddings, ImageSet(None, labels, None))
    expected = {
        (i, j): abs(embeddings[i, 0] - embeddings[j, 0])
        for i in range(25)
        for j in range(i + 1, 25)
        if labels[i] != labels[j]
    }
    assert list(map(tuple, images.tolist())) == list(expected)
    np.testing.assert_allclose(got, list(expected.values()), atol=1e-3)


def test_of_many_images_the_different_pairs_of_some_are_taken():
    embeddings, labels = clusters(5000, 0.1, 0)
    (images, got) = measuring.different_pairs(embeddings, ImageSet(None, labels, None))
    assert len(np.unique(images)) == 4000 and images.max() == 4999
    (a, b) = images[12345]
    assert got[12345] == pytest.approx(abs(embeddings[a, 0] - embeddings[b, 0]), abs=1e-3)


def test_where_only_pairs_are_known_these_are_the_different_pairs():
    embeddings = np.array([[0.0], [1.0], [3.0]], "float32")
    pairs = Pairs(np.array([0, 0, 1]), np.array([[1], [2], [2]]), np.array([[1], [0], [0]]))
    (images, got) = measuring.different_pairs(embeddings, ImageSet(None, None, pairs))
    assert images.tolist() == [[0, 2], [1, 2]] and got.tolist() == [3.0, 2.0]


def test_raw_pixels_are_the_pixels_or_the_means_of_tiles():
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28, 1), dtype=np.uint8)
    np.testing.assert_allclose(of_images.raw_pixels(images), images.reshape(3, -1) / 255)
    large = images.repeat(2, axis=1).repeat(3, axis=2)  # 56x84: tiles of 2x3
    np.testing.assert_allclose(of_images.raw_pixels(large), images.reshape(3, -1) / 255, rtol=1e-5)


def test_of_many_images_of_small_classes_no_pixels_are_compared_with_themselves(monkeypatch):
    # 12,000 images, two of each class, and a lone one, which sample_pairs pairs with itself
    labels = np.append(np.arange(12_000) // 2, 6000).astype(np.int32)
    pixels = np.random.default_rng(0).integers(0, 256, (12_001, 2, 2, 1), dtype=np.uint8)
    test, kept = ImageSet(pixels, labels, sample_pairs(labels, 0)), []
    monkeypatch.setattr(
        measuring, "calibrate", lambda embeddings, images: kept.append(images) or CALIBRATION
    )
    raw = measuring.measure_raw_pixels(test, test)
    assert 9_990 < raw.images <= 10_000
    (some,) = kept
    (a, b) = some.pairs.indices().T
    assert (a != b).all() and some.pairs.y.mean() == pytest.approx(0.5, abs=0.02)
    np.testing.assert_array_equal(some.labels[a] == some.labels[b], some.pairs.y[:, 0] == 1)
    assert set(map(bytes, some.images)) <= set(map(bytes, pixels))


CALIBRATION = {"threshold": 0.5, "operating_points": {"0.01": None}}


def test_calibrated_rates_are_met_on_other_images():
    (embeddings, labels) = clusters(2000, 0.2, 0)
    calibration = measuring.calibrate(embeddings, measurable(labels, 0))
    # same pairs lie 0.2 sqrt(2) = 0.28 apart, neighbouring classes 1: most is right in between
    assert 0.4 < calibration["threshold"] < 0.7
    assert calibration["operating_images"] == 2000
    figures = measured(2000)
    assert figures.pairs == 4000 and figures.images == figures.fmr_images == 2000
    assert not figures.collapsed
    # on a line the false matches of the lower rates are of a few images at the edges of classes
    points = {rate: point for rate, point in figures.operating_points.items() if point}
    assert "0.01" in points
    for rate, point in points.items():
        assert point.fmr.low <= float(rate) <= point.fmr.high
        assert point.fmr.value == pytest.approx(float(rate), rel=0.6)
        assert point.tmr.low <= point.tmr.value <= point.tmr.high
    for name in ("accuracy", "balanced_accuracy", "tmr", "auc", "eer"):
        figure = getattr(figures, name)
        assert 0 <= figure.low < figure.value < figure.high <= 1


def test_figures_for_json_are_named():
    stored = json.loads(json.dumps(measured(2000).as_dict()))
    assert set(stored["accuracy"]) == {"value", "low", "high"}
    point = stored["operating_points"]["0.01"]
    assert set(point) == {"threshold", "tmr", "fmr"} and set(point["fmr"]) == {
        "value",
        "low",
        "high",
    }
    assert [c["name"] for c in stored["classes"]["figures"]] == ["0", "1", "2", "3"]
    assert "loss" not in stored  # it was not measured


def test_without_an_error_no_interval_is_empty():
    figures = measured(120, spread=0.01)
    # 120 images in pairs as they are drawn count as some 107: 1 - 0.05^(1 / 107) = 2.8 %
    (_, error) = interval(0, 107)
    for figure in (figures.accuracy, figures.balanced_accuracy, figures.auc):
        assert (figure.value, figure.high) == (1, 1)
        assert figure.low == pytest.approx(1 - error, abs=0.002)
    assert (figures.eer.value, figures.eer.low) == (0, 0)
    assert figures.eer.high == pytest.approx(error, abs=0.002)
    text = measuring.report(figures, "here")
    assert "right at the threshold  100.00 % (at least 97." in text
    assert "equal error rate        0.00 % (at most 2." in text


def test_pairs_are_sorted_once_for_all_repeats(monkeypatch):
    sorts, argsort = [], np.argsort
    (embeddings, labels) = clusters(500, 0.2, 0)
    images = measurable(labels, 0)
    calibration = measuring.calibrate(embeddings, images)
    monkeypatch.setattr(
        np,
        "argsort",
        lambda a, *rest, **more: sorts.append(np.size(a)) or argsort(a, *rest, **more),
    )
    measuring.measure(embeddings, images, calibration)
    assert sorts.count(1000) == 1


def test_few_images_support_no_rate():
    embeddings, labels = clusters(40, 0.2, 0)
    calibration = measuring.calibrate(embeddings, measurable(labels, 0))
    # 40 * 30 / 2 = 600 different pairs: 1 % of them are 6 false matches, too few
    assert calibration["operating_points"] == {"0.01": None, "0.001": None, "0.0001": None}
    figures = measuring.measure(embeddings, measurable(labels, 1), calibration)
    assert "not enough pairs" in measuring.report(figures, "here")
    assert "rests on" not in measuring.report(figures, "here")


def test_false_matches_of_few_groups_support_no_rate():
    (embeddings, labels) = clusters(2000, 0.2, 0)
    images = measurable(labels, 0)
    assert measuring.calibrate(embeddings, images)["operating_points"]["0.01"] is not None
    clips = images.replace(groups=np.arange(2000, dtype=np.int32) // 50)  # 40: 20 couples at most
    assert measuring.calibrate(embeddings, clips)["operating_points"]["0.01"] is None


def test_a_rate_says_on_how_many_images_it_rests():
    text = measuring.report(measured(2000), "here")
    assert "rests on all pairs of 2000 images" in text
    assert "FMR here 1." in text or "FMR here 0.9" in text


def test_new_classes_are_what_the_interval_counts():
    figures = measured(400, spread=0.01, classes=20, new_classes=True)
    assert (figures.unit, figures.units) == ("classes", 20)
    assert 1 - interval(0, 20)[1] - 0.02 < figures.accuracy.low < 1 - interval(0, 20)[1] + 0.001
    assert "95 % intervals over 20 classes" in measuring.report(figures, "here")


def test_below_ten_new_classes_there_is_no_interval():
    figures = measured(2000, classes=8, new_classes=True)
    assert figures.accuracy == Figure(figures.accuracy.value, None, None)
    assert figures.auc.low is None and figures.operating_points["0.01"].fmr.high is None
    text = measuring.report(figures, "here")
    assert "no interval: fewer than 10 classes (8)" in text
    assert f"right at the threshold  {100 * figures.accuracy.value:.2f} %\n" in text


def test_groups_are_what_the_interval_counts_where_they_are_known():
    groups = np.arange(200) // 4
    figures = measured(200, spread=0.01, groups=groups)
    assert (figures.unit, figures.units) == ("groups", 50)
    assert figures.accuracy.low == pytest.approx(1 - interval(0, 50)[1], abs=0.01)


def test_ready_pairs_have_figures_but_no_classes():
    (embeddings, labels) = clusters(200, 0.2, 0)
    images = ImageSet(None, None, sample_pairs(labels, 0))
    figures = measuring.measure(embeddings, images, measuring.calibrate(embeddings, images))
    assert figures.classes is None and figures.accuracy.low < figures.accuracy.value
    assert "class" not in measuring.report(figures, "here")


def test_a_collapsed_network_is_called_so():
    embeddings, labels = np.ones((40, 3), "float32"), np.arange(40) % 2
    images = measurable(labels, 0)
    figures = measuring.measure(embeddings, images, measuring.calibrate(embeddings, images))
    assert figures.collapsed and figures.accuracy.value == 0.5
    assert "collapsed" in measuring.report(figures, "here")
