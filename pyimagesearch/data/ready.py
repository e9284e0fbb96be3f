"""Ready pairs: what of the files that were read stands in pairs, of a folder or of a list."""

import logging
import os
import re
from collections import Counter

import numpy as np

from pyimagesearch.data import leftovers
from pyimagesearch.data.layout import PAIR_FOLDERS, Found, Layout
from pyimagesearch.data.leftovers import say
from pyimagesearch.data.pairs import Pairs
from pyimagesearch.data.splits import TEST, TRAIN, VALIDATION
from pyimagesearch.system.errors import InputError
from pyimagesearch.system.errors import printable

log = logging.getLogger(__name__)

NONE_TIED = np.empty((0, 2), int)
PART_NAMES = {TRAIN: "train", VALIDATION: "val", TEST: "test"}


def of_folder(
    files: list[Found], contents: np.ndarray, skipped: Counter
) -> tuple[np.ndarray, Pairs]:
    """The rows of the images that stand in pairs, and the Pairs: NAME_first beside NAME_second."""
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
    skipped[leftovers.COPIES] += 2 * len(whole) - len(
        {row for pair in whole.values() for row in pair.values()}
    )
    y = [PAIR_FOLDERS[name.split("/")[0]] for name in whole]
    return _numbered([(pair["first"], pair["second"]) for pair in whole.values()], y)


def of_list(
    plan: Layout, good: list[int], contents: np.ndarray, skipped: Counter
) -> tuple[np.ndarray, Pairs, np.ndarray]:
    """As of_folder, of a list's pairs, and which images its groups tie together: int (E, 2).

    good: which of the plan's files could be read, in the order of `contents`.
    Raises InputError where no pair is left, or an image is in pairs of two parts.
    """
    first_row: dict[int, int] = {}
    row_of = {k: first_row.setdefault(content, row)
              for row, (k, content) in enumerate(zip(good, contents.tolist()))}  # fmt: skip
    pairs = [pair for pair in plan.ready if pair.a in row_of and pair.b in row_of]
    lost = len(plan.ready) - len(pairs)
    if lost:
        log.info("left out %s pairs of files that cannot be read", f"{lost:,}")
    if not pairs:
        raise InputError("Expected pairs of images that can be read. Received: none.")
    skipped[leftovers.UNPAIRED] += len(row_of) - len(
        {k for pair in pairs for k in (pair.a, pair.b)}
    )
    skipped[leftovers.COPIES] += len(row_of) - len(set(row_of.values()))
    seen: dict[int, tuple] = {}  # of each row the first of its pairs, and its name there
    for pair in pairs:
        for k in (pair.a, pair.b):
            (before, name) = seen.setdefault(row_of[k], (pair, plan.files[k].name))
            if before.part != pair.part:
                raise InputError(
                    "Expected each image in pairs of one part. Received: "
                    f"{printable(name)}, {PART_NAMES[before.part]} on line {before.line}, and "
                    f"{printable(plan.files[k].name)}, {PART_NAMES[pair.part]} on line {pair.line}"
                    f"{', a copy of it' if name != plan.files[k].name else ''}."
                )
    (rows, numbered) = _numbered(
        [(row_of[pair.a], row_of[pair.b]) for pair in pairs], [pair.y for pair in pairs]
    )
    first_of: dict[str, int] = {}
    tied = [
        (first_of.setdefault(pair.group, anchor), anchor)
        for pair, anchor in zip(pairs, numbered.anchors.tolist())
        if pair.group
    ]
    return rows, numbered, np.array(tied, int).reshape(-1, 2)


def _numbered(ends, y):
    # the rows that stand in pairs, and these in the numbering of the rows; said
    (rows, place) = np.unique(ends, return_inverse=True)
    (anchors, others) = place.reshape(-1, 2).T
    same = int(np.sum(y))
    log.info(
        "%s pairs of one class and %s of two, of %s images",
        f"{same:,}", f"{len(y) - same:,}", f"{len(rows):,}",
    )  # fmt: skip
    return rows, Pairs(anchors, others[:, np.newaxis], np.array(y)[:, np.newaxis])
