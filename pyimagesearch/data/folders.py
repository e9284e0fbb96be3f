"""A folder or a list of images -> pixels with what is known of them, for training and evaluate."""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from itertools import pairwise
from operator import itemgetter
from typing import Any

import numpy as np

from pyimagesearch.config import Reading
from pyimagesearch.data.cache import read_files
from pyimagesearch.data.images import FITS, described
from pyimagesearch.data.listing import File, ReadyPair, few_of, find, say_left_out
from pyimagesearch.data.lists import find_listed
from pyimagesearch.data.sets import LEAST_IMAGES, ImageSet, Pairs, Rows, class_numbers, evenly
from pyimagesearch.data.splits import PART_NAMES, connected
from pyimagesearch.system.terminal import InputError, counted, printable, say, warn

MOST_NAMED = 12  # classes, or files that are left out, in one line
MANY_SIDE = 128  # pixels: images are not reduced further because they are many
LOOKED_AT = 100  # files that say how a folder is to be read
DARK = 16  # the mean of images that are nearly black; nearly white are those above 255 - 16


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
    """Read the images of a folder, see listing.find, or of a list, see lists.find_listed.

    group_by: a regular expression that is searched in each file's path from the folder on, with /
    between; what its first group matches, or all of it, names the file's group.
    shape: (H, W, C), exactly. Without it image_size (H, W) and channels (1 or 3), by default
    from about a hundred of the pictures: colour if any has it, and their own size, within the
    bounds of `reading`, which also says what becomes of other ratios of the sides.
    Returns the images used, their pixels on disk; and what was read and left out, for JSON.
    Raises InputError where too little is left, the classes are not plain, a group is in two parts.
    """
    is_folder = os.path.isdir(directory)
    if class_level and os.path.isfile(directory):
        raise InputError("--class-level with a folder", "a list")
    plan = find(directory, class_level) if is_folder else find_listed(directory)
    groups = plan.groups | (_groups_of_names(plan.files, group_by) if group_by else {})
    if groups:
        rest = {*plan.files}.difference(*groups.values())
        say(f"{len(groups):,} groups; {len(rest):,} images are in none")
    paths = [os.path.join(plan.base, file.name) for file in plan.files]
    shape = shape or _shape(paths, reading or Reading(), image_size, channels)
    found = read_files("pixels", paths, shape)
    warn(f"skipped {message}" for message in found.messages.values())
    if not found.good:
        raise InputError("readable images", "none")
    say(f"{len(found.good):,} images read, {described(shape)}")
    some = found.values[evenly(len(found.good), LOOKED_AT)]
    if some.min() == some.max():
        received = f"some in which every pixel is {some.min()}. Look at the files."
        raise InputError("images that show something", received)
    if not DARK <= (mean := some.mean()) <= 255 - DARK:
        warn(f"the mean of the images is {mean:.0f} of 255: where a person sees little in "
            "them, stretch their values first")  # fmt: skip
    read = [plan.files[k] for k in found.good]
    (_, first, content) = np.unique(found.contents, return_index=True, return_inverse=True)
    # for each file the first row with the same content, which stands for it from here on
    row_of = dict(zip(read, first[content].tolist()))
    if plan.pairs is None:
        labels = defaultdict[int, set[str]](set)  # of each content
        for file, row in row_of.items():
            labels[row].add(file.label)
        (pairs, reasons) = ([], _reasons(labels, sorted({file.label for file in plan.files})))
    else:
        pairs = _usable_pairs(plan.pairs, row_of)
        reasons = dict.fromkeys(row_of.values(), "in no pair that is used")
        reasons |= {row_of[file]: "" for pair in pairs for file in pair[:2]}
    left_out = defaultdict[str, list[str]](list)
    for file, row in sorted(row_of.items(), key=itemgetter(1)):  # those of one image together
        copy = "copies" if file.part == read[row].part else "copies of images in another part"
        if why := reasons[row] or (copy if file != read[row] else ""):
            left_out[why].append(file.name)
    skipped = plan.skipped + say_left_out(left_out, MOST_NAMED)
    skipped += Counter(unreadable=len(found.messages))  # named above; no entry where there is none
    rows = np.array([row for row, why in sorted(reasons.items()) if not why])
    used = [read[row] for row in rows]
    names = [] if pairs else sorted({file.label for file in used})
    given = None
    if pairs:
        ends = np.searchsorted(rows, [(row_of[a], row_of[b]) for a, b, _ in pairs])
        given = Pairs(ends[:, 0], ends[:, 1:], np.array([[y] for _, _, y in pairs]))
    together = [*groups.values(), *(pair[:2] for pair in pairs)]  # a pair belongs together, too
    images = ImageSet(
        Rows(found.values.reshape(-1, *shape), rows),
        None if pairs else class_numbers([file.label for file in used]), given,
        tuple(map(printable, names)),
        _numbered(together, row_of, rows, used) if together else None, found.contents[rows],
        np.array([file.part for file in used], np.int8),
        np.array([file.name for file in used], object),
    )  # fmt: skip
    counts: dict[str, Any] = {"files": len(paths), "read": len(read), "used": len(used)}
    counts |= {"copies": skipped.pop("copies", 0), "classes": len(names)}
    counts["skipped"] = dict(sorted(skipped.items()))
    return images, counts


