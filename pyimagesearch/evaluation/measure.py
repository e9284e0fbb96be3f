"""Thresholds from some images, figures with their intervals from others, and their text."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from pyimagesearch.data.images import fit
from pyimagesearch.data.listing import few_of
from pyimagesearch.data.sets import UNEVEN, ImageSet, Rows, in_batches
from pyimagesearch.evaluation.all_pairs import Counts, ImagePairs, auc_of, some_of
from pyimagesearch.evaluation.distances import apart, logistic_of, probability_of
from pyimagesearch.evaluation.intervals import LEAST_UNITS, Figure, interval, two_digits
from pyimagesearch.evaluation.retrieval import Retrieval

FALSE_MATCH_RATES = ("0.01", "0.001", "0.0001")  # as text: they are keys in JSON files
# for identify, whose rate is divided by the size of the gallery
FINE_RATES = tuple(f"{d}e-{k}" for k in range(1, 8) for d in (5, 2, 1))
KINDS = {"accuracy": None, "tmr": 1, "fmr": 0}  # of pairs, in which a share is counted
MOST_PIXELS = 1_000  # images whose raw pixels are compared
MOST_NEAREST = 200_000  # different pairs among which 30 independent ones are looked for
DRAWN = 30  # the threshold that a model has weighs as much as so many images


class Measurement:
    """Figures of a calibration on other images than it was chosen on. Shares are from 0 to 1."""

    def __init__(self, compared: ImagePairs, settings: Mapping[str, Any]):
        """settings: the model's, with what calibrate gave."""
        (self.compared, curve, distance) = (compared, compared.curve, compared.distance)
        rates = settings.get("operating_points") or {}
        bounds = settings.get("operating_bounds") or {}  # on new classes, from the calibration
        known = {rate: threshold for rate, threshold in rates.items() if threshold is not None}
        outputs = np.array([settings["threshold"], 0.5, *known.values()])
        limits = [*distance.before_head(outputs), curve.best_threshold]
        tenths = np.empty(0)  # the distances at which the probability is 0.9, 0.8 … 0.1
        if (logistic := settings.get("probability")) and logistic["slope"]:
            odds = np.log(1 / np.linspace(0.9, 0.1, 9) - 1)
            tenths = distance.before_head(logistic["middle"] + odds / logistic["slope"])
        counts = Counts(compared, [*limits, *tenths])
        (stored, half, best) = (0, 1, len(outputs))
        shares = [{x: counts.share(k, KINDS[x]) for x in KINDS} for k in range(best)]
        points: dict[str, Any] = dict.fromkeys(rates)
        for (rate, t), found in zip(known.items(), shares[2:]):
            points[rate] = {"threshold": t, "up_to": bounds.get(rate)} | found
        of_best = counts.share(best)
        (self.images, self.pairs) = (len(compared.rows), int(counts.sums[:, -1].sum()))
        self.unit = compared.unit  # what the intervals count: "images", "classes" or "groups"
        self.units = len(counts.images)
        self.threshold: float = settings["threshold"]
        # at the threshold: pairs called right, same and different pairs called the same
        (self.accuracy, self.tmr, self.fmr) = shares[stored].values()
        (self.auc, self.eer) = (auc_of(compared), Figure(curve.eer))
        self.operating_points = points  # by rate what it gives; None: not enough pairs for it
        self.collapsed = curve.collapsed  # whether all distances are alike
        self.best = float(distance.output(curve.best_threshold))  # the threshold for these images
        self.best_accuracy = of_best.value
        self.suits = counts.suits(stored, best)  # whether the best is no better but by chance
        at_edge = curve.best in (0, len(curve.levels))
        self.chance = at_edge or (of_best.low is not None and of_best.low <= 0.5)
        if not self.chance and self.accuracy.low is not None:  # no threshold that guesses suits
            self.suits &= self.accuracy.low > 0.5
        # at 0.5 of a head's output; the others None where only pairs are known
        self.accuracy_at_half = None if distance.head is None else shares[half]["accuracy"].value
        self.calibration = calibration(counts, settings, tenths)
        # of the pairs of each two classes the share that is called the same, (C, C)
        self.shares = counts.shares
        self.classes = None if self.shares is None else _by_class(compared, self.shares)
        self.retrieval = Retrieval(compared, float(limits[stored])) if compared.whole else None

    def as_dict(self) -> dict[str, Any]:
        """For JSON: a Figure is {"value", "low", "high"}; what is not known is left out."""
        left_out = ("compared", "shares")
        found = {k: v for k, v in vars(self).items() if v is not None and k not in left_out}
        return json.loads(json.dumps(found, default=vars))


