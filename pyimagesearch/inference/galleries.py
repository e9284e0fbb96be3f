"""A folder of images -> their embeddings, with their names and classes."""

import logging
import os
from collections.abc import Sequence

import numpy as np

from pyimagesearch.data import listing
from pyimagesearch.data.listing import say
from pyimagesearch.inference import search, shards
from pyimagesearch.inference.model import TrainedModel
from pyimagesearch.inference.vectors import Shard, Vectors
from pyimagesearch.system.names import printable

log = logging.getLogger(__name__)


def embed_folder(
    model: TrainedModel,
    directory: str | os.PathLike,
    class_level: int | None = None,
    without: Sequence[str | os.PathLike] = (),
    shard: Shard | None = None,
) -> Vectors:
    """The embeddings of all images of a folder, from the cache where it has them.

    Where the images lie in subfolders, these are the classes, as in training (see listing.find,
    which class_level is for), but a class may have a single image. Names are paths from the
    folder on. without: files that are left out. shard: which part of them, which may be empty.
    Logs what cannot be read, and is left out.
    Raises InputError where the folder is missing, no image of it can be read, or it is not plain
    what the classes are.
    """
    directory = os.fspath(directory)
    (paths, class_of) = _files(directory, class_level)
    left_out = [p for p in paths if any(same_file(p, other) for other in without)]
    say(f"left out {printable(path)}: it is what is asked about" for path in left_out)
    paths = sorted(set(paths) - set(left_out)) if left_out else paths
    if shard is not None:
        names = [os.path.relpath(path, directory) for path in paths]
        sizes = [_size(path) for path in paths]
        listing = shards.listing(names, sizes, class_of and [class_of[path] for path in paths])
        shard = shard._replace(listing=listing)
        paths = paths[shards.rows(shard, len(paths))]
        if not paths:
            log.info("shard %d/%d holds no files: the folder has %d", *shard[:2], len(names))
    (paths, embeddings, messages, reused) = search.embed_folder(
        model, paths, directory, may_be_empty=shard is not None
    )
    say(f"skipped {message}" for message in messages)
    log.info("%d images, %d of them embedded by an earlier run", len(paths), reused)
    classes = None
    if class_of is not None:
        classes = tuple(class_of[path] for path in paths)
        gone = sorted(set(class_of.values()) - set(classes)) if shard is None else []
        say(f"left out class {printable(name)}: no image of it is left" for name in gone)
    names = [os.path.relpath(path, directory) for path in paths]
    return Vectors(np.asarray(embeddings), tuple(names), classes, model.digest, shard)


def same_file(a: str | os.PathLike, b: str | os.PathLike) -> bool:
    """Whether two paths are of one file."""
    try:
        return os.path.samefile(a, b)
    except OSError:
        return False


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:  # gone, or a link to nothing: said where it is read
        return -1


def _files(directory: str, class_level: int | None) -> tuple[list[str], dict[str, str] | None]:
    """The image files, sorted, and the class of each; None where they lie in no subfolders."""
    plan = listing.find(directory, class_level, plain=True)
    found = {os.path.join(directory, file.name): file.label for file in plan.files}
    return sorted(found), found if plan.files[0].label else None
