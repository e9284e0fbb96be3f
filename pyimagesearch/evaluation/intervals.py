"""How far a figure may be from the truth: 95 % intervals of shares, AUC and EER. NumPy alone.

Pairs that share an image are not independent trials, so no interval counts pairs. What counts
are the units: the images; or their classes, where the question is how a model does on classes
that it has never seen; or groups of images that belong together.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

LEVEL = 0.95
LEAST_UNITS = 10  # fewer say too little of how much they differ
REPEATS = 250


@dataclass(frozen=True)
class Figure:
    """A value and its 95 % interval; low and high are None where too few units are known."""

    value: float
    low: float | None = None
    high: float | None = None

    def as_dict(self) -> dict[str, float | None]:
        """For JSON: {"value", "low", "high"}."""
        return asdict(self)

    def percent(self, digits: int = 2) -> str:
        """As text: "99.53 % (99.40 to 99.66)", "100.00 % (at least 97.5 %)", "99.53 %"."""
        text = f"{100 * self.value:.{digits}f} %"
        if self.low is None or self.high is None:
            return text
        if self.value == 1:
            return f"{text} (at least {_rounded(100 * self.low, -1)} %)"
        if self.value == 0:
            return f"{text} (at most {_rounded(100 * self.high, 1)} %)"
        return f"{text} ({100 * self.low:.{digits}f} to {100 * self.high:.{digits}f})"

    def rate(self) -> str:
        """As text where values are small: "0.75 % (0.59 to 0.95)"."""
        text = f"{100 * self.value:.2g} %"
        if self.low is None or self.high is None:
            return text
        if self.value == 0:
            return f"{text} (at most {_rounded(100 * self.high, 1)} %)"
        low = self.low if self.low > self.value / 1000 else 0
        return f"{text} ({100 * low:.2g} to {100 * self.high:.2g})"


class Trials:
    """Pairs, and the units that their ends belong to: what intervals are made from."""

    def __init__(self, units: np.ndarray):
        """units: int (B, 2), the numbers of the two units of each pair, from 0."""
        self.units = np.asarray(units).reshape(-1, 2)
        self.within = self.units[:, 0] == self.units[:, 1]  # a pair inside one unit
        self.size = int(self.units.max(initial=-1)) + 1
        (low, high) = (self.units.min(axis=1).astype(np.int64), self.units.max(axis=1))
        self.count = int(np.count_nonzero(np.bincount(self.units.ravel())))
        self.dyads = low * self.size + high  # which two units; numbers without gaps if dear
        if self.size**2 > 4 * len(low):
            (_, self.dyads) = np.unique(self.dyads, return_inverse=True)

    @property
    def enough(self) -> bool:
        """Whether there are units enough for an interval."""
        return self.count >= LEAST_UNITS

    def share(self, hits: np.ndarray, kinds: np.ndarray | None = None) -> Figure:
        """The share of pairs that are hits, with its interval: see interval and effective.

        hits: bool (B,). kinds: int (B,); the figure is then the mean of the shares of each kind.
        """
        hits = np.ravel(hits)
        kinds = np.zeros(len(hits), int) if kinds is None else np.ravel(kinds)
        sizes = np.bincount(kinds)
        shares = np.bincount(kinds, hits) / np.maximum(sizes, 1)
        value = float(shares.sum() / np.count_nonzero(sizes))
        weights = (1 / np.maximum(sizes, 1) / np.count_nonzero(sizes))[kinds]
        residuals = weights * (hits - shares[kinds])
        dyads = np.bincount(self.dyads, np.where(self.within, 0, residuals))
        return _figure(value, self._sums(residuals), dyads @ dyads, self._sums(weights))

    def effective_units(self) -> float:
        """Kish's effective number of units (1965): fewer where some stand in more pairs."""
        loads = self._sums(np.ones(len(self.units)))
        return float(loads.sum() ** 2 / (loads @ loads))

    def bootstrap(
        self, statistic: Callable[[np.ndarray], np.ndarray], value: np.ndarray, seed: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        """The interval that statistic(weights) keeps to when other units are drawn: (low, high).

        statistic: of float (B,), how often each pair counts. value: what it gives for ones; it
        may be an array of figures.
        A bootstrap by random weights: each unit gets one (mean 1, standard deviation 1/5;
        deviations count five-fold), a pair of two units a + b - 1, a pair inside one unit a.
        That counts the own chance of each dyad (a couple of units) twice, so the variance that
        random weights of single dyads give is taken off again, as in effective.
        """
        rng = np.random.default_rng(seed)
        (a, b) = self.units.T
        (of_units, of_dyads) = ([], [])
        for _ in range(REPEATS):
            drawn = rng.normal(0, 0.2, self.size)
            weights = 1 + drawn[a] + np.where(self.within, 0, drawn[b])
            of_units.append(5 * (statistic(np.maximum(weights, 0)) - value))
            drawn = rng.normal(0, 0.2, self.dyads.max() + 1)[self.dyads]
            weights = 1 + np.where(self.within, 0, drawn)
            of_dyads.append(5 * (statistic(np.maximum(weights, 0)) - value))
        (total, twice) = (np.var(of_units, axis=0), np.var(of_dyads, axis=0))
        shrink = np.sqrt(np.maximum(1 - twice / np.maximum(total, 1e-30), 0.25))
        (low, high) = np.quantile(of_units, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
        return value + shrink * low, value + shrink * high

    def _sums(self, values):
        # over the pairs that a unit stands in, (U,); a pair inside it counts once
        first = np.bincount(self.units[:, 0], values, self.size)
        other = np.where(self.within, 0, values)
        return first + np.bincount(self.units[:, 1], other, self.size)


def share_of_counts(hits: np.ndarray, pairs: np.ndarray, ends: int = 2) -> Figure:
    """As Trials.share, from counts alone, of pairs of which no two are of the same two units.

    hits, pairs: int (U,), in how many pairs each unit stands, and how many of these are hits.
    ends: 1 where only one end of each pair is among these units.
    """
    count = pairs.sum() / ends
    value = float(hits.sum() / pairs.sum())
    shared = value * (1 - value) / count if ends == 2 else 0.0
    return _figure(value, (hits - value * pairs) / count, shared, pairs / count)


def counts_of(pairs: np.ndarray, units: int) -> np.ndarray:
    """How many of the pairs, int (B, 2), each of so many units stands in: int (U,)."""
    # end by end: bincount copies what it is given
    first = np.bincount(pairs[:, 0], minlength=units)
    return first + np.bincount(pairs[:, 1], minlength=units)


def effective(value: float, sums: np.ndarray, shared: float, loads: np.ndarray) -> float:
    """How many independent trials say as much about a share q as these pairs do.

    q (1 - q) / variance, the variance being the dyadic-robust one of Aronow, Samii and Assenova
    (2015): sum over units of S_u^2, less the sum over dyads (couples of units) of S_uv^2, which
    the first counts twice. S_u: the sum over u's pairs of (hit - q) / B.
    A few wrong pairs do not tell whether they come from bad images, all of whose pairs are
    wrong: the variance is a mean of what is seen, which weighs as much as there are errors, and
    of what bad images would give, which weighs half an error.
    At most the number of units: Kish's effective number, where they stand in unequal numbers of
    pairs; exactly that where no error was seen.
    sums: (U,), the S_u. shared: the sum over dyads. loads: (U,), the share of pairs that each
    unit stands in.
    """
    most = float(loads.sum() ** 2 / (loads @ loads))
    errors = min(value, 1 - value) * most
    if errors < 1e-9:
        return most
    seen = max(float(sums @ sums - shared), 0.0)
    bad_images = value * (1 - value) * float(loads @ loads) / float(loads.sum())
    variance = (errors * seen + bad_images / 2) / (errors + 1 / 2)
    return min(most, value * (1 - value) / variance)


def _figure(value, sums, shared, loads):
    if np.count_nonzero(loads) < LEAST_UNITS:
        return Figure(value)
    return Figure(value, *interval(value, effective(value, sums, shared, loads)))


def interval(share: float, trials: float) -> tuple[float, float]:
    """Clopper and Pearson's 95 % interval of a share of independent trials, mid-p: (low, high).

    The high end is where x hits of n or fewer have a chance of 2.5 %, the low end where x or
    more have; of the chance of x itself a part is counted, as in mid-p (Lancaster, 1961; Berry
    and Armitage, 1995): all of it would make the interval hold the truth more often than it says.
    The part is 1/2, and 3/4 for the end that is nearer to 0 or 1, where errors that come in
    clumps need it (tests/evaluation/test_intervals.py). x = share n and n need not be whole:
    the chances are those of Beta distributions. No hit of n: 0 to 1 - 0.05^(1/n).
    """
    hits = share * trials
    (low_part, high_part) = (3 / 4, 1 / 2) if share <= 1 / 2 else (1 / 2, 3 / 4)
    low = 0.0 if hits < 0.05 else 1 - _high_end(trials - hits, trials, low_part)
    high = 1.0 if trials - hits < 0.05 else _high_end(hits, trials, high_part)
    return min(low, share), max(high, share)


def _high_end(x, n, part):
    # where (1 - part) of the chance of x - 1 hits or fewer, plus part of that of x or fewer, is
    # 2.5 %: a quantile of (1 - part) Beta(x, n - x + 1) + part Beta(x + 1, n - x)
    level = (1 + LEVEL) / 2
    if x < 0.05:  # the first of them lies at 0
        return 1 - ((1 - level) / part) ** (1 / n)
    (a, b) = (np.array([x, x + 1]), np.array([n - x + 1, n - x]))
    middle, spread = np.log(a / b), 10 * np.sqrt(1 / a + 1 / b)
    ends = np.min(middle - np.maximum(spread, 36 / a)), np.max(middle + np.maximum(spread, 36 / b))
    t = np.linspace(*ends, 4001)[:, np.newaxis]  # p = 1 / (1 + exp(-t)) has smooth densities in t
    log = a * t - (a + b) * np.logaddexp(0, t)  # (4001, 2)
    density = np.exp(log - log.max(axis=0))
    below = (np.cumsum(density, axis=0) - density / 2) / density.sum(axis=0)
    return 1 / (1 + math.exp(-np.interp(level, below @ [1 - part, part], t[:, 0])))


def _rounded(percent, away):
    # a bound with as many digits as tell it from 0 or 100 %, rounded to the cautious side
    distance = 100 - percent if away < 0 else percent
    digits = max(1, 1 - math.floor(math.log10(max(distance, 1e-6))))
    nearest = math.floor if away < 0 else math.ceil
    return f"{nearest(percent * 10**digits) / 10**digits:.{digits}f}"
