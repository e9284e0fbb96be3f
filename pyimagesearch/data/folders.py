"""A folder of images -> what training, evaluate and search are given: pixels with what is known."""

import logging
import os
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pyimagesearch.data import layout, leftovers
from pyimagesearch.data.cache import looks_of, pixels_of
from pyimagesearch.data.images import described
from pyimagesearch.data.labels import LEAST_IMAGES
from pyimagesearch.data.layout import PAIR_FOLDERS, Found
from pyimagesearch.data.leftovers import say
from pyimagesearch.data.pairs import Pairs
from pyimagesearch.data.rows import Rows, take
from pyimagesearch.data.sets import ImageSet
from pyimagesearch.data.splits import connected
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
    shape: tuple[int, int, int] | None = None,
    image_size: tuple[int, int] | None = None,
    channels: int | None = None,
    class_level: int | None = None,
    group_by: str | None = None,
) -> Folder:
    """Read a folder with one subfolder for each class, or with ready pairs.

    layout.find says what the subfolders may be. Ready pairs: similar_all_images holds NAME_first
    beside NAME_second, and so does dissimilar_all_images; the groups are the images that pairs
    connect. group_by: a regular expression that is searched in each file's path from the folder
    on, with / between; what its first group matches, or all of it, names the file's group.

    shape: (H, W, C), exactly. Without it image_size (H, W) and channels (1 or 3), by default
    from about a hundred of the pictures: colour if any has it, and the files' own size up to `side`
    pixels, but at least least_shape.
    Logs the classes with their sizes, and what is left out: other kinds of files, unreadable
    ones, classes with fewer than two images, copies of the same file.
    Raises InputError where too little is left, or where it is not plain what the classes are.
    """
    directory = os.fspath(directory)
    pattern = _pattern(group_by)
    plan = layout.find(directory, class_level)
    skipped = plan.skipped
    leftovers.say_skipped(skipped)
    paths = [os.path.join(directory, found.name) for found in plan.files]
    shape = shape or _shape(paths, least_shape, side, image_size, channels)
    (pixels, contents, reading) = pixels_of(paths, shape)
    bad = reading.bad()
    if not len(pixels):
        raise InputError(f"Expected readable images. Received: none. {'; '.join(bad[:3])}")
    say(f"skipped {message}" for message in bad)
    log.info(
        "%s images read%s, %s", f"{len(pixels):,}",
        f", {len(bad):,} files skipped" if bad else "", described(shape),
    )  # fmt: skip

    files = [plan.files[k] for k in reading.good()]
    skipped[leftovers.UNREADABLE] += len(bad)
    (labels, class_names, pairs) = (None, tuple[str, ...](), None)
    if plan.pairs:
        (rows, pairs) = _pairs(files, contents, skipped)
    else:
        (rows, labels, class_names) = _classes(files, contents, plan, skipped)
    files = [files[row] for row in rows]
    names = [found.name for found in files]
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
        files=names,
        labels=labels,
        class_names=class_names,
        pairs=pairs,
        splits=np.array([found.part for found in files], np.int8) if plan.parted else None,
        groups=_groups(names, pattern, pairs),
        contents=contents[rows],
        counts=counts,
    )


