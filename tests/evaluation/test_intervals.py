"""Intervals against SciPy, against the truth in simulations, and by hand."""

from functools import cache

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import binom

from pyimagesearch.data.pairs import sample_pairs
from pyimagesearch.evaluation.intervals import Figure, Trials, effective, interval, share_of_counts

pytestmark = pytest.mark.slow

N = 120  # images of the simulations
LABELS = np.arange(N) % 10
RUNS = 1000


@pytest.mark.parametrize("x, n", [(1, 120), (3, 60), (60, 120), (119, 120), (5, 30000), (2, 3)])
def test_ends_are_where_more_or_fewer_hits_have_a_chance_of_a_fortieth(x, n):
    # of the chance of x itself three quarters count at the end nearer to 0 or 1, half elsewhere
    (of_more, of_fewer) = (3 / 4, 1 / 2) if 2 * x <= n else (1 / 2, 3 / 4)

    def more(p):
        return binom.sf(x, n, p) + of_more * binom.pmf(x, n, p) - 0.025

    def fewer(p):
        return binom.cdf(x - 1, n, p) + of_fewer * binom.pmf(x, n, p) - 0.025

    expected = brentq(more, 1e-12, x / n), brentq(fewer, x / n, 1 - 1e-12)
    assert interval(x / n, n) == pytest.approx(expected, rel=1e-3)


def test_without_an_error_there_is_one_end_by_hand():
    # (1 - p)^120 / 2 = 0.025 where p = 1 - 0.05^(1 / 120) = 1 - exp(-2.9957 / 120) = 0.02466
    assert interval(0, 120) == (0, pytest.approx(0.02466, abs=1e-5))
    assert interval(1, 120) == (pytest.approx(1 - 0.02466, abs=1e-5), 1)


def test_numbers_of_trials_and_hits_need_not_be_whole():
    ends = np.array([interval(x / 120, 120) for x in np.linspace(0, 3, 200)])
    assert (np.diff(ends, axis=0) >= -1e-9).all()  # neither end ever jumps back


def independent(q, rng):
    """Each pair is wrong by itself."""
    pairs = sample_pairs(LABELS, rng)
    return pairs, rng.random(2 * N) < q


def bad_images(q, rng):
    """Some images are bad, and all of their pairs wrong: q = 1 - (1 - bad)^2."""
    pairs = sample_pairs(LABELS, rng)
    return pairs, (rng.random(N) < 1 - np.sqrt(1 - q))[pairs.indices()].any(axis=1)


CENTRES = 13 * np.random.default_rng(5).normal(size=(10, 4))


def noisy_distances(rng):
    # classes around centres; some images lie far off
    points = CENTRES[LABELS] + np.sqrt(6 / rng.chisquare(6, (N, 1))) * rng.normal(size=(N, 4))
    pairs = sample_pairs(LABELS, rng)
    (a, b) = pairs.indices().T
    return pairs, np.linalg.norm(points[a] - points[b], axis=1)


@cache
def noisy_threshold(q):
    """The smallest threshold at which at most the share q of 480,000 such pairs is wrong."""
    rng = np.random.default_rng(99)
    (pairs, distances) = zip(*(noisy_distances(rng) for _ in range(2000)))
    (distances, y) = (np.concatenate(distances), np.concatenate([p.labels()[:, 0] for p in pairs]))
    order = np.argsort(distances)
    wrong = np.sum(y == 1) - np.cumsum(np.where(y[order] == 1, 1, -1))
    return distances[order][np.argmax(wrong <= q * len(y))] if q else np.inf


def noisy_embeddings(q, rng):
    """The distance of a pair lies on the wrong side of a threshold."""
    (pairs, distances) = noisy_distances(rng)
    if q == 0:
        return pairs, np.zeros(2 * N)
    return pairs, (distances <= noisy_threshold(q)) != (pairs.labels()[:, 0] == 1)


def wilson_width(q, n):
    z = 1.96
    return 2 * z / (1 + z**2 / n) * np.sqrt(q * (1 - q) / n + (z / (2 * n)) ** 2)


@pytest.mark.parametrize("simulate", [independent, bad_images, noisy_embeddings])
@pytest.mark.parametrize("q", [0, 0.002, 0.01, 0.05])
def test_the_interval_holds_the_truth_and_is_not_much_wider_than_wilsons(simulate, q):
    rng, figures = np.random.default_rng(1), []
    for _ in range(RUNS):
        (pairs, wrong) = simulate(q, rng)
        figures.append(Trials(pairs.indices()).share(wrong))
    assert np.mean([figure.value for figure in figures]) == pytest.approx(q, rel=0.15)
    assert sum(figure.low <= q <= figure.high for figure in figures) >= 0.93 * RUNS
    width = np.mean([figure.high - figure.low for figure in figures])
    assert width <= 1.5 * np.mean([wilson_width(figure.value, N) for figure in figures])


