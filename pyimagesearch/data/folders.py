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
from pyimagesearch.data.listing import File, ReadyPair, few_of, say
from pyimagesearch.data.sets import LEAST_IMAGES, ImageSet, Pairs, Rows, class_numbers, evenly
from pyimagesearch.data.splits import PART_NAMES, connected
from pyimagesearch.system.errors import InputError, printable

MOST_NAMED = 12  # classes, or files that are left out, in one line
LOOKED_AT = 100  # files that say how a folder is to be read
DARK = 16  # the mean of images that are nearly black; nearly white are those above 255 - 16
UNPAIRED = "in no pair that is used"

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
        received = f"{len(found.good):,}, in which every pixel is {some.min()}. Look at the files."
        raise InputError(f"Expected images that show something. Received: {received}")
    if not DARK <= (mean := some.mean()) <= 255 - DARK:
        look = "dark" if mean < DARK else "bright"
        log.info(f"the images are {look}: their mean is {mean:.0f} of 255; where a person sees "
                 "little in them, stretch their values first")  # fmt: skip

    read = [plan.files[k] for k in found.good]
    (_, first, content) = np.unique(found.contents, return_index=True, return_inverse=True)
    # of each file the first row with its content: its own, or that of what it is a copy of
    row_of = dict(zip(read, first[content].tolist()))
    usable: list[ReadyPair] = []
    if plan.pairs is None:
        labels = defaultdict[int, set[str]](set)  # of each content
        for file, row in row_of.items():
            labels[row].add(file.label)
        reasons = _reasons(labels, sorted({file.label for file in plan.files}))
    else:
        usable = _usable_pairs(plan.pairs, row_of)
        named = {row_of[file] for pair in usable for file in pair[:2]}
        reasons = {row: "" if row in named else UNPAIRED for row in row_of.values()}
    left_out = defaultdict[str, list[str]](list)
    left_out["unreadable"] = [plan.files[k].shown() for k in found.messages]
    for file, row in sorted(row_of.items(), key=itemgetter(1)):  # those of one image together
        copy = "copies" if file.part == read[row].part else "copies of images in another part"
        if why := reasons[row] or (copy if file != read[row] else ""):
            left_out[why].append(file.shown())
    skipped = plan.skipped + listing.counted(left_out, MOST_NAMED)

    wanted = [row for row, why in reasons.items() if not why]
    wanted.sort(key=lambda row: attrgetter("label", "part", "name")(read[row]))
    (rows, used) = (np.array(wanted), [read[row] for row in wanted])
    place_of = {row: k for k, row in enumerate(wanted)}
    names = sorted({file.label for file in used}) if plan.pairs is None else []
    pairs = None
    if usable:
        ends = np.array([[place_of[row_of[file]] for file in pair[:2]] for pair in usable])
        pairs = Pairs(ends[:, 0], ends[:, 1:], np.array([[y] for (_, _, y) in usable]))
    by_list = [(place_of[row_of[file]], group) for file, group in plan.groups
               if row_of.get(file) in place_of]  # fmt: skip
    images = ImageSet(
        Rows(found.values.reshape(-1, *shape), rows),
        None if pairs else class_numbers([file.label for file in used]),
        pairs,
        tuple(map(printable, names)),
        _groups(used, pairs, by_list, group_by),
        found.contents[rows],
        np.array([file.part for file in used], np.int8),
        np.array([file.name for file in used], object),
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
            some = min(listing.PAIR_FOLDERS)  # in it, or in a folder or two around them
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
    (side, least, colour) = (reading.side, reading.least_shape, False)
    if len(looks):
        side = int(min(np.median(looks[:, int(reading.fit == "whole")]), side))
        colour = bool(looks[:, 2].any())
    (height, width) = size or np.maximum(side, least[:2]).tolist()
    return FITS[reading.fit]((height, width, channels or max(3 if colour else 1, least[2])))


def _reasons(labels: dict[int, set[str]], names: list[str]) -> dict[int, str]:
    """Why each content, by the first row with it, is not used; "" where it is.

    labels: of each content. names: of all classes. Raises InputError where fewer than two are left.
    """
    sizes = Counter(dict.fromkeys(names, 0))
    sizes.update(name for some in labels.values() if len(some) == 1 for name in some)
    large = {name: size for name, size in sizes.items() if size >= LEAST_IMAGES}
    say(f"left out class {printable(name)}: {size} images, {LEAST_IMAGES} needed"
        for name, size in sizes.items() if name not in large)  # fmt: skip
    if len(large) < 2:
        wanted = "at least two classes of two readable images"
        raise InputError(f"Expected {wanted}. Received: {len(large)} such.")
    log.info(f"{len(large):,} classes: {few_of(large, MOST_NAMED)}")
    reasons = {row: "" if some <= large.keys() else "in classes of fewer than two"
               for row, some in labels.items()}  # fmt: skip
    # one class is wrong, and nobody knows which
    wrong = [row for row, some in labels.items() if len(some) > 1]
    return reasons | dict.fromkeys(wrong, "in several classes")


def _usable_pairs(listed: list[ReadyPair], row_of: dict[File, int]) -> list[ReadyPair]:
    """The pairs of two images that were read, all pairs of which have one answer.

    row_of: of each file that was read the first row with its content.
    Raises InputError where there are none.
    """
    read = [pair for pair in listed if row_of.keys() >= {*pair[:2]}]
    if lost := len(listed) - len(read):
        log.info(f"left out {lost:,} pairs of files that cannot be read")
    answers = defaultdict[frozenset[int], set[int]](set)  # of each two images
    for a, b, y in read:
        answers[frozenset((row_of[a], row_of[b]))].add(y)
    right = {both for both, some in answers.items() if len(both) == 2 and len(some) == 1}
    pairs = [pair for pair in read if {row_of[file] for file in pair[:2]} in right]
    say(f"left out the pair of {pair[0].shown()} and {pair[1].shown()}: copies of one image, or of "
        "two that stand in a pair with another answer"
        for pair in sorted({*read} - {*pairs}))  # fmt: skip
    if not pairs:
        raise InputError(f"Expected pairs that can be used. Received: none, of {len(listed):,}.")
    same = sum(y for (_, _, y) in pairs)
    log.info(f"{same:,} pairs of one class and {len(pairs) - same:,} of two")
    return pairs


def _groups(
    files: list[File], pairs: Pairs | None, by_list: list[tuple[int, str]], group_by: str | None
) -> np.ndarray | None:
    """int32 (N,): one number for images that belong together; None where nothing says it.

    These are images of one pair, and of one group: as a list says it of some rows, or where a
    regular expression, or its first group, finds the same in the files' names.
    """
    named = {"the list": by_list}
    if group_by:
        try:
            found = [re.search(group_by, file.name.replace(os.sep, "/")) for file in files]
        except re.error as error:
            raise InputError(
                f"Expected a regular expression to group by. Received: {group_by!r} ({error})."
            ) from None
        keys = [((*match.groups(), "")[0] or match[0]) if match else "" for match in found]
        if not any(keys):
            received = f"{group_by}, which does not match {files[0].shown()} or any other"
            raise InputError(f"Expected --group-by to match names of files. Received: {received}.")
        named[group_by] = [(row, key) for row, key in enumerate(keys) if key]
    edges = [] if pairs is None else pairs.indices().tolist()
    for how, members in named.items():
        first: dict[str, int] = {}
        edges += [(first.setdefault(group, row), row) for row, group in members]
        if first:
            without = len(files) - len({row for row, _ in members})
            log.info(f"{len(first):,} groups by {how}; {without:,} images are in none")
    if not edges:
        return None
    groups = connected(len(files), edges)
    leaders = np.unique(groups, return_index=True)[1]  # the first image of each
    for file, group in zip(files, groups):
        leader = files[leaders[group]]
        if file.part != leader.part:
            raise InputError(
                f"Expected each group in one part. Received: {leader.shown()} in "
                f"{PART_NAMES[leader.part]} and {file.shown()} in {PART_NAMES[file.part]}. "
                "Move them together, leave out the groups, or leave out the split."
            )
    return groups
