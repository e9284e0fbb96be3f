"""An image set comes in; which of its images train, choose and test goes out."""

import logging

import numpy as np

from pyimagesearch.config import Reading
from pyimagesearch.data import splits
from pyimagesearch.data.labels import LEAST_IMAGES
from pyimagesearch.data.sets import ImageSet, pixel_digests
from pyimagesearch.data.splits import TEST, TRAIN, VALIDATION, Shares
from pyimagesearch.system.errors import InputError

MOST_TAKEN = 30_000  # images to choose by, or to test with: more change no figure
SMALL_CLASS, MANY_SMALL = 6, 20  # so many classes of fewer images are split by whole classes

log = logging.getLogger(__name__)


def assign(
    images: ImageSet,
    given: np.ndarray | None,
    reading: Reading,
    seed: int,
    split: str | None = None,
    trained: np.ndarray | None = None,
    exact: bool = False,
) -> tuple[np.ndarray, str]:
    """Which part each image is of: int8 (N,) of TRAIN, VALIDATION, TEST; and how it was split.

    given: the same where the data itself says it, or None; a part that is missing is taken
    from its training images. reading: the shares, tested and held_out (of what is not tested).
    split: "images", "classes" or None, see datasets.load. trained: bool (N,), what an earlier
    model was trained on, which stays in training where that can be.
    exact: the shares to the image, for a set that no file is ever added to.
    The second is "folders", "images", "groups" or "classes".
    Raises InputError where a part could have no same or no different pairs, or training not two
    classes of two images.
    """
    part = np.zeros(len(images), np.int8) if given is None else np.array(given, np.int8)
    tests = bool((part == TEST).any())
    if split == "classes" and (tests or images.labels is None):
        raise InputError(
            "Expected --split classes with classes that have no test part of their own, a folder "
            "test/ or test in a list. Received: "
            f"{'such a part' if tests else 'ready pairs'}."
        )
    shares = Shares(
        test=0 if tests else reading.tested,
        validation=reading.held_out * (1 if tests else 1 - reading.tested),
    )
    if (part == VALIDATION).any():
        shares = shares._replace(validation=0)
    if sum(shares) > 0.5:
        shares = Shares(*(share / sum(shares) / 2 for share in shares))
    how = "folders"
    if sum(shares) and (part == TRAIN).any():
        free = np.flatnonzero(part == TRAIN)
        kept = np.zeros(len(free), bool) if trained is None else trained[free]
        (part[free], how) = _without_known(images.part(free), shares, seed, split, kept, exact)
    if how == "classes" and split is None:
        log.info(
            "%d classes of about %d images: whole classes are kept to choose by and to test with "
            "(--split images takes some of every class)",
            len(_sizes(images)),
            np.median(_sizes(images)),
        )
    for kind, purpose in ((TEST, "test with"), (VALIDATION, "choose by"), (TRAIN, "train on")):
        rows = np.flatnonzero(part == kind)
        least = "each" if kind == TRAIN else "one of them"
        if not _measurable(images, rows, kind == TRAIN) and (kind != VALIDATION or len(rows)):
            raise InputError(
                f"Expected two classes, with two images of {least}, to {purpose}, or pairs of both "
                f"kinds. Received: {len(rows)} images, which are none such. Add images, or let "
                "them be split (without train/, val/, test/, or a list's column split)."
            )
    return part, how


def _without_known(images, shares, seed, split, kept, exact):
    # What was trained on before stays in training: with the parts as they would be without it,
    # or else, to be large enough, with other parts of what is left. Where that is too little it
    # is tested on in classes that have nothing else, and then in all.
    relaxed = kept & _with_others(images, kept)
    attempts = [(kept, False), (kept, True), (relaxed, True)] if kept.any() else []
    for some, larger in attempts:
        unknown = 1 - some.mean()
        if unknown in (0, 1):
            continue
        scale = 1 / max(unknown, sum(shares)) if larger else 1
        tried = Shares(*(scale * share for share in shares))
        try:
            (part, how) = _by_default(images, tried, seed, split, some, exact or larger)
        except InputError:
            continue
        (test, validation) = (np.mean(part == kind) for kind in (TEST, VALIDATION))
        if test >= shares.test / 2 and (larger or validation >= shares.validation / 2):
            return part, how
    return _by_default(images, shares, seed, split, np.zeros_like(kept), exact)


