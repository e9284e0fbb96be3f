"""Which images are trained on, which choose, which are tested on.

A number is made of each file's content and the seed. Of every class the images with the lowest
numbers are tested on, those with the highest choose, the others are trained on: the same on every
machine, in whatever order the files come. A new image moves one other of its class at most.
"""

from collections.abc import Iterable
from itertools import product

import numpy as np

from pyimagesearch.config import Reading
from pyimagesearch.data.sets import LEAST_IMAGES, ImageSet, digests_of
from pyimagesearch.system.terminal import InputError, say

TRAIN, VALIDATION, TEST = 0, 1, 2  # what a part is called in arrays
PART_NAMES = {TRAIN: "train", VALIDATION: "val", TEST: "test"}  # and in folders
SMALL_CLASS = 6  # images: a class of fewer is trained on alone
MANY_CLASSES = 20  # so many, of which most are small, are split by whole classes
MOST_TAKEN = 30_000  # images to choose by, or to test with: more change no figure
ALWAYS_HELD = 0.08  # of a folder's images, however few would do: a low FMR needs many


def split(
    images: ImageSet,
    reading: Reading,
    seed: int,
    by: str | None = None,
    trained: np.ndarray | None = None,
) -> tuple[np.ndarray, str]:
    """Which part each image is of: int8 (N,) of TRAIN, VALIDATION, TEST; and how it was split.

    images: their splits are obeyed; a part that is missing there is taken from their training
    images. Images of one group are of one part. reading: the shares, tested and held_out (of what
    is not tested). by: "images" (some of every class), "classes" (whole classes), None: images, but
    classes where most of 20 or more are small, or where nothing else is possible.
    trained: bool (N,), what an earlier model was trained on: it stays in training where that
    leaves half of each share at least. How: "folders", "images", "groups" or "classes".
    Raises InputError where a part could have no same or no different pairs.
    """
    part = np.zeros(len(images), np.int8) if images.splits is None else images.splits.copy()
    tests = bool((part == TEST).any())
    if by == "classes" and (tests or images.labels is None):
        what = "such a part" if tests else "ready pairs"
        raise InputError("classes, no test part, for --split classes", what)
    tested = 0 if tests else reading.tested
    held_out = 0 if (part == VALIDATION).any() else reading.held_out * (1 - tested)
    free = np.flatnonzero(part == TRAIN)
    how = "folders"
    if tested + held_out and len(free):
        room = min(1, 0.5 / (tested + held_out))  # half of the images at least are trained on
        shares = {kind: min(room * share, MOST_TAKEN / len(free))
                  for kind, share in ((TEST, tested), (VALIDATION, held_out)) if share}  # fmt: skip
        rest = images.part(free)
        kept = np.zeros(len(free), bool) if trained is None else trained[free]
        ways = [by or "images"]
        if by is None and rest.labels is not None and rest.groups is None:
            sizes = np.unique(rest.labels, return_counts=True)[1]
            small = len(sizes) >= MANY_CLASSES and np.median(sizes) < SMALL_CLASS
            ways = ["classes"] if small else ["images", "classes"]
        # the first that gives all parts their pairs, and, if images have to stay, half their shares
        for how, stays in product(ways, (kept, np.zeros_like(kept))):
            limited = how == "images" and rest.groups is None
            most = max(reading.most_held / len(free), ALWAYS_HELD) if limited else 1
            asked = {k: min(share, most if k == VALIDATION else 1) for k, share in shares.items()}
            part[free] = some = _split(rest, asked, seed, how, stays)
            large = all(np.mean(some == kind) >= asked[kind] / 2 for kind in shares)
            paired = (_has_pairs(rest.labels, rest.pairs, some, kind) for kind in (*shares, TRAIN))
            if all(paired) and (large or not stays.any()):
                break
        if how == "images" and images.groups is not None:
            how = "groups"
    for kind, purpose in ((TEST, "test with"), (VALIDATION, "choose by"), (TRAIN, "train on")):
        count = np.sum(part == kind)
        needed = kind != VALIDATION or count or held_out
        if needed and not _has_pairs(images.labels, images.pairs, part, kind):
            wanted = f"two classes, with two images of {'each' if kind == TRAIN else 'one'}, to "
            mend = "Add images or classes, or take another --split, no --group-by or no given parts"
            if images.labels is None:
                wanted = "pairs of both kinds, which share no image with the others, to "
                mend = "Pairs that share images stay together: give others, or images with classes"
            raise InputError(wanted + purpose, f"{count} of {len(images)} images. {mend}")
    if how == "classes" and by is None:
        say(f"{len(sizes)} classes of about {np.median(sizes):.0f} images: whole classes choose "
            "and are tested on (in training --split images takes some)")  # fmt: skip
    return part, how


def _has_pairs(labels, pairs, part, kind):
    """Whether a part has both kinds of pairs; for training two classes of two images are needed."""
    rows = np.flatnonzero(part == kind)
    if labels is None:
        return set(np.unique(pairs.within(rows).y)) == {0, 1}
    (second, first) = np.sort(np.bincount(labels[rows], minlength=2))[-2:]  # classes
    return first >= LEAST_IMAGES and second >= (LEAST_IMAGES if kind == TRAIN else 1)


