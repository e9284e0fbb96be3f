"""A folder or a list of images -> pixels with what is known, for training and evaluate."""

import logging
import os
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pyimagesearch.data import groups, layout, leftovers, lists, ready
from pyimagesearch.data.cache import looks_of, pixels_of
from pyimagesearch.data.images import FITS, described
from pyimagesearch.data.labels import LEAST_IMAGES
from pyimagesearch.data.layout import Found
from pyimagesearch.data.leftovers import say
from pyimagesearch.data.pairs import Pairs
from pyimagesearch.data.rows import Rows, take
from pyimagesearch.data.sets import ImageSet
from pyimagesearch.system.errors import InputError
from pyimagesearch.system.names import printable

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Folder:
    """N images of a folder with what is known of them; labels or pairs, never both."""

    pixels: Rows  # uint8 (N, H, W, C), on disk
    files: list[str]  # their paths from the folder on
    labels: np.ndarray | None  # int32 (N,), places in class_names
    class_names: tuple[str, ...]
    pairs: Pairs | None
    splits: np.ndarray | None  # int8 (N,): 0 train, 1 validation, 2 test, where folders say so
    groups: np.ndarray | None  # int32 (N,): images that belong together have one number
    contents: np.ndarray  # uint64 (N,): a digest of each file's content
    counts: dict[str, Any] = field(default_factory=dict)  # what was read and left out, for JSON

    def image_set(self) -> ImageSet:
        """The images, without what is known of their files."""
        return ImageSet(
            self.pixels, self.labels, self.pairs, self.class_names, self.groups, self.contents
        )


def read_folder(
    directory: str | os.PathLike,
    least_shape: tuple[int, int, int] = (1, 1, 1),
    *,
    side: int = 64,
    fit: str = "stretch",
    shape: tuple[int, int, int] | None = None,
    image_size: tuple[int, int] | None = None,
    channels: int | None = None,
    class_level: int | None = None,
    group_by: str | None = None,
) -> Folder:
    """Read a folder with one subfolder for each class, or with ready pairs; or a list.

    layout.find says what the subfolders may be, lists.find what a file that ends in .csv holds.
    Ready pairs: similar_all_images holds NAME_first beside NAME_second, and so does
    dissimilar_all_images; the groups are the images that pairs connect. group_by: a regular
    expression that is searched in each file's path from the folder on, with / between; what its
    first group matches, or all of it, names the file's group. A group in two parts that are
    given is refused.

    shape: (H, W, C), exactly. Without it image_size (H, W) and channels (1 or 3), by default
    from about a hundred of the pictures: colour if any has it, and the files' own size up to `side`
    pixels, but at least least_shape; and fit, a key of images.FITS, for other ratios of the sides.
    Logs the classes with their sizes, and what is left out: other kinds of files, unreadable
    ones, classes with fewer than two images, copies of the same file.
    Raises InputError where too little is left, or where it is not plain what the classes are.
    """
    directory = os.fspath(directory)
    pattern = groups.pattern(group_by)
    plan = _plan(directory, class_level)
    skipped = plan.skipped
    leftovers.say_skipped(skipped)
    paths = [os.path.join(plan.base, found.name) for found in plan.files]
    shape = shape or FITS[fit](_shape(paths, fit, least_shape, side, image_size, channels))
    (pixels, contents, reading) = pixels_of(paths, shape)
    lines = {k: f"line {found.line}: " for k, found in enumerate(plan.files) if found.line}
    bad = [lines.get(k, "") + reading.messages[k] for k in sorted(reading.messages)]
    if not len(pixels):
        raise InputError(f"Expected readable images. Received: none. {'; '.join(bad[:3])}")
    say(f"skipped {message}" for message in bad)
    log.info(
        "%s images read%s, %s", f"{len(pixels):,}",
        f", {len(bad):,} files skipped" if bad else "", described(shape),
    )  # fmt: skip

    good = reading.good()
    files = [plan.files[k] for k in good]
    skipped[leftovers.UNREADABLE] += len(bad)
    (labels, class_names, pairs, tied) = (None, tuple[str, ...](), None, ready.NONE_TIED)
    if plan.ready:
        (rows, pairs, tied) = ready.of_list(plan, good, contents, skipped)
    elif plan.pairs:
        (rows, pairs) = ready.of_folder(files, contents, skipped)
    else:
        (rows, labels, class_names) = _classes(files, contents, plan, skipped)
    files = [files[row] for row in rows]
    counts = {
        "files": len(paths),
        "read": len(pixels),
        "used": len(rows),
        "copies": skipped.pop(leftovers.COPIES, 0),
        "classes": len(class_names),
        "skipped": dict(sorted((+skipped).items())),
    }
    return Folder(
        pixels=take(pixels, rows),
        files=[found.name for found in files],
        labels=labels,
        class_names=class_names,
        pairs=pairs,
        splits=np.array([found.part for found in files], np.int8) if plan.parted else None,
        groups=groups.of(files, pattern, pairs, tied, plan.parted),
        contents=contents[rows],
        counts=counts,
    )


