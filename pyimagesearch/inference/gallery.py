"""A folder of images as vectors: embedded, searched, in a file, in one run or in shards.

Shard k of n is the kth part of the folder's files in their order; all are of one length, give or
take one. Each shard's file says which it is and of which list of files, so that merge can tell
whether they belong together.
"""

import csv
import hashlib
import logging
import os
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pyimagesearch.data.cache import read_files
from pyimagesearch.data.listing import few_of, find, list_images, say
from pyimagesearch.evaluation.distances import NUMPY_DISTANCES
from pyimagesearch.inference.model import BLOCK, SiameseModel
from pyimagesearch.system.errors import InputError, printable
from pyimagesearch.system.files import check_writable, whole_file

log = logging.getLogger(__name__)


class Shard(NamedTuple):
    """Which part of a folder's images."""

    number: int  # from 1 to `of`
    of: int
    listing: str = ""  # a digest of the names, sizes and classes of all files of the folder

    def rows(self, count: int) -> slice:
        """Which of `count` files are in it."""
        return slice(count * (self.number - 1) // self.of, count * self.number // self.of)


@dataclass(frozen=True)
class Gallery:
    """Embeddings of N images, with what they are of."""

    embeddings: np.ndarray  # float32 (N, D)
    names: tuple[str, ...]  # N, of the files, from the folder on
    classes: tuple[str, ...] | None  # N, the name of each one's class; None: not known
    model: str  # the digest of the model that made them, SiameseModel.digest
    shard: Shard | None = None  # None: of all images of a folder

    def texts(self) -> dict[str, tuple[str, ...]]:
        """names and, where known, classes."""
        return {"names": self.names} | ({} if self.classes is None else {"classes": self.classes})


def embed_folder(
    model: SiameseModel,
    directory: str | os.PathLike,
    class_level: int | None = None,
    without: Sequence[str | os.PathLike | None] = (),
    shard: Shard | None = None,
    classes: bool = True,
) -> Gallery:
    """The embeddings of all images of a folder, from the cache where it has them.

    Where the images lie in subfolders, these are the classes, as in training (see listing.find,
    which class_level is for), but a class may have a single image. classes: whether they are
    asked for. without: files that are left out. shard: which part of them, which may be empty.
    Logs what cannot be read. Raises InputError where the folder is missing or ambiguous, or no
    image of it can be read.
    """
    directory = os.fspath(directory)
    if classes:
        files = find(directory, class_level, plain=True).files
        class_of = {os.path.join(directory, file.name): file.label for file in sorted(files)}
    else:
        class_of = dict.fromkeys(list_images(directory), "")
    class_names = set(class_of.values())
    for path in [path for path in class_of if any(same_file(path, other) for other in without)]:
        log.info("left out %s: asked about, or drawn by this command", printable(path))
        del class_of[path]
    start = len(os.path.join(directory, ""))  # of a file's name
    paths = list(class_of)
    if shard is not None:
        digest = hashlib.sha256()
        for path, label in class_of.items():
            size = os.path.getsize(path) if os.path.isfile(path) else -1
            line = f"{size} {path[start:]}\n{label}\n"
            digest.update(line.encode("utf-8", "surrogateescape"))
        shard = shard._replace(listing=digest.hexdigest())
        paths = paths[shard.rows(len(paths))]
        if not paths:
            log.info("shard %d/%d holds no files: the folder has %d", *shard[:2], len(class_of))
    (places, embeddings, _, unread, reused) = read_files(
        f"embeddings {model.digest}", paths, model.image_shape, model.embed, np.float32
    )
    (good, messages) = ([paths[k] for k in places], list(unread.values()))
    if not good and shard is None:
        received = f"{printable(directory)} with none. {'; '.join(messages[:3])}"
        raise InputError(f"Expected readable images. Received: {received}")
    say(f"skipped {message}" for message in messages)
    log.info("%d images, %d of them embedded by an earlier run", len(good), reused)
    labels = tuple(class_of[path] for path in good)
    gone = sorted(class_names - set(labels)) if shard is None else ()
    say(f"left out class {printable(name)}: no image of it is left" for name in gone)
    return Gallery(
        np.asarray(embeddings).reshape(len(good), model.embedding_dim),
        tuple(path[start:] for path in good),
        labels if any(class_names) else None,
        model.digest,
        shard,
    )


def same_file(a: str | os.PathLike, b: str | os.PathLike | None) -> bool:
    """Whether two paths are of one file; None is no path."""
    try:
        return b is not None and os.path.samefile(a, b)
    except OSError:
        return False


def nearest(
    query: np.ndarray, embeddings: np.ndarray, top: int = 5, distance: str = "euclidean"
) -> tuple[np.ndarray, np.ndarray]:
    """The nearest of N embeddings: (indices (top,), distances (top,)), nearest first.

    query: (D,). embeddings: (N, D) float32, of which no copy is made. distance: a key of
    NUMPY_DISTANCES; equal ones by index. Raises InputError for NaN or infinite embeddings.
    """
    squares = np.einsum("nd,nd->n", embeddings, embeddings)  # |g|^2 of each row
    length = float(query @ query)
    if distance == "cosine":
        near = (embeddings @ query) / -np.sqrt(np.maximum(squares, 1e-12) * max(length, 1e-12))
        rounding = 2e-5
    else:
        near = squares - 2 * (embeddings @ query)  # squared, less the same |query|^2 for all
        rounding = 2e-5 * (float(squares.max()) + length)
    top = min(top, len(embeddings))
    # these numbers are rounded: all that may be among the nearest is measured exactly
    candidates = np.flatnonzero(near <= np.partition(near, top - 1)[top - 1] + rounding)
    if not len(candidates):
        received = "some that are infinite or no number. Train the model again."
        raise InputError(f"Expected embeddings of finite numbers. Received: {received}")
    blocks = (embeddings[candidates[k : k + BLOCK]] for k in range(0, len(candidates), BLOCK))
    measure = NUMPY_DISTANCES[distance]
    exact = np.concatenate([measure(block.astype(np.float64), query[None]) for block in blocks])
    order = np.argsort(exact, kind="stable")[:top]
    return candidates[order], exact[order]


def most_like(
    model: SiameseModel, feats: np.ndarray, embeddings: np.ndarray, top: int
) -> tuple[np.ndarray, np.ndarray]:
    """As nearest, with what the model puts out: a head changes no ranks. feats: (D,)."""
    name = str(model.settings.get("distance"))
    (found, _) = nearest(feats, embeddings, top, name if name in NUMPY_DISTANCES else "euclidean")
    return found, model.distance_to_all(feats, embeddings[found])


def check(path: str | Path, parts: Sequence[str | Path] = ()) -> None:
    """Raise InputError where write would fail: to know before anything is embedded or merged.

    parts: files that are to be merged, and stay.
    """
    ending = Path(path).suffix.lower()
    if ending not in FORMATS:
        wanted = f"a file that ends with {', '.join(FORMATS)}"
        raise InputError(f"Expected {wanted}. Received: {printable(path)}.")
    if ending == ".parquet" and not find_spec("pyarrow"):
        raise InputError(
            "Expected pyarrow for .parquet. Received: none installed. "
            "pip install pyarrow, or name a file that ends with .npz or .csv."
        )
    check_writable(os.path.dirname(path) or ".")
    if any(same_file(part, path) for part in parts):
        wanted = "Expected --output beside the parts, which stay."
        raise InputError(f"{wanted} Received: {printable(path)}, one of them.")


def write(path: str | Path, gallery: Gallery) -> None:
    """Write a gallery, whole or not at all, as the ending of a path says that check lets pass.

    .npz      arrays embeddings float32 (N, D), names, classes, model, and which shard it is;
              read gives them back
    .csv      a header; name, class (where known), model, e0 … e{D-1} with nine digits, which
              is all that a float32 has. UTF-8; a name that is none keeps its bytes
    .parquet  columns name, class, embedding (a list of D float32); the model in the metadata
    """
    with whole_file(path) as new:
        FORMATS[Path(path).suffix.lower()](new, gallery)


def _write_npz(path: str, gallery: Gallery) -> None:
    arrays: dict[str, Any] = {name: np.array(texts) for name, texts in gallery.texts().items()}
    if gallery.shard is not None:
        (*arrays["shard"], arrays["listing"]) = gallery.shard
    with open(path, "wb") as f:  # to a path NumPy would add an ending
        np.savez(f, embeddings=gallery.embeddings, model=gallery.model, **arrays)


def _write_csv(path: str, gallery: Gallery) -> None:
    texts = gallery.texts().values()
    with open(path, "w", newline="", encoding="utf-8", errors="surrogateescape") as f:
        rows = csv.writer(f)
        numbers = [f"e{k}" for k in range(gallery.embeddings.shape[1])]
        rows.writerow([*["name", "class"][: len(texts)], "model", *numbers])
        for *cells, row in zip(*texts, gallery.embeddings):
            rows.writerow([*map(cell, cells), gallery.model, *(f"{x:.9g}" for x in row)])


def cell(text: str) -> str:
    """A file's name for a table: a spreadsheet would run what begins as a formula does."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def _write_parquet(path: str, gallery: Gallery) -> None:
    import pyarrow
    from pyarrow import parquet

    # its text is UTF-8, which not every file name is
    columns = {
        name: [text.encode("utf-8", "backslashreplace").decode() for text in texts]
        for name, texts in zip(("name", "class"), gallery.texts().values())
    }
    (flat, size) = (pyarrow.array(gallery.embeddings.ravel()), gallery.embeddings.shape[1])
    columns["embedding"] = pyarrow.FixedSizeListArray.from_arrays(flat, size)
    table = pyarrow.table(columns).replace_schema_metadata({"model": gallery.model})
    parquet.write_table(table, path)


FORMATS = {".npz": _write_npz, ".csv": _write_csv, ".parquet": _write_parquet}


def read(path: str | Path) -> Gallery:
    """What write put into an .npz file. Raises InputError where it is damaged or another's."""
    try:
        with open(path, "rb") as f, np.load(f, allow_pickle=False) as data:
            known = {name: data[name] for name in data.files}
        embeddings = known["embeddings"].astype(np.float32, copy=False)
        if embeddings.ndim != 2 or embeddings.shape[:1] != known["names"].shape:
            raise ValueError("no rows of numbers, one for each name")
        shard = None
        if "shard" in known:
            (number, of) = known["shard"].tolist()
            if not (type(number) is type(of) is int and 1 <= number <= of):
                raise ValueError(f"no shard of a whole: {number}/{of}")
            shard = Shard(number, of, str(known["listing"]))
        classes = tuple(known["classes"].tolist()) if "classes" in known else None
        names = tuple(known["names"].tolist())
        return Gallery(embeddings, names, classes, str(known["model"]), shard)
    except FileNotFoundError:
        raise InputError(f"Expected a file. Received: {printable(path)}, not there.") from None
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(
            f"Expected vectors that this project wrote. Received: {printable(path)} ({error}). "
            "Write them again with python -m pyimagesearch embed."
        ) from None


def parse_shard(text: str) -> Shard:
    """ "3/16" -> the third of sixteen. Raises InputError for what is none."""
    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text, re.ASCII)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        wanted = "Expected --shard K/N, the Kth of N parts, K from 1 to N."
        raise InputError(f"{wanted} Received: {printable(text)}.")
    return Shard(int(match[1]), int(match[2]))


