"""Thresholds and curves on numbers small enough to check by hand."""

from itertools import pairwise

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from pyimagesearch.evaluation.verification import (
    Ranking,
    accuracy,
    apart,
    area_under_curve,
    choose_threshold,
    crossing,
    is_collapsed,
    match_rates,
    roc_curve,
    threshold_at_fmr,
)


def equal_error_rate(distances, y):
    return crossing(roc_curve(distances, y))


DISTANCES = [0.1, 0.2, 0.4, 0.3, 0.5, 0.6]
LABELS = [1, 1, 1, 0, 0, 0]


def test_threshold_and_accuracy_by_hand():
    # sorted: 0.1 same, 0.2 same, 0.3 different, 0.4 same, 0.5 different, 0.6 different.
    # Cut behind 0.2: 5 of 6 right; behind 0.4: 5 of 6 right, too; no cut gets 6.
    threshold = choose_threshold(DISTANCES, LABELS)
    assert threshold in (pytest.approx(0.25), pytest.approx(0.45))
    assert accuracy(DISTANCES, LABELS, threshold) == pytest.approx(5 / 6)


def test_area_under_curve_by_hand():
    # 9 couples of a same and a different pair; only (0.4 same, 0.3 different) is the wrong way
    assert area_under_curve(DISTANCES, LABELS) == pytest.approx(8 / 9)
    # a tie counts one half
    assert area_under_curve([0.5, 0.5], [1, 0]) == 0.5
    assert area_under_curve([[0.5], [0.5], [0.7]], [[1], [0], [0]]) == 0.75


def test_threshold_is_the_best_of_all_cuts():
    rng = np.random.default_rng(0)
    for _ in range(200):
        d = rng.integers(0, 6, 12) / 5  # many ties
        y = rng.integers(0, 2, 12)
        cuts = [-1, *np.unique(d), 2]
        best = max(accuracy(d, y, (a + b) / 2) for a, b in pairwise(cuts))
        assert accuracy(d, y, choose_threshold(d, y)) == best


def test_threshold_between_neighbouring_floats():
    d = [1.0, np.nextafter(1.0, 2)]
    assert accuracy(d, [1, 0], choose_threshold(d, [1, 0])) == 1


@pytest.mark.parametrize("y, expected", [([1, 1, 1], 1.0), ([0, 0, 0], 1.0)])
def test_one_kind_of_pair_has_a_threshold_but_no_curve(y, expected):
    d = [0.2, 0.4, 0.4]
    assert accuracy(d, y, choose_threshold(d, y)) == expected
    with pytest.raises(ValueError, match="both kinds"):
        area_under_curve(d, y)


@pytest.mark.parametrize(
    "distances, y, message",
    [
        ([], [], "at least one pair"),
        ([0.1, 0.2], [1], "2 distances, 1 labels"),
        ([0.1, np.nan], [1, 0], "1 that are NaN"),
        ([0.1, 0.2], [1, 2], r"labels 0 and 1. Received: \[1, 2\]"),
    ],
)
def test_errors(distances, y, message):
    for function in (choose_threshold, area_under_curve):
        with pytest.raises(ValueError, match=message):
            function(distances, y)


def test_rates_by_hand():
    # at 0.35: of 0.1 0.2 0.4 same, two match; of 0.3 0.5 0.6 different, one does
    assert match_rates(DISTANCES, LABELS, 0.35) == (pytest.approx(2 / 3), pytest.approx(1 / 3))


def test_roc_and_equal_error_rate_by_hand():
    roc = roc_curve(DISTANCES, LABELS)
    np.testing.assert_allclose(roc.tmr, np.array([0, 1, 2, 2, 3, 3, 3]) / 3)
    np.testing.assert_allclose(roc.fmr, np.array([0, 0, 0, 1, 1, 2, 3]) / 3)
    # at thresholds in (0.3, 0.4] FMR is 1/3, and FNMR, too
    assert equal_error_rate(DISTANCES, LABELS) == pytest.approx(1 / 3)
    # all distances equal: one step from (0, 0) to (1, 1) meets FMR = FNMR half-way
    assert equal_error_rate([1, 1, 1], [1, 0, 0]) == pytest.approx(0.5)
    assert equal_error_rate([0.1, 0.9], [1, 0]) == 0


def test_threshold_at_fmr_by_hand():
    different = np.arange(3000) / 1000  # 0, 0.001, …
    # 1 % of 3000 are 30: those below 0.030
    assert threshold_at_fmr(different, 0.01) == pytest.approx(0.030)
    assert np.mean(different < threshold_at_fmr(different, 0.01)) == pytest.approx(0.01)
    assert threshold_at_fmr(different, 0.0099) is None  # 29 false matches are too few
    assert threshold_at_fmr(np.ones(5000), 0.01) == 1.0  # ties: no match at all, not all


