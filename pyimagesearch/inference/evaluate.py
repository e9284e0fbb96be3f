"""How good a model is on a folder, whether its threshold suits, and a new one."""

import logging
import os
from typing import Any

import numpy as np

from pyimagesearch.data.folders import read_folder
from pyimagesearch.data.listing import say
from pyimagesearch.data.sets import TRAINED_ON, ImageSet, pixel_digests, read_trained_on
from pyimagesearch.data.splits import PART_NAMES, TEST, VALIDATION, connected
from pyimagesearch.evaluation import measure
from pyimagesearch.evaluation.all_pairs import ImagePairs
from pyimagesearch.inference.model import SiameseModel, digest
from pyimagesearch.system.errors import InputError, printable

log = logging.getLogger(__name__)

LEAST_OF_CLASS = 4  # images, to calibrate with
FEW = 30  # images: fewer do not replace thresholds that rest on more, unless they are to
CALIBRATED = ("threshold", "operating_points", "operating_bounds", "identification")


def evaluate(
    model: SiameseModel,
    folder: str | os.PathLike,
    fmr: float | None = None,
    class_level: int | None = None,
    group_by: str | None = None,
    calibrate: bool = False,
    force: bool = False,
    figure: str | None = None,
) -> dict[str, Any]:
    """Figures on a folder or a list, see folders.read_folder, and whether the threshold suits it.

    Of a folder with train/ and test/ the test's images are evaluated, else val's; else all.
    calibrate: choose new thresholds by half of the images, store them in the model's directory,
    report on the other half; force: also by fewer than 30 images, where the model's rest on more.
    figure: the file of a picture of the worst errors.
    Returns measure.Measurement.as_dict, "part": of the folder, "trained_on": how many of these
    images (None: unknown), "folder": what was read and left out, "report": all of it as text.
    """
    if calibrate and fmr is not None:
        raise InputError("Expected --fmr or --calibrate. Received: both; --calibrate sets all.")
    threshold = model.threshold_for(fmr)
    (images, counts) = read_folder(
        folder, shape=model.image_shape, class_level=class_level, group_by=group_by
    )
    (test, part) = (images, None)
    for number in (TEST, VALIDATION):
        if part is None and images.splits is not None and np.any(images.splits == number):
            (test, part) = (
                images.part(np.flatnonzero(images.splits == number)),
                PART_NAMES[number],
            )
            log.info(f"evaluated on its {part}/ part: {len(test)} of {len(images)} images")
    known = trained_on(model)
    used = int(np.isin(pixel_digests(test.images), known).sum()) if len(known) else None
    if used:
        log.info(f"{used} of these {len(test)} images were trained on: what they give flatters")
    # are all of these classes new to the model, as far as names and pixels say?
    names = model.settings.get("class_names")
    new = not used and names is not None and not {*names} & {*test.class_names}
    settings = model.settings | {
        "threshold": threshold,
        "operating_points": dict.fromkeys(measure.FALSE_MATCH_RATES) | model.operating_points,
    }
    if calibrate:
        (choices, test) = halves(_without_small_classes(test))
        rested = model.settings.get("operating_images") or 0
        if len(choices) < min(rested, FEW) and not force:
            wanted = (
                f"{min(rested, FEW)} images to choose by: the model's thresholds rest on {rested}"
            )
            received = f"{len(choices)}, half of {printable(folder)}. Take more, or --force."
            raise InputError(f"Expected at least {wanted}. Received: {received}")
        pairs = ImagePairs(model.embed(choices.images), choices, settings, model.distance, new)
        found = measure.calibrate(pairs, threshold)
        before = {name: model.settings.get(name) for name in CALIBRATED}
        settings |= {"operating_bounds": {}, **found, "calibrated_before": before}
        for rate, limit in model.operating_points.items():
            if limit is not None and found["operating_points"].get(rate) is None:
                rate = f"{100 * float(rate):g} % FMR"
                log.info(f"too few images for a threshold of {rate}, which the model had")
    pairs = ImagePairs(model.embed(test.images), test, settings, model.distance, new)
    measured = measure.Measurement(pairs, settings)
    suits = "suits" if measured.suits else "does not suit"
    verdict = f"The threshold {measured.threshold:.3f} {suits} this data"
    if measured.chance:
        verdict = "No threshold suits this data: the model does no better than chance"
    verdict += f"; the best one, {measured.best:.3f}, gets {measured.best_accuracy:.2%} right."
    if calibrate:
        from pyimagesearch.inference.saving import write_settings

        write_settings(model, settings)
        verdict = f"Written to {printable(model.path)}. {verdict}"
    elif not measured.suits and not measured.chance:
        verdict += " --calibrate stores a new one."
    if figure:
        from pyimagesearch.evaluation import pictures  # matplotlib takes its time

        pictures.plot_worst(test.images, measured, figure)
        perfect = measured.accuracy.value == 1
        what = "no errors; the hardest pairs" if perfect else "the worst errors"
        log.info(f"{what}: {printable(figure)}")
    answer = measured.as_dict() | {"part": part, "trained_on": used, "folder": counts}
    return answer | {"report": f"{measure.report(measured, printable(folder))}\n{verdict}"}


def trained_on(model: SiameseModel) -> np.ndarray:
    """pixel_digests of what a model was trained on: uint64 (N,); none where that is unknown."""
    try:
        digests = read_trained_on(model.path)
    except FileNotFoundError:
        return np.zeros(0, np.uint64)
    except ValueError:
        file = f"{printable(model.path / TRAINED_ON)}, a damaged file"
        raise InputError(f"Expected uint64 numbers. Received: {file}. Remove it.") from None
    return digests if digest(model.path) == model.digest else digests[:0]  # replaced meanwhile


def _without_small_classes(images: ImageSet) -> ImageSet:
    # the images of classes with two to choose by and two to report on
    if images.labels is None:
        return images
    sizes = np.bincount(images.labels, minlength=len(images.class_names))
    say(f"left out class {name}: {size} images, {LEAST_OF_CLASS} needed to calibrate with"
        for name, size in zip(images.class_names, sizes) if 0 < size < LEAST_OF_CLASS)  # fmt: skip
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
