"""A folder of images -> their embeddings, with their names and classes."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pyimagesearch.data import images, layout
from pyimagesearch.data.leftovers import BESIDE, say, say_skipped
from pyimagesearch.inference import search
from pyimagesearch.inference.model import TrainedModel
from pyimagesearch.inference.vectors import Vectors
from pyimagesearch.system.names import printable

log = logging.getLogger(__name__)


def embed_folder(
    model: TrainedModel,
    directory: str | os.PathLike,
    class_level: int | None = None,
    without: Sequence[str | os.PathLike] = (),
) -> Vectors:
    """The embeddings of all images of a folder, from the cache where it has them.

    Where the images lie in subfolders, these are the classes, as in training (see layout.find,
    which class_level is for), but a class may have a single image. Names are paths from the
    folder on. without: files that are left out. Logs what cannot be read, and is left out.
    Raises InputError where the folder is missing, no image of it can be read, or it is not plain
    what the classes are.
    """
    directory = os.fspath(directory)
    (paths, class_of) = _files(directory, class_level)
    left_out = [p for p in paths if any(same_file(p, other) for other in without)]
    say(f"left out {printable(path)}: it is what is asked about" for path in left_out)
    paths = [path for path in paths if path not in set(left_out)]
    (paths, embeddings, messages, reused) = search.embed_folder(model, paths, directory)
    say(f"skipped {message}" for message in messages)
    log.info("%d images, %d of them embedded by an earlier run", len(paths), reused)
    classes = None
    if class_of is not None:
        classes = tuple(class_of[path] for path in paths)
        gone = sorted(set(class_of.values()) - set(classes))
        say(f"left out class {printable(name)}: no image of it is left" for name in gone)
    names = tuple(os.path.relpath(path, directory) for path in paths)
    return Vectors(np.asarray(embeddings), names, classes, model.digest)


def same_file(a: str | os.PathLike, b: str | os.PathLike) -> bool:
    """Whether two paths are of one file."""
    try:
        return os.path.samefile(a, b)
    except OSError:
        return False


def _files(directory: str, class_level: int | None) -> tuple[list[str], dict[str, str] | None]:
    """The image files, sorted, and the class of each; None where they lie in no subfolders."""
    paths = images.list_images(directory)
    if all(Path(path).parent == Path(directory) for path in paths):
        return paths, None
    plan = layout.find(directory, class_level)
    if plan.pairs:
        return paths, None
    say_skipped({BESIDE: plan.skipped[BESIDE]} if plan.skipped[BESIDE] else {})
    found = {os.path.join(directory, file.name): file.class_at(plan.level) for file in plan.files}
    return sorted(found), found
