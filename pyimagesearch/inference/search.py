"""Which images of a folder are most like a query: exact, NumPy; embeddings kept between runs."""

from collections.abc import Sequence

import numpy as np

from pyimagesearch.config import EPSILON
from pyimagesearch.data.cache import embeddings_of
from pyimagesearch.inference.model import TrainedModel


def nearest(
    query: np.ndarray, gallery: np.ndarray, top: int = 5, squares: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The nearest of N embeddings: (indices (top,), distances (top,)), nearest first.

    query: (D,). gallery: (N, D) float32. squares: (N,), the squared norms of the gallery, if
    they are there already. Distances as euclidean_distance gives them; equal ones by index.
    """
    squares = np.square(gallery).sum(axis=1) if squares is None else squares
    near = squares - 2 * (gallery @ query)  # squared distances, less the same |query|^2 for all
    top = min(top, len(gallery))
    # this subtraction rounds: measure exactly whatever may be among the nearest
    rounding = 2e-5 * (float(squares.max()) + float(query @ query))
    candidates = np.flatnonzero(near <= np.partition(near, top - 1)[top - 1] + rounding)
    squared = np.square(gallery[candidates].astype(np.float64) - query).sum(axis=1)
    order = np.argsort(squared, kind="stable")[:top]
    return candidates[order], np.sqrt(np.maximum(squared[order], EPSILON))


def embed_folder(
    model: TrainedModel, paths: Sequence[str], directory: str
) -> tuple[list[str], np.ndarray, list[str], int]:
    """Embeddings of image files, from the cache where neither file nor model has changed.

    Returns (paths embedded, float32 (N, D), a message for each other file, how many of the
    embeddings were there already). Raises InputError where no file can be read.
    """
    return embeddings_of(paths, directory, model.digest, model.image_shape, model.embed)
