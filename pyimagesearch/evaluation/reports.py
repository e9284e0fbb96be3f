"""What a training leaves beside its model: figures as numbers, as text and as pictures."""

# import the necessary packages
import csv
import json
import os

from pyimagesearch.data import batches
from pyimagesearch.evaluation import figures as pictures
from pyimagesearch.evaluation import measuring
from pyimagesearch.evaluation.embeddings import embed, pair_distances
from pyimagesearch.system.files import whole_file
from pyimagesearch.system.versions import versions


def write(output, settings, recipe, history, encoder, comparison, data):
    """Measure on test images; write metrics.json, history.csv and the pictures; print the figures.

    settings: of the training, calibration included. history: what fit returned.
    encoder, comparison: what was saved. choices, test: ImageSets with pairs.
    """
    (choices, test) = (data.choices, data.test)
    embeddings = embed(encoder, test.images)
    figures = measuring.evaluate(embeddings, comparison, recipe, settings, choices, test)
    content = {
        **figures,
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

    draw(output, embeddings, comparison, test, settings, figures)

    (raw, test) = (figures["raw_pixels"], figures["test"])
    print(
        f"[INFO] the raw pixels, the line to beat: {raw['accuracy'][0]:.2%} of test pairs right, "
        f"AUC {raw['auc'][0]:.5f}"
    )
    print(measuring.report(test, "[INFO] the network on test images"))
    print(f"[INFO] test loss {test['loss']:.4f}, AUC {test['auc'][0]:.5f}")
    print(
        f"[INFO] {test['accuracy'][0]:.2%} of {test['pairs']} test pairs right, "
        f"calling them the same where distance < {settings['threshold']:.3f}"
    )


def write_history(path, history):
    """The figures of each epoch, a row an epoch, the first of which is 1."""
    with open(path, "w", newline="") as f:
        rows = csv.writer(f)
        rows.writerow(["epoch", *history])
        rows.writerows([epoch, *row] for epoch, row in enumerate(zip(*history.values()), 1))


def draw(output, embeddings, comparison, test, settings, figures):
    """The pictures of the test pairs beside the article's plot, each named contrastive_….png."""
    (distances, y) = pair_distances(embeddings, test.pairs, comparison)
    threshold = settings["threshold"]
    pictures.plot_roc(distances, y, threshold, figures["test"], _path(output, "roc"))
    pictures.plot_histogram(distances, y, threshold, _path(output, "histogram"))
    pictures.plot_map(embeddings, test.labels, _path(output, "map"))
    pairs = test.pairs.indices()
    pictures.plot_worst(test.images, pairs, distances, y, threshold, _path(output, "worst"))
    pictures.close()


def draw_training_pairs(output, batch):
    """Some pairs of a batch, as the network sees them."""
    pairs = batches.pairs_of_a_batch(batch)
    pictures.plot_training_pairs(*pairs, _path(output, "training_pairs"))
    pictures.close()


def _path(output, name):
    return os.path.join(output, f"contrastive_{name}.png")
