"""A folder embedded in n parts, by as many machines, and the parts made one again.

Shard k of n are the kth part of the folder's files in their order: runs of one length, give or
take one. Each part's file says which it is and of which list of files, so that merge can tell
whether they belong together.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from pyimagesearch.inference.vectors import Shard, Vectors, read
from pyimagesearch.system.errors import InputError
from pyimagesearch.system.errors import printable


def parse(text: str) -> Shard:
    """ "3/16" -> the third of sixteen. Raises InputError for what is none."""
    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text, re.ASCII)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise InputError(
            f"Expected --shard K/N, the Kth of N parts, K from 1 to N. Received: {printable(text)}."
        )
    return Shard(int(match[1]), int(match[2]))


def rows(shard: Shard, count: int) -> slice:
    """Which of `count` files a shard has."""
    return slice(count * (shard.number - 1) // shard.of, count * shard.number // shard.of)


def listing(names: Iterable[str], sizes: Iterable[int], classes: Iterable[str] | None) -> str:
    """A digest of the names and sizes of all files of a folder, and of their classes."""
    files = (f"{size} {name}" for size, name in zip(sizes, names, strict=True))
    text = "\n".join(files) + "\n\n" + ("" if classes is None else "\n".join(classes))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def merge(paths: Sequence[str | Path]) -> Vectors:
    """All parts of a folder, from the .npz files of embed --shard, as embed gives it in one.

    The order of the paths is free. Raises InputError, naming files or shards, where they are not
    all parts of one folder, embedded by one model, each of them once.
    """
    parts: dict[int, tuple[str, Vectors]] = {}
    first: tuple[str, Vectors, Shard] | None = None
    for path in paths:
        (shown, part) = (printable(path), read(path))
        if (shard := part.shard) is None:
            raise InputError(
                f"Expected parts that embed --shard has written. Received: {shown}, not a part."
            )
        (name, one, its) = first = first or (shown, part, shard)
        both = f"{name} and {shown}"
        if shard.of != its.of:
            raise InputError(
                f"Expected parts of one division. Received: {both}, of {its.of} and of {shard.of}."
            )
        if part.model != one.model:
            raise InputError(f"Expected parts of one model. Received: {both}, of two.")
        if shard.listing != its.listing:
            raise InputError(
                f"Expected parts of one folder that stayed as it was. Received: {both}, of two "
                "lists of files or classes. Embed all shards again."
            )
        if shard.number in parts:
            raise InputError(
                f"Expected each shard once. Received: {shard.number}/{shard.of} in "
                f"{parts[shard.number][0]} and in {shown}."
            )
        parts[shard.number] = (shown, part)
    if len(parts) < its.of:
        missing = [str(k) for k in range(1, its.of + 1) if k not in parts]
        more = f" and {len(missing) - 9} more" if len(missing) > 9 else ""
        raise InputError(
            f"Expected all {its.of} shards. Received: {len(parts)}, without "
            f"{', '.join(missing[:9])}{more}."
        )
    found = [part for _, (_, part) in sorted(parts.items())]
    if not any(part.names for part in found):
        raise InputError(
            f"Expected parts with images. Received: {its.of} shards in which none could be read."
        )
    if len({part.embeddings.shape[1] for part in found}) > 1:
        raise InputError(
            "Expected embeddings of one size. Received: parts of several; embed all shards again."
        )
    classes = None
    if one.classes is not None:
        classes = tuple(name for part in found for name in part.classes or ())
    return Vectors(
        np.concatenate([part.embeddings for part in found]),
        tuple(name for part in found for name in part.names),
        classes,
        one.model,
    )
