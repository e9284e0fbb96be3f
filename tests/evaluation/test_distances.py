"""Thresholds and curves on numbers small enough to check by hand."""

import numpy as np
import pytest

from pyimagesearch.evaluation.distances import apart, curve_of

DISTANCES = [0.1, 0.2, 0.4, 0.3, 0.5, 0.6]
LABELS = [1, 1, 1, 0, 0, 0]


def accuracy(distances, y, threshold):
    return np.mean((np.array(distances) < threshold) == (np.ravel(y) == 1))


def test_threshold_by_hand():
    # sorted: 0.1 same, 0.2 same, 0.3 different, 0.4 same, 0.5 different, 0.6 different.
    # Cut behind 0.2: 5 of 6 right; behind 0.4: 5 of 6 right, too; no cut gets 6.
    threshold = curve_of(DISTANCES, LABELS).best_threshold
    assert threshold in (pytest.approx(0.25), pytest.approx(0.45))
    assert accuracy(DISTANCES, LABELS, threshold) == pytest.approx(5 / 6)


def test_same_and_different_pairs_weigh_a_half_each():
    # two same pairs, at 0.1 and 0.5, and eight different ones from 0.3 on. Below 0.3 9 of 10 are
    # right, but (1/2 + 8/8) / 2 = 0.75; behind 0.5 (2/2 + 6/8) / 2 = 0.875
    (d, y) = ([0.1, 0.5, 0.3, 0.4, *np.arange(6, 12) / 10], [1, 1] + [0] * 8)
    assert curve_of(d, y).best_threshold == pytest.approx(0.55)
    assert curve_of(d, y).right.max() == pytest.approx(0.875)


@pytest.mark.parametrize(
    "distances, y",
    [([1.0, np.nextafter(1.0, 2)], [1, 0]), ([0.2, 0.4, 0.4], [1, 1, 1]), ([0.2, 0.4], [0, 0])],
)
def test_a_threshold_between_neighbouring_floats_and_for_one_kind_of_pair(distances, y):
    assert accuracy(distances, y, curve_of(distances, y).best_threshold) == 1


def test_the_threshold_for_other_images_is_no_lucky_gap():
    # both kinds spread alike around 1 and 3, so that blurred they cross at 2, however few
    distances, y = [0.5, 1, 1.5, 2.5, 3, 3.5], [1, 1, 1, 0, 0, 0]
    for images in (2, 4, 1000):
        assert curve_of(distances, y).threshold_from(images) == pytest.approx(2, abs=0.05)
    # of 8 same pairs one lies at 2.7: the best is beyond it, which of many images one would believe
    for odd in (3.3, 300):  # however far one image is from the others
        distances = [0.4, 0.6, 0.8, 1, 1, 1.2, 1.4, 2.7, 2.9, 2.9, 3, 3, 3, 3.1, 3.2, odd]
        curve = curve_of(distances, np.arange(16) < 8)
        assert curve.best_threshold == pytest.approx(2.8)
        assert curve.threshold_from(10**8) == pytest.approx(2.8, abs=0.01)
        assert 1.8 < curve.threshold_from(8) < 2.2
    assert curve_of([1.0, 2, 3], [0, 0, 1]).threshold_from(2) == 1  # none is beyond the distances


def test_area_roc_and_equal_error_rate_by_hand():
    roc = curve_of(DISTANCES, LABELS)
    # 9 couples of a same and a different pair; only (0.4 same, 0.3 different) is the wrong way
    assert roc.auc == pytest.approx(8 / 9)
    np.testing.assert_allclose(roc.tmr, np.array([0, 1, 2, 2, 3, 3, 3]) / 3)
    np.testing.assert_allclose(roc.fmr, np.array([0, 0, 0, 1, 1, 2, 3]) / 3)
    # at thresholds in (0.3, 0.4] FMR is 1/3, and FNMR, too
    assert roc.eer == pytest.approx(1 / 3)
    # a tie counts one half
    assert curve_of([[0.5], [0.5], [0.7]], [[1], [0], [0]]).auc == 0.75
    # all distances equal: one step from (0, 0) to (1, 1) meets FMR = FNMR half-way
    assert curve_of([1, 1, 1], [1, 0, 0]).eer == pytest.approx(0.5)
    assert curve_of([0.1, 0.9], [1, 0]).eer == 0


def test_thirty_false_matches_support_a_rate():
    # 1 % of 3000 pairs at 0, 0.001, … are 30: those below 0.030
    curve = curve_of(np.arange(3000) / 1000, np.zeros(3000))
    thirty = list(range(30))
    assert curve.threshold_at_fmr(0.01, thirty) == pytest.approx(0.030)
    assert curve.threshold_at_fmr(0.0099, thirty) is None  # 29 false matches are too few
    assert curve.threshold_at_fmr(0.01, thirty[:29]) is None
    assert curve_of(np.ones(5000), np.zeros(5000)).threshold_at_fmr(0.01, thirty) == 1.0  # ties
    # (0, 2) and (3, 1) share an image with (0, 1)
    assert apart(np.array([[0, 1], [0, 2], [3, 1], [4, 5]])) == [0, 3]