def _with_others(images, kept):
    # which images are of a class with enough that was not trained on, for two parts
    if images.labels is None:
        return np.ones(len(images), bool)
    others = np.bincount(images.labels[~kept], minlength=images.labels.max() + 1)
    return others[images.labels] >= 2 * LEAST_IMAGES


def _by_default(images, shares, seed, split, kept, exact):
    # by images, but by classes where these are many and small, or where nothing else is possible
    if split is not None or images.labels is None or images.groups is not None:
        return _bounded(images, shares, seed, split or "images", kept, exact)
    sizes = _sizes(images)
    if len(sizes) >= MANY_SMALL and np.median(sizes) < SMALL_CLASS:
        return _bounded(images, shares, seed, "classes", kept, exact)
    try:
        return _bounded(images, shares, seed, "images", kept, exact)
    except InputError as error:
        try:
            return _bounded(images, shares, seed, "classes", kept, exact)
        except InputError:
            raise error from None


def _sizes(images):
    sizes = np.bincount(images.labels)
    return sizes[sizes > 0]


def _bounded(images, shares, seed, split, kept, exact):
    # a share that is too much is halved: only at a jump do added files change what it is
    for _ in range(30):
        part = _split(images, shares, seed, split, kept, exact)
        over = [np.sum(part == kind) > MOST_TAKEN for kind in (TEST, VALIDATION)]
        if not any(over):
            break
        shares = Shares(*(share / 2 if much else share for share, much in zip(shares, over)))
    return part, "groups" if split == "images" and images.groups is not None else split


def _split(images, shares, seed, split, kept, exact):
    belong = [] if images.groups is None else [images.groups]
    if split == "classes":
        belong.append(images.labels)
    edges = () if images.pairs is None else images.pairs.indices()
    units = splits.connected(len(images), edges, belong)

    contents = images.contents
    if split == "classes":  # a class stays where it is when images are added to it
        contents = splits.name_contents(images.class_names)[images.labels]
    elif contents is None:
        contents = pixel_digests(images.images)
    chance = _chance_of_units(units, contents, seed, kept)
    if images.labels is None or split == "classes" or not _within_classes(units, images.labels):
        (what, advice) = ("groups that share no image", "More of them.")
        if split == "classes":
            (what, advice) = ("classes", "More of them, or --split images.")
        elif images.labels is not None:
            advice = "More of them, --split classes, or no --group-by."
        return splits.whole_units(
            units,
            chance,
            shares,
            lambda some: _measurable(images, np.flatnonzero(some)),
            f"enough {what} to train on, to choose by and to test with, each with two classes of "
            "two images or with both kinds of ready pairs (about six)",
            advice,
        )
    if exact:
        chance = _ranks(chance, images.labels)
    by_class = splits.chances(splits.name_contents(images.class_names), seed)
    return splits.within_classes(images.labels, units, chance, by_class, shares)


def _chance_of_units(units, contents, seed, kept):
    # one for all images of a unit, from its first in the order of the files' names, so that
    # later files move no group; NaN where one is kept
    (first, inverse) = np.unique(units, return_index=True, return_inverse=True)[1:]
    chance = splits.chances(contents[first], seed)[inverse]
    chance[np.isin(units, units[kept])] = np.nan
    return chance


def _within_classes(units, labels):
    lowest = np.zeros(units.max() + 1, labels.dtype)
    lowest[units] = labels
    return bool((lowest[units] == labels).all())


def _ranks(chance, labels):
    # the same order in each class, evenly spread over [0, 1): a share is then met to the image
    order = np.lexsort((chance, labels))  # NaN at the end of each class
    (all_sizes, sizes) = (
        np.bincount(x, minlength=labels.max() + 1) for x in (labels, labels[~np.isnan(chance)])
    )
    ranks = np.empty(len(labels))
    ranks[order] = np.arange(len(labels)) - (np.cumsum(all_sizes) - all_sizes)[labels[order]]
    ranks[np.isnan(chance)] = np.nan
    return (ranks + 0.5) / np.maximum(sizes[labels], 1)


def _measurable(images, rows, to_train=True):
    # whether both kinds of pairs can be made of these images, in training of each class
    if images.labels is None:
        return set(np.unique(images.pairs.within(rows).y)) == {0, 1}
    sizes = np.bincount(images.labels[rows])
    enough = int(np.sum(sizes >= LEAST_IMAGES))
    return enough >= 2 or (not to_train and enough == 1 and np.count_nonzero(sizes) >= 2)
