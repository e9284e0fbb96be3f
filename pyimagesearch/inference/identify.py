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
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pyimagesearch.evaluation.verification import called_same
from pyimagesearch.inference.model import SiameseModel
from pyimagesearch.system.errors import InputError

log = logging.getLogger(__name__)

FPIR = 0.01  # the rate that is held where none is named


@dataclass(frozen=True)
class Limit:
    """Below which distance a class is returned, and what is known of it."""

    threshold: float
    fpir: float | None  # the false positive identification rate that it holds; None: unknown
    gallery_size: int  # images


@dataclass(frozen=True)
class Candidate:
    """An enrolled class. Its distance is the smallest over its images."""

    name: str
    distance: float  # smaller = more alike
    image: int  # the row of the gallery that is nearest


@dataclass(frozen=True)
class Identification:
    """The answer to one query."""

    known: bool  # whether the nearest class's distance < threshold
    candidates: tuple[Candidate, ...]  # nearest first, the runners-up included
    limit: Limit

    @property
    def name(self) -> str | None:
        """The class it is; None where it is unknown."""
        return self.candidates[0].name if self.known else None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "known": self.known,
            "name": self.name,
            **asdict(self.limit),
            "candidates": [asdict(candidate) for candidate in self.candidates],
        }


def limit_for(settings: dict[str, Any], threshold: float, size: int, fpir: float = FPIR) -> Limit:
    """The threshold that holds the rate in a gallery of so many images.

    settings: the model's, untrusted text. threshold: its own, for pairs. Where no threshold is
    known to hold the rate, it is the strictest that is known, and the FPIR is unknown.
    """
    known = list(_thresholds(settings, size))
    held = [t for rate, t in known if rate <= fpir * (1 + 1e-9)]  # 0.001 * 10 is above 0.01
    if held:
        return Limit(max(held), fpir, size)
    log.info("FPIR unknown: the model is not calibrated for %g in a gallery of %d", fpir, size)
    return Limit(min([threshold, *(t for _, t in known)]), None, size)


def _thresholds(settings: dict[str, Any], size: int) -> Iterator[tuple[float, float]]:
    # (an FPIR in a gallery of so many images, the threshold that holds it), of all that is known
    found = settings.get("identification")
    found = found if isinstance(found, dict) else {}
    for rates in (found.get("rates"), settings.get("operating_points")):
        for rate, threshold in rates.items() if isinstance(rates, dict) else ():
            if type(threshold) in (int, float):
                yield _number(rate) * size, threshold
    # models of 1.x have thresholds for some sizes of a gallery: a larger one's is stricter
    (sizes, thresholds) = (found.get("gallery_sizes"), found.get("thresholds"))
    if isinstance(sizes, list) and isinstance(thresholds, dict):
        for rate, row in thresholds.items():
            for of_size, threshold in zip(sizes, row if isinstance(row, list) else ()):
                if type(of_size) is int and type(threshold) in (int, float):
                    yield _number(rate) if of_size >= size else math.inf, threshold


def _number(text: Any) -> float:
    try:
        return float(text)
    except (TypeError, ValueError):
        return math.inf


def identify(
    model: SiameseModel,
    queries: np.ndarray,
    gallery: np.ndarray,
    labels: np.ndarray,
    class_names: Sequence[str],
    fpir: float = FPIR,
    top: int = 5,
) -> list[Identification]:
    """The nearest class for each query, its distance and the runners-up, and whether it is known.

    queries: float32 (Q, D). gallery: float32 (N, D). labels: int (N,), places in class_names;
    a name without images is nobody. fpir: see limit_for. top: how many candidates are named.
    Classes at one distance come in the order of their names. Raises InputError for an empty
    gallery, or where the arrays do not belong together.
    """
    labels = np.asarray(labels).ravel()
    if not len(labels) or len(labels) != len(gallery) or labels.max() >= len(class_names):
        raise InputError(
            "Expected a gallery of one image at least, each with a class that has a name. "
            f"Received: {len(gallery)} images, {len(labels)} labels, {len(class_names)} names."
        )
    limit = limit_for(model.settings, model.threshold, len(labels), fpir)
    found = []
    for query in queries:
        distances = model.distance_to_all(query, gallery)
        order = np.argsort(distances, kind="stable")
        (classes, first) = np.unique(labels[order], return_index=True)  # the nearest image of each
        nearest = order[first]
        ranked = sorted(zip(distances[nearest], (class_names[c] for c in classes), nearest))[:top]
        candidates = tuple(Candidate(name, float(far), int(row)) for far, name, row in ranked)
        known = bool(called_same(candidates[0].distance, limit.threshold))
        found.append(Identification(known, candidates, limit))
    return found
