"""What a training leaves beside its model: figures as numbers, as text and as pictures."""

# import the necessary packages
import csv
import json
import os

import numpy as np

from pyimagesearch import evaluation, figures, utils
from pyimagesearch.files import whole_file
from pyimagesearch.saved_model import versions


def write(output, settings, history, results, training, test):
    """Write metrics.json, history.csv and the pictures to the folder, and print the figures.

    history: what fit returned. results: what evaluation.evaluate returned.
    training: (images, partners) to show some pairs of. test: (images, labels, partners).
    """
    content = {**results.figures, "calibration": results.calibration, "settings": settings}
    with whole_file(os.path.join(output, "metrics.json")) as path, open(path, "w") as f:
        json.dump(content | {"versions": versions()}, f, indent=2)
        f.write("\n")
    with whole_file(os.path.join(output, "history.csv")) as path:
        write_history(path, history.history)
    draw(output, results, training, test)

    raw = results.figures["raw_pixels"]
    print(
        f"[INFO] the raw pixels, the line to beat: {raw['accuracy'][0]:.2%} of test pairs right, "
        f"AUC {raw['auc'][0]:.4f}"
    )
    print(evaluation.report(results.figures["test"], "[INFO] the network on test images"))
    measured, threshold = results.figures["test"], results.calibration["threshold"]
    print(f"[INFO] test loss {measured['loss']:.4f}, AUC {measured['auc'][0]:.4f}")
    print(
        f"[INFO] {measured['accuracy'][0]:.2%} of {measured['pairs']} test pairs right, "
        f"calling them the same where distance < {threshold:.3f}"
    )


def write_history(path, history):
    """The figures of each epoch, a row an epoch, the first of which is 1."""
    with open(path, "w", newline="") as f:
        rows = csv.writer(f)
        rows.writerow(["epoch", *history])
        rows.writerows([epoch, *row] for epoch, row in enumerate(zip(*history.values()), 1))


def draw(output, results, training, test):
    """The pictures beside the article's plot, each named contrastive_….png."""

    def path(name):
        return os.path.join(output, f"contrastive_{name}.png")

    (images, partners) = training
    some = np.arange(0, len(images), max(len(images) // 5, 1))[:5]
    figures.plot_training_pairs(images, some, partners[some], path("training_pairs"))

    (images, labels, partners) = test
    (distances, y) = utils.pair_distances(results.embeddings, partners)
    threshold = results.calibration["threshold"]
    figures.plot_roc(distances, y, threshold, results.figures["test"], path("roc"))
    figures.plot_histogram(distances, y, threshold, path("histogram"))
    figures.plot_map(results.embeddings, labels, path("map"))
    pairs = np.stack([np.arange(len(images)).repeat(2), partners.ravel()], axis=1)
    figures.plot_worst(images, pairs, distances, y, threshold, path("worst"))