def _split(images, shares, seed, by, kept):
    """The part of each image: int8 (N,). kept: bool (N,), what stays in training."""
    groups = np.arange(len(images)) if images.groups is None else images.groups
    if by == "classes":  # those that share a group stay together
        edges = np.stack([images.labels, len(images.class_names) + groups], axis=1)
        groups = connected(edges.max() + 1, [edges])[images.labels]
    (_, firsts, units, sizes) = np.unique(groups, True, True, True)
    labels = None if images.labels is None else images.labels[firsts]
    key = (int(seed) % 2**64).to_bytes(8, "little")
    named = (name.encode(errors="surrogateescape") for name in images.class_names)
    of_class = digests_of(key + name for name in named)
    if by == "classes":
        chance = of_class[labels]  # so that images that are added move no class
    else:
        chance = digests_of(key + x.tobytes() for x in images.contents[firsts].astype("<u8"))
    order = np.argsort(chance, kind="stable")
    order = order[~np.isin(order, units[kept])]
    if by == "images" and labels is not None and (labels[units] == images.labels).all():
        return _within_classes(labels, sizes, order, np.argsort(of_class), shares)[units]

    # a part takes units until it has its share and both kinds of pairs; none with over half of all
    part = np.zeros(len(sizes), np.int8)
    for kind, share in shares.items():
        taken = 0
        for unit in order[:: 1 if kind == TEST else -1]:
            full = taken + sizes[unit] / 2 > share * len(images)
            if full and _has_pairs(images.labels, images.pairs, part[units], kind):
                break
            if part[unit] == TRAIN and sizes[unit] <= len(images) / 2:
                part[unit] = kind
                taken += sizes[unit]
    return part[units]


def _within_classes(labels, sizes, order, class_order, shares):
    """Split every class by itself: int8 (U,), the part of each unit, an image or a group.

    labels, sizes: int (U,). order: the units that may leave training, and class_order, by chance.
    A part gets its share of a class and two images at least; a class of fewer than six gives none,
    and no class more than half. A class that is large enough for one part alone goes to the test as
    often as the shares say. A part without a same or a different pair then gets images of small
    classes, too: at least two of one class and one of another.
    """
    (part, classes) = (np.zeros(len(labels), np.int8), len(class_order))
    images = np.bincount(labels, sizes, classes).astype(int)  # of each class
    by_class = order[np.argsort(labels[order], kind="stable")]
    free = np.split(by_class, np.searchsorted(labels[by_class], np.arange(1, classes)))
    given = np.zeros((1 + max(shares), classes), int)  # images of each class in each part

    def give(kind, k, wanted, most):
        # units of class k from the part's end of the order, until they have so many images
        (chosen, count) = ([], 0)
        for unit in free[k][:: 1 if kind == TEST else -1]:
            if count < wanted and part[unit] == TRAIN and count + sizes[unit] <= most:
                chosen.append(unit)
                count += sizes[unit]
        if count >= min(wanted, LEAST_IMAGES):
            part[chosen] = kind
            given[kind, k] = count

    total = sum(shares.values())
    of_test = shares.get(TEST, 0) / total
    for place, k in enumerate(class_order):
        room = min(images[k] // 2, sizes[free[k]].sum())
        takes = min(total * images[k], room) / total
        for kind in sorted(shares, reverse=int((place + 1) * of_test) > int(place * of_test)):
            wanted = max(int(takes * shares[kind] + 0.5), LEAST_IMAGES)
            wanted = min(wanted, MOST_TAKEN - given[kind].sum())
            if images[k] >= SMALL_CLASS and wanted >= LEAST_IMAGES:
                give(kind, k, wanted, room - given[:, k].sum())

    def lacking(kind):  # 2: two images of a class; 1: one of another class
        return 2 if given[kind].max() < 2 else int(np.count_nonzero(given[kind]) < 2)

    if any(map(lacking, shares)):
        spare = images - LEAST_IMAGES
        largest_first = sorted(class_order, key=lambda k: -images[k])
        for wanted, kind, k in product((2, 1), shares, largest_first):
            if lacking(kind) == wanted and not given[kind, k]:
                give(kind, k, wanted, spare[k] - given[:, k].sum())
        for k in largest_first:
            if not given[:, k].any():
                kind = min(shares, key=lambda kind: given[kind].sum())
                give(kind, k, min(spare[k], LEAST_IMAGES), spare[k])
    return part


def connected(count: int, blocks: Iterable[np.ndarray | list]) -> np.ndarray:
    """Which things hang together: int32 (count,), numbered as they appear. blocks: edges (E, 2)."""
    leader = np.arange(count)  # of each thing the lowest number that it hangs together with
    for edges in blocks:
        (a, b) = np.reshape(np.asarray(edges, int), (-1, 2)).T
        while (leader[a] != leader[b]).any():
            low = np.minimum(leader[a], leader[b])
            np.minimum.at(leader, leader[a], low)
            np.minimum.at(leader, leader[b], low)
            while (leader != leader[leader]).any():
                leader = leader[leader]
    return np.unique(leader, return_inverse=True)[1].astype(np.int32)


def groups_of(count: int, blocks: Iterable[np.ndarray | list]) -> list[np.ndarray]:
    """The things that hang together with others, see connected: int, each group, largest first."""
    group = connected(count, blocks)
    found = np.split(np.argsort(group, kind="stable"), np.cumsum(np.bincount(group))[:-1])
    return sorted((some for some in found if len(some) > 1), key=len, reverse=True)