def worst_pairs(m: Measurement) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """The same pairs that are furthest apart, then the different ones that are nearest.

    Of each kind five, no two of which share an image. Returns int (B, 2), the images' places in
    their set; and for JSON "a", "b", of ImageSet.name_of, "distance", "same", what the model calls
    them, "expected", what they are, and their "classes", where these are known.
    """
    (rows, found, images) = ([], [], m.compared.images)
    (names, labels) = (images.class_names, np.asarray(images.labels))  # no names of ready pairs
    for kind in (1, 0):
        (ends, far) = m.compared.extremes(5_000, kind)  # of which some share no image
        for k in apart(ends)[:5]:
            (a, b) = map(images.name_of, ends[k])
            classes = [names[c] for c in labels[ends[k]]] if names else []
            distance = float(m.compared.distance.output(far[k]))
            verdict = {"same": distance < m.threshold, "expected": bool(kind)}
            found.append({"a": a, "b": b, "classes": classes, "distance": distance, **verdict})
            rows.append(ends[k])
    return np.array(rows), found


def embed(encoder: Any, images: np.ndarray | Rows) -> np.ndarray:
    """Every image through a Keras model once: uint8 (N, H, W, C) -> float32 array (N, D)."""
    compiled = forward(encoder)
    return in_batches(lambda batch: compiled(batch).numpy(), images)


@lru_cache(maxsize=4)  # an encoder is compiled once, not anew in each epoch
def forward(encoder: Any) -> Any:
    """A Keras model as a compiled function: uint8 (B, H, W, C) -> float32 (B, D), as tensors."""
    import tensorflow as tf  # not where commands do without it

    return tf.function(
        lambda batch: encoder(batch, training=False),
        input_signature=[tf.TensorSpec(encoder.input_shape, tf.uint8)],
    ).get_concrete_function()  # else TensorFlow warns of one that is traced for each encoder


def calibrate(compared: ImagePairs, stored: float | None = None) -> dict[str, Any]:
    """Thresholds from images on which no figure is reported, as a dict for JSON.

    stored: the model's threshold; if it suits these images, the new one lies between it and theirs.
    "threshold": what gets most of the pairs right, see Curve.threshold_from.
    "operating_points": the threshold for each false match rate; None where too few independent
    false matches support it. "operating_bounds": what the rate may be on classes that are new.
    "identification": thresholds for more rates, for identify. "probability": of probability_of.
    """
    (curve, distance, asked) = (compared.curve, compared.distance, compared.asked)
    n = len(compared.rows) if asked is None else int(asked.sum())
    threshold = float(distance.output(curve.threshold_from(n)))
    if stored is not None:
        counts = Counts(compared, [float(distance.before_head(stored)), curve.best_threshold])
        if counts.suits(0, 1):
            threshold = stored + (threshold - stored) * n / (n + DRAWN)
    (ends, _) = compared.extremes(MOST_NEAREST, 0)
    # frames of one clip are no more independent than one image
    groups = compared.images.groups
    places = apart(ends if groups is None else groups[ends])
    raw = {r: curve.threshold_at_fmr(float(r), places) for r in (*FALSE_MATCH_RATES, *FINE_RATES)}
    known = {r: float(distance.output(t)) for r, t in raw.items() if t is not None}
    outputs = distance.output(curve.levels)
    fine = {rate: known[rate] for rate in FINE_RATES if rate in known}
    found: dict[str, Any] = {
        "threshold": threshold, "operating_images": n,
        "operating_points": {rate: known.get(rate) for rate in FALSE_MATCH_RATES},
        "probability": logistic_of(outputs, curve.same, curve.different, threshold),
        "identification": {"rates": fine, "new_classes": compared.new_classes},
    }  # fmt: skip
    if compared.unit == "classes":
        rates = [rate for rate in FALSE_MATCH_RATES if rate in known]
        counts = Counts(compared, [raw[rate] or 0 for rate in rates])
        found["operating_bounds"] = {r: counts.share(k, 0).high for k, r in enumerate(rates)}
    return found


