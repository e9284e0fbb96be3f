"""Intervals by hand, against SciPy, and against the truth in simulations."""

import numpy as np
import pytest

from pyimagesearch.evaluation import intervals
from pyimagesearch.evaluation.all_pairs import Counts, auc_of
from pyimagesearch.evaluation.intervals import Figure, interval, student, wilson
from pyimagesearch.evaluation.retrieval import Retrieval
from tests.evaluation.known import image_pairs


def test_wilsons_interval_by_hand():
    # no error in 100 trials, z = 2: (2 / 200 + 2 * 2 / 200) / (1 + 4 / 100) = 4 / 104
    assert wilson(0, 100, 2) == (0, pytest.approx(4 / 104))
    # 50 of 100: 0.5 +- 2 sqrt(0.0025 + 0.0001) / 1.04
    assert wilson(0.5, 100, 2)[1] == pytest.approx(0.5 + 2 * 0.0026**0.5 / 1.04)
    assert wilson(1, 100, 2) == (pytest.approx(100 / 104), 1)
    for freedom, quantile in ((9, 2.262), (12, 2.179), (30, 2.042), (1000, 1.962)):  # of tables
        assert student(freedom) == pytest.approx(quantile, abs=0.002)


def test_independent_trials_are_counted_as_they_are():
    # 400 images, one trial each, 40 errors: the jackknife's variance is p (1 - p) / 399
    hits = np.arange(400) < 40
    figure = interval(0.1, (40 - hits) / 399, 400)
    assert (figure.low, figure.high) == pytest.approx(wilson(0.1, 399, student(399)), abs=1e-4)
    # no unit makes a difference: as many trials as images, or fewer where 20 are in a unit
    assert interval(1, np.ones(400), 400).low == pytest.approx(wilson(1, 400, 1.96)[0], abs=1e-4)
    # 400 / (1 + 19 * 0.05) = 205
    assert interval(1, np.ones(20), 400).low == pytest.approx(wilson(1, 205, 1.96)[0], abs=1e-4)
    # all right, though one figure with a unit left out is not: 40 trials
    found = interval(1, np.append(np.ones(39), 0.99), 40)
    assert found.high == 1 and found.low == pytest.approx(40 / (40 + 1.959964**2))


def test_figures_as_text():
    assert Figure(0.9953, 0.994, 0.9966).percent() == "99.53 % (99.40 to 99.66)"
    assert Figure(1, 0.97534, 1).percent() == "100.00 % (at least 97.5 %)"
    assert Figure(0, 0, 0.02466).percent() == "0.00 % (at most 2.5 %)"
    assert Figure(0.99995).number() == "0.99995"
    assert Figure(0.9378, 0.8951, 0.9639).number() == "0.9378 (0.8951 to 0.9639)"
    assert Figure(0.5).percent() == "50.00 %"
    for figure, text in (
        (Figure(0.0075, 0.0059, 0.0095), "0.75 % (0.59 to 0.95)"),
        (Figure(0.000052, 1e-14, 0.0014), "0.0052 % (0 to 0.14)"),
        (Figure(0, 0, 0.00075), "0 % (at most 0.075 %)"),
        (Figure(2e-8, 1e-8, 0.0955), "0.000002 % (0.000001 to 9.6)"),
        (Figure(0.999, 0.98, 1), "100 % (98 to 100)"),
    ):
        assert figure.percent(intervals.two_digits) == text


CENTRES = np.random.default_rng(7).normal(size=(10, 8))


def drawn(rng, classes, each, new):
    """Embeddings around centres, some far off; the classes are new ones each time, or the same."""
    centres = rng.normal(size=(classes, 8)) if new else CENTRES
    labels = np.repeat(np.arange(classes), each)
    scale = 0.35 * np.exp(0.3 * (rng.normal(size=classes) if new else np.linspace(-1, 1, classes)))
    tails = np.sqrt(6 / rng.chisquare(6, (len(labels), 1)))
    noise = scale[labels][:, np.newaxis] * tails * rng.normal(size=(len(labels), 8))
    return (centres[labels] + noise).astype(np.float32), labels


@pytest.mark.slow
@pytest.mark.parametrize("classes, each, new", [(10, 20, False), (10, 5, False), (12, 20, True)])
def test_intervals_hold_the_truth(classes, each, new):
    (rng, more, runs) = (np.random.default_rng(1), np.random.default_rng(2), 130)
    found: list[list[Figure]] = []
    for _ in range(runs):
        (embeddings, labels) = drawn(rng, classes, each, new)
        pairs = image_pairs(embeddings, labels, new_classes=new)
        (counts, retrieval) = (Counts(pairs, [1.8]), Retrieval(pairs))
        shares = [counts.share(0), counts.share(0, 1), counts.share(0, 0)]  # right, TMR, FMR
        embeddings += more.normal(size=embeddings.shape)  # an AUC near 1 has no interval
        area = auc_of(image_pairs(embeddings, labels, new_classes=new))
        found.append([*shares, retrieval.recall_at_1, retrieval.map_at_r, area])
    values = np.array([[(f.low, f.value, f.high) for f in figures] for figures in found])
    (low, value, high) = np.moveaxis(values, 2, 0)  # each (runs, figures)
    truth = value.mean(axis=0)
    assert ((low <= truth) & (truth <= high)).mean(axis=0).min() >= 0.92
    assert (high - low)[:, 0].mean() <= 2 * (2 * 1.96 * value[:, 0].std())  # of right
