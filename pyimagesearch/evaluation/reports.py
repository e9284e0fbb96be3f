"""What a training leaves beside its model: figures as numbers, as text and as pictures."""

import csv
import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from pyimagesearch import metrics
from pyimagesearch.config import Recipe
from pyimagesearch.data import batches, datasets
from pyimagesearch.data.sets import DataSet, ImageSet
from pyimagesearch.evaluation import curves, measuring, page, pictures, ranks
from pyimagesearch.evaluation.embeddings import embed, pair_distances
from pyimagesearch.evaluation.measurement import Measurement
from pyimagesearch.system.files import whole_file
from pyimagesearch.system.versions import versions

log = logging.getLogger(__name__)


def calibrate(
    encoder: keras.Model, comparison: keras.Model, data: DataSet, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """The thresholds from data.choices, as a dict for JSON: of measuring and of ranks."""
    embeddings = embed(encoder, data.choices.images)
    thresholds = measuring.calibrate(embeddings, data.choices, comparison)
    return thresholds | ranks.calibrate(
        embeddings, data.choices, comparison, settings, data.new_choices
    )


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
    encoder, comparison: what was saved. Returns what the network has on data.test, its loss and,
    where it has a head, how many pairs are right at 0.5; the log says it, too.
    """
    test = data.test
    embeddings = embed(encoder, test.images)
    different = measuring.different_pairs(embeddings, test, comparison)
    measured = measuring.measure(
        embeddings, test, settings, comparison, data.new_classes, different
    )
    (distances, y) = pair_distances(embeddings, test.drawn, comparison)
    measured = replace(measured, loss=float(metrics.pair_loss(recipe, y, distances)))
    if recipe.network.head != "none":
        measured = replace(measured, accuracy_at_half=float(metrics.pair_accuracy(y, distances)))
    raw = measuring.measure_raw_pixels(data.choices, test, data.new_classes)
    ranked = ranks.measure(embeddings, test, comparison, settings, data.new_classes)

    of_test = measured.as_dict()
    content = {
        "classes": of_test.pop("classes", None),
        "test": of_test,
        **(ranked.as_dict() if ranked else {}),
        "raw_pixels": raw.as_dict(),
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
    with whole_file(os.path.join(output, "history.csv")) as path:
        write_history(path, history)
    draw(output, embeddings, distances, test, settings["threshold"], measured)
    page.write(
        os.path.join(output, "report.html"),
        content,
        history,
        test,
        embeddings,
        distances,
        different[1],
        datasets.describe(data),
    )

    log.info(
        f"the raw pixels, the line to beat: {raw.accuracy.value:.2%} of test pairs right, "
        f"AUC {raw.auc.value:.5f}"
    )
    lines = [measuring.report(measured, "the network on test images")]
    log.info("\n".join(lines + ([ranked.report()] if ranked else [])))
    log.info(f"test loss {measured.loss:.4f}, AUC {measured.auc.value:.5f}")
    log.info(
        f"{measured.accuracy.value:.2%} of {measured.pairs} test pairs right, "
        f"calling them the same where distance < {settings['threshold']:.3f}"
    )
    return measured


def write_history(path: str, history: Mapping[str, Sequence[float]]) -> None:
    """The figures of each epoch, a row an epoch, the first of which is 1."""
    with open(path, "w", newline="") as f:
        rows = csv.writer(f)
        rows.writerow(["epoch", *history])
        rows.writerows([epoch, *row] for epoch, row in enumerate(zip(*history.values()), 1))


def draw(
    output: str,
    embeddings: np.ndarray,
    distances: np.ndarray,
    test: ImageSet,
    threshold: float,
    measured: Measurement,
) -> None:
    """The pictures of the test pairs beside the article's plot, each named contrastive_….png."""
    (pairs, y) = (test.drawn.indices(), test.drawn.labels())
    curves.plot_roc(distances, y, threshold, measured, _path(output, "roc"))
    curves.plot_histogram(distances, y, threshold, _path(output, "histogram"))
    curves.plot_map(embeddings, test.labels, _path(output, "map"), test.class_names)
    pictures.plot_worst(test.images, pairs, distances, y, threshold, _path(output, "worst"))


def draw_training_pairs(output: str, batch: tuple) -> None:
    """Some pairs of a batch, as the network sees them."""
    (images_a, images_b, y) = batches.pairs_of_a_batch(batch)
    pictures.plot_training_pairs(images_a, images_b, y, _path(output, "training_pairs"))


def _path(output, name):
    return os.path.join(output, f"contrastive_{name}.png")
