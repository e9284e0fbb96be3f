"""What a training leaves beside its model: figures as numbers, as text, as pictures, as a page.

report.html is one file that a browser opens without a network. Names of classes and files are
only ever text in it: in its data "<" is written \\u003c, its program makes text nodes of them, and
its Content-Security-Policy lets nothing run but that program, and nothing be fetched.
"""

import base64
import csv
import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pyimagesearch import metrics
from pyimagesearch.config import Recipe
from pyimagesearch.data import batches, datasets
from pyimagesearch.data.copies import MOST_TESTED
from pyimagesearch.data.pairs import sample_pairs
from pyimagesearch.data.sets import DataSet, evenly
from pyimagesearch.evaluation import measure, pictures
from pyimagesearch.evaluation.all_pairs import Counts, ImagePairs
from pyimagesearch.evaluation.measure import Measurement, embed
from pyimagesearch.system.files import REPORTS, whole_file
from pyimagesearch.system.terminal import InputError, printable, say

TEMPLATE = Path(__file__).with_name("report.html")
STEPS = 400  # of the page's slider
MOST_IN_MATRIX = 20  # classes
FIGURES = ("training_pairs", "plot", "roc", "histogram", "map", "worst", "pairs")  # of a model


def write(
    output: str,
    settings: Mapping[str, Any],
    recipe: Recipe,
    history: Mapping[str, Sequence[float]],
    encoder: keras.Model,
    comparison: keras.Model,
    data: DataSet,
) -> Measurement:
    """Measure on the test images; write metrics.json, history.csv, the pictures, report.html.

    settings: of the training, calibration included. history: of fit, a list for each figure.
    encoder, comparison: what was saved. Returns, and logs, what the network has on data.test.
    """
    test = data.test
    embeddings = embed(encoder, test.images)
    compared = ImagePairs(embeddings, test, settings, data.new_classes)
    measured = Measurement(compared, settings)
    pairs = test.pairs if test.labels is None else sample_pairs(test.labels, settings["seed"])
    distances = comparison([embeddings[ends] for ends in pairs.indices().T])
    loss = float(metrics.pair_loss(recipe, pairs.labels(), distances))
    raw = measure.measure_raw_pixels(data.choices, test, data.new_classes)
    (without, of_test) = ([], measured.as_dict() | {"loss": loss})
    rest = np.setdiff1d(evenly(len(test), MOST_TESTED), data.copies)  # of those looked at
    with suppress(InputError):  # where too few are left
        if len(data.copies) and len(rest):
            new = ImagePairs(embeddings[rest], test.part(rest), settings, data.new_classes)
            figure = Counts(new, [compared.distance.before_head(measured.threshold)]).share(0)
            of_test["without_near_copies"] = {"images": len(rest), "accuracy": vars(figure)}
            what = f"{len(rest)} test images without a near copy in training"
            without.append(f"{what}: {figure.percent()} right")
    worst = measure.worst_pairs(measured)
    content = {
        "test": of_test,
        "retrieval": of_test.pop("retrieval", None), "calibration": of_test.pop("calibration"),
        "raw_pixels": {k: v for k, v in raw.as_dict().items() if k != "classes"},
        "classes": of_test.pop("classes", None),
        "worst": worst[1], "parts": data.parts,
        # the last in part, after a Ctrl-C
        "epochs_run": len(history["loss"]), "training_seconds": sum(history["seconds"]),
        "parameters": encoder.count_params() + comparison.count_params(),
        "settings": settings, "versions": versions(),
    }  # fmt: skip
    with whole_file(os.path.join(output, "metrics.json")) as path:
        Path(path).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    with whole_file(os.path.join(output, "history.csv")) as path, open(path, "w", newline="") as f:
        epochs = ([epoch, *row] for epoch, row in enumerate(zip(*history.values()), 1))
        csv.writer(f).writerows([["epoch", *history], *epochs])
    run = pictures.lettering([recipe_and_data(settings)])[0] + "\n"
    pictures.plot_roc(measured, os.path.join(output, "contrastive_roc.png"), run)
    pictures.plot_histogram(measured, os.path.join(output, "contrastive_histogram.png"), run)
    pictures.plot_map(compared, os.path.join(output, "contrastive_map.png"), run)
    pictures.plot_worst(measured, worst, os.path.join(output, "contrastive_worst.png"), run)
    right = f"{100 * measured.accuracy.value:.2f} % of {measured.pairs:,} test pairs right"
    summary = f"{right}, calling them the same where distance < {measured.threshold:.3f}"
    (sizes, *warnings) = datasets.describe(data)
    warnings = [*measure.warnings_of(measured), *warnings, *without]
    if raw.auc.value > measured.auc.value:
        warnings.insert(0, "the network does not beat the raw pixels: their AUC is higher")
    html = page(output, content, measured, raw, [warnings, [summary, sizes]])
    with whole_file(os.path.join(output, "report.html")) as path:
        Path(path).write_text(html, "utf-8", newline="\n")
    of_raw = f"{100 * raw.accuracy.value:.2f} % of test pairs right, AUC {raw.auc.value:.5f}"
    say(f"the raw pixels, the line to beat: {of_raw}")
    for text in (measure.report(measured, "the network on test images"), *without):
        say(text)
    if not recipe.training.ways:  # whose distances are on a scale of their own, without a margin
        say(f"test loss {loss:.4f}, AUC {measured.auc.value:.5f}")
    say(summary)
    return measured


