"""Which images are trained on, which choose, which are tested on.

A number in [0, 1) is made of each file's content and the seed of the split: the lowest go to
the test, the highest to the validation. It is the same on every machine, in whatever order the
files come, and no other file changes it.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from pyimagesearch.data.giving import sparingly, who_gives
from pyimagesearch.data.labels import LEAST_IMAGES
from pyimagesearch.system.errors import InputError

TRAIN, VALIDATION, TEST = 0, 1, 2  # what a part is called in arrays
MANY_CLASSES = 100  # of so many, not every small class has to be in every part


class Shares(NamedTuple):
    """The shares of the images that are not trained on; 0: no such part. Sum at most 1/2."""

    test: float
    validation: float


def chances(contents: np.ndarray, seed: int) -> np.ndarray:
    """A number in [0, 1) for each content: uint64 (N,) -> float64 (N,).

    The first eight bytes of BLAKE2b of seed and content, both little-endian, as a fraction.
    """
    key = (int(seed) % 2**64).to_bytes(8, "little")
    digests = b"".join(
        hashlib.blake2b(key + content, digest_size=8).digest()
        for content in map(np.ndarray.tobytes, contents.astype("<u8").reshape(-1, 1))
    )
    # 53 bits are what a float64 in [0, 1) holds
    return (np.frombuffer(digests, "<u8") >> np.uint64(11)) / 2.0**53


def name_contents(names: tuple[str, ...]) -> np.ndarray:
    """A content for each name, as chances takes it: uint64 (N,)."""
    digests = [hashlib.blake2b(name.encode(errors="surrogateescape"), digest_size=8).digest()
               for name in names]  # fmt: skip
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)


def connected(
    count: int,
    edges: np.ndarray | Sequence[tuple[int, int]] = (),
    groups: Sequence[np.ndarray] = (),
) -> np.ndarray:
    """Which things hang together: int32 (count,), numbered as they appear.

    edges: int (E, 2), two things that belong together. groups: int (count,) each; things of one
    number belong together.
    """
    joined = [np.asarray(edges, int).reshape(-1, 2)]
    for numbers in groups:  # each with the first of its group
        (first, group) = np.unique(numbers, return_index=True, return_inverse=True)[1:]
        joined.append(np.stack([np.arange(count), first[group]], axis=1))
    edges = np.concatenate(joined)
    lowest = np.arange(count)
    while True:  # each takes the lowest number among its neighbours, and then that one's
        before = lowest.copy()
        ends = lowest[edges]
        np.minimum.at(lowest, edges.ravel(), ends.min(axis=1).repeat(2))
        np.minimum.at(lowest, ends.ravel(), lowest[edges].min(axis=1).repeat(2))
        lowest = lowest[lowest]
        if (lowest == before).all():
            return np.unique(lowest, return_inverse=True)[1].astype(np.int32)


def within_classes(
    labels: np.ndarray,
    units: np.ndarray,
    chance: np.ndarray,
    class_chance: np.ndarray,
    shares: Shares,
) -> np.ndarray:
    """Split every class by itself: int8 (N,) of TRAIN, VALIDATION, TEST.

    labels: int (N,), classes. units: int (N,), what is never cut in two: each image by itself,
    or groups, none of them of two classes. chance: float (N,), of the units: the same for all
    images of one. class_chance: float (C,). A chance of NaN stays in training.

    A part needs two images of a class, and gets them where chance alone brings fewer; no class
    gives more than half of its images. A class too small to serve both parts serves one of
    them, or none, as its own chance decides, so that the shares are met in the mean; so it is
    with all small classes where there are more than 100 classes.
    Where that leaves a part without two classes, a part gets one same pair and one different
    at least, see giving.sparingly: two images of one class and one of another.
    Raises InputError where test or validation would not have these either.
    """
    classes = len(class_chance)
    sizes = np.bincount(labels, minlength=classes)
    half = sizes // 2
    (firsts, unit_of, unit_sizes) = np.unique(
        units, return_index=True, return_inverse=True, return_counts=True
    )[1:]
    usable = ~np.isnan(chance[firsts]) & (unit_sizes <= half[labels[firsts]])

    # the units that may be taken, class by class, in each from the lowest chance on
    order = np.flatnonzero(usable)
    order = order[np.lexsort((chance[firsts][order], labels[firsts][order]))]
    (of, size, number) = (labels[firsts][order], unit_sizes[order], chance[firsts][order])
    total = np.bincount(of, size, minlength=classes).astype(int)
    room = np.minimum(half, total)  # the most that a class gives away
    upto = np.cumsum(size) - (np.cumsum(total) - total)[of]  # images of the class to here,
    downto = total[of] - upto + size  # and from here to its end; this unit in both

    # what a class has to give to a part, if anything: the fewest units that bring two images
    wanted_share = np.array(shares)[:, np.newaxis]  # (2, 1)

    def fewest(images):
        need = np.full((2, classes), len(labels) + 1)
        for row, reach in zip(need, (upto, downto)):
            enough = reach >= images
            np.minimum.at(row, of[enough], reach[enough])
        need[wanted_share[:, 0] == 0] = 0
        return need

    need = fewest(LEAST_IMAGES)
    gives = who_gives(need, room, total, class_chance, wanted_share, MANY_CLASSES)
    if (gives.sum(axis=1) < 2)[wanted_share[:, 0] > 0].any():
        # no more than half, or else all but the two that training needs
        spare = np.clip(total, 0, np.maximum(sizes - LEAST_IMAGES, 0))
        for most in (np.minimum(room, spare), spare):
            if found := sparingly(fewest(1), need, most, class_chance, np.array(shares) > 0):
                (need, gives, room) = (*found, most)
                break
        else:
            wanted = "a class of four images and one of three"
            if (wanted_share > 0).all():
                wanted = "two classes of five images or three of four"
            raise InputError(
                f"Expected at least {wanted}: each part needs a same and a different pair, "
                "training two images of each class, and no group is cut in two. Received: "
                f"{classes} classes of {sizes.min()} to {sizes.max()} images, {len(firsts)} groups "
                "or single images. More of them, or --split classes with six classes or more."
            )

    # and the most it may: where chance takes more than there is room for, each part its share
    # of the room, but what it has to give in any case
    (low, high) = (number < shares.test, number >= 1 - shares.validation)
    over = np.bincount(of, size * (low | high), minlength=classes) > room
    most = np.where(over, np.maximum(np.floor(room * wanted_share / sum(shares)), need), room)
    small = (wanted_share * total < need) & (classes > MANY_CLASSES)
    most = np.where(small, need, most)
    most = np.minimum(most, room - np.where(gives, need, 0)[::-1])  # what the other part needs
    test = gives[0][of] & (upto <= most[0][of])
    test &= low | (upto <= need[0][of])
    left = room - np.bincount(of[test], size[test], minlength=classes)
    validation = gives[1][of] & (downto <= np.minimum(most[1], left)[of])
    validation &= high | (downto <= need[1][of])

    part = np.full(len(firsts), TRAIN, np.int8)
    part[order[test]] = TEST
    part[order[validation]] = VALIDATION
    return part[unit_of]


def whole_units(
    units: np.ndarray,
    chance: np.ndarray,
    shares: Shares,
    enough: Callable[[np.ndarray], bool],
    wanted: str,
    advice: str,
) -> np.ndarray:
    """Split units that lie across classes, or whole classes: int8 (N,) as within_classes.

    units, chance: as for within_classes. enough: whether the images of a mask (N,) can be
    measured on; a part takes more units than its share until they can.
    wanted, advice: what the message asks for where that cannot be, and how to mend it.
    Raises InputError where test, validation or training would not have enough.
    """
    (firsts, unit_of, sizes) = np.unique(
        units, return_index=True, return_inverse=True, return_counts=True
    )[1:]
    chance = chance[firsts]
    order = np.argsort(chance)[: np.sum(~np.isnan(chance))]  # those to keep stand at its end
    part = np.full(len(firsts), TRAIN, np.int8)
    (low, high) = (chance < shares.test, chance >= 1 - shares.validation)
    over = np.sum(sizes[low | high]) > len(units) / 2
    for name, share, some, taken in (
        (TEST, shares.test, order, low),
        (VALIDATION, shares.validation, order[::-1], high),
    ):
        if not share:
            continue
        # of few units chance may take many: no more than one and a half times the share, nor,
        # where that leaves less than half of the images, than the share of that half
        most = len(units) * min(1.5 * share, share / sum(shares) / 2 if over else 1)
        some = some[part[some] == TRAIN]
        count = np.sum(taken[some] & (np.cumsum(sizes[some]) <= most))
        part[some[:count]] = name
        while count < len(some) and not enough((part == name)[unit_of]):
            part[some[count]] = name
            count += 1
    for name, share in ((TEST, shares.test), (VALIDATION, shares.validation), (TRAIN, 1)):
        if share and not enough((part == name)[unit_of]):
            raise InputError(f"Expected {wanted}. Received: {len(firsts)} to split. {advice}")
    return part[unit_of]