@np.errstate(invalid="ignore")  # NaN where no pair is left
def calibration(counts: Counts, settings: Mapping[str, Any], tenths: np.ndarray) -> list[dict]:
    """How probable it is said to be that pairs are the same, and how many of them are.

    tenths: the distances at which the probability is 0.9, 0.8 … 0.1, the last thresholds of
    counts; none of a model without one. Between each two, and around them, where pairs are: the
    mean that is "predicted", the share that is the "same" (both kinds weigh a half), the "pairs".
    """
    curve = counts.compared.curve
    predicted = probability_of(counts.compared.distance.output(curve.levels), settings)
    if not len(tenths) or predicted is None:
        return []
    weights = curve.same / curve.same.sum() + curve.different / curve.different.sum()
    (inside, inside_of) = (np.diff(x[..., -10:], prepend=0) for x in (counts.sums, counts.sums_of))
    rest = (inside - inside_of) / (counts.sums - counts.sums_of)[..., -1:]  # (U, 2, 10)
    found = []
    for k, pairs in enumerate(inside.sum(axis=0).tolist()):
        here = np.searchsorted(tenths, curve.levels, side="right") == k
        if pairs and weights[here].any():
            (shares, units) = (inside[:, k] / counts.sums[:, -1], inside_of[..., k].any(axis=1))
            left_out = rest[units, 1, k] / rest[units, :, k].sum(axis=1)
            images = min(int(counts.images[units].sum()), pairs)
            same = interval(float(shares[1] / shares.sum()), left_out, images)
            mean = float(np.average(predicted[here], weights=weights[here]))
            found.append({"predicted": mean, "same": same, "pairs": pairs})
    return found


