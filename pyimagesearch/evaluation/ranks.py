"""Figures of whole galleries: how well like finds like, and who is it, or nobody enrolled.

What retrieval and identification say of an image set, as numbers and as lines of text.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pyimagesearch.data.sets import ImageSet
from pyimagesearch.evaluation import identification
from pyimagesearch.evaluation.distances import MATRICES, matrix_for
from pyimagesearch.evaluation.embeddings import Comparison
from pyimagesearch.evaluation.retrieval import Retrieval, Units, retrieve


@dataclass(frozen=True)
class Ranks:
    """Figures on images that nothing was chosen on."""

    retrieval: Retrieval
    # by FPIR, then by size of gallery: see identification.measure; {}: nothing is calibrated
    identification: dict[str, list[dict[str, Any]]]

    def as_dict(self) -> dict[str, Any]:
        """For JSON: "retrieval" and "identification"; a Figure is {"value", "low", "high"}."""
        points = {
            rate: [
                point | {"fnir": point["fnir"].as_dict(), "fpir": point["fpir"].as_dict()}
                for point in found
            ]
            for rate, found in self.identification.items()
        }
        return {"retrieval": self.retrieval.as_dict(), "identification": points}

    def report(self) -> str:
        """The figures as lines of text; of each FPIR those of the largest gallery."""
        r = self.retrieval
        lines = [
            f"  recall@1                {r.recall_at_1.percent()}; "
            f"@5 {100 * r.recall_at_5.value:.2f} %, @10 {100 * r.recall_at_10.value:.2f} %",
            f"  mAP@R                   {r.map_at_r.percent()}; {r.queries} images asked",
        ]
        for rate, points in self.identification.items():
            if points:
                last = points[-1]
                lines.append(
                    f"  FNIR at {100 * float(rate):g} % FPIR".ljust(26) + f"{last['fnir'].rate()} "
                    f"where distance < {last['threshold']:.3f}, gallery of "
                    f"{last['gallery_size']}; FPIR here {last['fpir'].rate()}"
                )
        return "\n".join(lines)


def calibrate(
    embeddings: np.ndarray,
    images: ImageSet,
    comparison: Comparison,
    settings: Mapping[str, Any],
    new_classes: bool,
) -> dict[str, Any]:
    """{"identification": thresholds that hold FPIR}, as a dict for JSON: see identification.

    embeddings: (N, D), of `images`, on which no figure is reported; {} where these have no
    classes. settings: the model's, "distance" and "head". new_classes: whether no class of these
    images was trained on; only then does a rate hold for classes that are new to the model.
    """
    if images.labels is None:
        return {}
    matrix = matrix_for(settings, comparison)
    found = identification.calibrate(embeddings, np.ravel(images.labels), matrix)
    return {"identification": found | {"new_classes": new_classes}}


def measure(
    embeddings: np.ndarray,
    images: ImageSet,
    comparison: Comparison,
    settings: Mapping[str, Any],
    new_classes: bool = False,
) -> Ranks | None:
    """The figures of some images, None where only pairs are known.

    embeddings: (N, D), of `images`. settings: the model's, "distance", "head" and what calibrate
    gave; anything else is as if nothing was calibrated. new_classes: see measuring.measure, as
    for what the intervals count.
    """
    if images.labels is None:
        return None
    labels = np.ravel(images.labels)
    units: Units = "images" if images.groups is None else images.groups
    if new_classes:
        units = "classes"
    matrix = matrix_for(settings, comparison)
    # a head changes no ranks, and takes long
    ranking = MATRICES.get(str(settings.get("distance")), matrix)
    calibration = settings.get("identification")
    points = {}
    if isinstance(calibration, dict) and identification.is_calibration(calibration):
        points = identification.measure(embeddings, labels, calibration, matrix)
    return Ranks(retrieve(embeddings, labels, ranking, units), points)
