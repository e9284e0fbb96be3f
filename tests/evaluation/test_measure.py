"""Calibration and measurement on embeddings that are known."""

import json

import numpy as np
import pytest

from pyimagesearch import utils
from pyimagesearch.data.pairs import Pairs
from pyimagesearch.data.sets import ImageSet
from pyimagesearch.evaluation import all_pairs, distances, measure
from pyimagesearch.evaluation.all_pairs import Counts
from pyimagesearch.evaluation.distances import Distance, distance_of, logistic_of, probability_of
from pyimagesearch.evaluation.measure import Measurement, calibrate, report
from pyimagesearch.system.terminal import InputError
from tests.evaluation.known import image_pairs


def clusters(n, spread, seed, classes=4):
    """n points on a line in classes at 0, 1, 2, …, each spread around its place."""
    labels = np.arange(n) % classes
    return labels + np.random.default_rng(seed).normal(0, spread, n), labels


def measured(n=200, spread=0.2, classes=4, **how):
    """A calibration on some clusters, measured on others."""
    settings = calibrate(image_pairs(*clusters(n, spread, 0, classes)))
    return Measurement(image_pairs(*clusters(n, spread, 1, classes), **how), settings)


def on_a_line(places, labels, threshold=1.0, **known):
    """The figures of points on a line at a threshold."""
    return Measurement(image_pairs(places, labels, **known), {"threshold": threshold})


def test_all_pairs_by_hand():
    # a at 0, 0.1, 0.2, b at 5, 9 and c at 0.3: of 4 same pairs those of a match, of 11 different
    # ones the 3 of c with a. Right: (3 / 4 + 1 - 3 / 11) / 2
    places = [0, 0.1, 0.2, 5, 9, 0.3]
    m = on_a_line(places, [0, 0, 0, 1, 1, 2], class_names=("a", "b", "c"))
    assert (m.pairs, m.tmr.value, m.fmr.value) == (15, 3 / 4, pytest.approx(3 / 11))
    assert m.accuracy.value == pytest.approx((3 / 4 + 8 / 11) / 2)
    (a, b, c) = m.classes["figures"]
    assert (a["name"], a["images"], a["tmr"].value) == ("a", 3, 1.0)
    assert (b["tmr"].value, c["tmr"]) == (0.0, None)  # c has no pair of its own
    # a's 3 images have 9 pairs with others, the 3 with c match; b's 8 none; of c's 5 pairs 3
    assert [f["fmr"].value for f in (a, b, c)] == pytest.approx([3 / 9, 0, 3 / 5])
    assert m.classes["confused"] == [{"classes": ["a", "c"], "fmr": 1.0, "pairs": 3}]
    # the same pair furthest apart and the different ones nearest, with the images as given
    for kind, ends, distance in ((1, [3, 4], 4), (0, [2, 5], 0.1)):
        (found, distances) = m.compared.extremes(1, kind)
        assert sorted(found[0]) == ends and distances == pytest.approx([distance], abs=1e-4)


