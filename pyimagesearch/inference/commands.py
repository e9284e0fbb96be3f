"""Questions to a trained model.

  compare A B        are these two the same? Exit code 0 same, 1 different, 2 any failure
  search QUERY DIR   which images of the folder are most like this one?
  evaluate DIR       how good is the model on this folder, one subfolder per class?
  matrix DIR         all distances of a folder, as CSV and figure

Smaller distance = more alike; the similarity runs from 1 (distance 0) over 0.5 (at the
threshold) towards 0; of a cosine distance it is 1 - angle / 180 degrees.
A SavedModel is a program: load none that you would not run.
"""

# import the necessary packages
import argparse
import csv
import json
import os
import sys

import numpy as np

from pyimagesearch import config
from pyimagesearch.data import images
from pyimagesearch.data.folders import read_folder
from pyimagesearch.data.pairs import sample_pairs
from pyimagesearch.data.sets import ImageSet
from pyimagesearch.evaluation import figures, measuring, verification
from pyimagesearch.evaluation.embeddings import pair_distances
from pyimagesearch.inference import search
from pyimagesearch.inference.saved_model import SiameseModel, write_settings
from pyimagesearch.system import terminal
from pyimagesearch.system.errors import InputError
from pyimagesearch.system.files import whole_file
from pyimagesearch.system.names import printable


def compare(args, model, threshold):
    """Distance and verdict of two images. Returns 0 for same, 1 for different."""
    pair = np.stack([images.read_image(path, model.image_shape) for path in (args.a, args.b)])
    feats = model.embed(pair)
    distance = float(model.distance([feats[:1], feats[1:]])[0])
    same = distance < threshold
    answer = {
        "distance": distance,
        "similarity": float(model.similarity(distance, threshold)),
        "threshold": threshold,
        "same": same,
    }
    verdict = "same" if same else "different"
    say(args, answer, f"distance {distance:.4f}, similarity {answer['similarity']:.3f}: {verdict}")
    return 0 if same else 1


def find(args, model, threshold):
    """The images of a folder most like a query."""
    figures.check_output(args.output)
    query = images.read_image(args.query, model.image_shape)
    paths = [p for p in images.list_images(args.directory) if not same_file(p, args.query)]
    (paths, gallery, messages, reused) = search.embed_folder(model, paths, args.directory)
    note(args, *(f"skipped {message}" for message in messages))
    note(args, f"{len(paths)} images, {reused} of them embedded by an earlier run")
    feats = model.embed(query[None])[0]
    (found, _) = search.nearest(feats, gallery, args.top)
    distances = model.distance_to_all(feats, gallery[found])
    ranked = [
        {"file": paths[k], "distance": float(d), "similarity": float(s), "same": bool(same)}
        for k, d, s, same in zip(
            found, distances, model.similarity(distances, threshold), distances < threshold
        )
    ]
    (_, pixels, _) = images.read_images([paths[k] for k in found], model.image_shape)
    figures.plot_ranked(query, pixels, distances, threshold, args.output)
    lines = [
        f"{rank:3}  {r['distance']:.4f}  {r['similarity']:.3f}  "
        f"{'same' if r['same'] else 'different':9}  {printable(r['file'])}"
        for rank, r in enumerate(ranked, 1)
    ]
    say(args, {"threshold": threshold, "results": ranked}, "\n".join(lines))
    note(args, f"figure: {args.output}")


def evaluate(args, model, threshold):
    """Figures on a folder of classes, whether the threshold suits it, or a new one."""
    figures.check_output(args.output)
    if args.calibrate and args.fmr is not None:
        raise InputError("Expected --fmr or --calibrate. Received: both; --calibrate sets all.")
    folder = read_folder(args.directory, shape=model.image_shape)
    (pixels, labels) = (folder.pixels[:], folder.labels)
    note(args, f"{len(pixels)} images of {len(np.unique(labels))} classes")
    (embeddings, comparison) = (model.embed(pixels), model.distance)
    stored = {
        k: model.settings.get("operating_points", {}).get(k) for k in measuring.FALSE_MATCH_RATES
    }
    calibration = {"threshold": threshold, "operating_points": stored}
    if args.calibrate:
        # every second image of a class chooses, the others are what is reported
        order = np.argsort(labels, kind="stable")
        rank = np.arange(len(labels)) - np.searchsorted(labels[order], labels[order])
        (chosen, rest) = (order[rank % 2 == 0], order[rank % 2 == 1])
        if np.unique(labels[rest], return_counts=True)[1].min() < 2:
            raise InputError("Expected at least 4 images of each class to calibrate with.")
        choices = ImageSet(None, labels[chosen], sample_pairs(labels[chosen], 0))
        calibration = measuring.calibrate(embeddings[chosen], choices, comparison)
        (pixels, labels, embeddings) = (pixels[rest], labels[rest], embeddings[rest])

    test = ImageSet(pixels, labels, sample_pairs(labels, 0))
    measured = measuring.measure(embeddings, test, calibration, comparison)
    (distances, y) = pair_distances(embeddings, test.pairs, comparison)
    best = verification.choose_threshold(distances, y)
    best_accuracy = verification.accuracy(distances, y, best)
    suits = best_accuracy <= measured["accuracy"][2]  # inside the interval
    figures.plot_worst(
        pixels, test.pairs.indices(), distances, y, calibration["threshold"], args.output
    )
    verdict = "suits" if suits else "does not suit"
    sentence = (
        f"The threshold {calibration['threshold']:.3f} {verdict} this data: the best one for it, "
        f"{best:.3f}, gets {best_accuracy:.2%} of the pairs right."
    )
    if args.calibrate:
        before = {key: model.settings.get(key) for key in ("threshold", "operating_points")}
        write_settings(model.path, model.settings | calibration | {"calibrated_before": before})
        sentence = f"Written to {model.path}. {sentence}"
    elif not suits:
        sentence += " --calibrate stores a new one."
    answer = {**measured, "threshold": calibration["threshold"], "suits": suits, "best": best}
    say(
        args,
        answer,
        measuring.report(measured, printable(args.directory)) + "\n" + sentence,
    )
    note(args, f"the worst errors: {args.output}")


