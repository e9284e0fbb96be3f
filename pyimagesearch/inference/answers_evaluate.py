"""The answer to evaluate: how good the model is on a folder, and a new threshold where asked."""

import argparse
from typing import Any

from pyimagesearch.data.folders import read_folder
from pyimagesearch.evaluation import measuring, pictures, ranks, verification
from pyimagesearch.evaluation.embeddings import pair_distances
from pyimagesearch.evaluation.intervals import Figure
from pyimagesearch.inference import evaluating
from pyimagesearch.inference.answers import load, log, picture, say
from pyimagesearch.inference.saving import write_settings
from pyimagesearch.system.errors import InputError, printable


def evaluate(args: argparse.Namespace) -> None:
    """Figures on a folder, whether the threshold suits it, or a new one."""
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
    (test, left_out, part) = evaluating.part(folder)
    for line in left_out:
        log.info(line)
    if part:
        log.info(f"evaluated on its {part}/ part: {len(test)} of {len(folder.files)} images")
    used = evaluating.trained_on(test, model)
    if used:
        flatter = "figures and thresholds from them" if args.calibrate else "figures on them"
        log.info(f"{used} of these {len(test)} images were trained on: {flatter} flatter")

    rates = model.operating_points()
    calibration: dict[str, Any] = {
        "threshold": threshold,
        "operating_points": {rate: rates.get(rate) for rate in measuring.FALSE_MATCH_RATES},
    }
    if args.calibrate:
        (choices, test, more) = evaluating.halves(test)
        for line in more:
            log.info(line)
        left_out = left_out + more
        feats = model.embed(choices.images)
        new = evaluating.new_classes(choices, model)
        calibration = {
            **measuring.calibrate(feats, choices, model.distance),
            "identification": None,  # of ready pairs
            **ranks.calibrate(feats, choices, model.distance, model.settings, new),
        }

    embeddings = model.embed(test.images)
    measured = measuring.measure(embeddings, test, calibration, model.distance)
    ranked = ranks.measure(embeddings, test, model.distance, model.settings | calibration)
    (distances, y) = pair_distances(embeddings, test.drawn, model.distance)
    best = verification.choose_threshold(distances, y)
    best_accuracy = verification.accuracy(distances, y, best)
    suits = _within(best_accuracy, measured.accuracy)
    verdict = "suits" if suits else "does not suit"
    sentence = (
        f"The threshold {calibration['threshold']:.3f} {verdict} this data: the best one for it, "
        f"{best:.3f}, gets {best_accuracy:.2%} of the pairs right."
    )
    if args.calibrate:
        names = ("threshold", "operating_points", "identification")
        before = {name: model.settings.get(name) for name in names}
        write_settings(model, model.settings | calibration | {"calibrated_before": before})
        sentence = f"Written to {printable(model.path)}. {sentence}"
    elif not suits:
        sentence += " --calibrate stores a new one."
    answer = {
        **measured.as_dict(),
        **(ranked.as_dict() if ranked else {}),
        "threshold": calibration["threshold"],
        "suits": suits,
        "best": best,
        "part": part,
        "trained_on": used,
        "left_out": left_out,
        "folder": folder.counts,
    }
    lines = [measuring.report(measured, printable(args.directory))]
    lines += [ranked.report(), sentence] if ranked else [sentence]
    say(args, answer, "\n".join(lines))
    if figure:
        pictures.plot_worst(
            test.images, test.drawn.indices(), distances, y, calibration["threshold"], figure
        )
        log.info(f"the worst errors: {figure}")


def _within(value: float, figure: Figure) -> bool:
    """Whether a value is no further from a figure than its interval reaches, up or down."""
    if figure.low is None or figure.high is None:
        return value == figure.value
    reach = max(figure.high - figure.value, figure.value - figure.low)
    return abs(value - figure.value) <= reach
