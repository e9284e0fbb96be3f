"""evaluate: how good a model is on a folder, whether its threshold suits, and a new one."""

import argparse
import logging
from typing import Any

import numpy as np

from pyimagesearch.data import listing
from pyimagesearch.data.folders import Folder, read_folder
from pyimagesearch.data.sets import LEAST_IMAGES, ImageSet, pixel_digests
from pyimagesearch.data.splits import TEST, VALIDATION, connected
from pyimagesearch.evaluation import measure, pictures
from pyimagesearch.evaluation.measure import Measurement
from pyimagesearch.inference.answers import load, picture, say
from pyimagesearch.inference.model import SiameseModel
from pyimagesearch.inference.saving import write_settings
from pyimagesearch.system.errors import InputError, printable

log = logging.getLogger(__name__)

# of a folder that is split already: the first that is there
PARTS = {TEST: "test", VALIDATION: "val"}


def evaluate(args: argparse.Namespace) -> None:
    """Figures on a folder, whether the threshold suits it, or with --calibrate a new one."""
    figure = picture(args)
    if args.calibrate and args.fmr is not None:
        raise InputError("Expected --fmr or --calibrate. Received: both; --calibrate sets all.")
    (model, threshold) = load(args, lite=False)
    folder = read_folder(
        args.directory,
        shape=model.image_shape,
        class_level=args.class_level,
        group_by=args.group_by,
    )
    (test, left_out, name) = part(folder)
    listing.say(left_out)
    if name:
        log.info(f"evaluated on its {name}/ part: {len(test)} of {len(folder.files)} images")
    known = model.trained_on()
    used = int(np.isin(pixel_digests(test.images), known).sum()) if len(known) else None
    if used:
        flatter = "figures and thresholds from them" if args.calibrate else "figures on them"
        log.info(f"{used} of these {len(test)} images were trained on: {flatter} flatter")

    # are all of these classes new to the model, as far as names and pixels say?
    names = model.settings.get("class_names")
    new = not used and isinstance(names, list) and not {*map(str, names)} & {*test.class_names}
    settings = model.settings | {
        "threshold": threshold,
        "operating_points": dict.fromkeys(measure.FALSE_MATCH_RATES) | model.operating_points(),
    }
    if args.calibrate:
        (choices, test, more) = halves(test)
        listing.say(more)
        left_out = left_out + more
        settings |= _calibrated(model, choices, new, args)
    measured = measure.measure(model.embed(test.images), test, settings, model.distance, new)
    sentence = _verdict(measured)
    if args.calibrate:
        write_settings(model, settings)
        sentence = f"Written to {printable(model.path)}. {sentence}"
    elif not measured.suits and not measured.chance:
        sentence += " --calibrate stores a new one."
    answer = measured.as_dict() | {
        "part": name,
        "trained_on": used,
        "left_out": left_out,
        "folder": folder.counts,
    }
    say(args, answer, f"{measure.report(measured, printable(args.directory))}\n{sentence}")
    if figure:
        pictures.plot_worst(test.images, *measured.worst(), measured.threshold, figure)
        log.info(f"the worst errors: {figure}")


def part(folder: Folder) -> tuple[ImageSet, list[str], str | None]:
    """The images of a folder that are evaluated: of one with train/ and test/ the test's.

    Classes with fewer than two images are left out.
    Returns (the ImageSet, a message for each class left out, the name of the part or None).
    Raises InputError where fewer than two classes are left, or one kind of pair is missing.
    """
    (images, name) = (folder.images, None)
    for number, name_of_part in PARTS.items():
        if folder.splits is not None and np.any(folder.splits == number):
            images = images.part(np.flatnonzero(folder.splits == number))
            name = name_of_part
            break
    if images.labels is None:
        same = np.sum(images.drawn.y == 1)
        if same in (0, images.drawn.y.size):
            raise InputError(
                "Expected same and different pairs. Received: "
                f"{same} same, {images.drawn.y.size - same} different."
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
    return images.part(np.flatnonzero(~np.isin(images.labels, few))), messages, name


def halves(images: ImageSet) -> tuple[ImageSet, ImageSet, list[str]]:
    """An ImageSet in two: one to choose a threshold by, one to report on.

    About half of each class (of each kind of pair) is in each, and images that belong together
    by their groups, or that pairs connect, are on one side. Classes of which not two images are
    on each side are left out. No chance has a part in it.
    Returns (the first, the second, a message for each class left out).
    Raises InputError where too little is left.
    """
    units = np.arange(len(images)) if images.groups is None else images.groups
    if images.labels is None:
        units = connected(len(images), images.drawn.indices(), [units])
        of_item = units[images.drawn.indices()[:, 0]]
        second = np.isin(units, _second_half(of_item, images.drawn.y.ravel()))
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
    (choices, test) = (images.part(np.flatnonzero(used & side)) for side in (~second, second))
    return choices, test, messages


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


def _calibrated(
    model: SiameseModel, choices: ImageSet, new: bool, args: argparse.Namespace
) -> dict[str, Any]:
    # the new thresholds, and those before them
    before = model.settings.get("operating_images")
    if type(before) is int and len(choices) < before and not args.force:
        raise InputError(
            f"Expected at least the {before} images to choose by that the model's thresholds rest "
            f"on. Received: {len(choices)}, half of {printable(args.directory)}. Take more images, "
            "or --force."
        )
    embeddings = model.embed(choices.images)
    found = measure.calibrate(
        embeddings, choices, model.settings, model.distance, new, model.threshold
    )
    names = ("threshold", "operating_points", "operating_bounds", "identification")
    return {
        "operating_bounds": {},
        **found,
        "calibrated_before": {name: model.settings.get(name) for name in names},
    }


def _verdict(measured: Measurement) -> str:
    best = f"{measured.best:.3f}, gets {measured.best_accuracy:.2%} of the pairs right"
    if measured.chance:
        return (
            "No threshold suits this data: the model tells its pairs apart no better than chance; "
            f"the best one, {best}."
        )
    verdict = "suits" if measured.suits else "does not suit"
    return (
        f"The threshold {measured.threshold:.3f} {verdict} this data: the best one for it, {best}."
    )
