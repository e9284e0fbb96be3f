"""A folder or a list of images -> pixels with what is known of them, for training and evaluate."""

import logging
import os
import re
import zlib
from collections import Counter
from typing import Any, NamedTuple

import numpy as np

from pyimagesearch.config import Reading
from pyimagesearch.data import listing, lists
from pyimagesearch.data.cache import read_files
from pyimagesearch.data.images import FITS, described
from pyimagesearch.data.listing import UNPAIRED, File, Listing, few_of, say
from pyimagesearch.data.rows import Rows
from pyimagesearch.data.sets import LEAST_IMAGES, ImageSet, Pairs
from pyimagesearch.data.splits import PART_NAMES, connected
from pyimagesearch.system.errors import InputError, printable

MOST_NAMED = 12  # classes in the line that counts them
LOOKED_AT = 100  # files that say how a folder is to be read

log = logging.getLogger(__name__)


class Folder(NamedTuple):
    """N images of a folder or a list."""

    images: ImageSet  # with labels or pairs, never both; the pixels on disk
    files: list[str]  # their paths from the folder on
    splits: np.ndarray | None  # int8 (N,): 0 train, 1 validation, 2 test, where folders say so
    counts: dict[str, Any]  # what was read and left out, for JSON


def read_folder(
    directory: str | os.PathLike,
    reading: Reading | None = None,
    *,
    shape: tuple[int, int, int] | None = None,
    image_size: tuple[int, int] | None = None,
    channels: int | None = None,
    class_level: int | None = None,
    group_by: str | None = None,
) -> Folder:
    """Read the images of a folder, see listing.find, or of a list, see lists.find.

    group_by: a regular expression that is searched in each file's path from the folder on, with /
    between; what its first group matches, or all of it, names the file's group.
    shape: (H, W, C), exactly. Without it image_size (H, W) and channels (1 or 3), by default
    from about a hundred of the pictures: colour if any has it, and the files' own size, within the
    bounds of `reading`, which also says what becomes of other ratios of the sides.
    Logs the classes with their sizes, and what is left out.
    Raises InputError where too little is left, where it is not plain what the classes are, or
    where images of one group are in two parts that are given.
    """
    reading = reading or Reading()
    if os.path.isdir(directory):
        plan = listing.find(directory, class_level)
    else:
        plan = lists.find(directory)
        if class_level:
            raise InputError(
                "Expected --class-level with a folder. Received: a list, which names the classes."
            )
    paths = [os.path.join(plan.base, file.name) for file in plan.files]
    if shape is None:
        # a digest of the names chooses a hundred: two cameras might take turns
        order = np.argsort([zlib.crc32(os.fsencode(file.name)) for file in plan.files])
        looks = read_files("looks", [paths[k] for k in order[:LOOKED_AT]], None).values
        longer = int(reading.fit == "whole")
        side = int(min(np.median(looks[:, longer]), reading.side)) if len(looks) else reading.side
        least = 3 if len(looks) and looks[:, 2].any() else 1
        shape = FITS[reading.fit](
            (
                *(image_size or np.maximum(side, reading.least_shape[:2]).tolist()),
                channels or max(least, reading.least_shape[2]),
            )
        )
    found = read_files(f"pixels {described(shape)}", paths, shape)
    bad = [(f"line {plan.files[k].line}: " if plan.files[k].line else "") + found.messages[k]
           for k in sorted(found.messages)]  # fmt: skip
    if not found.good:
        raise InputError(f"Expected readable images. Received: none. {'; '.join(bad[:3])}")
    say(f"skipped {message}" for message in bad)
    unread = f", {len(bad):,} files skipped" if bad else ""
    log.info(f"{len(found.good):,} images read{unread}, {described(shape)}")
    skipped = plan.skipped
    skipped["unreadable"] += len(bad)

    files = [plan.files[k] for k in found.good]
    (_, first, content) = np.unique(found.contents, return_index=True, return_inverse=True)
    first = first[content]  # of each file the first with its content: it, or what it is a copy of
    (names, labels, pairs) = (list[str](), None, None)
    if plan.pairs is None:
        (rows, names) = _of_classes(plan, files, first, skipped)
        number = {name: k for k, name in enumerate(names)}
        labels = np.array([number[files[row].label] for row in rows], np.int32)
        named = {"the list": [(row, files[k].group) for row, k in enumerate(rows)]}
    else:
        (rows, pairs, of_pairs) = _of_pairs(plan, found.good, first, skipped)
        named = {"the list": list(zip(pairs.anchors.tolist(), of_pairs))}
    files = [files[row] for row in rows]
    if group_by:
        keys = _keys([file.name.replace(os.sep, "/") for file in files], group_by)
        named[group_by] = list(enumerate(keys))
    groups = _groups(len(files), pairs, named)
    if plan.parted and groups is not None:
        leaders = np.unique(groups, return_index=True)[1]
        for file, leader in zip(files, [files[k] for k in leaders[groups]]):
            if file.part != leader.part:
                raise InputError(
                    f"Expected each group in one part. Received: {leader.shown()} in "
                    f"{PART_NAMES[leader.part]} and {file.shown()} in {PART_NAMES[file.part]}, "
                    "which are of one group. Move them together, leave out the groups, or leave "
                    "out the split."
                )
    pixels = Rows(found.values.reshape(-1, *shape), rows)
    shown = tuple(map(printable, names))
    images = ImageSet(pixels, labels, pairs, shown, groups, found.contents[rows])
    counts = {
        "files": len(paths),
        "read": len(found.good),
        "used": len(rows),
        "copies": skipped.pop("copies", 0),
        "classes": len(names),
        "skipped": dict(sorted((+skipped).items())),
    }
    splits = np.array([file.part for file in files], np.int8) if plan.parted else None
    return Folder(images, [file.name for file in files], splits, counts)


