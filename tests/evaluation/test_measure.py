"""Calibration and measurement on embeddings that are known."""

import json

import numpy as np
import pytest

from pyimagesearch import utils
from pyimagesearch.data.pairs import Pairs, sample_pairs
from pyimagesearch.data.sets import ImageSet
from pyimagesearch.evaluation import all_pairs, measure
from pyimagesearch.evaluation.all_pairs import AllPairs, GivenPairs, matches, some_of
from pyimagesearch.evaluation.distances import Distance, cosine_matrix, distance_of
from pyimagesearch.system.errors import InputError


def images_of(labels=None, count=None, **known):
    """Images of one pixel, of which these labels or pairs are known."""
    return ImageSet(np.zeros((count or len(labels), 1, 1, 1), np.uint8), labels, **known)


def clusters(n, spread, seed, classes=4):
    """n points on a line in classes at 0, 1, 2, …, each spread around its place."""
    labels = (np.arange(n) % classes).astype(np.int32)
    noise = np.random.default_rng(seed).normal(0, spread, n)
    return (labels + noise).astype("float32")[:, None], labels


def measured(n=200, spread=0.2, classes=4, new_classes=False, **known):
    """A calibration on some clusters, measured on others."""
    (embeddings, labels) = clusters(n, spread, 0, classes)
    settings = measure.calibrate(embeddings, images_of(labels), {})
    (embeddings, labels) = clusters(n, spread, 1, classes)
    return measure.measure(
        embeddings, images_of(labels, **known), settings, new_classes=new_classes
    )


def on_a_line(places, labels, threshold=1.0, names=(), **known):
    """The figures of points on a line at a threshold."""
    images = images_of(np.array(labels, np.int32), class_names=names, **known)
    settings = {"threshold": threshold, "operating_points": {}}
    return measure.measure(np.array(places, "float32")[:, None], images, settings)


def test_all_pairs_by_hand():
    # a at 0, 0.1, 0.2, b at 5, 9 and c at 0.3: of 4 same pairs those of a match, of 11 different
    # ones the 3 of c with a. Right: (3 / 4 + 1 - 3 / 11) / 2
    m = on_a_line([0, 0.1, 0.2, 5, 9, 0.3], [0, 0, 0, 1, 1, 2], names=("a", "b", "c"))
    assert (m.pairs, m.tmr.value, m.fmr.value) == (15, 3 / 4, pytest.approx(3 / 11))
    assert m.accuracy.value == pytest.approx((3 / 4 + 8 / 11) / 2)
    (a, b, c) = m.classes["figures"]
    assert (a["name"], a["images"], a["tmr"]["value"]) == ("a", 3, 1.0)
    assert (b["tmr"]["value"], c["tmr"]) == (0.0, None)  # c has no pair of its own
    # a's 3 images have 9 pairs with others, the 3 with c match; b's 8 none; of c's 5 pairs 3
    assert [f["fmr"]["value"] for f in (a, b, c)] == pytest.approx([3 / 9, 0, 3 / 5])
    assert m.classes["confused"] == [{"classes": ["a", "c"], "fmr": 1.0}]
    # the same pair furthest apart and the different ones nearest, with the images as given
    (ends, distances, y) = m.worst(1)
    assert [sorted(pair) for pair in ends.tolist()] == [[3, 4], [2, 5]]
    assert distances == pytest.approx([4, 0.1], abs=1e-4) and y.tolist() == [1, 0]


