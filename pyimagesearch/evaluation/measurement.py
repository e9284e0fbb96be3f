"""What is known of a model on some images: named figures, and their text."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from pyimagesearch.data.sets import are_uneven
from pyimagesearch.evaluation.classes import ByClass
from pyimagesearch.evaluation.intervals import LEAST_UNITS, Figure


@dataclass(frozen=True)
class OperatingPoint:
    """What a threshold that was calibrated for a false match rate gives on other images."""

    threshold: float
    tmr: Figure  # on the pairs
    fmr: Figure  # over all different pairs of the images, of about 4,000 of them at most


@dataclass(frozen=True)
class Measurement:
    """Figures on images that nothing was chosen on. Shares are from 0 to 1."""

    images: int
    pairs: int
    unit: str  # what the intervals count: "images", "classes" or "groups"
    units: int
    accuracy: Figure  # pairs called right at the threshold
    balanced_accuracy: Figure  # the mean of that over same and over different pairs
    tmr: Figure  # same pairs called the same at the threshold
    auc: Figure
    eer: Figure
    operating_points: dict[str, OperatingPoint | None]  # by rate; None: not enough pairs for it
    fmr_images: int  # that each operating point's fmr rests on
    collapsed: bool  # whether all distances are alike
    classes: ByClass | None = None  # None: only pairs are known
    loss: float | None = None
    accuracy_at_half: float | None = None  # pairs called right at 0.5 of a head's output

    def as_dict(self) -> dict[str, Any]:
        """For JSON: a Figure is {"value", "low", "high"}; what is not known is left out."""
        known = {name: value for name, value in vars(self).items() if value is not None}
        for name, value in known.items():
            if isinstance(value, (Figure, ByClass)):
                known[name] = value.as_dict()
        known["operating_points"] = {
            fmr: point and {**vars(point), "tmr": point.tmr.as_dict(), "fmr": point.fmr.as_dict()}
            for fmr, point in self.operating_points.items()
        }
        return known


def report(measurement: Measurement, title: str) -> str:
    """The figures as lines of text under a title."""
    m = measurement
    intervals = "95 % intervals"
    if m.units < LEAST_UNITS:
        intervals = f"no interval: fewer than {LEAST_UNITS} {m.unit} ({m.units})"
    elif m.unit != "images":
        intervals += f" over {m.units} {m.unit}"
    lines = [
        f"{title}, {m.pairs} pairs of {m.images} images, {intervals}:",
        f"  right at the threshold  {m.accuracy.percent()}",
        f"  balanced accuracy       {m.balanced_accuracy.percent()}",
        f"  AUC                     {m.auc.percent(3)}",
        f"  equal error rate        {m.eer.percent()}",
    ]
    if m.accuracy_at_half is not None:
        lines.insert(2, f"  right at 0.5            {100 * m.accuracy_at_half:.2f} %")
    for rate, point in m.operating_points.items():
        text = "not enough pairs to calibrate (30 false matches that share no image)"
        if point is not None:
            text = f"{point.tmr.percent()} where distance < {point.threshold:.3f}"
            text += f"; FMR here {point.fmr.rate()}"
        lines.append(f"  TMR at {100 * float(rate):g} % FMR".ljust(26) + text)
    if any(m.operating_points.values()):
        which = "all" if m.classes else "the different"
        lines.append(f"  the FMR rests on {which} pairs of {m.fmr_images} images")
    if m.classes:
        lines += _of_classes(m.classes, m.tmr.value)
    if m.collapsed:
        lines.append("  the network has collapsed: all distances are alike")
    return "\n".join(lines)


def _of_classes(classes: ByClass, tmr: float) -> list[str]:
    # the worst three, where they are below the whole or classes are of very different size
    uneven = are_uneven(np.array([c.images for c in classes.classes]))
    lines: list[str] = []
    for name, images, found in classes.worst(3):
        if uneven or found < tmr:
            which = "and then" if lines else "the worst class"
            share = f"{100 * found:.1f} % of its same pairs found"
            lines.append(f"  {which}: {name}, {share}, {images} images")
    for a, b, confused in classes.confused[:1]:
        share = f"{100 * confused:.3g} % of their pairs called the same"
        lines.append(f"  most confused: {a} and {b}, {share}")
    return lines
