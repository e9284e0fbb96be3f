"""Thresholds from one set of images, honest figures from another.

A calibration is a dict: "threshold", which gets most of balanced pairs right, and
"operating_points", the thresholds for given false match rates (None: not enough pairs).
"""

# import the necessary packages
import numpy as np

from pyimagesearch import metrics, utils, verification

FALSE_MATCH_RATES = ("0.01", "0.001", "0.0001")  # as text: they are keys in JSON files
MOST_IMAGES = 4000  # of the choices for the rates over all pairs: 8 million pairs of them


def evaluate(embeddings, settings, choices, test):
    """Figures of the test images, beside those of their raw pixels, calibrated on `choices`.

    embeddings: (N, D), of the test images. settings: the calibration and the loss's margin.
    choices, test: each (images, labels, partners).
    Returns {"test": …, "raw_pixels": …}, each as measure gives it.
    """
    (images, labels, partners) = test
    figures = measure(embeddings, labels, partners, settings)
    (distances, y) = utils.pair_distances(embeddings, partners)
    figures["loss"] = float(metrics.contrastive_loss(y, distances, settings["margin"]))

    # 10,000 images are enough for the raw pixels, and as floats not too large
    (pixels, names) = (raw_pixels(choices[0][:10_000]), choices[1][:10_000])
    pixels = calibrate(pixels, names, utils.sample_pairs(names, 0))
    return {"test": figures, "raw_pixels": measure(raw_pixels(images), labels, partners, pixels)}


def calibrate(embeddings, labels, partners):
    """A calibration from images on which no figure is reported.

    embeddings: (N, D). labels: (N,). partners: (N, 2) from sample_pairs, the balanced pairs.
    The rates are over all pairs of the images, of 4,000 of them at most.
    """
    (distances, y) = utils.pair_distances(embeddings, partners)
    some = np.linspace(0, len(embeddings) - 1, min(len(embeddings), MOST_IMAGES)).astype(int)
    different = np.concatenate(
        [d[y == 0] for d, y in all_pairs(embeddings[some], np.ravel(labels)[some])]
    )
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


def measure(embeddings, labels, partners, calibration):
    """Figures of a calibration on other images, each as [value, low, high]: 95 % intervals.

    accuracy, balanced_accuracy, auc, eer on the balanced pairs; operating_points: TMR on
    them at each calibrated threshold, and the FMR over all pairs of the images (a number);
    None where there is no such threshold.
    """
    (distances, y) = utils.pair_distances(embeddings, partners)
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

    images = utils.pair_indices(partners)
    (low, high) = verification.bootstrap_interval(statistic, distances, y, images)
    (low, high) = np.clip([low, high], 0, 1)
    values = [[float(x) for x in row] for row in zip(statistic(distances, y), low, high)]
    fmr = _false_match_rates(embeddings, labels, list(points.values()))
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
    """The embedding that every network must beat: the pixels themselves, (N, H W C) in [0, 1]."""
    return images.reshape(len(images), -1).astype(np.float32) / 255


def all_pairs(embeddings, labels, block=500):
    """Every pair of the images once, block by block: (distances, y), each (B,)."""
    (_, numbers) = np.unique(labels, return_inverse=True)
    embeddings = embeddings - embeddings.mean(axis=0)  # a - b stays; less is lost in rounding
    squares = np.square(embeddings).sum(axis=1)
    for i in range(0, len(embeddings), block):
        rows = slice(i, i + block)
        squared = squares[rows, None] + squares[None, i:] - 2 * embeddings[rows] @ embeddings[i:].T
        once = np.triu(np.ones(squared.shape, dtype=bool), 1)
        same = numbers[rows, None] == numbers[None, i:]
        yield np.sqrt(np.maximum(squared[once], utils.EPSILON)), same[once]


def _false_match_rates(embeddings, labels, thresholds):
    if not thresholds:
        return []
    matches, total = np.zeros(len(thresholds)), 0
    for distances, y in all_pairs(embeddings, labels):
        different = distances[y == 0]
        matches += [np.sum(different < t) for t in thresholds]
        total += len(different)
    return [float(m / total) for m in matches]


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
    for fmr, point in figures["operating_points"].items():
        text = "not enough pairs to calibrate"
        if point is not None:
            text = f"{percent(point['tmr'])} where distance < {point['threshold']:.3f}"
            text += f"; FMR here {100 * point['fmr']:.2g} %"
        lines.append(f"  TMR at {100 * float(fmr):g} % FMR".ljust(26) + text)
    if figures["collapsed"]:
        lines.append("  the network has collapsed: all distances are alike")
    return "\n".join(lines)
