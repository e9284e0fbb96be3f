"""Which pairs, distances and dots report.html shows: as many as a page can hold."""

import base64
from collections.abc import Sequence

import numpy as np

from pyimagesearch.data.rows import evenly
from pyimagesearch.data.sets import ImageSet
from pyimagesearch.evaluation import curves
from pyimagesearch.evaluation.page_texts import short
from pyimagesearch.evaluation.verification import called_same
from pyimagesearch.system.errors import printable

MOST_DISTANCES = 40_000  # of one kind of pair; of more, steps between them are left out
ON_MAP = 400  # images, each with its picture
WORST = 10  # pairs of each kind
AROUND = 30  # pairs of each kind on each side of the threshold


def pairs_to_show(
    indices: np.ndarray, distances: np.ndarray, y: np.ndarray, threshold: float
) -> dict[str, list[int]]:
    """Which pairs the page has pictures of.

    indices: int (B, 2), the images of each pair; one with the same images as another is left out.
    distances, y: (B,). Returns {"all": rows of the pairs, "same": places in "all" of the same
    pairs furthest apart, "different": of the different pairs nearest}. Of each kind there are,
    on each side of the threshold, up to 30: the nearest to it and ever fewer further away.
    """
    first_seen = np.unique(np.sort(indices, axis=1), axis=0, return_index=True)[1]
    shown: list[int] = []
    worst = {}
    for kind, name, first in ((1, "same", -1), (0, "different", 1)):
        of_kind = np.sort(first_seen[y[first_seen] == kind])
        ranked = of_kind[np.argsort(distances[of_kind], kind="stable")]
        wrong = ranked[::first][:WORST].tolist()
        border = int(np.sum(called_same(distances[of_kind], threshold)))
        for side in (ranked[:border][::-1], ranked[border:]):
            if len(side):
                ranks = np.geomspace(1, len(side), AROUND).astype(int) - 1
                wrong += side[np.unique(ranks)].tolist()
        once = list(dict.fromkeys(wrong))
        worst[name] = list(range(len(shown), len(shown) + min(WORST, len(of_kind))))
        shown += once
    return {"all": shown, **worst}


def steps(distances: np.ndarray, stops: Sequence[float], most: int = MOST_DISTANCES) -> dict:
    """Sorted distances as compact text, from which the page counts those below a threshold.

    distances: float32 (M,), ascending. stops: thresholds at which the count is exact even where
    distances are left out. Returns {"count": M, "distances": float32 in base64, "ranks": how
    many lie below each of these, uint32 in base64, or None where none is left out}.
    """
    distances = np.asarray(distances, np.float32)
    count = len(distances)
    ranks = np.arange(count)
    if count > most:
        # in float64, as verification.called_same
        exact = np.searchsorted(distances.astype(np.float64), stops)
        ranks = np.concatenate([np.arange(most // 2), evenly(count, most // 2), exact])
        ranks = np.unique(ranks[ranks < count])
        # of a run of equal distances the first, below which all that lie before it are counted
        ranks = np.unique(np.searchsorted(distances, distances[ranks]))
    return {
        "count": count,
        "distances": _base64(distances[ranks], "<f4"),
        "ranks": _base64(ranks, "<u4") if len(ranks) < count else None,
    }


def map_of(embeddings: np.ndarray) -> tuple[np.ndarray, list, float]:
    """Which images are on the map, and where: see curves.plot_map, of whose images some are.

    embeddings: (N, D). Returns (rows (T,), places [[x, y] …] between -1 and 1, the share of the
    variance that they show).
    """
    some = evenly(len(embeddings), 2000)
    (places, share) = curves.principal_places(embeddings[some])
    shown = evenly(len(some), ON_MAP)
    scale = max(float(np.abs(places).max(initial=0)), 1e-12)
    return some[shown], np.round(places[shown] / scale, 4).tolist(), share


def names_of(test: ImageSet, rows: np.ndarray) -> dict[str, list]:
    """The names of the classes of some images, and of which each image is, by its place there.

    rows: int (T,), which images. Both lists are empty where only pairs are known.
    """
    if test.labels is None:
        return {"names": [], "class_of": []}
    (numbers, class_of) = np.unique(np.ravel(test.labels)[rows], return_inverse=True)
    names = [test.class_names[k] if test.class_names else str(k) for k in numbers]
    return {"names": [short(printable(name)) for name in names], "class_of": class_of.tolist()}


def _base64(values: np.ndarray, dtype: str) -> str:
    return base64.b64encode(values.astype(dtype).tobytes()).decode()
