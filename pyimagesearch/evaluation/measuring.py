"""Thresholds from one set of images, honest figures from another.

A calibration is a dict: "threshold", which gets most of balanced pairs right, and
"operating_points", the thresholds for given false match rates (None: not enough pairs).
"""

# import the necessary packages
import numpy as np

from pyimagesearch import metrics, utils
from pyimagesearch.data.pairs import Pairs, sample_pairs
from pyimagesearch.data.rows import take
from pyimagesearch.evaluation import verification
from pyimagesearch.evaluation.embeddings import evenly, in_batches, pair_distances

FALSE_MATCH_RATES = ("0.01", "0.001", "0.0001")  # as text: they are keys in JSON files
MOST_IMAGES = 4000  # of the choices for the rates over all pairs: 8 million pairs of them


def evaluate(embeddings, comparison, recipe, calibration, choices, test):
    """Figures of the test images, beside those of their raw pixels, calibrated on `choices`.

    embeddings: (N, D), of the test images. comparison: of two (B, D), see build_comparison.
    choices, test: ImageSets with pairs.
    Returns {"test": …, "raw_pixels": …}, each as measure gives it, and of the test also its
    loss and, where the model has a head, how many pairs are right at 0.5.
    """
    figures = measure(embeddings, test, calibration, comparison)
    (distances, y) = pair_distances(embeddings, test.pairs, comparison)
    figures["loss"] = float(metrics.pair_loss(recipe, y, distances))
    if recipe.network.head != "none":
        figures["accuracy_at_half"] = float(metrics.pair_accuracy(y, distances))

    (choices, test) = (_at_most(10_000, images) for images in (choices, test))
    pixels = calibrate(raw_pixels(choices.images), choices)
    return {"test": figures, "raw_pixels": measure(raw_pixels(test.images), test, pixels)}


def calibrate(embeddings, images, comparison=utils.euclidean_distance):
    """A calibration from images on which no figure is reported.

    embeddings: (N, D), of `images`, an ImageSet with pairs, the balanced ones.
    The rates are over all pairs of the images, of about 4,000 of them at most.
    """
    (distances, y) = pair_distances(embeddings, images.pairs, comparison)
    different = different_distances(embeddings, images, comparison)
    threshold = verification.choose_threshold(distances, y)
    return {
        "threshold": threshold,
        "calibration_accuracy": verification.accuracy(distances, y, threshold),
        "operating_points": {
            fmr: verification.threshold_at_fmr(different, float(fmr)) if len(different) else None
            for fmr in FALSE_MATCH_RATES
        },
        "collapsed": verification.is_collapsed(distances),
    }


def measure(embeddings, images, calibration, comparison=utils.euclidean_distance):
    """Figures of a calibration on other images, each as [value, low, high]: 95 % intervals.

    accuracy, balanced_accuracy, auc, eer on the pairs; operating_points: TMR on them at each
    calibrated threshold, and the FMR over all pairs of the images, of about 4,000 of them at
    most (a number); None where there is no such threshold.
    """
    (distances, y) = pair_distances(embeddings, images.pairs, comparison)
    points = {k: t for k, t in calibration["operating_points"].items() if t is not None}

    def statistic(distances, y, weights=None):
        (tmr, fmr) = verification.match_rates(distances, y, calibration["threshold"], weights)
        return np.array(
            [
                verification.accuracy(distances, y, calibration["threshold"], weights),
                (tmr + 1 - fmr) / 2,
                verification.area_under_curve(distances, y, weights),
                verification.equal_error_rate(distances, y, weights),
                *(verification.match_rates(distances, y, t, weights)[0] for t in points.values()),
            ]
        )

    indices = images.pairs.indices()
    (low, high) = verification.bootstrap_interval(statistic, distances, y, indices)
    (low, high) = np.clip([low, high], 0, 1)
    values = [[float(x) for x in row] for row in zip(statistic(distances, y), low, high)]
    different = different_distances(embeddings, images, comparison) if points else ()
    fmr = [float(np.mean(different < t)) for t in points.values()]
    return {
        "pairs": len(y),
        **dict(zip(("accuracy", "balanced_accuracy", "auc", "eer"), values)),
        "operating_points": dict.fromkeys(calibration["operating_points"])
        | {
            k: {"threshold": t, "tmr": tmr, "fmr": rate}
            for (k, t), tmr, rate in zip(points.items(), values[4:], fmr)
        },
        "collapsed": verification.is_collapsed(distances),
    }


def raw_pixels(images):
    """The embedding that every network must beat: the pixels themselves, (N, D) in [0, 1].

    Of larger images than 32x32 the means of tiles, up to 32x32 of them: as much as memory bears.
    """
    (height, width) = images.shape[1:3]
    (rows, columns) = (-(-height // 32), -(-width // 32))

    def tiles(batch):
        batch = batch[:, : height // rows * rows, : width // columns * columns]
        shape = (len(batch), height // rows, rows, width // columns, columns, -1)
        return (batch.reshape(shape).mean(axis=(2, 4)) / 255).reshape(len(batch), -1)

    return in_batches(lambda batch: tiles(batch).astype(np.float32), images)


def _at_most(count, images):
    # pixels as floats take much memory: some of the images, evenly spread, with pairs of their own
    if len(images.images) <= count or images.labels is None:
        return images
    some = evenly(len(images.images), count)
    labels = images.labels[some]
    return type(images)(take(images.images, some), labels, sample_pairs(labels, 0))


def different_distances(embeddings, images, comparison=utils.euclidean_distance):
    """The distances of different pairs: all that the images have, of about 4,000 of them at most.

    Where only pairs are known of the images, of these. Returns float32 (B,).
    """
    if images.labels is None:
        (distances, y) = pair_distances(embeddings, images.pairs, comparison)
        return distances[y == 0]
    # a bound on time and memory: fewer images where the embeddings are long
    most = int(min(MOST_IMAGES, MOST_IMAGES * (64 / embeddings.shape[1]) ** 0.5))
    some = evenly(len(embeddings), most)
    (embeddings, labels) = (embeddings[some], np.ravel(images.labels)[some])
    (a, b) = (x.astype(np.int32) for x in np.triu_indices(len(some), 1))
    different = labels[a] != labels[b]
    pairs = Pairs(a[different], b[different, np.newaxis], np.zeros((np.sum(different), 1)))
    return pair_distances(embeddings, pairs, comparison)[0].ravel()


def report(figures, title):
    """The figures as lines of text."""

    def percent(triple, digits=2):
        (value, low, high) = (f"{100 * x:.{digits}f}" for x in triple)
        return f"{value} % ({low} to {high})"

    lines = [
        f"{title}, {figures['pairs']} pairs, 95 % intervals:",
        f"  right at the threshold  {percent(figures['accuracy'])}",
        f"  balanced accuracy       {percent(figures['balanced_accuracy'])}",
        f"  AUC                     {percent(figures['auc'], 3)}",
        f"  equal error rate        {percent(figures['eer'])}",
    ]
    if "accuracy_at_half" in figures:
        lines.insert(2, f"  right at 0.5            {100 * figures['accuracy_at_half']:.2f} %")
    for fmr, point in figures["operating_points"].items():
        text = "not enough pairs to calibrate"
        if point is not None:
            text = f"{percent(point['tmr'])} where distance < {point['threshold']:.3f}"
            text += f"; FMR here {100 * point['fmr']:.2g} %"
        lines.append(f"  TMR at {100 * float(fmr):g} % FMR".ljust(26) + text)
    if figures["collapsed"]:
        lines.append("  the network has collapsed: all distances are alike")
    return "\n".join(lines)
