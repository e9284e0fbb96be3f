"""Figures by class, on points that can be counted by hand."""

import numpy as np

from pyimagesearch.data.pairs import sample_pairs
from pyimagesearch.data.sets import ImageSet
from pyimagesearch.evaluation import measuring
from pyimagesearch.evaluation.classes import by_class, same_pairs

CALIBRATION = {"threshold": 1.0, "operating_points": {}}


def figures_of(points, labels, names, threshold=1.0):
    embeddings = np.array(points, "float32")[:, None]
    labels = np.array(labels, np.int32)
    (different, distances) = measuring.different_pairs(embeddings, ImageSet(None, labels))
    distance = measuring.utils.euclidean_distance
    return by_class(embeddings, labels, names, threshold, distance, different, distances)


def test_rates_of_each_class_by_hand():
    # a: 0, 0.1, 0.2 (all three pairs found); b: 5, 9 (its pair is not); c: 0.3 alone, near a
    figures = figures_of([0, 0.1, 0.2, 5, 9, 0.3], [0, 0, 0, 1, 1, 2], "abc")
    (a, b, c) = figures.classes
    assert (a.name, a.images, a.tmr.value) == ("a", 3, 1.0)
    assert (b.name, b.images, b.tmr.value) == ("b", 2, 0.0)
    assert c.tmr is None  # no pair of its own
    # a's 3 images have 9 pairs with others, the 3 with c match; b's 8 none; of c's 5 pairs 3
    assert (a.fmr.value, b.fmr.value, c.fmr.value) == (3 / 9, 0, 3 / 5)
    assert figures.confused == (("a", "c", 1.0),)
    assert figures.worst(3) == [("b", 2, 0.0), ("a", 3, 1.0)]


def test_a_class_of_two_that_is_never_recognised_shows():
    # 900 images of one class in one place, and two of another, far apart from each other
    points = np.append(np.random.default_rng(0).uniform(0, 0.5, 900), [40, 80])
    labels = np.append(np.zeros(900), [1, 1]).astype(np.int32)
    images = ImageSet(None, labels, sample_pairs(labels, 0), ("fine", "defect"))
    embeddings = points.astype("float32")[:, None]
    measured = measuring.measure(embeddings, images, CALIBRATION)
    assert measured.accuracy.value > 0.99
    text = measuring.report(measured, "here")
    assert "the worst class: defect, 0.0 % of its same pairs found, 2 images" in text
    stored = measured.as_dict()["classes"]["figures"][1]
    assert stored["tmr"] == {"value": 0.0, "low": None, "high": None}  # two images: no interval


def test_the_most_confused_classes_are_named_on_one_line():
    points = [*np.linspace(0, 0.3, 20), *np.linspace(0.2, 0.5, 20), *np.linspace(9, 9.4, 20)]
    labels = np.repeat([0, 1, 2], 20).astype(np.int32)
    images = ImageSet(None, labels, sample_pairs(labels, 0), ("left\nside", "right", "far"))
    embeddings = np.array(points, "float32")[:, None]
    text = measuring.report(measuring.measure(embeddings, images, CALIBRATION), "here")
    assert "most confused: left?side and right, 1e+02 % of" not in text
    assert "most confused: left?side and right, 100 % of their pairs called the same" in text


def test_where_all_is_found_and_classes_are_alike_no_class_is_the_worst():
    labels = np.repeat([0, 1], 20).astype(np.int32)
    images = ImageSet(None, labels, sample_pairs(labels, 0), ("a", "b"))
    embeddings = (9 * labels).astype("float32")[:, None]
    text = measuring.report(measuring.measure(embeddings, images, CALIBRATION), "here")
    assert "worst" not in text and "confused" not in text


def test_all_same_pairs_or_some_of_every_class():
    labels = np.array([0, 1, 0, 1, 0])
    pairs = same_pairs(labels, np.array([3, 2]), 100)
    assert sorted(map(tuple, pairs.tolist())) == [(0, 2), (0, 4), (1, 3), (2, 4)]
    # of 1000 and 3 images 499,500 + 3 pairs: at most 10,000 are those of some 141 and of 3
    labels = np.repeat([0, 1], [1000, 3])
    pairs = same_pairs(labels, np.array([1000, 3]), 10_000)
    assert 8_000 < len(pairs) <= 10_000 and np.sum(labels[pairs[:, 0]] == 1) == 3


def test_twenty_thousand_classes_of_two():
    labels = np.repeat(np.arange(20_000), 2)
    pairs = same_pairs(labels, np.full(20_000, 2), 1_000_000)
    np.testing.assert_array_equal(pairs, np.arange(40_000).reshape(-1, 2))
