"""Thresholds from one set of images, figures with their intervals from another."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from pyimagesearch import utils
from pyimagesearch.data.pairs import Pairs
from pyimagesearch.data.rows import evenly
from pyimagesearch.data.sets import ImageSet
from pyimagesearch.evaluation import verification
from pyimagesearch.evaluation.classes import by_class
from pyimagesearch.evaluation.embeddings import (
    Comparison,
    distances_of,
    pair_distances,
    raw_pixels,
)
from pyimagesearch.evaluation.intervals import (
    Figure,
    Trials,
    counts_of,
    interval,
    share_of_counts,
)
from pyimagesearch.evaluation.measurement import Measurement, OperatingPoint, report
from pyimagesearch.evaluation.verification import called_same

__all__ = ["calibrate", "different_pairs", "measure", "measure_raw_pixels", "report"]

FALSE_MATCH_RATES = ("0.01", "0.001", "0.0001")  # as text: they are keys in JSON files
MOST_IMAGES = 4000  # for the rates over all pairs: 8 million pairs of them
MOST_PIXELS = 10_000  # images whose raw pixels are compared


def calibrate(
    embeddings: np.ndarray, images: ImageSet, comparison: Comparison = utils.euclidean_distance
) -> dict[str, Any]:
    """Thresholds from images on which no figure is reported, as a dict for JSON.

    embeddings: (N, D), of `images`, which have pairs, the balanced ones.
    "threshold": what gets most of the pairs right, "calibration_accuracy" of them.
    "operating_points": the threshold for each false match rate over all pairs of the images, of
    about 4,000 of them at most, "operating_images"; None where too few false matches support it.
    "collapsed": whether all distances are alike.
    """
    (distances, y) = pair_distances(embeddings, images.drawn, comparison)
    (different, apart) = different_pairs(embeddings, images, comparison)
    threshold = verification.choose_threshold(distances, y)
    # frames of one clip are no more independent than one image
    owners = different if images.groups is None else images.groups[different]
    return {
        "threshold": threshold,
        "calibration_accuracy": verification.accuracy(distances, y, threshold),
        "operating_points": {
            fmr: verification.threshold_at_fmr(apart, float(fmr), owners) if len(apart) else None
            for fmr in FALSE_MATCH_RATES
        },
        "operating_images": int(np.count_nonzero(counts_of(different, len(embeddings)))),
        "collapsed": verification.is_collapsed(distances),
    }


def measure(
    embeddings: np.ndarray,
    images: ImageSet,
    calibration: Mapping[str, Any],
    comparison: Comparison = utils.euclidean_distance,
    new_classes: bool = False,
    different: tuple[np.ndarray, np.ndarray] | None = None,
) -> Measurement:
    """Figures of a calibration on other images than it was chosen on.

    embeddings: (N, D), of `images`, which have pairs. calibration: see calibrate; only
    "threshold" and "operating_points" are looked at.
    new_classes: whether no class of these images was trained on; then the classes are what the
    intervals count. Otherwise the images' groups are, where they are known, or the images.
    different: what different_pairs gives for these, where the caller needs it, too.
    Below ten of them there is no interval. Intervals of shares: see Trials.share; of AUC and
    EER: Trials.bootstrap, but at least as far as that of a share without an error.
    """
    (distances, y) = pair_distances(embeddings, images.drawn, comparison)
    (distances, y) = (distances.ravel(), y.ravel())
    (unit, unit_of) = _units(images, len(embeddings), new_classes)
    trials = Trials(unit_of[images.drawn.indices()])
    same = y == 1
    same_trials = Trials(trials.units[same])
    threshold = calibration["threshold"]
    right = called_same(distances, threshold) == same
    (auc, eer) = _auc_and_eer(distances, y, trials)
    (pairs, apart) = different or different_pairs(embeddings, images, comparison)
    share = _sharer(pairs, images, unit, unit_of)

    def point(threshold):
        if threshold is None:
            return None
        tmr = same_trials.share(called_same(distances[same], threshold))
        return OperatingPoint(threshold, tmr, share(called_same(apart, threshold)))

    classes = None
    if images.labels is not None:
        classes = by_class(
            embeddings, images.labels, images.class_names, threshold, comparison, pairs, apart
        )
    return Measurement(
        images=len(embeddings),
        pairs=len(y),
        unit=unit,
        units=trials.count,
        accuracy=trials.share(right),
        balanced_accuracy=trials.share(right, y),
        tmr=same_trials.share(right[same]),
        auc=auc,
        eer=eer,
        operating_points={rate: point(t) for rate, t in calibration["operating_points"].items()},
        fmr_images=int(np.count_nonzero(counts_of(pairs, len(embeddings)))),
        collapsed=verification.is_collapsed(distances),
        classes=classes,
    )


def measure_raw_pixels(choices: ImageSet, test: ImageSet, new_classes: bool = False) -> Measurement:
    """What the pixels themselves give, calibrated on `choices`: the line to beat.

    Of more than 10,000 images only some of the pairs are looked at, since pixels as floats
    take much memory.
    """
    (choices, test) = (_some_pairs(part, MOST_PIXELS) for part in (choices, test))
    calibration = calibrate(raw_pixels(choices.images), choices)
    measured = measure(raw_pixels(test.images), test, calibration, new_classes=new_classes)
    return replace(measured, classes=None)


def different_pairs(
    embeddings: np.ndarray, images: ImageSet, comparison: Comparison = utils.euclidean_distance
) -> tuple[np.ndarray, np.ndarray]:
    """The pairs of two classes that the images have, and their distances.

    All of them, of about 4,000 images at most; where only pairs are known, the different ones.
    Returns (int (B, 2), which images; float32 (B,)).
    """
    if images.labels is None:
        pairs = images.drawn.indices()[images.drawn.labels().ravel() == 0]
    else:
        # a bound on time and memory: fewer images where the embeddings are long
        most = int(min(MOST_IMAGES, MOST_IMAGES * (64 / embeddings.shape[1]) ** 0.5))
        some = evenly(len(embeddings), most).astype(np.int32)
        labels = np.ravel(images.labels)[some]
        pairs = np.concatenate(list(_of_two_classes(some, labels)))
    return pairs, distances_of(embeddings, pairs, comparison)


def _of_two_classes(rows, labels, block=256):
    # block by block, which bounds the memory: the table of all pairs is larger than its result
    places = np.arange(len(rows))
    for start in range(0, len(rows), block):
        first = places[start : start + block, np.newaxis]
        (a, b) = np.nonzero((first < places) & (labels[first] != labels))
        yield np.stack([rows[start + a], rows[b]], axis=1)


def _units(images, count, new_classes):
    # what the intervals count, and which of them each image belongs to, (N,)
    if new_classes and images.labels is not None:
        return "classes", np.unique(images.labels, return_inverse=True)[1].astype(np.int32)
    if images.groups is not None:
        return "groups", np.unique(images.groups, return_inverse=True)[1].astype(np.int32)
    return "images", np.arange(count, dtype=np.int32)


def _sharer(pairs, images, unit, unit_of):
    # a function of hits (B,): their share of these pairs, as a Figure
    if unit != "images" or images.labels is None:
        return Trials(unit_of[pairs]).share
    # no two of the pairs are of the same two images, of which their counts say all
    counts = counts_of(pairs, len(unit_of))
    return lambda hits: share_of_counts(counts_of(pairs[hits], len(unit_of)), counts)


def _auc_and_eer(distances, y, trials):
    ranking = verification.Ranking(distances, y)

    def statistic(weights=None):
        curve = ranking.curve(weights)
        return np.array([verification.area(curve), verification.crossing(curve)])

    (auc, eer) = map(float, statistic())
    if not trials.enough:
        return Figure(auc), Figure(eer)
    (low, high) = np.clip(trials.bootstrap(statistic, np.array([auc, eer])), 0, 1).tolist()
    # what no error of so many units allows
    error = interval(0, trials.effective_units())[1]
    return (
        Figure(auc, min(low[0], 1 - error), max(high[0], auc)),
        Figure(eer, min(low[1], eer), max(high[1], error)),
    )


def _some_pairs(images, most):
    # of more than `most` images some of the pairs, as many as hold so many of the images
    if len(images) <= most:
        return images
    pairs = images.drawn.singly()
    # the only image of a class is paired with itself
    proper = np.flatnonzero(pairs.anchors != pairs.others[:, 0])
    order = np.random.default_rng(0).permutation(proper)
    (_, first) = np.unique(pairs.indices()[order], return_index=True)  # where each is first seen
    first = np.sort(first)
    some = np.sort(order[: first[most] // 2] if len(first) > most else order)
    (rows, places) = np.unique(pairs.indices()[some], return_inverse=True)
    (anchors, others) = places.reshape(-1, 2).T
    return images.take(rows).replace(pairs=Pairs(anchors, others[:, np.newaxis], pairs.y[some]))