def merge(paths: Sequence[str | Path]) -> Gallery:
    """All shards of a folder, from the .npz files of embed --shard, as embed gives it in one.

    The order of the paths is free. Raises InputError, naming files or shards, where they are not
    all parts of one folder, embedded by one model, each of them once.
    """
    parts: dict[int, tuple[str, Gallery]] = {}
    wholes: dict[tuple, str] = {}  # what there are parts of, and the first file of each
    for path in paths:
        (shown, part) = (printable(path), read(path))
        if part.shard is None:
            wanted = "parts that embed --shard has written"
            raise InputError(f"Expected {wanted}. Received: {shown}, not a part.")
        (number, of, files) = part.shard
        wholes.setdefault((of, files, part.model, part.embeddings.shape[1]), shown)
        if len(wholes) > 1:
            raise InputError(
                "Expected parts of one folder that stayed as it was, of one division and one "
                f"model. Received: {' and '.join(wholes.values())}, of two. Embed all shards again."
            )
        if number in parts:
            both = f"{number}/{of} in {parts[number][0]} and in {shown}"
            raise InputError(f"Expected each shard once. Received: {both}.")
        parts[number] = (shown, part)
    if missing := [str(k) for k in range(1, of + 1) if k not in parts]:
        without = few_of(missing, 9)
        raise InputError(f"Expected all {of} shards. Received: {len(parts)}, without {without}.")
    found = [part for _, (_, part) in sorted(parts.items())]
    names = tuple(name for part in found for name in part.names)
    classes = tuple(name for part in found for name in part.classes or ())
    embeddings = np.concatenate([part.embeddings for part in found])
    return Gallery(embeddings, names, classes or None, found[0].model)
