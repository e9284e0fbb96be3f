"""Thresholds from some images, figures with their intervals from others, and their text.

Where the classes are known, every figure rests on all pairs of the images, and same and
different pairs weigh a half each: right = (TMR + 1 - FMR) / 2. Pairs that are given stay what
they are, and each weighs as much.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pyimagesearch.data.sets import ImageSet, Rows, are_uneven, in_batches
from pyimagesearch.evaluation.all_pairs import (
    AllPairs,
    Counts,
    GivenPairs,
    auc_left_out,
    matches,
    ratio,
    some_of,
)
from pyimagesearch.evaluation.distances import Comparison, distance_of
from pyimagesearch.evaluation.intervals import (
    LEAST_UNITS,
    Figure,
    interval,
    student,
    variance_of,
)
from pyimagesearch.evaluation.retrieval import Retrieval, retrieve
from pyimagesearch.evaluation.verification import independent
from pyimagesearch.system.errors import InputError, printable

FALSE_MATCH_RATES = ("0.01", "0.001", "0.0001")  # as text: they are keys in JSON files
# for identify, whose rate is divided by the size of the gallery
FINE_RATES = tuple(f"{d}e-{k}" for k in range(1, 8) for d in (5, 2, 1))
MOST_IMAGES = 12_000  # of more some are taken: 72 million pairs take some seconds
MOST_PIXELS = 1_500  # images whose raw pixels are compared
MOST_NEAREST = 200_000  # different pairs among which 30 independent ones are looked for
AUC_WITH_INTERVAL = 0.975  # nearer to 1 hardly an image is out of order: no interval holds
DRAWN = 30  # images that weigh as much as the threshold that a model has


@dataclass(frozen=True)
class OperatingPoint:
    """What a threshold that was calibrated for a false match rate gives on other images."""

    threshold: float
    tmr: Figure
    fmr: Figure
    up_to: float | None = None  # what the rate may be on new classes, from the calibration


@dataclass(frozen=True)
class Measurement:
    """Figures on images that nothing was chosen on. Shares are from 0 to 1."""

    images: int
    pairs: int
    unit: str  # what the intervals count: "images", "classes" or "groups"
    units: int
    threshold: float
    accuracy: Figure  # pairs called right at the threshold
    tmr: Figure  # same pairs called the same at the threshold
    fmr: Figure  # different pairs called the same at the threshold
    auc: Figure
    eer: Figure
    operating_points: dict[str, OperatingPoint | None]  # by rate; None: not enough pairs for it
    collapsed: bool  # whether all distances are alike
    best: float  # the threshold that is best for these images
    best_accuracy: float
    suits: bool  # whether the best one is no better than chance lets it be
    chance: bool  # whether no threshold is better than chance
    accuracy_at_half: float | None  # pairs called right at 0.5 of a head's output
    classes: dict[str, Any] | None  # None: only pairs are known
    retrieval: Retrieval | None
    compared: AllPairs | GivenPairs
    rows: np.ndarray  # int, which of the images were measured

    def as_dict(self) -> dict[str, Any]:
        """For JSON: a Figure is {"value", "low", "high"}; what is not known is left out."""
        inner = ("compared", "rows")
        known = {k: v for k, v in vars(self).items() if v is not None and k not in inner}
        points = self.operating_points.items()
        known["operating_points"] = {rate: point and asdict(point) for rate, point in points}
        return {k: asdict(v) if isinstance(v, (Figure, Retrieval)) else v for k, v in known.items()}

    def worst(self, count: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The same pairs furthest apart, then the different ones nearest, `count` of each.

        Returns (int (B, 2), the images of each; what the model puts out (B,); y (B,)).
        """
        found = [self.compared.extremes(kind, count) for kind in (1, 0)]
        (ends, distances) = (np.concatenate(part) for part in zip(*found))
        y = np.repeat([1, 0], [len(found[0][1]), len(found[1][1])])
        return self.rows[ends], self.compared.distance.output(distances), y