@pytest.mark.parametrize("unit", ["images", "classes", "groups"])
def test_sums_with_one_unit_after_another_left_out(monkeypatch, unit):
    monkeypatch.setattr(all_pairs, "BLOCK", 100)  # a few rows at a time
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, 40)
    embeddings = rng.normal(labels[:, None], 0.7, (40, 1)).astype("float32")
    units = {"images": np.arange(40), "classes": labels, "groups": np.arange(40) // 3}[unit]
    counts = AllPairs(embeddings, labels, Distance(), units).scan([matches(0.8)])

    def rates(some):
        (a, b) = np.triu_indices(some.sum(), 1)
        (x, y) = (embeddings[some, 0], labels[some])
        (hits, same) = (np.abs(x[a] - x[b]) < 0.8, y[a] == y[b])
        return hits[same].mean(), hits[~same].mean()

    (tmr, fmr) = rates(np.ones(40, bool))
    assert (counts.share(1, 0).value, counts.share(0, 0).value) == pytest.approx((tmr, fmr))
    expected = np.array([rates(units != u) for u in np.unique(units)])
    np.testing.assert_allclose(counts.left_out(1, 0), expected[:, 0])
    np.testing.assert_allclose(counts.left_out(0, 0), expected[:, 1])
    np.testing.assert_allclose(counts.right_left_out(0), (expected[:, 0] + 1 - expected[:, 1]) / 2)


def test_many_images_are_counted_in_fine_steps(monkeypatch):
    (embeddings, labels) = clusters(600, 0.3, 0)
    exact = AllPairs(embeddings, labels, Distance(), np.arange(600))
    monkeypatch.setattr(all_pairs, "MOST_EXACT", 100)
    steps = AllPairs(embeddings, labels, Distance(), np.arange(600))
    assert steps.curve.same.sum() == exact.curve.same.sum()
    assert len(steps.curve.levels) <= all_pairs.STEPS
    for name in ("auc", "eer", "best_threshold"):
        assert getattr(steps.curve, name) == pytest.approx(getattr(exact.curve, name), abs=1e-3)
    # of every class as many, and of very many small classes some, whole
    assert np.ptp(np.bincount(labels[some_of(labels, 100)])) <= 2
    small = some_of(np.arange(1000) // 2, 100)
    assert len(small) == 100 and np.unique(small // 2).size == 50


def test_given_pairs_stay_what_they_are():
    # three pairs of four images, two of them different: each weighs as much
    pairs = Pairs(np.array([0, 0, 1]), np.array([[1], [2], [3]]), np.array([[1], [0], [0]]))
    images = images_of(count=4, pairs=pairs)
    embeddings = np.array([[0.0], [0.5], [3.0], [1.0]], "float32")
    m = measure.measure(embeddings, images, {"threshold": 0.6, "operating_points": {}})
    # at 0.6 the same pair matches (0.5), the pair (1, 3) at 0.5, too, and (0, 2) does not
    assert (m.pairs, m.accuracy.value) == (3, pytest.approx(2 / 3))
    assert m.classes is None and m.retrieval is None
    assert "class" not in measure.report(m, "here") and "all" not in measure.report(m, "here")
    assert m.worst(5)[0].tolist() == [[0, 1], [1, 3], [0, 2]]
    given = GivenPairs(embeddings, pairs, Distance(), np.arange(4))
    # without image 1 one pair is left, (0, 2), which is called right
    assert given.scan([matches(0.6)]).right_left_out(0).tolist() == [0, 1, 0.5, 1]


def dissimilarity(pair):
    """A head behind the distance: 1 / (1 + exp(-(20 d - 10))), which is 1 in float32 from 1.4."""
    distance = utils.euclidean_distance(pair).numpy()
    return (1 / (1 + np.exp(-(20 * distance - 10)))).astype(np.float32)


def test_a_head_changes_the_thresholds_and_no_figure():
    (embeddings, labels) = clusters(800, 0.1, 0, 10)
    (images, found) = (images_of(labels), [])
    for settings, comparison in (({}, None), ({"head": "sigmoid"}, dissimilarity)):
        calibration = measure.calibrate(embeddings, images, settings, comparison)
        m = measure.measure(embeddings, images, settings | calibration, comparison)
        found.append((calibration, m))
    ((plain, m), (behind, with_head)) = found
    for rate, d in plain["operating_points"].items():
        if d is not None:
            expected = 1 / (1 + np.exp(-(20 * d - 10)))
            assert behind["operating_points"][rate] == pytest.approx(expected, rel=1e-3)
    assert with_head.accuracy.value == pytest.approx(m.accuracy.value, abs=1e-4)
    assert with_head.retrieval == m.retrieval and with_head.auc == m.auc
    assert m.accuracy_at_half is None
    assert "right at 0.5" in measure.report(with_head, "here")


@pytest.mark.parametrize("name", ["euclidean", "cosine"])
def test_matrices_give_what_the_distances_of_pairs_give(name):
    rng = np.random.default_rng(5)
    (a, b) = (rng.normal(size=(n, 6)).astype(np.float32) for n in (7, 9))
    b[3] = a[2]
    matrix = Distance(name).matrix(a, b)
    for k in range(9):
        pair = [a, np.tile(b[k], (7, 1))]
        of_pairs = np.ravel(utils.DISTANCES[name](pair))
        assert matrix[:, k] == pytest.approx(of_pairs, abs=1e-6)
        assert Distance(name).rows(*pair) == pytest.approx(of_pairs, abs=1e-6)
    assert matrix.dtype == np.float32
    # settings that say nothing mean the article's distance; a head may turn it round
    assert distance_of({"distance": [], "head": "none"}, None, 6) == Distance("euclidean")
    turned = distance_of({"distance": name, "head": "x"}, lambda p: -utils.DISTANCES[name](p), 6)
    assert turned.output(turned.matrix(a, b)) == pytest.approx(-matrix, abs=2e-3)
    assert cosine_matrix(np.zeros((1, 6)), b).tolist() == [[1.0] * 9]


@pytest.mark.slow
def test_raw_pixels_are_the_pixels_or_the_means_of_tiles():
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28, 1), dtype=np.uint8)
    np.testing.assert_allclose(measure.raw_pixels(images), images.reshape(3, -1) / 255)
    large = images.repeat(2, axis=1).repeat(3, axis=2)  # 56x84: tiles of 2x3
    np.testing.assert_allclose(measure.raw_pixels(large), images.reshape(3, -1) / 255, rtol=1e-5)
    labels = np.append(np.arange(3000) // 2, 1500).astype(np.int32)
    pixels = np.random.default_rng(0).integers(0, 256, (3001, 2, 2, 1), dtype=np.uint8)
    raw = measure.measure_raw_pixels(*[ImageSet(pixels, labels)] * 2)
    assert raw.images == 1500 and raw.retrieval.left_out <= 2
    pairs = ImageSet(pixels, None, sample_pairs(labels, 0))
    assert 1000 < measure.measure_raw_pixels(pairs, pairs).images <= 1500


def test_calibrated_rates_are_met_on_other_images():
    (embeddings, labels) = clusters(1000, 0.2, 0)
    calibration = measure.calibrate(embeddings, images_of(labels), {})
    # same pairs lie 0.2 sqrt(2) = 0.28 apart, neighbouring classes 1: most is right in between
    assert 0.4 < calibration["threshold"] < 0.7
    assert calibration["operating_images"] == 1000
    figures = measured(1000)
    assert (figures.pairs, figures.images) == (499_500, 1000)
    assert not figures.collapsed and figures.suits and not figures.chance
    points = {rate: point for rate, point in figures.operating_points.items() if point}
    assert "0.01" in points
    for rate, point in points.items():
        assert point.fmr.low <= float(rate) <= point.fmr.high
        assert point.tmr.low <= point.tmr.value <= point.tmr.high
    for figure in (figures.accuracy, figures.tmr, figures.fmr):
        assert 0 <= figure.low < figure.value < figure.high <= 1
    stored = json.loads(json.dumps(figures.as_dict()))
    assert set(stored["accuracy"]) == {"value", "low", "high"} and "compared" not in stored
    assert set(stored["operating_points"]["0.01"]) == {"threshold", "tmr", "fmr", "up_to"}
    assert stored["retrieval"]["queries"] == 1000
    assert figures.auc.low is None  # 0.99: no interval is known to hold
    figure = measured(200, spread=0.5).auc
    assert figure.low < figure.value < figure.high < 0.95


def test_few_images_or_groups_support_no_rate():
    (embeddings, labels) = clusters(40, 0.2, 0)
    calibration = measure.calibrate(embeddings, images_of(labels), {})
    # 40 * 30 / 2 = 600 different pairs: 1 % of them are 6 false matches, too few
    assert set(calibration["operating_points"].values()) == {None}
    figures = measure.measure(embeddings, images_of(labels), calibration)
    assert "not enough pairs" in measure.report(figures, "here")
    (embeddings, labels) = clusters(1000, 0.2, 0)
    clips = images_of(labels, groups=np.arange(1000, dtype=np.int32) // 25)  # 20 couples at most
    assert measure.calibrate(embeddings, clips, {})["operating_points"]["0.01"] is None


@pytest.mark.slow
def test_two_mislabelled_images_support_no_threshold():
    # ten classes at 0, 10, 20, …; two images of class 0 lie in class 1
    rng = np.random.default_rng(0)
    labels = (np.arange(2500) % 10).astype(np.int32)
    places = (10 * labels + rng.uniform(-0.5, 0.5, 2500)).astype("float32")
    rate = "0.0001"
    found = measure.calibrate(places[:, None], images_of(labels), {})["operating_points"]
    assert found[rate] > 9
    places[[0, 10]] += 10
    found = measure.calibrate(places[:, None], images_of(labels), {})["operating_points"]
    assert found[rate] is None and found["0.001"] > 9


def test_units_are_groups_or_new_classes_or_images():
    text = measure.report(measured(400, classes=20, new_classes=True), "here")
    assert text.startswith("here, all 79800 pairs of 400 images, 95 % intervals over 20 classes:")
    figures = measured(200, groups=np.arange(200) // 4, new_classes=True)
    assert (figures.unit, figures.units) == ("groups", 50)
    assert "over 200 images" in measure.report(measured(200), "here")
    (embeddings, labels) = clusters(600, 0.3, 0, 20)
    settings = measure.calibrate(embeddings, images_of(labels), {}, new_classes=True)
    bound = settings["operating_bounds"]["0.01"]
    figures = measure.measure(embeddings, images_of(labels), settings, new_classes=True)
    assert 0.01 < bound < 0.1
    assert f"on new classes up to {100 * bound:.2g} %" in measure.report(figures, "here")
    few = measured(800, classes=8, new_classes=True)
    assert few.accuracy.low is few.fmr.high is few.retrieval.recall_at_1.low is None
    assert "no interval: fewer than 10 classes (8)" in measure.report(few, "here")


def test_few_images_draw_the_threshold_towards_one_that_suits():
    (embeddings, labels) = clusters(30, 0.2, 3)
    best = measure.calibrate(embeddings, images_of(labels), {})["threshold"]
    near = best + 0.02  # 30 / (30 + 30) of the way back
    found = measure.calibrate(embeddings, images_of(labels), {}, stored=near)["threshold"]
    assert found == pytest.approx(best + 0.01)
    found = measure.calibrate(embeddings, images_of(labels), {}, stored=99.0)["threshold"]
    assert found == best  # that one does not suit


def test_whether_a_threshold_suits():
    (embeddings, labels) = clusters(200, 0.2, 0)
    for threshold, suits in ((0.55, True), (0.2, False), (2.5, False)):
        settings = {"threshold": threshold}
        assert measure.measure(embeddings, images_of(labels), settings).suits is suits
    noise = np.random.default_rng(0).normal(size=(200, 1)).astype("float32")
    for embeddings, collapsed in ((noise, False), (np.ones_like(noise), True)):
        m = measure.measure(embeddings, images_of(labels), {"threshold": 1.0})
        assert m.chance and m.collapsed == collapsed == ("collapsed" in measure.report(m, "here"))


def test_the_worst_classes_are_named():
    # 900 images of one class in one place, and two of another, far apart from each other
    places = np.append(np.random.default_rng(0).uniform(0, 0.5, 900), [40, 80])
    m = on_a_line(places, np.append(np.zeros(900), [1, 1]), names=("fine", "defect"))
    text = measure.report(m, "here")
    assert "the worst class: defect, 0.0 % of its same pairs found, 2 images" in text
    places = [*np.linspace(0, 0.3, 20), *np.linspace(0.2, 0.5, 20), *np.linspace(9, 9.4, 20)]
    m = on_a_line(places, np.repeat([0, 1, 2], 20), names=("left\nside", "right", "far"))
    text = measure.report(m, "here")
    assert "most confused: left?side and right, 100 % of their pairs called the same" in text
    assert "worst" not in text  # all is found, and classes are alike


@pytest.mark.parametrize(
    "places, labels, message",
    [
        ([0, np.nan, 1, 2], [0, 0, 1, 1], "finite embeddings. Received: 1 of 4"),
        ([0, 1, 2, 3], [0, 1, 2, 3], "same and different pairs. Received: 4 images"),
        ([0, 1, 2, 3], [0, 0, 0, 0], "same and different pairs. Received: 4 images"),
    ],
)
def test_what_cannot_be_measured_is_refused(places, labels, message):
    with pytest.raises(InputError, match=message):
        on_a_line(places, labels)
