"""A folder or a list of images -> pixels with what is known of them, for training and evaluate."""

import logging
import os
import re
import zlib
from collections import Counter
from contextlib import suppress
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pyimagesearch.config import Reading
from pyimagesearch.data import listing, lists
from pyimagesearch.data.cache import read_files
from pyimagesearch.data.images import FITS, described
from pyimagesearch.data.listing import PAIR_FOLDERS, UNPAIRED, File, Listing, ReadyPair, few_of, say
from pyimagesearch.data.sets import LEAST_IMAGES, ImageSet, Pairs, Rows, class_numbers
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
    is_folder = os.path.isdir(directory)
    plan = listing.find(directory, class_level) if is_folder else lists.find(directory)
    if class_level and not is_folder:
        raise InputError("Expected --class-level with a folder. Received: a list.")
    paths = [os.path.join(plan.base, file.name) for file in plan.files]
    shape = shape or _shape(paths, plan, reading or Reading(), image_size, channels)
    found = read_files("pixels", paths, shape)
    bad = list(found.messages.values())
    if not found.good:
        raise InputError(f"Expected readable images. Received: none. {'; '.join(bad[:3])}")
    say(f"skipped {message}" for message in bad)
    unread = f", {len(bad):,} files skipped" if bad else ""
    log.info(f"{len(found.good):,} images read{unread}, {described(shape)}")
    plan.skipped["unreadable"] += len(bad)

    read = [plan.files[k] for k in found.good]
    (_, first, content) = np.unique(found.contents, return_index=True, return_inverse=True)
    # of each file the first with its content: it, or what it is a copy of
    first_of = {file: read[k] for file, k in zip(read, first[content])}
    (pairs, of_list) = (None, list[tuple[int, str]]())
    if plan.pairs is None:
        used = _in_classes(plan, first_of)
        of_list = [(row, file.group) for row, file in enumerate(used)]
    else:
        (used, pairs, of_pairs) = _in_pairs(plan, plan.pairs, first_of)
        of_list = list(zip(pairs.anchors.tolist(), of_pairs))
    groups = _groups(used, pairs, of_list, group_by)
    if groups is not None:
        leaders = np.unique(groups, return_index=True)[1]
        for file, leader in zip(used, [used[k] for k in leaders[groups]]):
            if file.part != leader.part:
                raise InputError(
                    f"Expected each group in one part. Received: {leader.shown()} in "
                    f"{PART_NAMES[leader.part]} and {file.shown()} in {PART_NAMES[file.part]}. "
                    "Move them together, leave out the groups, or leave out the split."
                )
    row_of = {file: row for row, file in enumerate(read)}
    rows = np.array([row_of[file] for file in used])
    names = [] if pairs else sorted({file.label for file in used})
    images = ImageSet(
        Rows(found.values.reshape(-1, *shape), rows),
        None if pairs else class_numbers([file.label for file in used]),
        pairs,
        tuple(map(printable, names)),
        groups,
        found.contents[rows],
    )
    counts = {
        "files": len(paths),
        "read": len(read),
        "used": len(used),
        "copies": plan.skipped.pop("copies", 0),
        "classes": len(names),
        "skipped": dict(sorted((+plan.skipped).items())),
    }
    splits = np.array([file.part for file in used], np.int8)
    return Folder(images, [file.name for file in used], splits if splits.any() else None, counts)


def holds_pairs(path: str | os.PathLike) -> bool:
    """Whether a folder or a list holds ready pairs; False also where it cannot be read."""
    with suppress(OSError, InputError):
        if os.path.isfile(path):
            return lists.rows_of(path, lists.CLASSES, lists.PAIRS)[0] == lists.PAIRS
        inside = [Path(path)]
        while len(inside) == 1:  # a folder around all others
            inside = [inner for inner in inside[0].iterdir() if inner.is_dir()]
        return {inner.name for inner in inside} >= PAIR_FOLDERS.keys()
    return False