def _classes(
    files: list[Found], contents: np.ndarray, plan: layout.Layout, skipped: Counter
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Rows, labels and class names of what can be used of a folder of classes."""
    class_of = [found.class_at(plan.level) for found in files]
    same: dict[int, list[int]] = {}
    for row, content in enumerate(contents.tolist()):
        same.setdefault(content, []).append(row)
    usable: dict[str, list[int]] = {name: [] for name in class_of}
    (messages, across) = ([], 0)
    for rows in same.values():
        classes = {class_of[row] for row in rows}
        if len(classes) > 1:  # one of the two is wrong, and nobody knows which
            shown = " and ".join(printable(files[row].name) for row in rows[:3])
            shown += f" and {len(rows) - 3:,} more" if len(rows) > 3 else ""
            messages.append(f"left out {shown}: the same file in {len(classes)} classes")
            skipped[leftovers.IN_TWO_CLASSES] += len(rows)
        else:
            usable[class_of[rows[0]]].append(rows[0])  # training's, where there are parts
            skipped[leftovers.COPIES] += len(rows) - 1
            across += sum(files[row].part != files[rows[0]].part for row in rows)
    say(messages)
    if copies := skipped[leftovers.COPIES]:
        log.info("%s copies of other files left out: they are no images of their own%s",
            f"{copies:,}", f"; {across:,} were in another part" if across else "")  # fmt: skip

    few = sorted(name for name, rows in usable.items() if len(rows) < LEAST_IMAGES)
    say(
        f"left out class {printable(name)}: {len(usable[name])} images, {LEAST_IMAGES} needed"
        for name in few
    )
    skipped[leftovers.SMALL_CLASSES] += sum(len(usable.pop(name)) for name in few)
    if len(usable) < 2:
        raise InputError(
            "Expected a folder with a subfolder for each of at least two classes, at least two "
            f"readable images in each. Received: {len(usable)} such."
        )
    names = sorted(usable)
    sizes = [len(usable[name]) for name in names]
    class_names = tuple(map(printable, names))
    log.info("%s", leftovers.classes_line(class_names, sizes))
    stems = {
        name: [os.path.splitext(files[r].below[-1])[0] for r in usable[name]] for name in names
    }
    leftovers.say_perhaps_pairs(stems)
    kept = np.concatenate([np.sort(usable[name]) for name in names])
    return kept, np.repeat(np.arange(len(names), dtype=np.int32), sizes), class_names


def _pairs(files: list[Found], contents: np.ndarray, skipped: Counter) -> tuple[np.ndarray, Pairs]:
    """The images that stand in pairs, and the Pairs: NAME_first beside NAME_second."""
    first_row: dict[int, int] = {}
    halves: dict[str, dict[str, int]] = {}
    for row, (found, content) in enumerate(zip(files, contents.tolist())):
        row = first_row.setdefault(content, row)  # one row for all copies
        match = re.fullmatch(
            r"(.*)_(first|second)", os.path.splitext("/".join(found.below))[0], re.DOTALL
        )
        if match:
            halves.setdefault(match[1], {})[match[2]] = row
        else:
            skipped[leftovers.UNPAIRED] += 1
    whole = {name: pair for name, pair in halves.items() if len(pair) == 2}
    lonely = halves.keys() - whole.keys()
    say(f"left out {printable(name)}: only one of its two images is there" for name in lonely)
    skipped[leftovers.UNPAIRED] += len(lonely)
    if not whole:
        raise InputError("Expected pairs of files NAME_first and NAME_second. Received: none.")
    y = np.array([[PAIR_FOLDERS[name.split("/")[0]]] for name in whole])
    (rows, place) = np.unique(
        [(pair["first"], pair["second"]) for pair in whole.values()], return_inverse=True
    )
    (anchors, others) = place.reshape(-1, 2).T
    skipped[leftovers.COPIES] += 2 * len(whole) - len(rows)
    log.info(
        "%s pairs of one class and %s of two, of %s images",
        f"{int(y.sum()):,}", f"{int(len(y) - y.sum()):,}", f"{len(rows):,}",
    )  # fmt: skip
    return rows, Pairs(anchors, others[:, np.newaxis], y)


def _pattern(group_by):
    try:
        return group_by and re.compile(group_by)
    except re.error as error:
        raise InputError(
            f"Expected a regular expression to group by. Received: {group_by!r} ({error})."
        ) from None


def _groups(
    names: list[str], pattern: re.Pattern[str] | None, pairs: Pairs | None
) -> np.ndarray | None:
    """int32 (N,): one number for images of one name by the pattern, and for those in one pair."""
    if not pattern and pairs is None:
        return None
    keys: list[str | None] = []
    for name in names:
        match = pattern.search(name.replace(os.sep, "/")) if pattern else None
        keys.append(match and ((match[1] if match.re.groups else None) or match[0]))
    first: dict[str, int] = {}
    same = [(k, first.setdefault(key, k)) for k, key in enumerate(keys) if key is not None]
    groups = connected(len(names), same + (pairs.indices().tolist() if pairs else []))
    if pattern:
        alone = len(names) - len(same)
        log.info(
            "%s groups by %s%s", f"{len(np.unique(groups)):,}", pattern.pattern,
            f"; {alone:,} files do not match and are groups of their own" if alone else "",
        )  # fmt: skip
    return groups


def _shape(paths, least_shape, most, image_size, channels):
    """The shape to read all images in, where it is not asked for from a hundred of them."""
    looks = []
    if image_size is None or channels is None:
        looks = looks_of(paths[:: max(len(paths) // 100, 1)])
    (height, width, least_channels) = least_shape
    if image_size is None:
        side = int(min(np.median([side for side, _ in looks] or [most]), most))
        image_size = (max(side, height), max(side, width))
    coloured = any(coloured for _, coloured in looks)
    return (*image_size, channels or max(3 if coloured else 1, least_channels))
