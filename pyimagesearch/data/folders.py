"""A folder or a list of images -> pixels with what is known of them, for training and evaluate."""

import logging
import os
import re
from collections import Counter
from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from pyimagesearch.data import listing, lists
from pyimagesearch.data.cache import looks_of, pixels_of
from pyimagesearch.data.images import FITS, described
from pyimagesearch.data.listing import UNPAIRED, File, Listing, few_of, say
from pyimagesearch.data.rows import take
from pyimagesearch.data.sets import LEAST_IMAGES, ImageSet, Pairs
from pyimagesearch.data.splits import PART_NAMES, connected
from pyimagesearch.system.errors import InputError, printable

MOST_NAMED = 12  # classes in the line that counts them

log = logging.getLogger(__name__)


class Folder(NamedTuple):
    """N images of a folder or a list."""

    images: ImageSet  # with labels or pairs, never both; the pixels on disk
    files: list[str]  # their paths from the folder on
    splits: np.ndarray | None  # int8 (N,): 0 train, 1 validation, 2 test, where folders say so
    counts: dict[str, Any]  # what was read and left out, for JSON


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
    """Read the images of a folder, see listing.find, or of a list, see lists.find.

    group_by: a regular expression that is searched in each file's path from the folder on, with /
    between; what its first group matches, or all of it, names the file's group.
    shape: (H, W, C), exactly. Without it image_size (H, W) and channels (1 or 3), by default
    from about a hundred of the pictures: colour if any has it, and the files' own size up to `side`
    pixels, but at least least_shape; and fit, a key of images.FITS, for other ratios of the sides.
    Logs the classes with their sizes, and what is left out.
    Raises InputError where too little is left, where it is not plain what the classes are, or
    where images of one group are in two parts that are given.
    """
    if os.path.isdir(directory):
        plan = listing.find(directory, class_level)
    else:
        plan = lists.find(directory)
        if class_level:
            raise InputError(
                "Expected --class-level with a folder. Received: a list, which names the classes."
            )
    paths = [os.path.join(plan.base, file.name) for file in plan.files]
    shape = shape or FITS[fit](_shape(paths, least_shape, side, fit, image_size, channels))
    (pixels, contents, reading) = pixels_of(paths, shape)
    bad = [(f"line {plan.files[k].line}: " if plan.files[k].line else "") + reading.messages[k]
           for k in sorted(reading.messages)]  # fmt: skip
    if not len(pixels):
        raise InputError(f"Expected readable images. Received: none. {'; '.join(bad[:3])}")
    say(f"skipped {message}" for message in bad)
    log.info(f"{len(pixels):,} images read, {len(bad):,} files skipped, {described(shape)}")
    skipped = plan.skipped
    skipped["unreadable"] += len(bad)

    good = reading.good()
    files = [plan.files[k] for k in good]
    (_, first, content) = np.unique(contents, return_index=True, return_inverse=True)
    first = first[content]  # of each file the first with its content: it, or what it is a copy of
    (names, labels, pairs, of_pairs) = (list[str](), None, None, list[str]())
    if plan.pairs is None:
        (rows, names) = _of_classes(plan, files, first, skipped)
        number = {name: k for k, name in enumerate(names)}
        labels = np.array([number[files[row].label] for row in rows], np.int32)
    else:
        (rows, pairs, of_pairs) = _of_pairs(plan, good, first, skipped)
    files = [files[row] for row in rows]
    images = ImageSet(
        take(pixels, rows),
        labels,
        pairs,
        tuple(map(printable, names)),
        _groups(files, group_by, pairs, of_pairs, plan.parted),
        contents[rows],
    )
    counts = {
        "files": len(paths),
        "read": len(pixels),
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
    copies: dict[int, list[int]] = {}
    for row in np.flatnonzero(first != np.arange(len(first))).tolist():
        copies.setdefault(int(first[row]), []).append(row)
    left_out = set(chain(*copies.values()))
    (messages, moved) = ([], 0)
    for row, others in copies.items():
        same = [files[k] for k in (row, *others)]
        if len({file.label for file in same}) > 1:  # one is wrong, and nobody knows which
            left_out.add(row)
            more = f" and {len(same) - 3:,} more" if len(same) > 3 else ""
            messages.append(f"left out {' and '.join(file.shown() for file in same[:3])}{more}: "
                "the same file in several classes")  # fmt: skip
            skipped["in several classes"] += len(same)
        else:
            skipped["copies"] += len(others)
            moved += sum(file.part != same[0].part for file in same)
    say(messages)
    if count := skipped["copies"]:
        log.info(f"{count:,} copies of other files left out; {moved:,} were in another part")

    rows = [row for row in range(len(files)) if row not in left_out]
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
    line = f"{len(large):,} classes: {few_of(large, MOST_NAMED)}"
    if len(large) > MOST_NAMED:
        line += f", of {min(large.values()):,} to {max(large.values()):,} images"
    log.info(line)
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
    ends = [frozenset((row_of[a], row_of[b])) for a, b, _, _ in read]
    answers: dict[frozenset[int], set[int]] = {}
    for two, pair in zip(ends, read):
        answers.setdefault(two, set()).add(pair[2])
    sound = [len(two) == 2 and len(answers[two]) == 1 for two in ends]
    pairs = [pair for pair, good in zip(read, sound) if good]
    say(f"left out the pair of {plan.files[a].shown()} and {plan.files[b].shown()}: copies of one "
        "image, or copies of both stand in a pair with another answer"
        for (a, b, _, _), good in zip(read, sound) if not good)  # fmt: skip
    if not pairs:
        raise InputError(
            "Expected pairs of images that can be read and do not contradict each other. "
            f"Received: none, of {len(listed):,}."
        )
    used = {k for pair in pairs for k in pair[:2]}
    skipped[UNPAIRED] += len(row_of) - len(used)
    (rows, place) = np.unique([[row_of[k] for k in pair[:2]] for pair in pairs],
        return_inverse=True)  # fmt: skip
    skipped["copies"] += len(used) - len(rows)
    (anchors, others) = place.reshape(-1, 2).T
    y = np.array([pair[2] for pair in pairs])
    log.info(f"{np.sum(y == 1):,} pairs of one class and {np.sum(y == 0):,} of two, of "
        f"{len(rows):,} images")  # fmt: skip
    return rows, Pairs(anchors, others[:, None], y[:, None]), [pair[3] for pair in pairs]


def _groups(
    files: Sequence[File], group_by: str | None, pairs: Pairs | None, of_pairs: list[str],
    parted: bool,
) -> np.ndarray | None:  # fmt: skip
    """int32 (N,): one number for images that belong together; None where nothing says it.

    These are images of one name by group_by, of one group by a list, and those in one pair.
    of_pairs: the groups of the pairs; "" is none.
    """
    rows: Sequence[int] = range(len(files))
    (edges, named) = (list[tuple[int, int]](), [([file.group for file in files], rows, "the list")])
    if pairs is not None:
        edges = pairs.indices().tolist()
        named = [(of_pairs, pairs.anchors.tolist(), "the list")]
    if group_by:
        try:
            pattern = re.compile(group_by)
        except re.error as error:
            raise InputError(
                f"Expected a regular expression to group by. Received: {group_by!r} ({error})."
            ) from None
        found = [pattern.search(file.name.replace(os.sep, "/")) for file in files]
        keys = [((m[1] if pattern.groups else "") or m[0]) if m else "" for m in found]
        if not any(keys):
            raise InputError(
                f"Expected --group-by to match names of files. Received: {group_by}, which "
                f"matches none of {len(files):,}, {printable(files[0].name)} among them."
            )
        named.append((keys, rows, group_by))
    for keys, of, how in named:
        if any(keys):
            first: dict[str, int] = {}
            edges += [(first.setdefault(key, row), row) for key, row in zip(keys, of) if key]
            log.info(f"{len(first):,} groups by {how}; {keys.count(''):,} images are in none")
    if not edges:
        return None
    groups = connected(len(files), edges)
    leaders = [files[k] for k in np.unique(groups, return_index=True)[1]]
    for file, group in zip(files, groups.tolist()):
        leader = leaders[group]
        if parted and file.part != leader.part:
            raise InputError(
                f"Expected each group in one part. Received: {leader.shown()} in "
                f"{PART_NAMES[leader.part]} and {file.shown()} in {PART_NAMES[file.part]}, which "
                "are of one group. Move them together, leave out the groups, or leave out the "
                "split."
            )
    return groups


def _shape(paths, least_shape, most, fit, image_size, channels):
    """The shape to read all images in; where it is not asked for, from a hundred of them."""
    looks = []
    if image_size is None or channels is None:
        looks = looks_of(paths, longer=fit == "whole")
    (height, width, least_channels) = least_shape
    if image_size is None:
        side = int(min(np.median([side for side, _ in looks] or [most]), most))
        image_size = (max(side, height), max(side, width))
    coloured = any(coloured for _, coloured in looks)
    return (*image_size, channels or max(3 if coloured else 1, least_channels))