def calibrate(
    embeddings: np.ndarray,
    images: ImageSet,
    settings: Mapping[str, Any],
    comparison: Comparison | None = None,
    new_classes: bool = False,
    stored: float | None = None,
) -> dict[str, Any]:
    """Thresholds from images on which no figure is reported, as a dict for JSON.

    embeddings: (N, D), of `images`. settings: the model's, "distance" and "head". comparison: what
    it puts out, asked where there is a head. new_classes: whether no class of these images was
    trained on. stored: the threshold that the model has; where it suits these images, theirs is
    drawn towards it: few images say little.
    "threshold": what gets most of the pairs right, "calibration_accuracy" of them.
    "operating_points": the threshold for each false match rate; None where too few independent
    false matches support it. "operating_bounds": what the rate may be on classes that are new.
    "identification": thresholds for more rates, see inference.identify.
    Raises InputError where an embedding is not finite, or one kind of pair is missing.
    """
    (images, _, unit, compared) = _compare(embeddings, images, settings, comparison, new_classes)
    (curve, distance) = (compared.curve, compared.distance)
    threshold = float(distance.output(curve.best_threshold))
    if stored is not None:
        asked = [curve.best_threshold, float(distance.before_head(stored))]
        if _suits(compared.scan([matches(t) for t in asked]), 0, 1):
            threshold = stored + (threshold - stored) * len(images) / (len(images) + DRAWN)

    (ends, _) = compared.extremes(0, MOST_NEAREST)
    # frames of one clip are no more independent than one image
    least = independent(ends if images.groups is None else images.groups[ends])
    raw = {r: curve.threshold_at_fmr(float(r), least) for r in (*FALSE_MATCH_RATES, *FINE_RATES)}
    known = {r: float(distance.output(t)) for r, t in raw.items() if t is not None}
    matched = np.searchsorted(curve.levels, distance.before_head(threshold))
    found: dict[str, Any] = {
        "threshold": threshold,
        "calibration_accuracy": float(curve.right[matched]),
        "operating_points": {rate: known.get(rate) for rate in FALSE_MATCH_RATES},
        "operating_images": len(images),
        "collapsed": curve.collapsed,
        "identification": {
            "rates": {rate: known[rate] for rate in FINE_RATES if rate in known},
            "new_classes": new_classes,
        },
    }
    if unit == "classes":
        rates = [rate for rate in FALSE_MATCH_RATES if rate in known]
        counts = compared.scan([matches(raw[rate] or 0) for rate in rates])
        found["operating_bounds"] = {r: counts.share(0, k).high for k, r in enumerate(rates)}
    return found


def measure(
    embeddings: np.ndarray,
    images: ImageSet,
    settings: Mapping[str, Any],
    comparison: Comparison | None = None,
    new_classes: bool = False,
) -> Measurement:
    """Figures of a calibration on other images than it was chosen on.

    settings: the model's, with what calibrate gave; the others, and errors: see calibrate.
    """
    (images, rows, unit, compared) = _compare(embeddings, images, settings, comparison, new_classes)
    (curve, distance) = (compared.curve, compared.distance)
    points = dict(settings.get("operating_points") or {})
    known = [rate for rate, threshold in points.items() if threshold is not None]
    outputs = [settings["threshold"], *(points[rate] for rate in known), 0.5]
    raw = [*(float(distance.before_head(t)) for t in outputs), curve.best_threshold]
    counts = compared.scan([matches(t) for t in raw])
    best = len(raw) - 1
    bounds = settings.get("operating_bounds")
    for k, rate in enumerate(known, 1):
        up_to = bounds.get(rate) if isinstance(bounds, dict) else None  # settings are untrusted
        up_to = up_to if isinstance(up_to, float) else None
        points[rate] = OperatingPoint(points[rate], counts.share(1, k), counts.share(0, k), up_to)
    auc = Figure(curve.auc)
    if auc.value < AUC_WITH_INTERVAL and len(counts.images) >= LEAST_UNITS:
        auc = interval(auc.value, auc_left_out(compared), int(counts.images.sum()))
    (classes, retrieval) = (None, None)
    if isinstance(compared, AllPairs):
        names = [images.class_names[k] if images.class_names else str(k) for k in compared.classes]
        classes = _by_class(list(map(printable, names)), compared.sizes, counts)
        retrieval = retrieve(compared)
    return Measurement(
        images=len(images),
        pairs=int(counts.sums[:, -1].sum()),
        unit=unit,
        units=len(counts.images),
        threshold=settings["threshold"],
        accuracy=counts.right(0),
        tmr=counts.share(1, 0),
        fmr=counts.share(0, 0),
        auc=auc,
        eer=Figure(curve.eer),
        operating_points=points,
        collapsed=curve.collapsed,
        best=float(distance.output(curve.best_threshold)),
        best_accuracy=counts.right(best).value,
        suits=_suits(counts, best, 0),
        chance=_at_chance(counts, best, curve.best in (0, len(curve.levels))),
        accuracy_at_half=None if distance.head is None else counts.right(best - 1).value,
        classes=classes,
        retrieval=retrieval,
        compared=compared,
        rows=rows,
    )


