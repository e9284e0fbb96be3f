"""A folder or a list of images -> pixels with what is known of them, for training and evaluate."""

import logging
import os
import re
from collections import Counter, defaultdict
from contextlib import suppress
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from pyimagesearch.config import Reading
from pyimagesearch.data import listing, lists
from pyimagesearch.data.cache import read_files
from pyimagesearch.data.images import FITS, described
from pyimagesearch.data.listing import File, Listing, ReadyPair, few_of, say
from pyimagesearch.data.sets import LEAST_IMAGES, ImageSet, Pairs, Rows, class_numbers, evenly
from pyimagesearch.data.splits import PART_NAMES, connected
from pyimagesearch.system.errors import InputError, printable

MOST_NAMED = 12  # classes, or files that are left out, in one line
LOOKED_AT = 100  # files that say how a folder is to be read
DARK = 16  # the mean of images that are nearly black; nearly white are those above 255 - 16

log = logging.getLogger(__name__)


def read_folder(
    directory: str | os.PathLike,
    reading: Reading | None = None,
    *,
    shape: tuple[int, int, int] | None = None,
    image_size: tuple[int, int] | None = None,
    channels: int | None = None,
    class_level: int | None = None,
    group_by: str | None = None,
) -> tuple[ImageSet, dict[str, Any]]:
    """Read the images of a folder, see listing.find, or of a list, see lists.find.

    group_by: a regular expression that is searched in each file's path from the folder on, with /
    between; what its first group matches, or all of it, names the file's group.
    shape: (H, W, C), exactly. Without it image_size (H, W) and channels (1 or 3), by default
    from about a hundred of the pictures: colour if any has it, and the files' own size, within the
    bounds of `reading`, which also says what becomes of other ratios of the sides.
    Returns the images used, with labels or pairs, the pixels on disk; and what was read and left
    out, for JSON. Logs the classes with their sizes, and what is left out.
    Raises InputError where too little is left, where it is not plain what the classes are, or
    where images of one group are in two parts that are given.
    """
    is_folder = os.path.isdir(directory)
    if class_level and not is_folder:
        raise InputError("Expected --class-level with a folder. Received: a list.")
    plan = listing.find(directory, class_level) if is_folder else lists.find(directory)
    paths = [os.path.join(plan.base, file.name) for file in plan.files]
    shape = shape or _shape(paths, reading or Reading(), image_size, channels)
    found = read_files("pixels", paths, shape)
    bad = list(found.messages.values())
    if not found.good:
        raise InputError(f"Expected readable images. Received: none. {'; '.join(bad[:3])}")
    say(f"skipped {message}" for message in bad)
    log.info(f"{len(found.good):,} images read, {described(shape)}")
    some = found.values[evenly(len(found.good), LOOKED_AT)]
    if some.min() == some.max() and found.values.min() == found.values.max():
        raise InputError(
            f"Expected images that show something. Received: {len(found.good):,}, in which every "
            f"pixel is {some.min()}. Look at the files."
        )
    if not DARK <= (mean := some.mean()) <= 255 - DARK:
        log.info(f"the images are {'dark' if mean < DARK else 'bright'}: "
                 f"their mean is {mean:.0f} of 255")  # fmt: skip

    read = [plan.files[k] for k in found.good]
    (_, first, content) = np.unique(found.contents, return_index=True, return_inverse=True)
    # of each file the first with its content: it, or what it is a copy of
    first_of = {file: read[k] for file, k in zip(read, first[content])}
    left_out = defaultdict[str, list[str]](list)
    left_out["unreadable"] = [plan.files[k].shown() for k in found.messages]
    (used, listed) = _used(plan, first_of, left_out)
    skipped = plan.skipped + listing.counted(left_out, MOST_NAMED)
    row_of = {file: row for row, file in enumerate(read)}
    rows = np.array([row_of[file] for file in used])
    if listed is None:
        (pairs, of_list) = (None, list(enumerate(file.group for file in used)))
    else:
        ends = np.array([[row_of[first_of[file]] for file in pair[:2]] for pair in listed])
        y = np.array([[pair[2]] for pair in listed])
        pairs = Pairs(ends[:, 0], ends[:, 1:], y).within(rows)
        of_list = [(int(row), pair[3]) for row, pair in zip(pairs.anchors, listed)]
    names = [] if pairs else sorted({file.label for file in used})
    images = ImageSet(
        Rows(found.values.reshape(-1, *shape), rows),
        None if pairs else class_numbers([file.label for file in used]),
        pairs,
        tuple(map(printable, names)),
        _groups(used, pairs, of_list, group_by),
        found.contents[rows],
        np.array([file.part for file in used], np.int8),
        np.array([printable(file.name) for file in used], object),
    )
    counts = {
        "files": len(paths),
        "read": len(read),
        "used": len(used),
        "copies": skipped.pop("copies", 0),
        "classes": len(names),
        "skipped": dict(sorted(skipped.items())),
    }
    return images, counts


