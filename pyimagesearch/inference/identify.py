"""Who or what is this? The nearest class of a gallery, or nobody that it knows.

A gallery is a folder with one subfolder for each person or thing, one image or more in each; here
it is embeddings, labels and class names. Terms as in ISO/IEC 19795-1:2021:

FPIR  false positive identification rate: the share of queries of classes that are not enrolled
      for which a class is returned. In a gallery of N images a stranger is compared N times, so
      FPIR <= N FMR: the threshold for FPIR f is that for a false match rate of f / N.
"""

import logging
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from pyimagesearch.evaluation.verification import called_same
from pyimagesearch.inference.model import SiameseModel, is_number

log = logging.getLogger(__name__)

FPIR = 0.01  # the rate that is held where none is named


def limit_for(
    settings: dict[str, Any], threshold: float, size: int, fpir: float = FPIR
) -> tuple[float, float | None]:
    """(the threshold that holds the FPIR in a gallery of so many images, that FPIR).

    settings: the model's, untrusted text. threshold: its own, for pairs. Where no threshold is
    known to hold the rate, it is the strictest that is known, and the FPIR is None.
    """
    known = list(_thresholds(settings, size))
    held = [t for rate, t in known if rate <= fpir * (1 + 1e-9)]  # 0.001 * 10 is above 0.01
    if held:
        return max(held), fpir
    log.info("FPIR unknown: the model is not calibrated for %g in a gallery of %d", fpir, size)
    return min([threshold, *(t for _, t in known)]), None


def _thresholds(settings: dict[str, Any], size: int) -> Iterator[tuple[float, float]]:
    # (an FPIR in a gallery of so many images, the threshold that holds it), of all that is known
    found = settings.get("identification")
    found = found if isinstance(found, dict) else {}
    for rates in (found.get("rates"), settings.get("operating_points")):
        for rate, threshold in rates.items() if isinstance(rates, dict) else ():
            if is_number(threshold):
                yield _number(rate) * size, threshold
    # models of 1.x have thresholds for some sizes of a gallery: a larger one's is stricter
    (sizes, thresholds) = (found.get("gallery_sizes"), found.get("thresholds"))
    if isinstance(sizes, list) and isinstance(thresholds, dict):
        for rate, row in thresholds.items():
            for of_size, threshold in zip(sizes, row if isinstance(row, list) else ()):
                if type(of_size) is int and is_number(threshold):
                    yield _number(rate) if of_size >= size else math.inf, threshold


def _number(text: Any) -> float:
    try:
        return float(text)
    except (TypeError, ValueError):
        return math.inf


def identify(
    model: SiameseModel,
    feats: np.ndarray,
    gallery: np.ndarray,
    labels: np.ndarray,
    class_names: Sequence[str],
    fpir: float = FPIR,
    top: int = 5,
) -> dict[str, Any]:
    """Which class an image is of, or that it is unknown, as a dict for JSON.

    feats: its embedding, float32 (D,). gallery: float32 (N, D), N > 0. labels: int (N,), places in
    class_names. fpir: see limit_for. top: how many candidates are named.
    "known": whether the nearest class's distance < "threshold". "name": that class's, or None.
    "fpir": the rate that the threshold holds, or None. "candidates": the nearest classes, nearest
    first, those at one distance by name, each with its "name", its "distance", the smallest over
    its images, and that "image", a row of the gallery.
    """
    (threshold, held) = limit_for(model.settings, model.threshold, len(labels), fpir)
    distances = model.distance_to_all(feats, gallery)
    order = np.argsort(distances, kind="stable")
    nearest = order[np.unique(labels[order], return_index=True)[1]]  # the nearest image of each
    ranked = sorted((float(distances[row]), class_names[labels[row]], int(row)) for row in nearest)
    known = bool(called_same(ranked[0][0], threshold))
    return {
        "known": known,
        "name": ranked[0][1] if known else None,
        "threshold": threshold,
        "fpir": held,
        "gallery_size": len(labels),
        "candidates": [{"name": n, "distance": d, "image": row} for d, n, row in ranked[:top]],
    }
