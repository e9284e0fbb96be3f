"""Thresholds and curves on numbers small enough to check by hand."""

import numpy as np
import pytest

from pyimagesearch.verification import accuracy, area_under_curve, choose_threshold

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
        best = max(accuracy(d, y, (a + b) / 2) for a, b in zip(cuts, cuts[1:]))
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
