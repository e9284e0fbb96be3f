"""What a training leaves beside its model: figures as numbers, as text, as pictures, as a page.

report.html is one file that a browser opens without a network. Names of classes and files are
only ever text in it: in its data "<" is written \\u003c, its program makes text nodes of them, and
its Content-Security-Policy lets nothing run but that program, and nothing be fetched.
"""

import base64
import csv
import hashlib
import json
import logging
import math
import os
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pyimagesearch import metrics
from pyimagesearch.config import Recipe
from pyimagesearch.data import batches, datasets
from pyimagesearch.data.pairs import sample_pairs
from pyimagesearch.data.sets import DataSet
from pyimagesearch.evaluation import measure, pictures
from pyimagesearch.evaluation.embeddings import embed, pair_distances
from pyimagesearch.evaluation.measure import Measurement
from pyimagesearch.system.files import whole_file

TEMPLATE = Path(__file__).with_name("report.html")
MOST_CLASSES = 1000  # in the page's table; all are in metrics.json
STEPS = 400  # of the page's slider

log = logging.getLogger(__name__)


def calibrate(
    encoder: keras.Model, comparison: keras.Model, data: DataSet, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """The thresholds from data.choices, as a dict for JSON: see measure.calibrate."""
    choices = data.choices
    embeddings = embed(encoder, choices.images)
    return measure.calibrate(embeddings, choices, settings, comparison, data.new_choices)


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
    encoder, comparison: what was saved. Returns what the network has on data.test; the log says
    it, too.
    """
    test = data.test
    embeddings = embed(encoder, test.images)
    measured = measure.measure(embeddings, test, settings, comparison, data.new_classes)
    pairs = (
        test.drawn if test.labels is None else sample_pairs(test.labels, settings.get("seed", 0))
    )
    loss = float(metrics.pair_loss(recipe, *pair_distances(embeddings, pairs, comparison)[::-1]))
    raw = measure.measure_raw_pixels(data.choices, test, data.new_classes)

    of_test = measured.as_dict() | {"loss": loss}
    content = {
        "classes": of_test.pop("classes", None),
        "test": of_test,
        **({"retrieval": of_test.pop("retrieval")} if measured.retrieval else {}),
        "raw_pixels": replace(raw, classes=None).as_dict(),
        "parts": data.parts,
        "epochs_run": len(history["loss"]),  # the last in part, after a Ctrl-C
        "training_seconds": sum(history["seconds"]),
        "parameters": encoder.count_params() + comparison.count_params(),
        "settings": settings,
        "versions": versions(),
    }
    with whole_file(os.path.join(output, "metrics.json")) as path, open(path, "w") as f:
        json.dump(content, f, indent=2)
        f.write("\n")
    with whole_file(os.path.join(output, "history.csv")) as path, open(path, "w", newline="") as f:
        rows = csv.writer(f)
        rows.writerow(["epoch", *history])
        rows.writerows([epoch, *row] for epoch, row in enumerate(zip(*history.values()), 1))

    threshold = settings["threshold"]
    (curve, distance) = (measured.compared.curve, measured.compared.distance)
    title = f"ROC of the test pairs, AUC {measured.auc.value:.5f}"
    pictures.plot_roc(curve, measured.tmr.value, measured.fmr.value, title, _path(output, "roc"))
    distances = distance.output(curve.levels)
    pictures.plot_histogram(distances, curve, threshold, _path(output, "histogram"))
    pictures.plot_map(embeddings, test.labels, _path(output, "map"), test.class_names)
    pictures.plot_worst(test.images, measured, _path(output, "worst"))
    summary = (
        f"{measured.accuracy.value:.2%} of {measured.pairs} test pairs right, "
        f"calling them the same where distance < {threshold:.3f}"
    )
    notes = [summary, *datasets.describe(data)]
    if measured.collapsed:
        notes.append("The network has collapsed: all distances are alike.")
    if raw.auc.value > measured.auc.value:
        notes.append("The network does not beat the raw pixels: their AUC is higher.")
    with whole_file(os.path.join(output, "report.html")) as path:
        html = page(page_data(output, content, measured, raw, notes))
        Path(path).write_text(html, encoding="utf-8", newline="\n")

    log.info(
        f"the raw pixels, the line to beat: {raw.accuracy.value:.2%} of test pairs right, "
        f"AUC {raw.auc.value:.5f}"
    )
    log.info(measure.report(measured, "the network on test images"))
    log.info(f"test loss {loss:.4f}, AUC {measured.auc.value:.5f}")
    log.info(summary)
    return measured


def versions() -> dict[str, str]:
    """The versions of tensorflow, keras, numpy and python that run here, for JSON."""
    modules = {module.__name__: module.__version__ for module in (tf, keras, np)}
    return modules | {"python": platform.python_version()}


def draw_training_pairs(output: str, batch: tuple) -> None:
    """Some pairs of a batch, as the network sees them."""
    (images_a, images_b, y) = batches.pairs_of_a_batch(batch)
    texts = [f"y = {k:.0f}," for k in y]
    title = "training pairs, as the network sees them"
    pictures.plot_pairs(images_a, images_b, texts, y, _path(output, "training_pairs"), title)


def page_data(
    output: str,
    content: Mapping[str, Any],
    measured: Measurement,
    raw: Measurement,
    notes: Sequence[str],
) -> dict[str, Any]:
    """What report.html shows, for JSON; its size is bounded, however large the data.

    output: the folder whose pictures are taken. content: what metrics.json holds. notes: sentences
    on the data that a reader of the figures must know.
    """
    settings = content["settings"]
    (rows, of_raw) = (measure.figure_rows(measured), dict(measure.figure_rows(raw)))

    # the slider's steps, evenly spread, and with their exact figures the model's thresholds
    curve = measured.compared.curve
    distances = measured.compared.distance.output(curve.levels)
    spread = np.linspace(min(0, distances[0]), distances[-1] * 1.001, STEPS)
    points = {f"{100 * float(r):g} % FMR": p for r, p in measured.operating_points.items() if p}
    stops = {"the model's": measured.threshold} | {n: p.threshold for n, p in points.items()}
    thresholds = np.unique([*spread, *stops.values()])
    at = np.searchsorted(distances, thresholds)
    shares = np.stack([curve.tmr[at], curve.fmr[at], curve.right[at]], axis=1)
    places = {name: int(np.searchsorted(thresholds, t)) for name, t in stops.items()}
    for name, point in points.items():
        shares[places[name], :2] = (point.tmr.value, point.fmr.value)
    shares[places["the model's"]] = [
        figure.value for figure in (measured.tmr, measured.fmr, measured.accuracy)
    ]

    classes = content["classes"]["figures"] if content["classes"] else []
    worst_first = sorted(classes, key=lambda c: c["tmr"]["value"] if c["tmr"] else math.inf)
    drawn = ("plot", "worst", "roc", "histogram", "map", "training_pairs")
    files = {name: Path(_path(output, name)) for name in drawn}
    shown = {k: v for k, v in content.items() if k not in ("test", "raw_pixels", "classes")}
    return {
        "title": f"Recipe {settings.get('recipe')} on {settings.get('dataset')}",
        "notes": notes,
        "basis": measure.basis(measured),
        "figures": [[name, text, of_raw.get(name, "")] for name, text in rows],
        "steps": np.column_stack([thresholds, shares]).tolist(),  # threshold, TMR, FMR, right
        "stops": list(places.items()),
        "pictures": {
            name: "data:image/png;base64," + base64.b64encode(file.read_bytes()).decode()
            for name, file in files.items()
            if file.is_file()
        },
        "classes": worst_first[:MOST_CLASSES],
        "settings": json.dumps(shown, indent=1, default=str)[:100_000],
    }


def page(data: Mapping[str, Any]) -> str:
    """The page around its data, as HTML."""
    html = TEMPLATE.read_text(encoding="utf-8")
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    for tag in ("style", "script"):  # as a Content-Security-Policy names them
        (inline,) = re.findall(f"<{tag}>(.*?)</{tag}>", html, re.S)
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        html = html.replace(f"{{{{{tag}-hash}}}}", f"sha256-{digest}")
    return html.replace("{{data}}", text)  # last: nothing is filled in inside of it


def _path(output: str, name: str) -> str:
    return os.path.join(output, f"contrastive_{name}.png")
