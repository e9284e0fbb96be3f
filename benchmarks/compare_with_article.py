"""This code and a plain reading of the article's, side by side: pairs, epochs, memory, losses.

    python benchmarks/compare_with_article.py                      # 3 epochs of each, 6 minutes
    python benchmarks/compare_with_article.py --recipe keras-io    # keras.io's example instead
    python benchmarks/compare_with_article.py --recipe triplet --images 12800   # the triplet text's

Each side is a process of its own, and they take turns, epoch by epoch, so that a machine
whose speed drifts is slow for both. Same images, same number of pairs, same validation.
"""

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from pyimagesearch.system import terminal

if multiprocessing.current_process().name == "ours":
    # before Keras, its messages beside the table; the plain side has what TensorFlow does by itself
    terminal.setup(program_output=True)

import keras

from pyimagesearch import config, metrics, utils
from pyimagesearch.data import batches, datasets
from pyimagesearch.data.pairs import SAMPLERS, sample_pairs
from pyimagesearch.data.sets import ImageSet
from pyimagesearch.siamese_network import HEADS, NETWORKS
from pyimagesearch.training import build, checkpoints


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--recipe", choices=("article", "keras-io", "triplet"), default="article")
    ap.add_argument("--epochs", type=terminal.positive_int, default=3)
    ap.add_argument("--images", type=terminal.positive_int, default=60_000, help="(all)")
    args = ap.parse_args()
    (context, pipes) = (multiprocessing.get_context("spawn"), [])
    for side in (plain, ours):
        (pipe, other) = context.Pipe()
        name = side.__name__
        context.Process(target=side, name=name, args=(other, args), daemon=True).start()
        other.close()
        pipes.append(pipe)

    def turn():
        """Let one side after the other go on to its next report."""
        reports = []
        for pipe in pipes:
            pipe.send("go on")
            reports.append(pipe.recv())
        return reports

    print(f"{'':34}{'plain':>12}{'ours':>12}{'ratio':>9}")
    show("draw the pairs (indices), s", *turn())
    (epochs, ratios) = ([turn() for _ in range(args.epochs)], [])
    for k, (a, b) in enumerate(epochs, 1):
        show(f"epoch {k}: {a['steps']}, {b['steps']} steps, s", a["seconds"], b["seconds"])
        ratios.append(a["seconds"] / b["seconds"])
    # not the mean: Keras' own input pipeline can stand still for a minute at the end of an epoch
    print(f"{'the median of these ratios':58}{np.median(ratios):>8.1f}x")
    show("peak memory, GB", *turn())
    for kind in ("uint8", "float64"):
        show(f"make_pairs, {kind} pixels, s", *turn())
    for k, both in enumerate(epochs, 1):
        losses = [f"{s['loss']:.4f}, {s['val_loss']:.4f}" for s in both]
        print(f"loss, val_loss after epoch {k}:     plain {losses[0]}   ours {losses[1]}")
    for child in multiprocessing.active_children():
        child.join()


def show(name, a, b):
    print(f"{name:34}{a:>12.4g}{b:>12.4g}{a / b:>8.1f}x", flush=True)


class Turns(keras.callbacks.Callback):
    """A side's turns: it waits for each, and reports at its end. As a callback: of each epoch."""

    def __init__(self, pipe):
        super().__init__()
        (self.wait, self.report) = (pipe.recv, pipe.send)
        sys.stdout = sys.stderr  # what a training prints is not part of the table

    def on_epoch_begin(self, epoch, logs=None):
        self.wait()
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):  # after the validation
        seconds = time.perf_counter() - self.start
        self.report({"seconds": seconds, "steps": self.params["steps"], **logs})


def images_of(args):
    """The recipe with what was asked for, and (images, labels) to train on and to validate with."""
    recipe = config.RECIPES[args.recipe].changed(epochs=args.epochs, weights="none", patience=None)
    data = datasets.load("mnist", recipe, 0)
    (train, validation) = (data.train.images[: args.images], data.validation.images[: args.images])
    if args.recipe == "triplet":  # the text's 32x32 pixels in three channels, of random weights
        recipe = recipe.changed(image_shape=(32, 32, 3))
        around = ((0, 0), (2, 2), (2, 2), (0, 0))
        (train, validation) = (np.pad(x, around).repeat(3, axis=3) for x in (train, validation))
    of = zip((train, validation), (data.train.labels, data.validation.labels))
    return recipe, *((images, labels[: len(images)]) for images, labels in of)


def plain_pairs(images, labels):
    """The article's loop: for each image one of its class and one of another."""
    pairs, y = [], []
    of_class = [np.flatnonzero(labels == label) for label in range(len(np.unique(labels)))]
    for image, label in zip(images, labels, strict=True):
        pairs.append([image, images[np.random.choice(of_class[label])]])
        y.append([1])
        pairs.append([image, images[np.random.choice(np.flatnonzero(labels != label))]])
        y.append([0])
    return np.array(pairs), np.array(y)