@pytest.mark.parametrize("unit", ["images", "classes", "groups"])
def test_sums_with_one_unit_after_another_left_out(monkeypatch, unit):
    monkeypatch.setattr(all_pairs, "BLOCK", 100)  # a few rows at a time
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, 40)
    places = rng.normal(labels, 0.7)
    units = {"images": np.arange(40), "classes": labels, "groups": np.arange(40) // 3}[unit]
    groups = units if unit == "groups" else None
    counts = Counts(image_pairs(places, labels, (), unit == "classes", groups=groups), [0.8])

    def rates(some):
        (a, b) = np.triu_indices(some.sum(), 1)
        (x, y) = (places[some], labels[some])
        (hits, same) = (np.abs(x[a] - x[b]) < 0.8, y[a] == y[b])
        return hits[same].mean(), hits[~same].mean()

    found = (counts.share(0, 1).value, counts.share(0, 0).value)
    assert found == pytest.approx(rates(np.ones(40, bool)))
    (tmr, fmr) = np.transpose([rates(units != u) for u in np.unique(units)])
    np.testing.assert_allclose(counts.left_out(0, 1), tmr)
    np.testing.assert_allclose(counts.left_out(0, 0), fmr)
    np.testing.assert_allclose(counts.left_out(0), (tmr + 1 - fmr) / 2)


def test_many_images_are_counted_in_fine_steps(monkeypatch):
    (places, labels) = clusters(600, 0.3, 0)
    exact = image_pairs(places, labels).curve
    monkeypatch.setattr(all_pairs, "MOST_EXACT", 100)
    steps = image_pairs(places, labels).curve
    assert steps.same.sum() == exact.same.sum() and len(steps.levels) <= all_pairs.STEPS
    for name in ("auc", "eer", "best_threshold"):
        assert getattr(steps, name) == pytest.approx(getattr(exact, name), abs=1e-3)
    # of more images some: of each class as many
    monkeypatch.setattr(all_pairs, "MOST_IMAGES", 100)
    assert set(image_pairs(places, labels).sizes) <= {24, 25, 26}


def test_given_pairs_stay_what_they_are():
    # three pairs of four images, two of them different, which weigh as much as the same one
    pairs = Pairs(np.array([0, 0, 1]), np.array([[1], [2], [3]]), np.array([[1], [0], [0]]))
    compared = image_pairs([0.0, 0.5, 3.0, 1.0], pairs=pairs)
    m = Measurement(compared, {"threshold": 0.6})
    # at 0.6 the same pair matches (0.5), the pair (1, 3) at 0.5, too, and (0, 2) does not
    assert (m.pairs, m.accuracy.value) == (3, 0.75)
    assert m.classes is None and m.retrieval is None
    assert "class" not in report(m, "here") and "all" not in report(m, "here")
    ((same, _), (different, _)) = (compared.extremes(5, kind) for kind in (1, 0))
    assert same.tolist() == [[0, 1]] and different.tolist() == [[1, 3], [0, 2]]
    # without image 0 or 1 no same pair is left; without 2 one of two, without 3 both are right
    np.testing.assert_equal(Counts(compared, [0.6]).left_out(0), [np.nan, np.nan, 0.5, 1])


def head_of(weight, bias, distance="euclidean"):
    """The settings of a head."""
    parameters = {"weight": weight, "bias": bias}
    return {"head": "sigmoid", "distance": distance, "head_parameters": parameters}


def test_a_head_changes_the_thresholds_and_no_figure():
    (places, labels) = clusters(800, 0.1, 0, 10)
    found = []
    for model in ({}, head_of(20, -10)):
        compared = image_pairs(places, labels, model)
        calibration = calibrate(compared)
        found.append((calibration, Measurement(compared, calibration)))
    ((plain, m), (behind, with_head)) = found
    for rate, d in plain["operating_points"].items():
        if d is not None:
            expected = 1 / (1 + np.exp(-(20 * d - 10)))
            assert behind["operating_points"][rate] == pytest.approx(expected, rel=1e-5)
    assert with_head.accuracy == m.accuracy and with_head.auc == m.auc
    assert vars(with_head.retrieval) == vars(m.retrieval)
    assert m.accuracy_at_half is None and "right at 0.5" in report(with_head, "here")


@pytest.mark.parametrize("name", ["euclidean", "cosine"])
def test_matrices_give_what_the_distances_of_pairs_give(name):
    rng = np.random.default_rng(5)
    (a, b) = (rng.normal(size=(n, 6)).astype(np.float32) for n in (7, 9))
    b[3] = a[2]
    pair = [np.repeat(a, 9, axis=0), np.tile(b, (7, 1))]
    of_pairs = np.ravel(utils.DISTANCES[name](pair))
    for found in (Distance(name).matrix(a, b).ravel(), Distance(name).rows(*pair)):
        assert found == pytest.approx(of_pairs, abs=1e-6) and found.dtype == np.float32
    # settings that say nothing mean the article's distance; a head may turn it round
    assert distance_of({"distance": [], "head": "none"}) == Distance("euclidean")
    for weight, bias in ((3, -6), (-2, 1), (40, -20)):
        found = distance_of(head_of(weight, bias, name))
        expected = 1 / (1 + np.exp(-(weight * of_pairs.astype(float) + bias)))
        assert found.output(found.rows(*pair)) == pytest.approx(expected, abs=1e-4)
        assert found.before_head(found.output(0.5)) == pytest.approx(0.5)
    assert Distance("cosine").matrix(np.zeros((1, 6)), b).tolist() == [[1.0] * 9]


def test_the_parameters_of_a_head_with_a_batch_normalization():
    """By hand: 5 (2 (d - 3) / 2 + 1) + 7 = 5 d - 3."""
    weights = [np.float32([x]) for x in (2, 1, 3, 4 - 1e-3, 5, 7)]
    assert distances.head_parameters(weights) == pytest.approx({"weight": 5, "bias": -3})


@pytest.mark.slow
def test_raw_pixels_are_the_pixels_or_the_means_of_areas():
    images = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 1), dtype=np.uint8)
    for shown in (images, images.repeat(2, axis=1).repeat(3, axis=2)):  # 64x96
        some = ImageSet(shown, np.arange(6, dtype=np.int32) // 2)
        compared = measure.measure_raw_pixels(some, some).compared
        np.testing.assert_allclose(compared.embeddings, images.reshape(6, -1) / 255, rtol=1e-5)
    labels = np.append(np.arange(3000) // 2, 1500).astype(np.int32)
    pixels = np.random.default_rng(0).integers(0, 256, (3001, 2, 2, 1), dtype=np.uint8)
    raw = measure.measure_raw_pixels(*[ImageSet(pixels, labels)] * 2)
    assert raw.images == 1000 and raw.retrieval.queries >= 998


def test_calibrated_rates_are_met_on_other_images():
    figures = measured(1000)
    # same pairs lie 0.2 sqrt(2) = 0.28 apart, neighbouring classes 1: most is right in between
    assert (figures.pairs, figures.images) == (499_500, 1000) and 0.4 < figures.threshold < 0.7
    assert not figures.collapsed and figures.suits and not figures.chance
    for rate, point in figures.operating_points.items():
        assert rate != "0.01" or point["tmr"].low <= point["tmr"].value <= point["tmr"].high
        assert point is None or point["fmr"].low <= float(rate) <= point["fmr"].high
    for figure in (figures.accuracy, figures.tmr, figures.fmr):
        assert 0 <= figure.low < figure.value < figure.high <= 1
    assert figures.auc.low is None  # 0.99: no interval is known to hold
    area = measured(200, spread=0.5).auc
    assert area.low < area.value < area.high < 0.95
    stored = figures.as_dict()
    assert set(stored["accuracy"]) == {"value", "low", "high"} and "compared" not in stored
    names = {"threshold", "accuracy", "tmr", "fmr", "up_to"}
    assert {*stored["operating_points"]["0.01"]} == names
    assert stored["retrieval"]["queries"] == 1000 and stored == json.loads(json.dumps(stored))


def test_a_probability_by_hand():
    # a same pair at 0, a different one at 1: the curve is drawn to 2/3 and 1/3, and
    # 1 / (1 + exp(-s / 2)) = 2/3 where s = 2 log 2
    found = logistic_of(np.array([0.0, 1.0]), np.array([1, 0]), np.array([0, 1]), 0.5)
    assert found == pytest.approx({"middle": 0.5, "slope": 2 * np.log(2)})
    # 8 same pairs apart from 998 different ones: towards 9/10 and 1/1000, odds of 9 and 1/999
    middle = 9 * np.log(9) / (np.log(9) + np.log(999))
    found = logistic_of(np.array([0.0, 9.0]), np.array([8, 0]), np.array([0, 998]), middle)
    assert probability_of([0, 9], {"probability": found}) == pytest.approx([0.9, 0.001])
    # all in one place, or same pairs further apart: the distance says nothing
    for levels, same in (([0.3], [9]), ([0.3, 0.4], [1, 8])):
        found = logistic_of(np.array(levels), np.array(same), np.array(same[::-1]), 0.35)
        assert found["slope"] == 0 and probability_of(0.9, {"probability": found}) == 0.5
    assert probability_of([0.5], {}) is None


def test_as_many_pairs_are_the_same_as_is_said():
    for tenth in measured(600, spread=0.35).calibration:
        assert tenth["same"].low - 0.04 < tenth["predicted"] < tenth["same"].high + 0.04
    # same pairs at 0.4 and 8.5, different ones at 0.1, 0.5, 8.6 and 9; where 1 / (1 + 9^(d - 0.5))
    # is below 0.1 are one of two and two of four: (1/2) / (1/2 + 2/4) are the same
    settings = {"threshold": 1.0, "probability": {"middle": 0.5, "slope": np.log(9)}}
    m = Measurement(image_pairs([0, 0.4, 0.5, 9], [0, 0, 1, 1]), settings)
    tenths = [(tenth["pairs"], tenth["same"].value) for tenth in m.calibration]
    assert tenths == [(1, 0), (1, 1), (1, 0), (3, 0.5)]


def test_few_images_or_groups_support_no_rate():
    # 40 * 30 / 2 = 600 different pairs: 1 % of them are 6 false matches, too few
    assert report(measured(40), "here").count("1 % takes 300") == 3
    clips = np.arange(1000) // 25  # 20 couples at most
    found = calibrate(image_pairs(*clusters(1000, 0.2, 0), groups=clips))
    assert found["operating_points"]["0.01"] is None


def test_units_are_groups_or_new_classes_or_images():
    text = report(measured(400, classes=20, new_classes=True), "here")
    assert text.startswith("here, all 79,800 pairs of 400 images, 95 % intervals over 20 classes:")
    text = report(measured(200, groups=np.arange(200) // 4), "here")
    assert "over 50 groups" in text and "over 200 images" in report(measured(200), "here")
    # clips of one new class are no more independent than its images
    clips = measured(200, classes=20, groups=np.arange(200) // 4, new_classes=True)
    assert (clips.unit, clips.units) == ("classes", 20)
    new = image_pairs(*clusters(600, 0.3, 0, 20), new_classes=True)
    settings = calibrate(new)
    bound = settings["operating_bounds"]["0.01"]
    assert 0.01 < bound < 0.1
    assert f"on new classes up to {100 * bound:.2g} %" in report(Measurement(new, settings), "here")
    few = measured(800, classes=8, new_classes=True)
    assert few.accuracy.low is few.fmr.high is few.retrieval.recall_at_1.low is None
    assert "no interval: fewer than 10 classes (8)" in report(few, "here")


def test_few_images_draw_the_threshold_towards_one_that_suits():
    few = image_pairs(*clusters(30, 0.2, 3))
    best = calibrate(few)["threshold"]
    near = best + 0.02  # 30 / (30 + 30) of the way back
    assert calibrate(few, stored=near)["threshold"] == pytest.approx(best + 0.01)
    assert calibrate(few, stored=99.0)["threshold"] == best  # that one does not suit


def test_whether_a_threshold_suits():
    (places, labels) = clusters(200, 0.2, 0)
    for threshold, suits in ((0.55, True), (0.2, False), (2.5, False)):
        assert on_a_line(places, labels, threshold).suits is suits
    labels = np.repeat(np.arange(3), 20)  # new classes, of which three say little of chance
    places = np.array([0, 0.3, 5])[labels] + np.random.default_rng(0).normal(0, 0.3, 60)
    few = image_pairs(places, labels, new_classes=True)
    assert not Measurement(few, {"threshold": 1e3}).suits
    noise = np.random.default_rng(0).normal(size=200)
    for places, collapsed in ((noise, False), (np.ones(200), True)):
        m = on_a_line(places, labels)
        assert m.chance and m.collapsed == collapsed == ("collapsed" in report(m, "here"))


def test_the_worst_classes_are_named():
    # 900 images of one class in one place, and two of another, far apart from each other
    places = np.append(np.random.default_rng(0).uniform(0, 0.5, 900), [40, 80])
    labels = np.append(np.zeros(900), [1, 1])
    text = report(on_a_line(places, labels, class_names=("fine", "defect")), "here")
    assert "the worst class: defect, 0.0 % of its same pairs found, 2 images" in text
    places = [*np.linspace(0, 0.3, 20), *np.linspace(0.2, 0.5, 20), *np.linspace(9, 9.4, 20)]
    names = ("left\nside", "right", "far")
    text = report(on_a_line(places, np.repeat([0, 1, 2], 20), class_names=names), "here")
    assert "most confused: left?side and right, 100 % of their 400 pairs called" in text
    assert "worst" not in text  # all is found, and classes are alike


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(InputError, match=r"finite embeddings.* Received: 1 of 4"):
        image_pairs([0, np.nan, 1, 2], [0, 0, 1, 1])
    for labels in ([0, 1, 2, 3], [0, 0, 0, 0]):
        with pytest.raises(InputError, match=r"same and different pairs.* Received: 4 images"):
            image_pairs([0, 1, 2, 3], labels)