def _shape(paths, reading, size, channels):
    """The shape (H, W, C) to read images in, from what is asked for and a look at a hundred."""
    # by chance, but always the same: two cameras might take turns
    order = np.random.default_rng(0).permutation(len(paths))[:LOOKED_AT]
    looks = read_files("looks", [paths[k] for k in order], None).values
    (side, least, colour) = (reading.side, reading.least_shape, False)
    if reading.most_pixels:
        side = min(side, max(int((reading.most_pixels / len(paths)) ** 0.5) // 32 * 32, MANY_SIDE))
    if len(looks):
        side = int(min(np.median(looks[:, int(reading.fit == "whole")]), side))
        colour = bool(looks[:, 2].any())
    (height, width) = size or np.maximum(side, least[:2]).tolist()
    return FITS[reading.fit]((height, width, channels or max(3 if colour else 1, least[2])))


def _reasons(labels: Mapping[int, set[str]], names: list[str]) -> dict[int, str]:
    """Why each content is not used, "" where it is. labels: of each; names: of all classes.

    Raises InputError where fewer than two classes are left.
    """
    # of several classes one is wrong, and nobody knows which
    sure = {row: name for row, (name, *others) in labels.items() if not others}
    sizes = Counter(dict.fromkeys(names, 0))
    sizes.update(sure.values())
    large = {name: size for name, size in sizes.items() if size >= LEAST_IMAGES}
    warn(f"left out class {printable(name)}: {counted(size, 'image')}, {LEAST_IMAGES} needed"
        for name, size in sizes.items() if name not in large)  # fmt: skip
    if len(large) < 2:
        raise InputError("at least two classes of two readable images", f"{len(large)} such")
    say(f"{len(large):,} classes: {few_of(large, MOST_NAMED)}")
    small = "in classes of fewer than two"
    reasons = {row: "" if name in large else small for row, name in sure.items()}
    return dict.fromkeys(labels, "in several classes") | reasons


def _usable_pairs(listed: list[ReadyPair], row_of: dict[File, int]) -> list[ReadyPair]:
    """The pairs of two images that were read, of which all pairs have one answer: each once.

    Raises InputError where there are none.
    """
    read = [pair for pair in listed if row_of.keys() >= {*pair[:2]}]
    of_images = defaultdict[frozenset[int], list[ReadyPair]](list)  # of each two
    for pair in read:
        of_images[frozenset(row_of[file] for file in pair[:2])].append(pair)
    sure = [some for both, some in of_images.items()
            if len(both) == 2 and len({y for _, _, y in some}) == 1]  # fmt: skip
    warn(f"left out the pair of {a} and {b}: copies of one image, or of two that stand in a pair "
        "with another answer" for a, b, _ in sorted({*read}.difference(*sure)))  # fmt: skip
    pairs = [first for first, *_ in sure]
    if repeated := sum(map(len, sure)) - len(pairs):
        say(f"left out {counted(repeated, 'pair')} of images that are in a pair before")
    if not pairs:
        raise InputError("pairs that can be used", f"none, of {len(listed):,}")
    same = sum(y for (_, _, y) in pairs)
    say(f"{same:,} pairs of one class and {len(pairs) - same:,} of two")
    return pairs


def _groups_of_names(files: list[File], group_by: str) -> dict[str, list[File]]:
    """The files by what a regular expression, or its first group, finds in their names."""
    groups = defaultdict[str, list[File]](list)
    try:
        for file in files:
            match = re.search(group_by, file.name.replace(os.sep, "/"))
            if match and (name := (*match.groups(), "")[0] or match[0]):
                groups[f"by name: {name}"].append(file)
    except re.error as error:
        raise InputError("a regular expression to group by", f"{group_by!r} ({error})") from None
    if not groups:
        received = f"{group_by}, which does not match {files[0]} or any other"
        raise InputError("--group-by to match names of files", received)
    return groups


def _numbered(groups, row_of, rows, files):
    """int32 (N,): one number for images that belong together. rows, files: of the images used.

    Raises InputError where what belongs together is in two parts.
    """
    edges = [edge for some in groups
             for edge in pairwise(row_of[file] for file in some if file in row_of)]  # fmt: skip
    numbers = connected(len(row_of), [edges])[rows]
    first: dict[int, File] = {}
    for file, number in zip(files, numbers.tolist()):
        other = first.setdefault(number, file)
        if file.part != other.part:
            received = f"{other} in {PART_NAMES[other.part]} and {file} in {PART_NAMES[file.part]}"
            mend = "Move them together, or leave out the groups, or the split."
            raise InputError("a pair's images, or a group's, in one part", f"{received}. {mend}")
    return numbers