def _shape(
    paths: list[str],
    plan: Listing,
    reading: Reading,
    size: tuple[int, int] | None,
    channels: int | None,
) -> tuple[int, int, int]:
    """The shape (H, W, C) to read images in, from what is asked for and a look at a hundred."""
    # a digest of the names chooses them: two cameras might take turns
    order = np.argsort([zlib.crc32(os.fsencode(file.name)) for file in plan.files])
    looks = read_files("looks", [paths[k] for k in order[:LOOKED_AT]], None).values
    side, least = reading.side, reading.least_shape
    if len(looks):
        side = int(min(np.median(looks[:, int(reading.fit == "whole")]), side))
    (height, width) = size or np.maximum(side, least[:2]).tolist()
    colour = len(looks) and looks[:, 2].any()
    return FITS[reading.fit]((height, width, channels or max(3 if colour else 1, least[2])))


def _in_classes(plan: Listing, first_of: dict[File, File]) -> list[File]:
    """Which of the files that were read are used, class by class.

    first_of: of each file that was read the first with its content.
    """
    skipped = plan.skipped
    alike: dict[File, list[File]] = {}  # the files of each content, by the first
    for file, first in first_of.items():
        alike.setdefault(first, []).append(file)
    used = [file for file, some in alike.items() if len({f.label for f in some}) == 1]
    # one class is wrong, and nobody knows which
    wrong = [alike[file] for file in alike.keys() - used]
    say(f"left out {' and '.join(file.shown() for file in some[:3])}: the same file in several "
        f"classes, {len(some):,} times" for some in sorted(wrong))  # fmt: skip
    skipped["in several classes"] += sum(map(len, wrong))
    if count := len(first_of) - skipped["in several classes"] - len(used):
        moved = sum(copy.part != file.part for file in used for copy in alike[file])
        log.info(f"{count:,} copies of other files left out; {moved:,} were in another part")
        skipped["copies"] += count

    sizes = Counter(dict.fromkeys(sorted({file.label for file in plan.files}), 0))
    sizes.update(file.label for file in used)
    large = {name: size for name, size in sizes.items() if size >= LEAST_IMAGES}
    say(f"left out class {printable(name)}: {size} images, {LEAST_IMAGES} needed"
        for name, size in sizes.items() if name not in large)  # fmt: skip
    skipped["in classes of fewer than two"] += len(used) - sum(large.values())
    if len(large) < 2:
        raise InputError(
            f"Expected at least two classes of two readable images. Received: {len(large)} such."
        )
    log.info(f"{len(large):,} classes: {few_of(large, MOST_NAMED)}")
    return sorted((file for file in used if file.label in large), key=attrgetter("label"))


def _in_pairs(
    plan: Listing, listed: list[ReadyPair], first_of: dict[File, File]
) -> tuple[list[File], Pairs, list[str]]:
    """Which of the files that were read stand in ready pairs, these, and the group of each pair.

    A pair is used where its images are two, and all pairs of these two have one answer.
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
    named = {file for pair in pairs for file in pair[:2]}
    used = sorted({first_of[file] for file in named}, key=attrgetter("part", "name"))
    plan.skipped[UNPAIRED] += len(first_of) - len(named)
    plan.skipped["copies"] += len(named) - len(used)
    place = {file: k for k, file in enumerate(used)}
    ends = np.array([[place[first_of[file]] for file in pair[:2]] for pair in pairs])
    y = np.array([pair[2] for pair in pairs])
    log.info(
        f"{y.sum():,} pairs of one class and {(1 - y).sum():,} of two, of {len(used):,} images"
    )
    return used, Pairs(ends[:, 0], ends[:, 1:], y[:, None]), [pair[3] for pair in pairs]


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
            pattern = re.compile(group_by)
        except re.error as error:
            raise InputError(
                f"Expected a regular expression to group by. Received: {group_by!r} ({error})."
            ) from None
        found = [pattern.search(file.name.replace(os.sep, "/")) for file in files]
        keys = [((m[1] if pattern.groups else "") or m[0]) if m else "" for m in found]
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
    return connected(len(files), edges) if edges else None
