"""Embeddings in a file for other programs: .npz, .csv or .parquet."""

import csv
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pyimagesearch.system.errors import InputError
from pyimagesearch.system.files import whole_file
from pyimagesearch.system.errors import printable


class Shard(NamedTuple):
    """Which part of a folder's images."""

    number: int  # from 1 to `of`
    of: int
    listing: str = ""  # a digest of all files of the folder, see shards.listing


@dataclass(frozen=True)
class Vectors:
    """Embeddings of N images, with what they are of."""

    embeddings: np.ndarray  # float32 (N, D)
    names: tuple[str, ...]  # N, of the files
    classes: tuple[str, ...] | None  # N, the name of each one's class; None: not known
    model: str  # the digest of the model that made them, SiameseModel.digest
    shard: Shard | None = None  # None: of all images of a folder


def write(
    path: str | Path,
    embeddings: np.ndarray,
    names: Sequence[str],
    classes: Sequence[str] | None,
    model: str,
    shard: Shard | None = None,
) -> None:
    """Write embeddings, whole or not at all, in the format that the ending of the path says.

    embeddings: float (N, D). names, classes: N each. model: the digest of the model.
    shard: where these are a part; .npz alone keeps which.
    .npz      arrays embeddings float32 (N, D), names, classes, model; read gives them back
    .csv      a header; name, class (where known), model, e0 … e{D-1} with nine digits, which
              is all that a float32 has. UTF-8; a name that is none keeps its bytes
    .parquet  columns name, class, embedding (a list of D float32); the model in the metadata
    Raises InputError for another ending, or where pyarrow is missing for .parquet.
    """
    write_format = _format(path)
    embeddings = np.asarray(embeddings, np.float32)
    counts = {len(embeddings), len(names), len(names if classes is None else classes)}
    if embeddings.ndim != 2 or len(counts) > 1:
        raise InputError(
            "Expected embeddings (N, D), and N names and classes. "
            f"Received: {embeddings.shape} and {len(names)} names."
        )
    classes = None if classes is None else tuple(classes)
    vectors = Vectors(embeddings, tuple(names), classes, model, shard)
    with whole_file(path) as new:
        write_format(new, vectors)


def check(path: str | Path) -> None:
    """Raise InputError where write would refuse the path: to know before anything is embedded."""
    _format(path)


def read(path: str | Path) -> Vectors:
    """What write put into an .npz file. Raises InputError where it is damaged or another's."""
    try:
        with open(path, "rb") as f, np.load(f, allow_pickle=False) as data:
            known = {name: data[name] for name in data.files}
        classes = known.get("classes")
        vectors = Vectors(
            known["embeddings"].astype(np.float32, copy=False),
            tuple(known["names"].tolist()),
            None if classes is None else tuple(classes.tolist()),
            str(known["model"]),
            _shard(known),
        )
        if vectors.embeddings.ndim != 2 or vectors.embeddings.shape[:1] != known["names"].shape:
            raise ValueError("no rows of numbers, one for each name")
    except FileNotFoundError:
        raise InputError(f"Expected a file. Received: {printable(path)}, not there.") from None
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(
            f"Expected vectors that this project wrote. Received: {printable(path)} ({error}). "
            "Write them again with python -m pyimagesearch embed."
        ) from None
    return vectors


def _shard(known: dict[str, np.ndarray]) -> Shard | None:
    if "shard" not in known:
        return None
    (number, of) = known["shard"].tolist()
    if not (isinstance(number, int) and isinstance(of, int) and 1 <= number <= of):
        raise ValueError(f"no shard of a whole: {number}/{of}")
    return Shard(number, of, str(known["listing"]))


def _write_npz(path: str, vectors: Vectors) -> None:
    arrays: dict[str, Any] = {
        "embeddings": vectors.embeddings,
        "names": np.array(vectors.names, np.str_),
        "model": vectors.model,
    }
    if vectors.classes is not None:
        arrays["classes"] = np.array(vectors.classes, np.str_)
    if vectors.shard is not None:
        (number, of, arrays["listing"]) = vectors.shard
        arrays["shard"] = np.array([number, of])
    with open(path, "wb") as f:  # to a path NumPy would add an ending
        np.savez(f, **arrays)


def _write_csv(path: str, vectors: Vectors) -> None:
    numbers = [f"e{k}" for k in range(vectors.embeddings.shape[1])]
    known = [] if vectors.classes is None else ["class"]
    with open(path, "w", newline="", encoding="utf-8", errors="surrogateescape") as f:
        rows = csv.writer(f)
        rows.writerow(["name", *known, "model", *numbers])
        for k, row in enumerate(vectors.embeddings):
            of_class = [vectors.classes[k]] if vectors.classes is not None else []
            rows.writerow([vectors.names[k], *of_class, vectors.model, *(f"{x:.9g}" for x in row)])


def _write_parquet(path: str, vectors: Vectors) -> None:
    import pyarrow
    from pyarrow import parquet

    # its text is UTF-8, which not every file name is
    columns = {"name": [_utf8(name) for name in vectors.names]}
    if vectors.classes is not None:
        columns["class"] = [_utf8(name) for name in vectors.classes]
    flat = pyarrow.array(vectors.embeddings.ravel())
    columns["embedding"] = pyarrow.FixedSizeListArray.from_arrays(flat, vectors.embeddings.shape[1])
    table = pyarrow.table(columns).replace_schema_metadata({"model": vectors.model})
    parquet.write_table(table, path)


def _utf8(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()


FORMATS: dict[str, Callable[[str, Vectors], None]] = {
    ".npz": _write_npz,
    ".csv": _write_csv,
    ".parquet": _write_parquet,
}


def _format(path: str | Path) -> Callable[[str, Vectors], None]:
    ending = Path(path).suffix.lower()
    if ending not in FORMATS:
        raise InputError(
            f"Expected a file that ends with {', '.join(FORMATS)}. Received: {printable(path)}."
        )
    if ending == ".parquet":
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError:
            raise InputError(
                "Expected pyarrow for .parquet. Received: none installed. "
                "pip install pyarrow, or name a file that ends with .npz or .csv."
            ) from None
    return FORMATS[ending]