def test_effective_number_by_hand():
    # 40 images in a ring: a pair of each with the next, 40 pairs, each image in two. The pairs of
    # image 5, (4, 5) and (5, 6), are wrong: q = 2 / 40 = 0.05. Residuals times 40: 0.95 twice,
    # -0.05 38 times. Sums of image 5: 1.9; of 4 and 6: 0.9; of 37 others: -0.1. Squares:
    # 3.61 + 1.62 + 0.37 = 5.60; less 2 * 0.9025 + 38 * 0.0025 = 1.90 makes 3.70 / 1600.
    ring = np.stack([np.arange(40), (np.arange(40) + 1) % 40], axis=1)
    wrong = np.isin(np.arange(40), (4, 5))
    trials = Trials(ring)
    seen = 3.70 / 1600
    # all pairs of bad images wrong: q (1 - q) * sum of loads^2 / sum of loads, loads 2 / 40 each
    worst = 0.0475 * 40 * (2 / 40) ** 2 / 2
    # 0.05 * 40 = 2 errors in images' terms weigh the first, half an error the second
    expected = 0.0475 / ((2 * seen + worst / 2) / 2.5)
    value = trials.share(wrong)
    assert (value.low, value.high) == pytest.approx(interval(0.05, expected))
    assert trials.share(np.zeros(40)).high == pytest.approx(interval(0, 40)[1])
    counts = np.bincount(ring[wrong].ravel(), minlength=40), np.full(40, 2)
    assert share_of_counts(*counts) == Figure(
        0.05, pytest.approx(value.low), pytest.approx(value.high)
    )


def test_one_image_in_all_pairs_counts_little():
    # a query against 100 others: loads 1 and 100 times 0.01. Kish: 2^2 / (1 + 0.01) = 3.96
    pairs = np.stack([np.zeros(100, int), np.arange(1, 101)], axis=1)
    assert Trials(pairs).effective_units() == pytest.approx(4 / 1.01)
    assert Trials(pairs).share(np.ones(100)).low == pytest.approx(0.05 ** (1.01 / 4))


def test_pairs_inside_a_class_count_once():
    # 12 classes of 4: six pairs each, all inside. Those of one class are wrong: one of 12 trials
    units = np.repeat(np.arange(12), 6)
    wrong = units == 0
    figure = Trials(np.stack([units, units], axis=1)).share(wrong)
    q = 1 / 12
    assert (figure.low, figure.high) == pytest.approx(interval(q, 12))
    residuals = wrong - q
    sums = np.bincount(units, residuals) / 72
    assert effective(q, sums, 0.0, np.full(12, 1 / 12)) == pytest.approx(12)


def test_the_mean_over_kinds():
    # of 30 same pairs 3 are wrong, of 10 different ones 5: (0.9 + 0.5) / 2
    y = np.repeat([1, 0], [30, 10])
    right = np.ones(40)
    right[:3] = right[30:35] = 0
    pairs = np.arange(80).reshape(40, 2)
    figure = Trials(pairs).share(right, y)
    assert figure.value == pytest.approx(0.7)
    # variance of independent pairs: (0.09 / 30 + 0.25 / 10) / 4, and the interval about +- 2 of it
    assert figure.high - figure.low == pytest.approx(4 * np.sqrt((0.003 + 0.025) / 4), rel=0.15)


def test_nine_units_have_no_interval_and_ten_have():
    for n, has in ((9, False), (10, True)):
        ring = np.stack([np.arange(n), (np.arange(n) + 1) % n], axis=1)
        figure = Trials(ring).share(np.ones(n))
        assert (figure.low is not None) == (figure.high is not None) == has


@pytest.mark.parametrize("of_image, of_pair", [(0.0, 1.0), (0.7, 0.0), (0.5, 0.5)])
def test_bootstrap_is_as_wide_as_redrawing_the_images_says(of_image, of_pair):
    # distances with a part of each image's own and a part of the pair's own; the figure is
    # the share of pairs below 0, and its true spread comes from drawing everything anew
    n, values, widths = 300, [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        partners = np.stack([rng.permutation(n), rng.permutation(n)], axis=1)
        images = np.stack([np.arange(n).repeat(2), partners.ravel()], axis=1)
        d = of_image * rng.normal(size=n)[images].sum(axis=1) + of_pair * rng.normal(size=2 * n)

        def below(weights, d=d):
            return np.average(d < 0, weights=weights)

        values.append(below(np.ones(2 * n)))
        low, high = Trials(images).bootstrap(below, values[-1], seed=seed)
        widths.append(high - low)
    assert 0.75 < np.mean(widths) / (2 * 1.96 * np.std(values)) < 1.3


def test_figures_as_text():
    assert Figure(0.9953, 0.994, 0.9966).percent() == "99.53 % (99.40 to 99.66)"
    assert Figure(1, 0.97534, 1).percent() == "100.00 % (at least 97.5 %)"
    assert Figure(1, 0.999666, 1).percent(3) == "100.000 % (at least 99.966 %)"
    assert Figure(0, 0, 0.02466).percent() == "0.00 % (at most 2.5 %)"
    assert Figure(0.5).percent() == "50.00 %"
    assert Figure(0.0075, 0.0059, 0.0095).rate() == "0.75 % (0.59 to 0.95)"
    assert Figure(0.000052, 1e-14, 0.0014).rate() == "0.0052 % (0 to 0.14)"
    assert Figure(0, 0, 0.00075).rate() == "0 % (at most 0.075 %)"
    assert Figure(0.5).rate() == "50 %"
    assert Figure(0.5, 0.25, 0.75).as_dict() == {"value": 0.5, "low": 0.25, "high": 0.75}
