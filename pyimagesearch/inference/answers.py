"""The answers to the questions of commands.py, printed as text or as JSON."""

import argparse
import csv
import json
import logging
import os
from collections.abc import Iterable
from typing import Any

import numpy as np

from pyimagesearch import config
from pyimagesearch.data import cache as kept
from pyimagesearch.data import images
from pyimagesearch.data.folders import read_folder
from pyimagesearch.evaluation import figures, measuring, verification
from pyimagesearch.evaluation.embeddings import pair_distances
from pyimagesearch.evaluation.intervals import Figure
from pyimagesearch.inference import evaluating, search
from pyimagesearch.inference.saved_model import SiameseModel
from pyimagesearch.inference.settings import write_settings
from pyimagesearch.system.errors import InputError
from pyimagesearch.system.files import whole_file
from pyimagesearch.system.names import printable

log = logging.getLogger(__name__)


def compare(args: argparse.Namespace) -> int:
    """Distance and verdict of two images. Returns 0 for same, 1 for different."""
    (model, threshold) = _model(args)
    feats = model.embed_files([args.a, args.b])
    distance = float(model.distance([feats[:1], feats[1:]])[0])
    same = bool(model.is_same(distance, threshold))
    similarity = float(model.similarity(distance, threshold))
    answer = {
        "distance": distance,
        "similarity": similarity,
        "threshold": threshold,
        "same": same,
    }
    _say(args, answer, f"distance {distance:.4f}, similarity {similarity:.3f}: {_verdict(same)}")
    return 0 if same else 1


def find(args: argparse.Namespace) -> None:
    """The images of a folder most like a query."""
    picture = _picture(args)
    (model, threshold) = _model(args)
    query = model.read([args.query])
    paths = [p for p in images.list_images(args.directory) if not _same_file(p, args.query)]
    (paths, gallery, messages, reused) = search.embed_folder(model, paths, args.directory)
    _note(f"skipped {message}" for message in messages)
    _note([f"{len(paths)} images, {reused} of them embedded by an earlier run"])
    feats = model.embed(query)[0]
    (found, _) = search.nearest(feats, gallery, args.top)
    distances = model.distance_to_all(feats, gallery[found])
    ranked: list[dict[str, Any]] = [
        {
            "file": printable(paths[k]),
            "distance": float(d),
            "similarity": float(model.similarity(d, threshold)),
            "same": bool(model.is_same(d, threshold)),
        }
        for k, d in zip(found, distances)
    ]
    lines = [
        f"{rank:3}  {r['distance']:.4f}  {r['similarity']:.3f}  "
        f"{_verdict(r['same']):9}  {r['file']}"
        for rank, r in enumerate(ranked, 1)
    ]
    _say(args, {"threshold": threshold, "results": ranked}, "\n".join(lines))
    if picture:
        pixels = model.read([paths[k] for k in found])
        figures.plot_ranked(query[0], pixels, distances, threshold, picture)
        _note([f"figure: {picture}"])


def evaluate(args: argparse.Namespace) -> None:
    """Figures on a folder, whether the threshold suits it, or a new one."""
    picture = _picture(args)
    if args.calibrate and args.fmr is not None:
        raise InputError("Expected --fmr or --calibrate. Received: both; --calibrate sets all.")
    (model, threshold) = _model(args)
    folder = read_folder(
        args.directory,
        shape=model.image_shape,
        class_level=args.class_level,
        group_by=args.group_by,
    )
    (test, left_out, part) = evaluating.part(folder)
    _note(left_out)
    if part:
        _note([f"evaluated on its {part}/ part: {len(test)} of {len(folder.files)} images"])
    used = evaluating.trained_on(test, model)
    if used:
        _note([f"{used} of these {len(test)} images were trained on"])

    rates = model.operating_points()
    calibration: dict[str, Any] = {
        "threshold": threshold,
        "operating_points": {rate: rates.get(rate) for rate in measuring.FALSE_MATCH_RATES},
    }
    if args.calibrate:
        (choices, test, more) = evaluating.halves(test)
        _note(more)
        left_out = left_out + more
        calibration = measuring.calibrate(model.embed(choices.images), choices, model.distance)

    embeddings = model.embed(test.images)
    measured = measuring.measure(embeddings, test, calibration, model.distance)
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
        before = {key: model.settings.get(key) for key in ("threshold", "operating_points")}
        write_settings(model, model.settings | calibration | {"calibrated_before": before})
        sentence = f"Written to {printable(model.path)}. {sentence}"
    elif not suits:
        sentence += " --calibrate stores a new one."
    answer = {
        **measured.as_dict(),
        "threshold": calibration["threshold"],
        "suits": suits,
        "best": best,
        "part": part,
        "trained_on": used,
        "left_out": left_out,
        "folder": folder.counts,
    }
    _say(args, answer, f"{measuring.report(measured, printable(args.directory))}\n{sentence}")
    if picture:
        figures.plot_worst(
            test.images, test.drawn.indices(), distances, y, calibration["threshold"], picture
        )
        _note([f"the worst errors: {picture}"])


