"""What of a folder is evaluated, and on which half of it a new threshold is chosen."""

import numpy as np

from pyimagesearch.data.folders import Folder
from pyimagesearch.data.labels import LEAST_IMAGES
from pyimagesearch.data.pairs import sample_pairs
from pyimagesearch.data.sets import ImageSet, pixel_digests
from pyimagesearch.data.splits import TEST, VALIDATION, connected
from pyimagesearch.inference.model import SiameseModel
from pyimagesearch.system.errors import InputError, printable

PARTS = {
    TEST: "test",
    VALIDATION: "val",
}  # of a folder that is split already: the first that is there


def part(folder: Folder) -> tuple[ImageSet, list[str], str | None]:
    """The images of a folder that are evaluated, with pairs.

    Of a folder that holds train/ and test/ these are the test's. Classes with fewer than two
    images are left out.
    Returns (the ImageSet, a message for each class left out, the name of the part or None).
    Raises InputError where fewer than two classes are left, or one kind of pair is missing.
    """
    (images, name) = (folder.image_set(), None)
    for number, name_of_part in PARTS.items():
        if folder.splits is not None and np.any(folder.splits == number):
            images = images.part(np.flatnonzero(folder.splits == number))
            name = name_of_part
            break
    if images.labels is None:
        if np.unique(images.drawn.y).tolist() != [0, 1]:
            raise InputError(
                "Expected same and different pairs. Received: "
                f"{np.sum(images.drawn.y == 1)} same, {np.sum(images.drawn.y == 0)} different."
            )
        return images, [], name
    counts = np.bincount(images.labels, minlength=len(images.class_names))
    few = np.flatnonzero((counts > 0) & (counts < LEAST_IMAGES))
    messages = [
        f"left out class {printable(images.class_names[k])}: {counts[k]} image, "
        f"{LEAST_IMAGES} needed"
        for k in few
    ]
    if np.sum(counts >= LEAST_IMAGES) < 2:
        raise InputError(
            "Expected at least two classes with at least two images each. "
            f"Received: {np.sum(counts >= LEAST_IMAGES)} such."
        )
    images = images.take(np.flatnonzero(~np.isin(images.labels, few)))
    return images.replace(pairs=sample_pairs(images.labels, 0)), messages, name


def halves(images: ImageSet) -> tuple[ImageSet, ImageSet, list[str]]:
    """An ImageSet in two: one to choose a threshold on, one to report on, both with pairs.

    About half of each class (of each kind of pair) is in each, and images that belong together
    by their groups, or that pairs connect, are on one side. Classes of which not two images are
    on each side are left out. No chance has a part in it.
    Returns (the first, the second, a message for each class left out).
    Raises InputError where too little is left.
    """
    units = np.arange(len(images)) if images.groups is None else images.groups
    if images.labels is None:
        units = connected(len(images), images.drawn.indices(), [units])
        (of_item, kinds) = (units[images.drawn.anchors], images.drawn.y)
        second = np.isin(units, _second_half(of_item.repeat(kinds.shape[1]), kinds.ravel()))
        (choices, test) = (images.part(np.flatnonzero(rows)) for rows in (~second, second))
        for half in (choices, test):
            if np.unique(half.drawn.y).tolist() != [0, 1]:
                raise InputError(
                    "Expected same and different pairs for each of two halves that share no "
                    f"image. Received: {images.drawn.y.size} pairs, which hang together in "
                    f"{len(np.unique(of_item))} groups. Calibrate on a larger folder."
                )
        return choices, test, []

    second = np.isin(units, _second_half(units, images.labels))
    count = len(images.class_names)
    sides = np.stack([np.bincount(images.labels[s], minlength=count) for s in (~second, second)])
    few = np.flatnonzero((sides.min(axis=0) < LEAST_IMAGES) & (sides.sum(axis=0) > 0))
    together = "" if images.groups is None else ", in groups that stay together"
    messages = [
        f"left out class {printable(images.class_names[k])}: {sides[:, k].sum()} images{together}; "
        "4 needed, 2 to choose by and 2 to report on"
        for k in few
    ]
    enough = int(np.sum(sides.min(axis=0) >= LEAST_IMAGES))
    if enough < 2:
        raise InputError(
            "Expected at least 4 images of each of two classes to calibrate with. "
            f"Received: {enough} such classes. {'; '.join(messages[:3])}"
        )
    used = ~np.isin(images.labels, few)
    (choices, test) = (
        half.replace(pairs=sample_pairs(half.labels, 0))
        for half in (images.take(np.flatnonzero(used & side)) for side in (~second, second))
    )
    return choices, test, messages


def trained_on(images: ImageSet, model: SiameseModel) -> int | None:
    """How many of the images the model was trained on, pixel for pixel; None where unknown."""
    known = model.trained_on()
    return int(np.isin(pixel_digests(images.images), known).sum()) if len(known) else None


def new_classes(images: ImageSet, model: SiameseModel) -> bool:
    """Whether the model was trained on none of these classes, as far as names and pixels say."""
    known = model.settings.get("class_names")
    if trained_on(images, model) or not isinstance(known, list):
        return False
    return not {str(name) for name in known} & set(images.class_names)


def _second_half(units: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """The units of the second half, where each kind is on both sides about equally often.

    units, kinds: int (M,), of each item (image or pair): the unit that it may not leave, and
    its class. The largest units first, each goes where its kinds are rarer.
    """
    (numbers, sizes) = np.unique(units, return_counts=True)
    order = np.lexsort((kinds, units))
    items = np.split(kinds[order], np.cumsum(sizes)[:-1])
    lead = np.zeros(kinds.max() + 1, int)  # of the first half over the second, by kind
    second = []
    # of units of one size those of one class after another, so that each is halved
    largest_first = sorted(range(len(numbers)), key=lambda k: (-sizes[k], items[k][0], k))
    for unit in largest_first:
        (found, counts) = np.unique(items[unit], return_counts=True)
        if np.sum(counts * lead[found]) > 0:  # |lead - counts|^2 < |lead + counts|^2
            second.append(numbers[unit])
            counts = -counts
        lead[found] += counts
    return np.array(second, dtype=units.dtype)
