"""evaluate: how good a model is on a folder, whether its threshold suits, and a new one."""

import argparse
import logging
from typing import Any

import numpy as np

from pyimagesearch.data import listing
from pyimagesearch.data.folders import Folder, read_folder
from pyimagesearch.data.sets import ImageSet, pixel_digests
from pyimagesearch.data.splits import PART_NAMES, TEST, VALIDATION, connected
from pyimagesearch.evaluation import measure, pictures
from pyimagesearch.inference.answers import load, picture, say
from pyimagesearch.inference.model import SiameseModel
from pyimagesearch.inference.saving import write_settings
from pyimagesearch.system.errors import InputError, printable

log = logging.getLogger(__name__)

LEAST_OF_CLASS = 4  # images, to calibrate with: two to choose by, two to report on
FEW = 30  # images: fewer do not replace thresholds that rest on more, unless they are to


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
    (test, name) = part(folder)
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
        (choices, test) = halves(without_small_classes(test))
        settings |= _calibrated(model, choices, new, args)
    measured = measure.measure(model.embed(test.images), test, settings, model.distance, new)
    verdict = f"The threshold {measured.threshold:.3f} "
    verdict += "suits this data" if measured.suits else "does not suit this data"
    if measured.chance:
        verdict = (
            "No threshold suits this data: the model tells its pairs apart no better than chance"
        )
    verdict += f"; the best one, {measured.best:.3f}, gets {measured.best_accuracy:.2%} right."
    if args.calibrate:
        write_settings(model, settings)
        verdict = f"Written to {printable(model.path)}. {verdict}"
    elif not measured.suits and not measured.chance:
        verdict += " --calibrate stores a new one."
    answer = measured.as_dict() | {"part": name, "trained_on": used, "folder": folder.counts}
    say(args, answer, f"{measure.report(measured, printable(args.directory))}\n{verdict}")
    if figure:
        pictures.plot_worst(test.images, measured, figure)
        log.info(f"the worst errors: {figure}")


def part(folder: Folder) -> tuple[ImageSet, str | None]:
    """The images of a folder that are evaluated, and the name of the part that they are.

    Of a folder with train/ and test/ the test's, else val's; else all, and no name.
    """
    for number in (TEST, VALIDATION):
        if folder.splits is not None and np.any(folder.splits == number):
            rows = np.flatnonzero(folder.splits == number)
            return folder.images.part(rows), PART_NAMES[number]
    return folder.images, None


def without_small_classes(images: ImageSet) -> ImageSet:
    """The images of classes with four images or more, two to choose by and two to report on.

    Raises InputError where fewer than two classes are left.
    """
    if images.labels is None:
        return images
    sizes = np.bincount(images.labels, minlength=len(images.class_names))
    listing.say(
        f"left out class {name}: {size} images, {LEAST_OF_CLASS} needed to calibrate with"
        for name, size in zip(images.class_names, sizes)
        if 0 < size < LEAST_OF_CLASS
    )
    if (enough := np.sum(sizes >= LEAST_OF_CLASS)) < 2:
        raise InputError(
            f"Expected at least {LEAST_OF_CLASS} images of each of two classes to calibrate with. "
            f"Received: {enough} such classes."
        )
    return images.part(np.flatnonzero(sizes[images.labels] >= LEAST_OF_CLASS))


def halves(images: ImageSet) -> tuple[ImageSet, ImageSet]:
    """An ImageSet in two: one to choose a threshold by, one to report on.

    About half of each class (of each kind of pair) is in each, and images that belong together
    by their groups, or that pairs connect, are on one side. No chance has a part in it.
    """
    units = np.arange(len(images)) if images.groups is None else images.groups
    if images.labels is None:
        ends = images.drawn.indices()
        # of a folder they hold what the pairs connect
        units = connected(len(images), ends) if images.groups is None else units
        (unit_of, kinds) = (units[ends[:, 0]], images.drawn.labels().ravel())  # of each pair
    else:
        (unit_of, kinds) = (units, images.labels)
    (numbers, first, sizes) = np.unique(unit_of, return_index=True, return_counts=True)
    # every second unit, of one class after another and, in it, of one size after another
    second = np.isin(units, numbers[np.lexsort((sizes, kinds[first]))][1::2])
    (choices, test) = (images.part(np.flatnonzero(side)) for side in (~second, second))
    return choices, test


def _calibrated(
    model: SiameseModel, choices: ImageSet, new: bool, args: argparse.Namespace
) -> dict[str, Any]:
    # the new thresholds, and those before them
    rested = model.settings.get("operating_images")
    if type(rested) is int and len(choices) < min(rested, FEW) and not args.force:
        raise InputError(
            f"Expected at least {min(rested, FEW)} images to choose by, since the model's "
            f"thresholds rest on {rested}. Received: {len(choices)}, half of "
            f"{printable(args.directory)}. Take more images, or --force."
        )
    found = measure.calibrate(
        model.embed(choices.images), choices, model.settings, model.distance, new, model.threshold
    )
    names = ("threshold", "operating_points", "operating_bounds", "identification")
    before = {name: model.settings.get(name) for name in names}
    return {"operating_bounds": {}, **found, "calibrated_before": before}
