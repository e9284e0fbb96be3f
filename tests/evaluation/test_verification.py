"""Thresholds and curves on numbers small enough to check by hand."""

from itertools import pairwise

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from pyimagesearch.evaluation.verification import (
    accuracy,
    area_under_curve,
    bootstrap_interval,
    choose_threshold,
    equal_error_rate,
    is_collapsed,
    match_rates,
    roc_curve,
    threshold_at_fmr,
)

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
    # the same pair at 0.4 counted twice: of four, two match
    assert match_rates(DISTANCES, LABELS, 0.35, np.array([1, 1, 2, 1, 1, 1]))[0] == 0.5


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


@pytest.mark.parametrize("of_image, of_pair", [(0.0, 1.0), (0.7, 0.0), (0.5, 0.5)])
def test_bootstrap_interval_is_as_wide_as_redrawing_the_images_says(of_image, of_pair):
    # distances with a part of each image's own and a part of the pair's own; the figure is
    # the share of pairs below 0, and its true spread comes from drawing everything anew
    n, values, widths = 300, [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        partners = np.stack([rng.permutation(n), rng.permutation(n)], axis=1)
        images = np.stack([np.arange(n).repeat(2), partners.ravel()], axis=1)
        d = of_image * rng.normal(size=n)[images].sum(axis=1) + of_pair * rng.normal(size=2 * n)
        y = np.tile([1, 0], n)

        def below(d, y, weights):
            return np.average(d < 0, weights=weights)

        values.append(below(d, y, None))
        low, high = bootstrap_interval(below, d, y, images, repeats=60, seed=seed)
        widths.append(high - low)
    assert 0.75 < np.mean(widths) / (2 * 1.96 * np.std(values)) < 1.3


def test_collapse():
    rng = np.random.default_rng(0)
    assert is_collapsed(np.full(100, 3e-4)) and is_collapsed(1 + 1e-6 * rng.random(100))
    assert not is_collapsed(rng.random(100))
