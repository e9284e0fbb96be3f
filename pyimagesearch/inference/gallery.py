"""A folder of images as vectors: which are nearest, and in a file."""

import csv
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pyimagesearch.evaluation.distances import NUMPY_DISTANCES
from pyimagesearch.system.errors import InputError
from pyimagesearch.system.files import whole_file


@dataclass(frozen=True)
class Gallery:
    """Embeddings of N images, with what they are of."""

    embeddings: np.ndarray  # float32 (N, D)
    names: tuple[str, ...]  # N, of the files, from the folder on
    classes: tuple[str, ...] | None  # N, the name of each one's class; None: not known
    model: str  # the digest of the model that made them, SiameseModel.digest
    directory: str  # the folder; no file holds it

    def path(self, row: int) -> str:
        """Of the file of one of the images."""
        return os.path.join(self.directory, self.names[row])


def nearest(
    query: np.ndarray, embeddings: np.ndarray, top: int = 5, distance: str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The nearest of N embeddings: (indices (top,), distances (top,)), nearest first.

    query: (D,). embeddings: (N, D) float32, of which no copy is made. distance: in
    NUMPY_DISTANCES, None: euclidean. Equal ones come by index.
    Raises InputError for NaN or infinite embeddings.
    """
    squares = np.einsum("nd,nd->n", embeddings, embeddings)  # |g|^2 of each row
    length = float(query @ query)
    if distance == "cosine":
        near = (embeddings @ query) / -np.sqrt(np.maximum(squares, 1e-12) * max(length, 1e-12))
        rounding = 2e-5
    else:
        near = squares - 2 * (embeddings @ query)  # squared, less the same |query|^2 for all
        rounding = 2e-5 * (float(squares.max()) + length)
    top = min(top, len(near))
    # these numbers are rounded: all that may be among the nearest is measured exactly
    rows = np.flatnonzero(near <= np.partition(near, top - 1)[top - 1] + rounding)
    if not len(rows):
        raise InputError("Expected finite embeddings. Received: NaN or infinity. Train again.")
    distances = NUMPY_DISTANCES[distance or "euclidean"](embeddings[rows], query[np.newaxis])
    order = np.argsort(distances, kind="stable")[:top]
    return rows[order], distances[order]


def write(path: str | Path, gallery: Gallery) -> None:
    """Write a gallery, whole or not at all, as the ending of a path says.

    .npz  arrays embeddings float32 (N, D), names, classes (where known), model
    .csv  a header; name, class (where known), model, e0 … e{D-1} with nine digits, which is all
          that a float32 has. UTF-8; a name that is none keeps its bytes
    """
    texts = [gallery.names] + ([] if gallery.classes is None else [gallery.classes])
    with whole_file(path) as new:
        if Path(path).suffix.lower() == ".npz":
            arrays: dict[str, Any] = dict(zip(("names", "classes"), map(np.array, texts)))
            arrays |= {"embeddings": gallery.embeddings, "model": gallery.model}
            with open(new, "wb") as f:  # to a path NumPy would add an ending
                np.savez(f, **arrays)
            return
        with open(new, "w", newline="", encoding="utf-8", errors="surrogateescape") as f:
            rows = csv.writer(f)
            numbers = [f"e{k}" for k in range(gallery.embeddings.shape[1])]
            rows.writerow([*["name", "class"][: len(texts)], "model", *numbers])
            for *cells, row in zip(*texts, gallery.embeddings):
                rows.writerow([*map(cell, cells), gallery.model, *(f"{x:.9g}" for x in row)])


def cell(text: str) -> str:
    """A file's name for a table: a spreadsheet would run what begins as a formula does."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