def measure_raw_pixels(choices: ImageSet, test: ImageSet, new_classes: bool = False) -> Measurement:
    """What the pixels themselves give, calibrated on `choices`: the line to beat.

    Of more than 1,500 images some are taken.
    """
    (few_choices, few) = (part.part(_at_most(part, MOST_PIXELS)) for part in (choices, test))
    settings = calibrate(raw_pixels(few_choices.images), few_choices, {})
    return measure(raw_pixels(few.images), few, settings, new_classes=new_classes)


def raw_pixels(images: np.ndarray | Rows) -> np.ndarray:
    """The embedding that every network must beat: the pixels themselves, (N, D) in [0, 1].

    Of larger images than 32x32 the means of tiles, up to 32x32 of them: as much as memory bears.
    """
    (height, width) = images.shape[1:3]
    (rows, columns) = (-(-height // 32), -(-width // 32))

    def tiles(batch):
        batch = batch[:, : height // rows * rows, : width // columns * columns]
        # (B, tiles down, rows of one, tiles across, columns of one, C)
        shape = (len(batch), height // rows, rows, width // columns, columns, -1)
        return (batch.reshape(shape).mean(axis=(2, 4)) / 255).reshape(len(batch), -1)

    return in_batches(lambda batch: tiles(batch).astype(np.float32), images)


def figure_rows(m: Measurement) -> list[tuple[str, str]]:
    """Each figure's name and text, as terminal and report show them."""
    rows = [
        ("right at the threshold", m.accuracy.percent()),
        ("TMR at the threshold", m.tmr.percent()),
        ("FMR at the threshold", m.fmr.rate()),
        ("AUC", m.auc.number()),
        ("equal error rate", m.eer.percent()),
    ]
    if m.accuracy_at_half is not None:
        rows.insert(1, ("right at 0.5", f"{100 * m.accuracy_at_half:.2f} %"))
    for rate, point in m.operating_points.items():
        text = "not enough pairs to calibrate (30 false matches that share no image)"
        if point is not None:
            text = f"{point.tmr.percent()} where distance < {point.threshold:.3f}"
            text += f"; FMR here {point.fmr.rate()}"
            if point.up_to is not None:
                text += f", on new classes up to {100 * point.up_to:.2g} %"
        rows.append((f"TMR at {100 * float(rate):g} % FMR", text))
    if m.retrieval:
        r = m.retrieval
        more = f"@5 {100 * r.recall_at_5.value:.2f} %, @10 {100 * r.recall_at_10.value:.2f} %"
        rows += [
            ("recall@1", f"{r.recall_at_1.percent()}; {more}"),
            ("mAP@R", f"{r.map_at_r.percent()}; {r.queries} images asked"),
        ]
    return rows


def report(m: Measurement, title: str) -> str:
    """The figures as lines of text under a title."""
    lines = [f"{title}, {basis(m)}:"]
    lines += [f"  {name:<24}{text}" for name, text in figure_rows(m)]
    if m.classes:
        lines += _of_classes(m.classes, m.tmr.value)
    if m.collapsed:
        lines.append("  the network has collapsed: all distances are alike")
    return "\n".join(lines)


def basis(m: Measurement) -> str:
    """What the figures rest on, and what their intervals count, in words."""
    pairs = f"{'all ' if m.classes else ''}{m.pairs} pairs of {m.images} images"
    if m.units < LEAST_UNITS:
        return f"{pairs}, no interval: fewer than {LEAST_UNITS} {m.unit} ({m.units})"
    return f"{pairs}, 95 % intervals over {m.units} {m.unit}"


def _compare(
    embeddings: np.ndarray,
    images: ImageSet,
    settings: Mapping[str, Any],
    comparison: Comparison | None,
    new_classes: bool,
) -> tuple[ImageSet, np.ndarray, str, AllPairs | GivenPairs]:
    # the images that are compared, which these are, what the intervals count, and the pairs: all
    # where the classes are known, else those that are given
    rows = np.arange(len(images))
    if images.labels is not None:
        rows = _at_most(images, MOST_IMAGES)
        (images, embeddings) = (images.part(rows), embeddings[rows])
    if bad := int(np.sum(~np.isfinite(embeddings).all(axis=1))):
        raise InputError(
            f"Expected finite embeddings. Received: {bad} of {len(embeddings)} with NaN or "
            "infinity. Train the model again."
        )
    labels = images.labels
    kinds = len(np.unique(images.drawn.y if labels is None else labels))
    if kinds < 2 or (labels is not None and kinds == len(labels)):
        raise InputError(
            f"Expected same and different pairs. Received: {len(images)} images whose pairs are "
            "all of one kind. Add images of the same and of other classes."
        )
    (unit, unit_of) = ("images", rows)
    if images.groups is not None:
        (unit, unit_of) = ("groups", images.groups)
    elif new_classes and labels is not None:
        (unit, unit_of) = ("classes", labels)
    distance = distance_of(settings, comparison, embeddings.shape[1])
    if labels is None:
        return images, rows, unit, GivenPairs(embeddings, images.drawn, distance, unit_of)
    return images, rows, unit, AllPairs(embeddings, labels, distance, unit_of)


def _at_most(images: ImageSet, most: int) -> np.ndarray:
    # which of the images are taken where there are more: int, ascending
    if len(images) <= most:
        return np.arange(len(images))
    if images.labels is not None:
        return some_of(images.labels, most)
    order = np.random.default_rng(0).permutation(images.drawn.indices())
    return np.unique(order[: most // 2])  # as many of the given pairs as hold so many images


def _suits(counts: Counts, best: int, stored: int) -> bool:
    # whether the best threshold is better than the stored one by no more than chance allows
    gain = counts.right(best).value - counts.right(stored).value
    differences = counts.right_left_out(best) - counts.right_left_out(stored)
    differences = differences[np.isfinite(differences)]
    if len(differences) < 2:
        return gain <= 0
    error = math.sqrt(variance_of(differences))
    return bool(gain <= student(len(differences) - 1) * error + 1e-12)


def _at_chance(counts: Counts, best: int, at_edge: bool) -> bool:
    # whether even the best threshold gets no more right than calling all pairs alike
    pairs = counts.sums[:, -1]
    right = counts.right(best)
    chance = 0.5 if counts.balanced else float(pairs.max() / pairs.sum())
    return at_edge or (right.low is not None and right.low <= chance)


def _by_class(
    names: Sequence[str], sizes: np.ndarray, counts: Counts, most: int = 5
) -> dict[str, Any]:
    # {"figures": a dict a class, "confused": the couples of whose pairs the largest shares match}
    (fmr, tmr) = ratio(counts.by_class[..., 0], counts.by_class[..., -1]).T.tolist()
    figures = [
        {
            "name": names[k],
            "images": size,
            "tmr": Figure(tmr[k]).as_dict() if size > 1 else None,
            "fmr": Figure(fmr[k]).as_dict(),
        }
        for k, size in enumerate(sizes.tolist())
    ]
    confused = []
    if counts.confused is not None:
        shares = np.triu(counts.confused, 1) / np.outer(sizes, sizes)
        for place in np.argsort(-shares, axis=None, kind="stable")[:most]:
            (a, b) = divmod(int(place), len(sizes))
            if shares[a, b] > 0:
                confused.append({"classes": [names[a], names[b]], "fmr": float(shares[a, b])})
    return {"figures": figures, "confused": confused}


def _of_classes(classes: Mapping[str, Any], tmr: float) -> list[str]:
    # the worst three, where they are below the whole or classes are of very different size
    limit = 1.0 if are_uneven(np.array([c["images"] for c in classes["figures"]])) else tmr
    known = [c for c in classes["figures"] if c["tmr"] and c["tmr"]["value"] < limit]
    known.sort(key=lambda c: (c["tmr"]["value"], c["images"]))
    lines = [
        f"  {which}: {c['name']}, {100 * c['tmr']['value']:.1f} % of its same pairs found, "
        f"{c['images']} images"
        for which, c in zip(("the worst class", "and then", "and then"), known)
    ]
    for c in classes["confused"][:1]:
        (a, b) = c["classes"]
        share = f"{100 * c['fmr']:.3g} % of their pairs called the same"
        lines.append(f"  most confused: {a} and {b}, {share}")
    return lines