def test_false_matches_that_share_an_image_are_one():
    # sorted by distance: (0, 1) counts, (0, 2) and (3, 1) share an image with it, (4, 5) counts
    assert apart(np.array([[0, 1], [0, 2], [3, 1], [4, 5]]), 30) == 2
    assert apart(np.arange(200).reshape(100, 2), 30) == 30


def test_thirty_false_matches_of_different_images_support_a_rate():
    # the 30 nearest of 3000 pairs: of 60 images, then of 59, two of them sharing image 0
    images = np.arange(6000).reshape(3000, 2)
    different = np.arange(3000) / 1000
    assert threshold_at_fmr(different, 0.01, images) == pytest.approx(0.030)
    images[29, 0] = 0
    assert threshold_at_fmr(different, 0.01, images) is None
    assert threshold_at_fmr(different, 0.011, images) == pytest.approx(0.033)  # 33, 32 apart


def test_two_mislabelled_images_of_4000_support_no_threshold():
    # images on a line, ten classes at 0, 10, 20, …: the images of two classes lie 9 apart. Two
    # images of class 0 lie in class 1: 400 pairs each that match wrongly, 800 of 7.2 million
    rng = np.random.default_rng(0)
    labels = np.arange(4000) % 10
    points = 10 * labels + rng.uniform(-0.5, 0.5, 4000)
    (a, b) = np.triu_indices(4000, 1)
    different = labels[a] != labels[b]
    images = np.stack([a[different], b[different]], axis=1)
    clean = np.abs(points[images[:, 0]] - points[images[:, 1]])
    assert threshold_at_fmr(clean, 0.0001, images) > 9
    points[[0, 10]] += 10
    distances = np.abs(points[images[:, 0]] - points[images[:, 1]])
    assert threshold_at_fmr(distances, 0.0001) < 1  # what counting pairs gives
    assert threshold_at_fmr(distances, 0.0001, images) is None
    assert threshold_at_fmr(distances, 0.001, images) > 9  # 7200 false matches: enough others


def test_one_order_serves_all_weights():
    rng = np.random.default_rng(0)
    d, y = rng.integers(0, 20, 100) / 20, rng.integers(0, 2, 100)
    ranking = Ranking(d, y)
    for _ in range(20):
        weights = rng.random(100)
        for got, expected in zip(ranking.curve(weights), roc_curve(d, y, weights)):
            np.testing.assert_array_equal(got, expected)


pairs = st.lists(
    st.tuples(st.integers(0, 12).map(lambda n: n / 8), st.integers(0, 1)), min_size=2, max_size=40
).filter(lambda pairs: 0 < sum(y for _, y in pairs) < len(pairs))


@given(pairs)
def test_against_scikit_learn(pairs):
    d, y = np.array(pairs).T
    assert area_under_curve(d, y) == pytest.approx(sklearn.metrics.roc_auc_score(y, -d))
    fmr, tmr, _ = sklearn.metrics.roc_curve(y, -d, drop_intermediate=False)
    roc = roc_curve(d, y)
    np.testing.assert_allclose(roc.fmr, fmr)
    np.testing.assert_allclose(roc.tmr, tmr)
    threshold = choose_threshold(d, y)
    expected = sklearn.metrics.accuracy_score(y, d < threshold)
    assert accuracy(d, y, threshold) == pytest.approx(expected)
    weights = np.arange(1, len(d) + 1)
    assert area_under_curve(d, y, weights) == pytest.approx(
        sklearn.metrics.roc_auc_score(y, -d, sample_weight=weights)
    )


@given(pairs)
def test_properties(pairs):
    d, y = np.array(pairs).T
    # turning the scale round turns the curve round
    assert area_under_curve(2 - d, y) == pytest.approx(1 - area_under_curve(d, y))
    assert 0 <= equal_error_rate(d, y) <= 1
    # a weight of 2 is the pair twice
    twice = area_under_curve(np.append(d, d[0]), np.append(y, y[0]))
    weights = np.append(2, np.ones(len(d) - 1))
    assert area_under_curve(d, y, weights) == pytest.approx(twice)


def test_collapse():
    rng = np.random.default_rng(0)
    assert is_collapsed(np.full(100, 3e-4)) and is_collapsed(1 + 1e-6 * rng.random(100))
    assert not is_collapsed(rng.random(100))
