"""How good a model is on a folder, whether its threshold suits, and a new one."""

import os
from dataclasses import replace
from typing import Any

import numpy as np

from pyimagesearch.config import Reading
from pyimagesearch.data.datasets import FEW, of_arrays
from pyimagesearch.data.folders import read_folder
from pyimagesearch.data.splits import PART_NAMES, TEST, TRAIN, VALIDATION, split
from pyimagesearch.evaluation import measure
from pyimagesearch.evaluation.all_pairs import ImagePairs
from pyimagesearch.inference.model import SiameseModel
from pyimagesearch.system.terminal import InputError, printable, say, warn, worded


def evaluate(
    model: SiameseModel,
    folder: str | os.PathLike | np.ndarray,
    labels: Any = None,
    *,
    fmr: float | None = None,
    calibrate: bool = False,
    force: bool = False,
    figure: str | None = None,
    class_level: int | None = None,
    group_by: str | None = None,
) -> dict[str, Any]:
    """Figures on a folder or a list, see folders.read_folder, and whether the threshold suits it.

    fmr: take the threshold that is stored for this rate. calibrate: choose new thresholds by half
    of the images, store them in the model's directory, report on the other half; force: also of
    fewer than 30 images where the model's rest on more, or at chance. figure: a picture's file.
    Returns measure.Measurement.as_dict, "worst" of measure.worst_pairs, "part": of the folder,
    "trained_on": how many of these images (None: unknown), "calibrated_by": how many chose,
    "folder": what was read and left out, "report": all of it as text.
    """
    if calibrate and fmr is not None:
        raise InputError("--fmr or --calibrate", "both; --calibrate sets all")
    if force and not calibrate:
        raise InputError("--force with --calibrate", "it alone")
    if figure:
        from pyimagesearch.evaluation import pictures  # matplotlib takes its time

        pictures.check_output(figure)
    threshold = model.threshold_for(fmr)
    in_memory = not isinstance(folder, (str, os.PathLike))
    if in_memory != (labels is not None) or (in_memory and (class_level or group_by)):
        wanted = "images with labels, or a folder, perhaps with --class-level or --group-by"
        raise InputError(wanted, "images without labels" if labels is None else "parts of both")
    if isinstance(folder, (str, os.PathLike)):
        of_folder: Any = {"class_level": class_level, "group_by": group_by}
        (images, counts) = read_folder(folder, shape=model.image_shape, **of_folder)
        what = printable(folder)
    else:
        (images, counts, what) = (of_arrays(folder, labels), {}, f"{len(folder):,} images")
    (test, part, choices) = (images, None, None)
    for number in (VALIDATION, TEST):
        if len(rows := np.flatnonzero(images.splits == number)):  # none where splits is None
            (test, part) = (images.part(rows), PART_NAMES[number])
    if part:
        say(f"evaluated on its {part}/ part: {len(test)} of {len(images)} images")
    if calibrate:
        (half, _) = split(replace(test, splits=None), Reading(tested=0.5), seed=0)
        (choices, test) = (test.part(np.flatnonzero(half == kind)) for kind in (TRAIN, TEST))
        rested = model.settings.get("operating_images") or 0
        if len(choices) < min(rested, FEW) and not force:
            wanted = f"at least {min(rested, FEW)} images to choose by: thresholds rest on {rested}"
            raise InputError(wanted, f"{len(choices)} of {what}. Take more, or --force")
    known = model.trained_on
    (used, chosen) = (0 if x is None else int(np.isin(x.digests(), known).any(axis=0).sum())
                      for x in (test, choices))  # fmt: skip
    if used:
        warn(f"{used} of these {len(test)} images trained or calibrated it: figures are too good")
    if choices is not None and chosen:
        which = f"{chosen} of the {len(choices)} images that choose"
        warn(f"{which} trained or calibrated it: it may be too sure of other images")
    # whether all of these classes are new to the model, as far as names and pixels say
    had = model.settings.get("class_names")
    new = not (used or chosen or not had or test.labels is None or {*had} & {*test.class_names})
    rates = dict.fromkeys(measure.FALSE_MATCH_RATES) | model.operating_points
    settings = model.settings | {"threshold": threshold, "operating_points": rates}
    if choices is not None:
        pairs = ImagePairs(model.embed(choices.images), choices, settings, new)
        found = {"operating_bounds": {}} | measure.calibrate(pairs, threshold)
        settings |= found | {"calibrated_before": {k: model.settings.get(k) for k in found}}
    pairs = ImagePairs(model.embed(test.images), test, settings, new)
    measured = measure.Measurement(pairs, settings)
    verdict = "suits this data" if measured.suits else "does not suit this data"
    verdict = verdict if fmr is None else f"is the one for an FMR of {fmr}"
    verdict = f"The threshold {measured.threshold:.3f} {verdict}"
    if measured.chance:
        verdict = "No threshold suits this data: the model does no better than chance"
    best = f"{measured.best:.3f}, gets {100 * measured.best_accuracy:.2f} % right"
    verdict += f"; the best one, {best}."
    if choices is not None:
        from pyimagesearch.inference.saving import write_settings

        if measured.chance and not force:
            received = f"{what}, where it does no better than chance. Take others, or --force"
            raise InputError("images that the model tells apart, to --calibrate", received)
        kept = settings["operating_points"]
        gone = [rate for rate, t in model.operating_points.items() if t and kept.get(rate) is None]
        write_settings(model, settings, np.union1d(known, choices.digests()))
        verdict = f"Written to {printable(model.path)}. {verdict}"
        warn(f"the model has no threshold for an FMR of {rate} any more" for rate in gone)
    elif fmr is None and not measured.suits and not measured.chance and len(test) >= 2 * FEW:
        verdict += worded(" --calibrate stores a new one.")
    worst = measure.worst_pairs(measured)
    if figure:
        pictures.plot_worst(measured, worst, figure)
        say(f"the worst pairs: {printable(figure)}")
    answer = measured.as_dict() | {"worst": worst[1], "calibrated_by": choices and len(choices)}
    answer |= {"trained_on": used if len(known) else None, "part": part, "folder": counts}
    return answer | {"report": f"{measure.report(measured, what)}\n{verdict}"}
