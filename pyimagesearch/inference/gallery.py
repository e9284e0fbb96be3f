"""A folder of images as vectors: which are nearest, in a file, in one run or in shards.

Shard k of n is the kth part of the folder's files in their order; all are of one length, give or
take one.
"""

import argparse
import csv
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pyimagesearch.data.listing import few_of
from pyimagesearch.evaluation.distances import Distance
from pyimagesearch.system.errors import InputError, first_line, printable
from pyimagesearch.system.files import whole_file


@dataclass(frozen=True)
class Gallery:
    """Embeddings of N images, with what they are of."""

    embeddings: np.ndarray  # float32 (N, D)
    names: tuple[str, ...]  # N, of the files, from the folder on
    classes: tuple[str, ...]  # N, the name of each one's class, or "" where it is not known
    model: str  # the digest of the model that made them, SiameseModel.digest
    files: tuple[int, int, int]  # which of the folder's: from, to (without it), of how many
    directory: str = ""  # the folder; no file holds it

    def path(self, row: int) -> str:
        """Of the file of one of the images."""
        return os.path.join(self.directory, self.names[row])


def shard(text: str) -> tuple[int, int]:
    """For argparse: "3/16", the third of sixteen parts, as (3, 16)."""
    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text, re.ASCII)
    if match and 1 <= int(match[1]) <= int(match[2]):
        return int(match[1]), int(match[2])
    raise argparse.ArgumentTypeError(f"expected K/N, K from 1 to N, received {text!r}")


def nearest(
    query: np.ndarray, embeddings: np.ndarray, top: int = 5, distance: str | None = None
) -> np.ndarray:
    """Which of N embeddings are nearest: int (top,), the nearest first, equal ones by index.

    query: (D,). embeddings: (N, D) float32, of which no copy is made. distance: in
    distances.NAMES, None: euclidean. Raises InputError for NaN or infinite embeddings.
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
    distances = Distance(distance or "euclidean").rows(embeddings[rows], query[np.newaxis])
    return rows[np.argsort(distances, kind="stable")[:top]]


def write(path: str | Path, gallery: Gallery) -> None:
    """Write a gallery, whole or not at all, as the ending of a path says.

    .npz  arrays embeddings float32 (N, D), names, classes, model, files; read gives them back
    .csv  a header; name, class, model, e0 … e{D-1} with nine digits, which is all that a float32
          has. UTF-8; a name that is none keeps its bytes
    """
    arrays = {name: value for name, value in vars(gallery).items() if name != "directory"}
    with whole_file(path) as new:
        if Path(path).suffix.lower() == ".npz":
            with open(new, "wb") as f:  # to a path NumPy would add an ending
                np.savez(f, **arrays)
            return
        with open(new, "w", newline="", encoding="utf-8", errors="surrogateescape") as f:
            rows = csv.writer(f)
            numbers = [f"e{k}" for k in range(gallery.embeddings.shape[1])]
            rows.writerow(["name", "class", "model", *numbers])
            for *texts, row in zip(gallery.names, gallery.classes, gallery.embeddings):
                rows.writerow([*map(cell, texts), gallery.model, *(f"{x:.9g}" for x in row)])


def cell(text: str) -> str:
    """A file's name for a table: a spreadsheet would run what begins as a formula does."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def read(path: str | Path) -> Gallery:
    """What write put into an .npz file. Raises InputError where it is damaged or another's."""
    try:
        with open(path, "rb") as f, np.load(f, allow_pickle=False) as data:
            embeddings = data["embeddings"].astype(np.float32, copy=False)
            (names, classes) = (tuple(map(str, data[name])) for name in ("names", "classes"))
            (model, (first, last, count)) = (str(data["model"]), map(int, data["files"].tolist()))
        if not len(embeddings) == len(names) == len(classes) or embeddings.ndim != 2:
            raise ValueError("not a row of numbers for each name")
        return Gallery(embeddings, names, classes, model, (first, last, count))
    except Exception as error:  # a damaged file makes NumPy raise nearly anything
        received = f"{printable(path)} ({first_line(error)}). Embed that part again."
        raise InputError(f"Expected vectors that embed wrote. Received: {received}") from None


def merge(paths: Sequence[str | Path]) -> Gallery:
    """All shards of a folder, from the .npz files of embed --shard, as embed gives it in one.

    The order of the paths is free. Raises InputError where they are not all parts of one folder,
    embedded by one model, each of them once.
    """
    parts = [read(path) for path in paths]
    wholes = {  # what they are parts of, and a file of each
        (part.files[2], part.model, part.embeddings.shape[1]): printable(path)
        for part, path in zip(parts, paths)
    }
    # each begins where the one before it ends, from the first file of the folder to the last
    (starts, ends, counts) = zip(*sorted(part.files for part in parts))
    gaps = [
        f"files {min(end, start)} to {max(end, start)} {'missing' if end < start else 'twice'}"
        for end, start in zip((0, *ends), (*starts, counts[0]))
        if end != start
    ]
    if len(wholes) > 1 or gaps:
        received = few_of(gaps) if len(wholes) == 1 else f"{' and '.join(wholes.values())}, of two"
        wanted = "all parts that embed --shard writes of one folder with one model, each once"
        raise InputError(f"Expected {wanted}. Received: {received}. Embed what is missing.")
    parts.sort(key=lambda part: part.files)
    names = tuple(name for part in parts for name in part.names)
    classes = tuple(name for part in parts for name in part.classes)
    embeddings = np.concatenate([part.embeddings for part in parts])
    return Gallery(embeddings, names, classes, parts[0].model, (0, counts[0], counts[0]))
