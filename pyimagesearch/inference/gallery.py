"""A folder of images as vectors: which are nearest, in a file, in one run or in shards."""

import argparse
import csv
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pyimagesearch.data.splits import groups_of
from pyimagesearch.evaluation.distances import Distance
from pyimagesearch.system.files import whole_file
from pyimagesearch.system.terminal import InputError, printable, say


@dataclass(frozen=True)
class Gallery:
    """Embeddings of N images, with what they are of."""

    embeddings: np.ndarray = field(repr=False)  # float32 (N, D)
    names: tuple[str, ...] = field(repr=False)  # N, of the files, from the folder on
    classes: tuple = field(repr=False)  # N, the name of each one's class, or its label; "": unknown
    model: str  # the digest of the model that made them, SiameseModel.digest
    shard: tuple[int, int, int]  # (k, n, crc): the kth of n; CRC-32 of the folder's names
    directory: str | None = ""  # the folder, which no file holds; None: images in memory

    def path(self, row: int) -> str | int:
        """Of the file of one of the images, or its number."""
        return int(row) if self.directory is None else os.path.join(self.directory, self.names[row])

    def without(self, file: Any) -> "Gallery":
        """The same without a file of the folder that is asked about or drawn, if it is there."""
        asked = file_id(file) if self.directory and isinstance(file, str | os.PathLike) else ()
        if not asked or asked not in self.file_ids:
            return self
        others = [row for row, known in enumerate(self.file_ids) if known != asked]
        if not others:
            raise InputError("other images than the one that is asked about, or drawn", "none")
        say(f"left out {printable(file)}: asked about, or drawn by this command")
        (names, classes) = (tuple(x[row] for row in others) for x in (self.names, self.classes))
        return replace(self, embeddings=self.embeddings[others], names=names, classes=classes)

    @cached_property
    def file_ids(self) -> list[tuple[int, ...]]:
        """The file_id of each image: N."""
        return [file_id(self.path(row)) for row in range(len(self.names))]


def file_id(path: Any) -> tuple[int, ...]:
    """The device and inode number of a file, the same for all links to it; () where it is gone."""
    with suppress(OSError):
        return (x := os.stat(path)).st_dev, x.st_ino
    return ()


def shard(text: str) -> tuple[int, int]:
    """For argparse: "3/16", the third of sixteen parts, as (3, 16)."""
    with suppress(ValueError):
        (k, n) = map(int, text.split("/"))
        if 1 <= k <= n:
            return k, n
    raise argparse.ArgumentTypeError(f"expected K/N, K from 1 to N, received {text!r}")


def groups(embeddings: np.ndarray, measure: Distance, threshold: float) -> list[np.ndarray]:
    """Groups of images that are nearer than a threshold: int, rows of each, largest first.

    embeddings: (N, D). Each image is so near to another one of its group, perhaps not to all.
    """
    count = len(embeddings)
    step = 1 + 1_000_000 // (count + 1)  # block by block: there may be as many edges as pairs
    blocks = ((k, measure.matrix(embeddings[k : k + step], embeddings))
              for k in range(0, count, step))  # fmt: skip
    near = (np.argwhere(measure.output(far) < threshold) + np.array([k, 0]) for k, far in blocks)
    return groups_of(count, near)


def write(path: str | Path, gallery: Gallery) -> None:
    """Write a gallery, whole or not at all, as the ending of a path says.

    .npz  arrays embeddings float32 (N, D), names, classes, model, shard; read gives them back
    .csv  a header; name, class, model, e0 … e{D-1} with nine digits, which is all that a float32
          has. UTF-8; a name that is none keeps its bytes
    """
    arrays = {x: getattr(gallery, x) for x in ("embeddings", "names", "classes", "model", "shard")}
    with whole_file(path) as new:
        if Path(path).suffix.lower() == ".npz":
            with open(new, "wb") as f:  # to a path NumPy would add an ending
                np.savez(f, **arrays)
            return
        with open(new, "w", newline="", encoding="utf-8", errors="surrogateescape") as f:
            (rows, numbers) = (csv.writer(f), [f"e{k}" for k in range(gallery.embeddings.shape[1])])
            rows.writerow(["name", "class", "model", *numbers])
            for *texts, row in zip(gallery.names, gallery.classes, gallery.embeddings):
                cells = [cell(str(text)) for text in texts]
                rows.writerow([*cells, gallery.model, *(f"{x:.9g}" for x in row)])


def cell(text: str) -> str:
    """A file's name for a table: a spreadsheet would run what begins as a formula does."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def read(path: str | Path) -> Gallery:
    """What write put into an .npz file. Raises InputError where it is damaged or another's."""
    try:
        with open(path, "rb") as f, np.load(f, allow_pickle=False) as data:
            embeddings = data["embeddings"].astype(np.float32, copy=False)
            (names, classes) = (tuple(map(str, data[name])) for name in ("names", "classes"))
            (model, (k, n, crc)) = (str(data["model"]), map(int, data["shard"].tolist()))
        if not len(embeddings) == len(names) == len(classes) or embeddings.ndim != 2:
            raise ValueError("not a row of numbers for each name")
        return Gallery(embeddings, names, classes, model, (k, n, crc))
    except Exception as error:  # a damaged file makes NumPy raise nearly anything
        why = getattr(error, "strerror", None) or "damaged. Embed that part again"
        raise InputError("vectors that embed wrote", f"{printable(path)}, {why}") from None


def merge(paths: Sequence[str | Path]) -> Gallery:
    """All shards of a folder, from the .npz files of embed --shard, as embed gives it in one.

    In any order. Raises InputError where they are not each part once, of one folder and model.
    """
    parts = sorted(map(read, paths), key=lambda part: part.shard)
    wholes = {(*part.shard[1:], part.model, part.embeddings.shape[1]) for part in parts}
    (numbers, (_, of, crc)) = ([part.shard[0] for part in parts], parts[0].shard)
    if len(wholes) > 1 or numbers != [*range(1, of + 1)]:
        received = f"parts {', '.join(map(str, numbers))} of {of}. Embed what is missing."
        if len(wholes) > 1:
            received = f"parts of {len(wholes)} folders or models."
        wanted = "all parts that embed --shard writes of one folder with one model, each once"
        raise InputError(wanted, received)
    names = tuple(name for part in parts for name in part.names)
    classes = tuple(name for part in parts for name in part.classes)
    embeddings = np.concatenate([part.embeddings for part in parts])
    return Gallery(embeddings, names, classes, parts[0].model, (1, 1, crc))
