"""Who is this, or nobody enrolled: thresholds for a gallery, and how often they fail.

Open-set identification, terms as in ISO/IEC 19795-1:2021. A gallery holds enrolled classes, with
one image or more of each; a probe's distance to a class is the smallest over the class's images,
a smaller distance = more alike. The candidate is the nearest class (rank 1), and it is returned
where its distance < threshold.

FPIR  false positive identification rate: the share of probes of classes that are not enrolled
      for which a class is returned.
FNIR  false negative identification rate: the share of probes of enrolled classes for which their
      class is not returned: another one is nearer (or as near), or none is near enough.

Both depend on how many are enrolled: of more, one is near by chance. So a calibration is made for
galleries of several sizes. On images of classes that were not trained on, some classes are
enrolled by chance and the others left out, many times; the rates are over all probes of all
these draws. NumPy alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from pyimagesearch.data.rows import evenly
from pyimagesearch.evaluation.distances import DistanceMatrix, euclidean_matrix
from pyimagesearch.evaluation.intervals import Figure
from pyimagesearch.evaluation.resampling import mean_figure
from pyimagesearch.evaluation.retrieval import checked
from pyimagesearch.evaluation.verification import MIN_FALSE_MATCHES, apart, called_same
from pyimagesearch.system.errors import InputError

RATES = ("0.1", "0.01", "0.001")  # of FPIR, as text: they are keys in JSON files
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)  # enrolled classes
MOST_IMAGES = 3000  # which bounds the matrix of their distances to 36 MB


@dataclass(frozen=True)
class Draw:
    """What one gallery says to all probes. Each array has an entry for each of B probes."""

    probes: np.ndarray  # int (B,), which image
    nearest: np.ndarray  # int (B,), the enrolled image that is nearest
    distances: np.ndarray  # float32 (B,), to it
    mated: np.ndarray  # bool (B,), whether the probe's class is enrolled
    right: np.ndarray  # bool (B,), whether the probe's class is the nearest, and no other as near


def calibrate(
    embeddings: np.ndarray,
    labels: np.ndarray,
    distances: DistanceMatrix = euclidean_matrix,
    images_per_class: int = 1,
    seed: int = 0,
) -> dict[str, Any]:
    """Thresholds that hold FPIR for galleries of several sizes, as a dict for JSON.

    embeddings: float (N, D), of images on which no figure is reported. labels: int (N,).
    distances: of (Q, D) and (N, D) -> (Q, N), in the unit that the thresholds are wanted in.
    images_per_class: how many images of each class are enrolled.
    Returns {"gallery_sizes": [1, 2, …], "thresholds": {"0.01": [0.61, …], …}, "images_per_class",
    "images", "classes"}: a threshold for each size, None where too little supports one.
    Above about 3,000 images some of them are taken, of all classes as many.
    """
    (matrix, labels, sizes) = _prepare(embeddings, labels, distances, images_per_class)
    thresholds: dict[str, list[float | None]] = {rate: [] for rate in RATES}
    for size in sizes:
        draws = list(_draws(matrix, labels, size, images_per_class, seed))
        for rate, found in thresholds.items():
            found.append(_threshold(draws, float(rate)))
    return {
        "gallery_sizes": sizes,
        "thresholds": thresholds,
        "images_per_class": images_per_class,
        "images": len(labels),
        "classes": len(np.unique(labels)),
    }


def threshold_for(calibration: Any, gallery_size: int, fpir: float) -> float | None:
    """The threshold that holds FPIR for a gallery of so many classes, None where it is unknown.

    Of the calibrated sizes the next larger one, whose threshold is the stricter. calibration:
    what calibrate gave, read from a file: anything that does not look like it is unknown.
    """
    try:
        rates = {float(rate): found for rate, found in calibration["thresholds"].items()}
        pairs = sorted(zip(calibration["gallery_sizes"], rates[fpir]))
        return next(float(t) for size, t in pairs if size >= gallery_size and t is not None)
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration):
        return None


def is_calibration(found: Any) -> bool:
    """Whether this, read from a file, is what calibrate gives."""
    try:
        thresholds = found["thresholds"]
        (sizes, each) = (found["gallery_sizes"], found["images_per_class"])
        numbers = [t for row in thresholds.values() for t in row if t is not None]
        return (
            all(type(k) is int and k > 0 for k in [each, *sizes])
            and all(type(t) in (int, float) for t in numbers)
            and all(float(rate) > 0 and len(row) == len(sizes) for rate, row in thresholds.items())
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return False


def effective_size(labels: np.ndarray, calibration: Any) -> int:
    """How large a gallery counts, whose labels are int (N,): a calibrated size at least so large.

    The number of its classes where none has more images than the calibration enrolled; else as
    many classes as would have as many images. That errs to the strict side: the images of
    one class lie together, so that more classes are nearer to a stranger than fewer with as many.
    """
    each = calibration.get("images_per_class") if isinstance(calibration, dict) else None
    each = each if type(each) is int and each > 0 else 1
    return max(len(np.unique(labels)), -(-len(labels) // each))


def measure(
    embeddings: np.ndarray,
    labels: np.ndarray,
    calibration: dict[str, Any],
    distances: DistanceMatrix = euclidean_matrix,
    seed: int = 0,
) -> dict[str, list[dict[str, Any]]]:
    """FNIR and FPIR of a calibration on other images: for each rate, what is known by size.

    Returns {"0.01": [{"gallery_size", "threshold", "fnir": Figure, "fpir": Figure}, …], …}, with
    those sizes alone for which there is a threshold, and classes enough here. The intervals are
    for classes drawn anew.
    """
    each = calibration["images_per_class"]
    (matrix, labels, possible) = _prepare(embeddings, labels, distances, each)
    result: dict[str, list[dict[str, Any]]] = {rate: [] for rate in calibration["thresholds"]}
    for k, size in enumerate(calibration["gallery_sizes"]):
        thresholds = {rate: found[k] for rate, found in calibration["thresholds"].items()}
        if size not in possible or not any(t is not None for t in thresholds.values()):
            continue
        draws = list(_draws(matrix, labels, size, each, seed))
        for rate, threshold in thresholds.items():
            if threshold is not None:
                (fnir, fpir) = rates_at(draws, labels, threshold)
                result[rate].append(
                    {"gallery_size": size, "threshold": threshold, "fnir": fnir, "fpir": fpir}
                )
    return result


def rates_at(draws: list[Draw], labels: np.ndarray, threshold: float) -> tuple[Figure, Figure]:
    """(FNIR, FPIR) at a threshold over all draws, with intervals for classes drawn anew."""
    (probes, nearest, distances, mated, right) = (
        np.concatenate([getattr(draw, field.name) for draw in draws]) for field in fields(Draw)
    )
    returned = called_same(distances, threshold)
    missed = ~(returned & right)
    # a false positive lies between two classes, the probe's and the enrolled one's
    between = np.stack([labels[probes], labels[nearest]], axis=1)[~mated]
    return (
        mean_figure(missed[mated], labels[probes[mated]], most=len(labels)),
        mean_figure(returned[~mated], between, most=len(labels)),
    )


def _prepare(
    embeddings: np.ndarray, labels: np.ndarray, distances: DistanceMatrix, each: int
) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """The distances of some images to each other, (N, N), their labels, and the sizes possible."""
    (embeddings, labels) = checked(embeddings, labels)
    if each < 1:
        raise InputError(f"Expected at least one image of each enrolled class. Received: {each}.")
    some = _of_all_classes(labels, each)
    (embeddings, labels) = (embeddings[some], labels[some])
    classes = len(np.unique(labels))
    # at least one class is left out
    return distances(embeddings, embeddings), labels, [size for size in SIZES if size < classes]


def _of_all_classes(labels: np.ndarray, each: int) -> np.ndarray:
    """Which images are taken, int: about MOST_IMAGES, of all classes as many, evenly spread.

    Classes that have no image left to ask with when `each` of theirs are enrolled are left out,
    and some of them where even so there would be too many.
    """
    order = np.argsort(labels, kind="stable")
    (_, firsts, sizes) = np.unique(labels[order], return_index=True, return_counts=True)
    (firsts, sizes) = (firsts[sizes > each], sizes[sizes > each])
    most = MOST_IMAGES // (each + 1)
    some = evenly(len(sizes), most)
    quota = max(MOST_IMAGES // max(len(some), 1), each + 1)
    places = [first + evenly(size, quota) for first, size in zip(firsts[some], sizes[some])]
    return order[np.concatenate([np.zeros(0, int), *places])]


def _draws(
    matrix: np.ndarray, labels: np.ndarray, size: int, each: int, seed: int
) -> Iterator[Draw]:
    """What galleries of `size` classes, `each` images of each, say to all other images."""
    (_, class_of) = np.unique(labels, return_inverse=True)
    rng = np.random.default_rng((seed, size))
    for _ in range(max(10, min(50, 2000 // size))):  # of large galleries fewer: each says more
        # by class, the images of a class in an order by chance
        order = rng.permutation(len(labels))
        order = order[np.argsort(class_of[order], kind="stable")]
        rank = np.arange(len(labels)) - np.searchsorted(class_of[order], class_of[order])
        enrolled = rng.permutation(class_of.max() + 1) < size
        references = order[(rank < each) & enrolled[class_of[order]]]
        probes = np.setdiff1d(np.arange(len(labels)), references)

        far = matrix[np.ix_(probes, references)]  # (B, size * each)
        column = far.argmin(axis=1)
        distances = far[np.arange(len(probes)), column]
        as_near = far <= distances[:, np.newaxis]
        rivals = as_near & np.not_equal.outer(class_of[probes], class_of[references])
        mated = enrolled[class_of[probes]]
        yield Draw(probes, references[column], distances, mated, ~rivals.any(axis=1))


def _threshold(draws: list[Draw], fpir: float) -> float | None:
    """The largest distance as threshold at which FPIR is at most fpir.

    None where fewer than 30 false positives would support it of which no two share an image,
    be it the probe or the enrolled one: a mislabelled image that is enrolled would be near to
    all images of the class that it is of.
    """
    distances = np.concatenate([draw.distances[~draw.mated] for draw in draws])
    images = np.concatenate(
        [np.stack([draw.probes, draw.nearest], axis=1)[~draw.mated] for draw in draws]
    )
    allowed = int(fpir * len(distances) + 1e-9)  # 0.01 * 3000 is a little below 30
    order = np.argsort(distances, kind="stable")
    # what is nearer than the threshold is returned
    threshold = distances[order[allowed]]
    false_positives = images[order[:allowed]][distances[order[:allowed]] < threshold]
    supported = apart(false_positives, MIN_FALSE_MATCHES) == MIN_FALSE_MATCHES
    return float(threshold) if supported else None