def holds_pairs(path: str | os.PathLike) -> bool:
    """Whether a folder or a list holds ready pairs; False also where it cannot be read."""
    with suppress(OSError, InputError):
        if os.path.isdir(path):
            some = min(listing.PAIR_FOLDERS)
            # in it, or in a folder or two around them
            return any(any(Path(path).glob("*/" * depth + some)) for depth in range(3))
        return lists.rows_of(path, lists.CLASSES, lists.PAIRS)[0] == lists.PAIRS
    return False


def _shape(
    paths: list[str], reading: Reading, size: tuple[int, int] | None, channels: int | None
) -> tuple[int, int, int]:
    """The shape (H, W, C) to read images in, from what is asked for and a look at a hundred."""
    # by chance, but always the same: two cameras might take turns
    order = np.random.default_rng(0).permutation(len(paths))[:LOOKED_AT]
    looks = read_files("looks", [paths[k] for k in order], None).values
    side, least = reading.side, reading.least_shape
    if len(looks):
        side = int(min(np.median(looks[:, int(reading.fit == "whole")]), side))
    (height, width) = size or np.maximum(side, least[:2]).tolist()
    colour = len(looks) and looks[:, 2].any()
    return FITS[reading.fit]((height, width, channels or max(3 if colour else 1, least[2])))


def _used(
    plan: Listing, first_of: dict[File, File], left_out: dict[str, list[str]]
) -> tuple[list[File], list[ReadyPair] | None]:
    """Which files are used, class by class, and which ready pairs, where these are listed.

    first_of: of each file that was read the first with its content. left_out: takes the names of
    the other files, by the reason.
    """
    pairs = None
    if plan.pairs is None:
        reasons = _reasons(plan.files, first_of)
    else:
        pairs = _usable_pairs(plan.pairs, first_of)
        named = {first_of[file] for pair in pairs for file in pair[:2]}
        reasons = {first: "" if first in named else listing.UNPAIRED for first in first_of.values()}
    for file, first in sorted(first_of.items(), key=itemgetter(1)):  # those of one image together
        copy = "copies" if file.part == first.part else "copies of images in another part"
        if why := reasons[first] or (copy if file != first else ""):
            left_out[why].append(file.shown())
    used = (file for file, why in reasons.items() if not why)
    return sorted(used, key=attrgetter("label", "part", "name")), pairs


