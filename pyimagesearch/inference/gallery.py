"""A folder of images as vectors: which are nearest, in a file, in one run or in shards.

Shard k of n is the kth part of the folder's files in their order; all are of one length, give or
take one. Each shard's file says which it is and of which list of files, so that merge can tell
whether they belong together.
"""

import argparse
import csv
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from pyimagesearch.data.listing import few_of
from pyimagesearch.evaluation.distances import NUMPY_DISTANCES
from pyimagesearch.system.errors import InputError, first_line, printable
from pyimagesearch.system.files import check_writable, whole_file

ENDINGS = (".npz", ".csv")  # of the files that are written


@dataclass(frozen=True)
class Gallery:
    """Embeddings of N images, with what they are of."""

    embeddings: np.ndarray  # float32 (N, D)
    names: tuple[str, ...]  # N, of the files, from the folder on
    classes: tuple[str, ...] | None  # N, the name of each one's class; None: not known
    model: str  # the digest of the model that made them, SiameseModel.digest
    # (k, n, a digest of the list of files) of the kth of n parts of a folder; None: all of it
    shard: tuple[int, int, str] | None = None
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
        received = "some that are infinite or no number. Train the model again."
        raise InputError(f"Expected embeddings of finite numbers. Received: {received}")
    distances = NUMPY_DISTANCES[distance or "euclidean"](embeddings[rows], query[np.newaxis])
    order = np.argsort(distances, kind="stable")[:top]
    return rows[order], distances[order]


def check(path: str | Path, parts: Sequence[str | Path] = ()) -> None:
    """Raise InputError where write would fail: to know before anything is embedded or merged.

    parts: files that are to be merged, and stay.
    """
    if Path(path).suffix.lower() not in ENDINGS:
        wanted = f"a file that ends with {' or '.join(ENDINGS)}"
        raise InputError(f"Expected {wanted}. Received: {printable(path)}.")
    check_writable(os.path.dirname(path) or ".")
    if os.path.realpath(path) in map(os.path.realpath, parts):
        wanted = "Expected --output beside the parts, which stay."
        raise InputError(f"{wanted} Received: {printable(path)}, one of them.")


def write(path: str | Path, gallery: Gallery) -> None:
    """Write a gallery, whole or not at all, as the ending of a path says that check lets pass.

    .npz  arrays embeddings float32 (N, D), names, classes, model, and which shard it is; read
          gives them back
    .csv  a header; name, class (where known), model, e0 … e{D-1} with nine digits, which is all
          that a float32 has. UTF-8; a name that is none keeps its bytes
    """
    texts = {"names": gallery.names}
    if gallery.classes is not None:
        texts["classes"] = gallery.classes
    with whole_file(path) as new:
        if Path(path).suffix.lower() == ".csv":
            with open(new, "w", newline="", encoding="utf-8", errors="surrogateescape") as f:
                rows = csv.writer(f)
                numbers = [f"e{k}" for k in range(gallery.embeddings.shape[1])]
                rows.writerow([*["name", "class"][: len(texts)], "model", *numbers])
                for *cells, row in zip(*texts.values(), gallery.embeddings):
                    rows.writerow([*map(cell, cells), gallery.model, *(f"{x:.9g}" for x in row)])
            return
        arrays: dict[str, Any] = {name: np.array(some) for name, some in texts.items()}
        if gallery.shard is not None:
            (*arrays["shard"], arrays["listing"]) = gallery.shard
        with open(new, "wb") as f:  # to a path NumPy would add an ending
            np.savez(f, embeddings=gallery.embeddings, model=gallery.model, **arrays)


def cell(text: str) -> str:
    """A file's name for a table: a spreadsheet would run what begins as a formula does."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def read(path: str | Path) -> Gallery:
    """What write put into an .npz file. Raises InputError where it is damaged or another's."""
    try:
        with open(path, "rb") as f, np.load(f, allow_pickle=False) as data:
            known = {name: data[name] for name in data.files}
        embeddings = known["embeddings"].astype(np.float32, copy=False)
        names = tuple(map(str, known["names"].tolist()))
        classes = tuple(map(str, known["classes"].tolist())) if "classes" in known else None
        (number, of) = known["shard"].tolist() if "shard" in known else (1, 1)
        whole = type(number) is type(of) is int and 1 <= number <= of and embeddings.ndim == 2
        if not (whole and len(embeddings) == len(names) == len(classes or names)):
            raise ValueError("not a row of numbers for each name, or no shard of a whole")
        shard = (number, of, str(known["listing"])) if "shard" in known else None
        return Gallery(embeddings, names, classes, str(known["model"]), shard)
    except FileNotFoundError:
        raise InputError(f"Expected a file. Received: {printable(path)}, not there.") from None
    except Exception as error:  # a damaged file makes NumPy raise nearly anything
        raise InputError(
            f"Expected vectors that this project wrote. Received: {printable(path)} "
            f"({first_line(error)}). Write them again with python -m pyimagesearch embed."
        ) from None


def merge(paths: Sequence[str | Path]) -> Gallery:
    """All shards of a folder, from the .npz files of embed --shard, as embed gives it in one.

    The order of the paths is free. Raises InputError where they are not all parts of one folder,
    embedded by one model, each of them once.
    """
    parts = [read(path) for path in paths]
    wholes: dict[Any, str] = {}  # what there are parts of, and a file of each
    for path, part in zip(paths, parts):
        whole = part.shard and (*part.shard[1:], part.model, part.embeddings.shape[1])
        wholes.setdefault(whole, printable(path))
    if None in wholes or len(wholes) > 1:
        received = f"{' and '.join(wholes.values())}, of two"
        if None in wholes:
            received = f"{wholes[None]}, not a part"
        raise InputError(
            "Expected parts that embed --shard has written, of one folder that stayed as it was, "
            f"in one division, by one model. Received: {received}. Embed all shards again."
        )
    ((of, *_),) = wholes
    parts.sort(key=lambda part: part.shard or ())
    times = Counter(part.shard[0] for part in parts if part.shard)
    wrong = (f"{k} {'twice' if times[k] else 'missing'}" for k in range(1, of + 1) if times[k] != 1)
    if few := few_of(islice(wrong, 4)):
        raise InputError(f"Expected each of {of} shards once. Received: {few}.")
    names = tuple(name for part in parts for name in part.names)
    classes = tuple(name for part in parts for name in part.classes or ())
    embeddings = np.concatenate([part.embeddings for part in parts])
    return Gallery(embeddings, names, classes or None, parts[0].model)