def matrix(args: argparse.Namespace) -> None:
    """All distances of a folder: a table beside the figure, or JSON."""
    picture = _picture(args)
    (model, threshold) = _model(args)
    paths = images.list_images(args.directory)
    if len(paths) > 5000:
        raise InputError(f"Expected at most 5,000 images for a matrix. Received: {len(paths)}.")
    (paths, gallery, messages, _) = search.embed_folder(model, paths, args.directory)
    _note(f"skipped {message}" for message in messages)
    distances = np.stack([model.distance_to_all(row, gallery) for row in gallery])
    names = [printable(os.path.relpath(path, args.directory)) for path in paths]
    answer = {"files": names, "threshold": threshold}
    if args.json:
        answer["distances"] = distances.tolist()
        answer["similarities"] = model.similarity(distances, threshold).tolist()
    text = f"{len(names)} x {len(names)} distances"
    if picture:
        table = os.path.splitext(picture)[0] + ".csv"
        with whole_file(table) as new, open(new, "w", newline="", encoding="utf-8") as f:
            rows = csv.writer(f)
            rows.writerow(["", *names])
            rows.writerows([name, *(f"{d:.6f}" for d in r)] for name, r in zip(names, distances))
        figures.plot_matrix(distances, names, threshold, picture)
        text += f": {table}, figure: {picture}"
    _say(args, answer, text)


def cache(args: argparse.Namespace) -> None:
    """Where the cache of pixels and embeddings lies, and how large it is."""
    (place, size) = (printable(kept.place()), kept.size())
    text = f"{place}: {size / 1e6:,.1f} MB"
    if args.clear:
        kept.clear()
        text += ", now empty"
    _say(args, {"directory": place, "bytes": size, "cleared": args.clear}, text)


ANSWERS = {
    "compare": compare,
    "search": find,
    "evaluate": evaluate,
    "matrix": matrix,
    "cache": cache,
}


def _model(args: argparse.Namespace) -> tuple[SiameseModel, float]:
    model = SiameseModel(args.model)
    threshold = model.threshold_for(args.fmr)
    _note([f"images are read {images.described(model.image_shape)}, as the model wants"])
    return model, threshold


def _picture(args: argparse.Namespace) -> str | None:
    """The figure's file; None where a program asks, which names one if it wants it."""
    if args.json and not args.output:
        return None
    path = args.output or os.path.join(config.BASE_OUTPUT, args.picture)
    figures.check_output(path)
    return path


def _note(lines: Iterable[str]) -> None:
    for line in lines:
        log.info(line)


def _say(args: argparse.Namespace, answer: dict[str, Any], text: str) -> None:
    print(json.dumps(answer) if args.json else text, flush=True)


def _within(value: float, figure: Figure) -> bool:
    """Whether a value is no further from a figure than its interval reaches, up or down."""
    if figure.low is None or figure.high is None:
        return value == figure.value
    reach = max(figure.high - figure.value, figure.value - figure.low)
    return abs(value - figure.value) <= reach


def _verdict(same: bool) -> str:
    return "same" if same else "different"


def _same_file(a: str, b: str) -> bool:
    try:
        return os.path.samefile(a, b)
    except OSError:
        return False