def measure_raw_pixels(choices: ImageSet, test: ImageSet, new_classes: bool = False) -> Measurement:
    """What the pixels themselves give, calibrated on `choices`: the line to beat.

    Their values, 0 to 1, are the embedding; of larger images than 32x32 those at 32x32, the means
    of areas: as much as memory bears. Of more than 1,000 images some are taken.
    """
    (height, width, channels) = test.images.shape[1:]
    shape = (min(height, 32), min(width, 32), channels)

    def pixels(batch: np.ndarray) -> np.ndarray:
        return np.array([fit(image, shape).ravel() for image in batch], np.float32) / 255

    def pairs_of(images: ImageSet) -> ImagePairs:
        if images.labels is not None:
            images = images.part(some_of(images.labels, MOST_PIXELS))
        elif len(images) > MOST_PIXELS:  # as many of the given pairs as hold so many images
            (ends, y) = (images.pairs.indices(), images.pairs.labels().ravel())
            order = np.random.default_rng(0).permutation(len(y))
            first = [order[y[order] == kind][: MOST_PIXELS // 4] for kind in (0, 1)]
            images = images.part(np.unique(ends[np.concatenate(first)]))
        return ImagePairs(in_batches(pixels, images.images), images, {}, new_classes=new_classes)

    return Measurement(pairs_of(test), calibrate(pairs_of(choices)))


def figure_rows(m: Measurement) -> list[tuple[str, str]]:
    """Each figure's name and text, as terminal and report show them."""
    rows = [
        ("right at the threshold", m.accuracy.percent()),
        ("TMR at the threshold", m.tmr.percent()),
        ("FMR at the threshold", m.fmr.percent(two_digits)),
        ("AUC", m.auc.number()), ("equal error rate", m.eer.percent()),
    ]  # fmt: skip
    if m.accuracy_at_half is not None:
        rows.insert(1, ("right at 0.5", f"{100 * m.accuracy_at_half:.2f} %"))
    for rate, point in m.operating_points.items():
        text = "not known: too few images chose the thresholds (1 % takes 300 to 1,000; 0.1 % more)"
        if point is not None:
            text = f"{point['tmr'].percent()} where distance < {point['threshold']:.3f}"
            text += f"; FMR here {point['fmr'].percent(two_digits)}"
            if point["up_to"] is not None:
                text += f", on new classes up to {two_digits(100 * point['up_to'])} %"
        rows.append((f"TMR at {100 * float(rate):g} % FMR", text))
    if r := m.retrieval:
        more = f"@5 {100 * r.recall_at_5.value:.2f} %, @10 {100 * r.recall_at_10.value:.2f} %"
        rows.append(("recall@1", f"{r.recall_at_1.percent()}; {more}"))
        rows.append(("mAP@R", f"{r.map_at_r.percent()}; {r.queries:,} images asked"))
    return rows


def report(m: Measurement, title: str) -> str:
    """The figures as lines of text under a title."""
    lines = [f"{title}, {basis(m)}:"]
    lines += [f"  {name:<24}{text}" for name, text in figure_rows(m)]
    if m.classes:
        # the worst three, where they are below the whole or classes are of very different size
        limit = 1.0 if m.compared.sizes.max() > UNEVEN * m.compared.sizes.min() else m.tmr.value
        known = [c for c in m.classes["figures"] if c["tmr"] and c["tmr"].value < limit]
        known.sort(key=lambda c: (c["tmr"].value, c["images"]))
        for c, which in zip(known, ("the worst class", "and then", "and then")):
            found = f"{100 * c['tmr'].value:.1f} % of its same pairs found"
            lines.append(f"  {which}: {c['name']}, {found}, {c['images']} images")
        for c in m.classes["confused"][:1]:
            share = f"{100 * c['fmr']:.3g} % of their {c['pairs']:,} pairs called the same"
            lines.append(f"  most confused: {' and '.join(c['classes'])}, {share}")
    return "\n".join([*lines, *(f"  {warning}" for warning in warnings_of(m))])


def warnings_of(m: Measurement) -> list[str]:
    """What is wrong with the network or with labels, a line each."""
    found = []
    if m.retrieval and (doubtful := m.retrieval.doubtful):
        files = [f"{'image ' * (not isinstance(x['file'], str))}{x['file']} ({x['class']}, looks "
                 f"like {x['like']})" for x in doubtful]  # fmt: skip
        found.append(f"labels that are probably wrong, {len(files)}: {few_of(files, 5)}")
    if m.collapsed:
        found.append("the network has collapsed: all distances are alike")
    elif m.chance:
        found.append("no better than chance, as far as these images can tell")
    return found


def basis(m: Measurement) -> str:
    """What the figures rest on, and what their intervals count, in words."""
    pairs = f"{'all ' if m.compared.whole else ''}{m.pairs:,} pairs of {m.images:,} images"
    if m.units < LEAST_UNITS:
        return f"{pairs}, no interval: fewer than {LEAST_UNITS} {m.unit} ({m.units})"
    return f"{pairs}, 95 % intervals over {m.units:,} {m.unit}"


def _by_class(compared: ImagePairs, shares: np.ndarray) -> dict[str, Any]:
    # {"figures": a dict a class, "confused": the couples of whose pairs the largest shares match}
    (names, sizes) = (compared.names, compared.sizes)
    fmr = (shares @ sizes - shares.diagonal() * sizes) / (sizes.sum() - sizes)
    of_all = zip(names, sizes.tolist(), shares.diagonal().tolist(), fmr.tolist())
    figures = [{"name": name, "images": n, "tmr": Figure(t) if n > 1 else None, "fmr": Figure(f)}
               for name, n, t, f in of_all]  # fmt: skip
    confused: list[dict[str, Any]] = [
        {"classes": [names[a], names[b]], "fmr": shares[a, b], "pairs": int(sizes[a] * sizes[b])}
        for a, b in np.argwhere(np.triu(shares, 1)).tolist()]  # fmt: skip
    confused.sort(key=lambda couple: -couple["fmr"])
    return {"figures": figures, "confused": confused[:5]}
