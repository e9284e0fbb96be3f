"""Which images of a folder are most like a query: exact, NumPy; embeddings kept between runs."""

from collections.abc import Sequence

import numpy as np

from pyimagesearch.data.cache import embeddings_of
from pyimagesearch.evaluation.distances import NUMPY_DISTANCES
from pyimagesearch.inference.model import TrainedModel
from pyimagesearch.system.errors import InputError
from pyimagesearch.system.errors import printable

BLOCK = 10_000  # embeddings that are measured exactly at a time


def nearest(
    query: np.ndarray,
    gallery: np.ndarray,
    top: int = 5,
    squares: np.ndarray | None = None,
    distance: str = "euclidean",
) -> tuple[np.ndarray, np.ndarray]:
    """The nearest of N embeddings: (indices (top,), distances (top,)), nearest first.

    query: (D,). gallery: (N, D) float32, in memory or mapped from disk, of which no copy is
    made. squares: (N,), what squared_norms gives of it, if that is there already. distance: a
    key of NUMPY_DISTANCES. Distances as that gives them; equal ones by index.
    Raises InputError where embeddings are no finite numbers.
    """
    squares = squared_norms(gallery) if squares is None else squares
    length = float(query @ query)
    if distance == "cosine":
        near = (gallery @ query) / -np.sqrt(np.maximum(squares, 1e-12) * max(length, 1e-12))
        rounding = 2e-5
    else:
        near = squares - 2 * (gallery @ query)  # squared, less the same |query|^2 for all
        rounding = 2e-5 * (float(squares.max()) + length)
    top = min(top, len(gallery))
    # these numbers are rounded: measure exactly whatever may be among the nearest
    candidates = np.flatnonzero(near <= np.partition(near, top - 1)[top - 1] + rounding)
    if not len(candidates):
        raise InputError(
            "Expected embeddings of finite numbers. Received: some that are infinite or no number. "
            "Train the model again."
        )
    measure = NUMPY_DISTANCES[distance]
    blocks = (candidates[k : k + BLOCK] for k in range(0, len(candidates), BLOCK))
    exact = np.concatenate([measure(gallery[b].astype(np.float64), query[None]) for b in blocks])
    order = np.argsort(exact, kind="stable")[:top]
    return candidates[order], exact[order]


def squared_norms(gallery: np.ndarray) -> np.ndarray:
    """|g|^2 of each row, without a copy of them: (N, D) -> (N,)."""
    return np.einsum("nd,nd->n", gallery, gallery)


def most_like(
    model: TrainedModel,
    feats: np.ndarray,
    gallery: np.ndarray,
    top: int,
    squares: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """As nearest, by the model's own distance: (indices (top,), what the model puts out (top,)).

    A head changes no ranks. feats: (D,), the others as for nearest.
    """
    name = str(model.settings.get("distance"))
    name = name if name in NUMPY_DISTANCES else "euclidean"
    (found, _) = nearest(feats, gallery, top, squares, name)
    return found, model.distance_to_all(feats, gallery[found])


def embed_folder(
    model: TrainedModel, paths: Sequence[str], directory: str, may_be_empty: bool = False
) -> tuple[list[str], np.ndarray, list[str], int]:
    """Embeddings of image files, from the cache where neither file nor model has changed.

    directory: where they lie, for messages. Returns (paths embedded, float32 (N, D), a message
    for each other file, how many of the embeddings were there already).
    Raises InputError where no file can be read, unless it may be so.
    """
    (good, embeddings, messages, reused) = embeddings_of(
        paths, model.digest, model.image_shape, model.embed
    )
    if not good and not may_be_empty:
        raise InputError(
            f"Expected readable images. Received: {printable(directory)} with none. "
            + "; ".join(messages[:3])
        )
    return good, embeddings.reshape(len(good), model.embedding_dim), messages, reused