def versions() -> dict[str, str]:
    """The versions of tensorflow, keras, numpy and python that run here, for JSON."""
    found = {module.__name__: module.__version__ for module in (tf, keras, np)}
    return found | {"python": platform.python_version()}


def start(output: str, batch: tuple) -> None:
    """Take away what was said of an earlier model, and draw some pairs of a batch."""
    figures = [f"contrastive_{figure}.png" for figure in FIGURES]
    for name in (*REPORTS, *figures):
        Path(output, name).unlink(missing_ok=True)
    (a, b, y) = batches.pairs_of_a_batch(batch)
    path = os.path.join(output, "contrastive_training_pairs.png")
    title = "training pairs, as the network sees them"
    pictures.plot_pairs((a, b), [f"y = {k:.0f}," for k in y], y, path, title)


def recipe_and_data(settings: Mapping[str, Any]) -> str:
    """What a run is known by: "recipe fast on mnist"."""
    (recipe, data) = (settings["recipe"], os.path.basename(settings["dataset"].rstrip("/")))
    return printable(f"recipe {recipe} on {data}")


def page(output: str, content: dict, measured: Measurement, raw: Measurement, texts: list) -> str:
    """What report.html holds, as HTML; its size is bounded, however large the data.

    output: whose pictures are taken. content: of metrics.json. texts: warnings, notes on the data.
    """
    # the slider's steps, evenly spread, and the model's thresholds with their exact figures
    (compared, curve) = (measured.compared, measured.compared.curve)
    (edges, bars) = pictures.histogram(measured)
    spread = np.linspace(edges[0], edges[-1], STEPS)
    places = np.searchsorted(compared.distance.output(curve.levels), spread)
    rates = [rate[places] for rate in (curve.tmr, curve.fmr, curve.right)]
    steps = np.stack([spread, *rates], axis=1).tolist()
    points = {"the model's threshold": vars(measured)}
    points |= {f"{100 * float(r):g} % FMR": p for r, p in measured.operating_points.items() if p}
    for p in points.values():
        steps.append([p["threshold"], p["tmr"].value, p["fmr"].value, p["accuracy"].value])
    (floor, low) = pictures.roc_corner(measured)
    some = np.searchsorted(curve.fmr, np.geomspace(floor, 1, STEPS), side="right") - 1
    matrix = None
    if (table := measured.shares) is not None:  # of many those that are most taken for others
        taken = (table * ~np.eye(len(table), dtype=bool)).max(axis=0)
        shown = np.sort(np.argsort(-taken, kind="stable")[:MOST_IN_MATRIX])
        named = [[compared.names[k], int(compared.sizes[k])] for k in shown]
        shares = table[np.ix_(shown, shown)].tolist()
        matrix = {"classes": named, "shares": shares, "all": len(table)}
    settings = content["settings"]
    names = ["worst", "map", "training_pairs", "plot"]
    (training, way) = (settings["training"], settings.get("way", ""))
    loss = f"The {training['loss'].replace('_', ' ')} loss of each epoch; the "
    loss += "best epoch is kept" if training.get("keep_best") else "last epoch is kept"
    if way:
        texts[1].append(f"kept of the ways to adapt the network: {way}")
        loss += ", in part (the weights are averaged with those before)" * ("averaged" in way)
        loss += f". It is that of the {'head' if 'head' in way else 'network'}, never falls to 0, "
        loss += "and grows with the images of a batch, so the two curves differ in height"
    if way.startswith(("whitened", "last layer")):
        names.remove("plot")  # of another way, that is not kept
        loss = f"No loss: what is kept ({way}) was computed, not trained"
    drawn = {}
    for name in names:
        if (file := Path(output, f"contrastive_{name}.png")).is_file():
            drawn[name] = f"data:image/png;base64,{base64.b64encode(file.read_bytes()).decode()}"
    classes = content["classes"]["figures"] if content["classes"] else []
    classes.sort(key=lambda c: c["tmr"]["value"] if c["tmr"] else math.inf)  # the worst first
    of_raw = dict(measure.figure_rows(raw))
    about = "\n".join(f"{name}: {x}" for name, x in (settings | content["versions"]).items())
    data = {
        "title": recipe_and_data(settings), "basis": measure.basis(measured), "loss": loss,
        "warnings": texts[0], "notes": texts[1], "corner": [floor, low],  # the last: of ROC's axes
        "figures": [[n, text, of_raw.get(n, "")] for n, text in measure.figure_rows(measured)],
        "steps": sorted(steps),  # threshold, TMR, FMR, right
        "stops": [[name, point["threshold"]] for name, point in points.items()],
        "histogram": np.transpose(bars).tolist(), "ends": [edges[0], edges[-1]],
        "roc": np.stack([curve.fmr[some], curve.tmr[some]], axis=1).tolist(),
        "matrix": matrix, "classes": classes, "calibration": content["calibration"],
        "wrong": measured.accuracy.value < 1, "worst": content["worst"], "pictures": drawn,
        "settings": about[:100_000],
    }  # fmt: skip
    text = json.dumps(data).replace("<", "\\u003c")
    return TEMPLATE.read_text(encoding="utf-8").replace("{{data}}", text)