def plain_triplets(images, labels):
    """Anchor, positive and negative of half of the images; labels that nothing looks at."""
    anchors = np.random.permutation(len(images))[: len(images) // 2]
    positives = [np.random.choice(np.flatnonzero(labels == labels[k])) for k in anchors]
    negatives = [np.random.choice(np.flatnonzero(labels != labels[k])) for k in anchors]
    triplets = [np.array(images)[rows] for rows in (anchors, positives, negatives)]
    return np.stack(triplets, axis=1), np.ones(len(anchors))


def plain_triplet_model(recipe):
    """Three towers, a Lambda for the loss, compiled."""
    shape = recipe.reading.image_shape
    inputs = [keras.Input(shape) for _ in "ABC"]
    network = keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=shape)
    for layer in network.layers:  # as in the recipe, or both would learn another thing
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.9

    def loss(feats):
        (a, p, n) = (keras.ops.normalize(keras.ops.squeeze(x, (1, 2))) for x in feats)
        (same, other) = (1 - keras.ops.sum(a * x, axis=1, keepdims=True) for x in (p, n))
        return keras.ops.maximum(same - other + recipe.training.margin, 0)

    model = keras.Model(inputs, keras.layers.Lambda(loss)([network(x) for x in inputs]))
    adam = keras.optimizers.Adam(recipe.training.learning_rate)
    model.compile(loss=lambda y, preds: keras.ops.mean(preds), optimizer=adam)
    return model


def plain_model(recipe):
    """Two towers, a Lambda for the distance, compiled."""
    shape = recipe.reading.image_shape
    inputs = [keras.Input(shape) for _ in "AB"]
    network = NETWORKS[recipe.network.name](shape, recipe.network.embedding_dim)
    distance = keras.layers.Lambda(utils.euclidean_distance)([network(image) for image in inputs])
    model = keras.Model(inputs, HEADS[recipe.network.head](distance))
    loss = metrics.LOSSES[recipe.training.loss]
    model.compile(loss=loss, optimizer=recipe.training.optimizer)
    return model


def plain(pipe, args):
    """The source's algorithm: pairs as floats, a tower for each image, fit."""
    turns = Turns(pipe)
    (recipe, train, validation) = images_of(args)
    scaled = (lambda x: x.astype("float32")) if args.recipe == "keras-io" else (lambda x: x / 255.0)
    (train, validation) = ((scaled(images), y) for images, y in (train, validation))
    np.random.seed(1)
    turns.wait()
    of_triplets = args.recipe == "triplet"
    draw = plain_triplets if of_triplets else plain_pairs
    seconds = seconds_of(draw, *train)
    ((drawn, y), (drawn_held_out, y_held_out)) = (draw(*train), draw(*validation))
    turns.report(seconds)

    keras.utils.set_random_seed(1)
    model = plain_triplet_model(recipe) if of_triplets else plain_model(recipe)
    model.fit(
        list(np.moveaxis(drawn, 1, 0)),
        y,
        validation_data=(list(np.moveaxis(drawn_held_out, 1, 0)), y_held_out),
        batch_size=recipe.training.batch_size,
        epochs=recipe.training.epochs,
        verbose=0,
        callbacks=[turns],
    )
    for figure in (peak_memory(), seconds, seconds):
        turns.wait()
        turns.report(figure)


def ours(pipe, args):
    """What train_contrastive_siamese_network.py does for the recipe."""
    turns = Turns(pipe)
    (recipe, (images, labels), validation) = images_of(args)
    turns.wait()
    sample = SAMPLERS[recipe.training.pairing]
    turns.report(seconds_of(sample, labels, np.random.default_rng(1)))

    build.set_seed(1)
    rng = np.random.default_rng(1)
    train = ImageSet(images, labels, pairs=sample(labels, rng))
    sample = sample if args.recipe == "triplet" else sample_pairs
    validation = ImageSet(*validation, pairs=sample(validation[1], rng))
    (model, *parts) = build.networks(recipe, train)
    (dataset, steps) = batches.batches(train, recipe, 1)
    model.compile(**build.compiling(recipe, steps))
    with tempfile.TemporaryDirectory() as output:
        checkpoint = checkpoints.Checkpoint(output, {}, recipe)
        model.fit(
            dataset,
            steps_per_epoch=steps,
            epochs=recipe.training.epochs,
            verbose=0,
            shuffle=False,
            callbacks=[*checkpoint.callbacks(*parts, validation), turns],
        )
    turns.wait()
    turns.report(peak_memory())
    for pixels in (images, images / 255.0):  # after the memory was read
        turns.wait()
        turns.report(seconds_of(utils.make_pairs, pixels, labels, 1))


def seconds_of(function, *args):
    """How long a second call takes: the first also waits for the system's memory."""
    function(*args)
    start = time.perf_counter()
    function(*args)
    return time.perf_counter() - start


def peak_memory():
    """In GB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


if __name__ == "__main__":
    main()