def _reasons(files: list[File], first_of: dict[File, File]) -> dict[File, str]:
    """Why each content, by the first file with it, is not used; "" where it is.

    files: all that were listed. first_of: of each file that was read the first with its content.
    Raises InputError where fewer than two classes are left.
    """
    labels = defaultdict[File, set[str]](set)  # of each content
    for file, first in first_of.items():
        labels[first].add(file.label)
    sizes = Counter(dict.fromkeys(sorted({file.label for file in files}), 0))
    sizes.update(first.label for first, some in labels.items() if len(some) == 1)
    large = {name: size for name, size in sizes.items() if size >= LEAST_IMAGES}
    say(f"left out class {printable(name)}: {size} images, {LEAST_IMAGES} needed"
        for name, size in sizes.items() if name not in large)  # fmt: skip
    if len(large) < 2:
        raise InputError(
            f"Expected at least two classes of two readable images. Received: {len(large)} such."
        )
    log.info(f"{len(large):,} classes: {few_of(large, MOST_NAMED)}")
    reasons = {first: "" if first.label in large else "in classes of fewer than two"
               for first in labels}  # fmt: skip
    # one class is wrong, and nobody knows which
    wrong = [first for first, some in labels.items() if len(some) > 1]
    return reasons | dict.fromkeys(wrong, "in several classes")


def _usable_pairs(listed: list[ReadyPair], first_of: dict[File, File]) -> list[ReadyPair]:
    """The pairs of two images that were read, all pairs of which have one answer.

    first_of: of each file that was read the first with its content.
    Raises InputError where there are none.
    """
    read = [pair for pair in listed if first_of.keys() >= {*pair[:2]}]
    if lost := len(listed) - len(read):
        log.info(f"left out {lost:,} pairs of files that cannot be read")
    images = {pair: frozenset(first_of[file] for file in pair[:2]) for pair in read}
    answers = {(images[pair], pair[2]) for pair in read}
    pairs = [pair for pair in read
             if len(images[pair]) == 2 and (images[pair], 1 - pair[2]) not in answers]  # fmt: skip
    say(f"left out the pair of {pair[0].shown()} and {pair[1].shown()}: copies of one image, or of "
        "two that stand in a pair with another answer"
        for pair in sorted({*read} - {*pairs}))  # fmt: skip
    if not pairs:
        raise InputError(f"Expected pairs that can be used. Received: none, of {len(listed):,}.")
    same = sum(pair[2] for pair in pairs)
    log.info(f"{same:,} pairs of one class and {len(pairs) - same:,} of two")
    return pairs


def _groups(
    files: list[File], pairs: Pairs | None, of_list: list[tuple[int, str]], group_by: str | None
) -> np.ndarray | None:
    """int32 (N,): one number for images that belong together; None where nothing says it.

    These are images of one pair, and of one group: as a list says it, or where a regular
    expression, or its first group, finds the same in the files' names.
    """
    named = {"the list": of_list}
    if group_by:
        try:
            found = [re.search(group_by, file.name.replace(os.sep, "/")) for file in files]
        except re.error as error:
            raise InputError(
                f"Expected a regular expression to group by. Received: {group_by!r} ({error})."
            ) from None
        keys = [((*match.groups(), "")[0] or match[0]) if match else "" for match in found]
        if not any(keys):
            raise InputError(
                "Expected --group-by to match names of files. "
                f"Received: {group_by}, which does not match {files[0].shown()} or any other."
            )
        named[group_by] = list(enumerate(keys))
    edges = [] if pairs is None else pairs.indices().tolist()
    for how, of_group in named.items():
        first: dict[str, int] = {}
        edges += [(first.setdefault(group, row), row) for row, group in of_group if group]
        if first:
            without = sum(not group for _, group in of_group)
            log.info(f"{len(first):,} groups by {how}; {without:,} images are in none")
    if not edges:
        return None
    groups = connected(len(files), edges)
    leaders: dict[int, File] = {}
    for file, group in zip(files, groups.tolist()):
        leader = leaders.setdefault(group, file)
        if file.part != leader.part:
            raise InputError(
                f"Expected each group in one part. Received: {leader.shown()} in "
                f"{PART_NAMES[leader.part]} and {file.shown()} in {PART_NAMES[file.part]}. "
                "Move them together, leave out the groups, or leave out the split."
            )
    return groups