def _of_classes(
    plan: Listing, files: list[File], first: np.ndarray, skipped: Counter
) -> tuple[np.ndarray, list[str]]:
    """Which of the files that were read are used, class by class, and the names of the classes.

    first: int (N,), of each file the first with its content.
    """
    (found, read) = (Counter(file.label for file in some) for some in (plan.files, files))
    if gone := {name: count for name, count in found.items() if name not in read}:
        log.info(f"left out the classes of which nothing can be read: {few_of(gone, 100)}")
    same: dict[int, list[int]] = {}  # the files of each content
    for row, leader in enumerate(first.tolist()):
        same.setdefault(leader, []).append(row)
    (rows, messages, moved) = ([], [], 0)
    for alike in same.values():
        some = [files[k] for k in alike]
        if len({file.label for file in some}) > 1:  # one is wrong, and nobody knows which
            messages.append(f"left out {' and '.join(file.shown() for file in some[:3])}: the same "
                f"file in several classes, {len(some):,} times")  # fmt: skip
            skipped["in several classes"] += len(some)
        else:
            rows.append(alike[0])
            skipped["copies"] += len(some) - 1
            moved += sum(file.part != some[0].part for file in some)
    say(messages)
    if count := skipped["copies"]:
        log.info(f"{count:,} copies of other files left out; {moved:,} were in another part")

    sizes = Counter(dict.fromkeys(sorted(read), 0))
    sizes.update(files[row].label for row in rows)
    small = {name: size for name, size in sizes.items() if size < LEAST_IMAGES}
    say(f"left out class {printable(name)}: {size} images, {LEAST_IMAGES} needed"
        for name, size in small.items())  # fmt: skip
    skipped["in classes of fewer than two"] += sum(small.values())
    large = {name: size for name, size in sizes.items() if name not in small}
    if len(large) < 2:
        raise InputError(
            "Expected a folder with a subfolder for each of at least two classes, at least two "
            f"readable images in each. Received: {len(large)} such."
        )
    log.info(f"{len(large):,} classes: {few_of(large, MOST_NAMED)}")
    rows = [row for row in rows if files[row].label in large]
    return np.array(sorted(rows, key=lambda row: files[row].label)), list(large)


def _of_pairs(
    plan: Listing, good: list[int], first: np.ndarray, skipped: Counter
) -> tuple[np.ndarray, Pairs, list[str]]:
    """Which of the files that were read stand in ready pairs, these, and the group of each pair.

    good: which of the plan's files were read. first: int (N,), of each the first with its content:
    copies are one image.
    """
    row_of = dict(zip(good, first.tolist()))
    listed = plan.pairs or []
    read = [pair for pair in listed if pair[0] in row_of and pair[1] in row_of]
    if lost := len(listed) - len(read):
        log.info(f"left out {lost:,} pairs of files that cannot be read")
    answers: dict[frozenset[int], set[int]] = {}
    for pair in read:
        answers.setdefault(frozenset(row_of[k] for k in pair[:2]), set()).add(pair[2])
    sound = {two for two, ys in answers.items() if len(two) == 2 and len(ys) == 1}
    (pairs, messages) = ([], [])
    for pair in read:
        if {row_of[pair[0]], row_of[pair[1]]} in sound:
            pairs.append(pair)
        else:
            both = " and ".join(plan.files[k].shown() for k in pair[:2])
            messages.append(
                f"left out the pair of {both}: copies of one image, or copies of both stand in a "
                "pair with another answer"
            )
    say(messages)
    if not pairs:
        raise InputError(
            "Expected pairs of images that can be read and do not contradict each other. "
            f"Received: none, of {len(listed):,}."
        )
    used = {k for pair in pairs for k in pair[:2]}
    ends = [[row_of[k] for k in pair[:2]] for pair in pairs]
    (rows, place) = np.unique(ends, return_inverse=True)
    skipped[UNPAIRED] += len(row_of) - len(used)
    skipped["copies"] += len(used) - len(rows)
    (anchors, others) = place.reshape(-1, 2).T
    same = np.array([pair[2] for pair in pairs])
    log.info(
        f"{sum(same == 1):,} pairs of one class and {sum(same == 0):,} of two, of "
        f"{len(rows):,} images"
    )
    return rows, Pairs(anchors, others[:, None], same[:, None]), [pair[3] for pair in pairs]


def _keys(names: list[str], group_by: str) -> list[str]:
    """What a regular expression, or its first group, finds in each name; "" where nothing."""
    try:
        pattern = re.compile(group_by)
    except re.error as error:
        raise InputError(
            f"Expected a regular expression to group by. Received: {group_by!r} ({error})."
        ) from None
    found = [pattern.search(name) for name in names]
    keys = [((m[1] if pattern.groups else "") or m[0]) if m else "" for m in found]
    if not any(keys):
        raise InputError(
            f"Expected --group-by to match names of files. Received: {group_by}, which "
            f"matches none of {len(names):,}, {printable(names[0])} among them."
        )
    return keys


def _groups(
    count: int, pairs: Pairs | None, named: dict[str, list[tuple[int, str]]]
) -> np.ndarray | None:
    """int32 (count,): one number for images that belong together; None where nothing says it.

    These are images of one pair, and of one group. named: by who says it, (an image, its group
    or "").
    """
    edges = [] if pairs is None else pairs.indices().tolist()
    for how, of_group in named.items():
        first: dict[str, int] = {}
        edges += [(first.setdefault(group, row), row) for row, group in of_group if group]
        if first:
            without = sum(not group for _, group in of_group)
            log.info(f"{len(first):,} groups by {how}; {without:,} images are in none")
    return connected(count, edges) if edges else None