def matrix(args, model, threshold):
    """All distances of a folder."""
    figures.check_output(args.output)
    paths = images.list_images(args.directory)
    if len(paths) > 5000:
        raise InputError(f"Expected at most 5,000 images for a matrix. Received: {len(paths)}.")
    (paths, gallery, messages, _) = search.embed_folder(model, paths, args.directory)
    note(args, *(f"skipped {message}" for message in messages))
    distances = np.stack([model.distance_to_all(row, gallery) for row in gallery])
    names = [printable(os.path.relpath(path, args.directory)) for path in paths]
    table = os.path.splitext(args.output)[0] + ".csv"
    with whole_file(table) as path, open(path, "w", newline="", encoding="utf-8") as f:
        rows = csv.writer(f)
        rows.writerow(["", *names])
        rows.writerows([name, *(f"{d:.6f}" for d in row)] for name, row in zip(names, distances))
    figures.plot_matrix(distances, names, threshold, args.output)
    answer = {"files": names, "threshold": threshold}
    if args.json:
        answer["distances"] = distances.tolist()
        answer["similarities"] = model.similarity(distances, threshold).tolist()
    say(args, answer, f"{len(names)} x {len(names)} distances: {table}, figure: {args.output}")


def note(args, *lines):
    """What a person wants to know; a program's standard output stays JSON alone."""
    for line in lines:
        print(f"[INFO] {line}", file=sys.stderr if args.json else sys.stdout, flush=True)


def say(args, answer, text):
    print(json.dumps(answer) if args.json else text)


def same_file(a, b):
    try:
        return os.path.samefile(a, b)
    except OSError:
        return False


def parser():
    ap = argparse.ArgumentParser(
        prog="python -m pyimagesearch",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = ap.add_subparsers(required=True, metavar="compare | search | evaluate | matrix")

    def command(function, name, arguments, picture=None):
        sub = commands.add_parser(name, description=function.__doc__)
        for argument in arguments:
            sub.add_argument(argument)
        sub.add_argument("--model", default=config.MODEL_PATH, help=f"({config.MODEL_PATH})")
        sub.add_argument("--fmr", type=float, help="use the threshold stored for this rate")
        sub.add_argument("--json", action="store_true", help="print JSON for programs")
        if picture:
            default = os.path.join(config.BASE_OUTPUT, picture)
            sub.add_argument("--output", default=default, help=f"the figure's file ({default})")
        sub.set_defaults(function=function)
        return sub

    command(compare, "compare", ["a", "b"])
    sub = command(find, "search", ["query", "directory"], "search.png")
    sub.add_argument("--top", type=terminal.positive_int, default=5, help="how many (5)")
    sub = command(evaluate, "evaluate", ["directory"], "evaluate_worst.png")
    sub.add_argument("--calibrate", action="store_true", help="choose and store a new threshold")
    command(matrix, "matrix", ["directory"], "matrix.png")
    return ap


def main():
    args = parser().parse_args()
    try:
        model = SiameseModel(args.model)
        (height, width, channels) = model.image_shape
        color = "grey" if channels == 1 else "colour"
        note(args, f"images are read in {color} at {width}x{height}, as the model wants")
        sys.exit(args.function(args, model, model.threshold_for(args.fmr)) or 0)
    except (ValueError, OSError):
        raise
    except Exception as error:  # compare promises exit code 2 for any failure at all
        raise InputError(f"{type(error).__name__}: {error}") from error