def _plan(directory, class_level):
    if os.path.isdir(directory):
        return layout.find(directory, class_level)
    if not lists.is_list(directory):
        raise InputError(
            "Expected a folder, or a list of images that ends in .csv. Received: "
            f"{printable(directory)}, {lists.no_list(directory)}."
        )
    if class_level:
        raise InputError(
            "Expected --class-level with a folder. Received: a list, which names the classes."
        )
    return lists.find(directory)


def _classes(
    files: list[Found], contents: np.ndarray, plan: layout.Layout, skipped: Counter
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Rows, labels and class names of what can be used of a folder of classes."""
    class_of = [found.class_at(plan.level) for found in files]
    names = sorted(set(class_of))
    number_of = {name: number for number, name in enumerate(names)}
    labels = np.array([number_of[name] for name in class_of], np.int32)
    (_, group, counts) = np.unique(contents, return_inverse=True, return_counts=True)
    usable = counts[group] == 1
    same: dict[int, list[int]] = {}
    for row in np.flatnonzero(~usable).tolist():
        same.setdefault(group[row], []).append(row)
    (messages, across) = ([], 0)
    for rows in same.values():
        classes = {class_of[row] for row in rows}
        if len(classes) > 1:  # one of the two is wrong, and nobody knows which
            shown = " and ".join(files[row].shown() for row in rows[:3])
            shown += f" and {len(rows) - 3:,} more" if len(rows) > 3 else ""
            messages.append(f"left out {shown}: the same file in {len(classes)} classes")
            skipped[leftovers.IN_TWO_CLASSES] += len(rows)
        else:
            usable[rows[0]] = True  # training's, where there are parts
            skipped[leftovers.COPIES] += len(rows) - 1
            across += sum(files[row].part != files[rows[0]].part for row in rows)
    say(messages)
    if copies := skipped[leftovers.COPIES]:
        log.info("%s copies of other files left out: they are no images of their own%s",
            f"{copies:,}", f"; {across:,} were in another part" if across else "")  # fmt: skip

    sizes = np.bincount(labels[usable], minlength=len(names))
    large = sizes >= LEAST_IMAGES
    say(
        f"left out class {printable(names[c])}: {sizes[c]} images, {LEAST_IMAGES} needed"
        for c in np.flatnonzero(~large)
    )
    skipped[leftovers.SMALL_CLASSES] += int(sizes[~large].sum())
    if large.sum() < 2:
        raise InputError(
            "Expected a folder with a subfolder for each of at least two classes, at least two "
            f"readable images in each. Received: {large.sum()} such."
        )
    class_names = tuple(printable(name) for name, kept in zip(names, large) if kept)
    log.info("%s", leftovers.classes_line(class_names, sizes[large].tolist()))
    kept = np.flatnonzero(usable & large[labels])
    kept = kept[np.argsort(labels[kept], kind="stable")]
    stems: dict[str, list[str]] = {}
    for row in kept.tolist():
        stems.setdefault(class_of[row], []).append(os.path.splitext(files[row].below[-1])[0])
    leftovers.say_perhaps_pairs(stems)
    return kept, (np.cumsum(large, dtype=np.int32) - 1)[labels[kept]], class_names


def _shape(paths, fit, least_shape, most, image_size, channels):
    """The shape to read all images in, where it is not asked for from a hundred of them."""
    looks = []
    if image_size is None or channels is None:
        looks = looks_of(paths, longer=fit == "whole")
    (height, width, least_channels) = least_shape
    if image_size is None:
        side = int(min(np.median([side for side, _ in looks] or [most]), most))
        image_size = (max(side, height), max(side, width))
    coloured = any(coloured for _, coloured in looks)
    return (*image_size, channels or max(3 if coloured else 1, least_channels))
