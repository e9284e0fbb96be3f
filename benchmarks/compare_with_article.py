"""This code and a plain reading of the article's, side by side: pairs, epochs, memory, losses.

    python benchmarks/compare_with_article.py                      # 3 epochs of each, 6 minutes
    python benchmarks/compare_with_article.py --recipe keras-io    # keras.io's example instead
    python benchmarks/compare_with_article.py --recipe triplet --cifar CIFAR   # the triplet text's

Each side is a process of its own, and they take turns, epoch by epoch, so that a machine
whose speed drifts is slow for both. Same images, same number of pairs, same validation.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from pyimagesearch.system import flags, terminal

terminal.setup()  # before Keras

import keras

from benchmarks import plain_texts
from pyimagesearch import config, utils
from pyimagesearch.data import batches, datasets, splits
from pyimagesearch.data.folders import read_folder
from pyimagesearch.data.pairs import SAMPLERS, sample_pairs
from pyimagesearch.data.sets import ImageSet
from pyimagesearch.training import build, callbacks, checkpoints


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--recipe", choices=("article", "keras-io", "triplet"), default="article")
    ap.add_argument("--cifar", help="for triplet: CIFAR-10 as images, train/CLASS and test/CLASS")
    ap.add_argument("--epochs", type=flags.positive_int, default=3)
    ap.add_argument("--images", type=flags.positive_int, default=60_000, help="(all)")
    ap.add_argument("--side", choices=SIDES, help="what the child processes are called with")
    args = ap.parse_args()
    if args.side:
        sys.stdout = sys.stderr  # what training prints is not a report
        recipe = config.RECIPES[args.recipe].changed(epochs=args.epochs)
        if args.recipe == "triplet":
            recipe = recipe.changed(weights="none", image_shape=(32, 32, 3))
        (train, test) = load(args.cifar)
        train = tuple(array[: args.images] for array in train)
        # what is held out validates; otherwise, as in the article, the test
        if recipe.reading.held_out:
            cut = round(len(train[0]) * (1 - recipe.reading.held_out))
            (train, test) = [x[:cut] for x in train], [x[cut:] for x in train]
        return SIDES[args.side](train, test, recipe)

    command = [sys.executable, __file__, f"--recipe={args.recipe}", f"--epochs={args.epochs}"]
    command += [f"--images={args.images}"] + ([f"--cifar={args.cifar}"] if args.cifar else [])
    if (args.recipe == "triplet") != bool(args.cifar):
        ap.error("expected --recipe triplet and --cifar together")
    children = {
        side: subprocess.Popen(
            [*command, f"--side={side}"], text=True, stdin=-1, stdout=-1, stderr=-3
        )
        for side in SIDES
    }
    # drawing the pairs, then the epochs, then the memory: one turn each
    turns = ["pairs", *range(1, args.epochs + 1), "memory"]
    reports = {turn: {side: turn_of(child) for side, child in children.items()} for turn in turns}
    held_out = config.RECIPES[args.recipe].reading.held_out
    show(reports, args.epochs, round(args.images * (1 - held_out)))


def load(cifar):
    """((images, labels) to train on, the same to test with): CIFAR-10 in any order, or MNIST."""
    if not cifar:
        return datasets.load_mnist()
    found = read_folder(cifar)
    order = np.random.default_rng(0).permutation(len(found.labels))
    parts = [np.sort(order[found.splits[order] == part]) for part in (splits.TRAIN, splits.TEST)]
    (train, test) = (np.random.default_rng(0).permutation(part) for part in parts)
    return [(found.pixels[rows], found.labels[rows]) for rows in (train, test)]


def turn_of(child):
    """Let a child go on to its next report."""
    child.stdin.write("go\n")
    child.stdin.flush()
    return json.loads(child.stdout.readline())


def wait_for_turn():
    """In a child: until the parent asks for the next report."""
    sys.stdin.readline()


def report(**figures):
    print(json.dumps(figures), file=sys.__stdout__, flush=True)


class Turns(keras.callbacks.Callback):
    """Waits for this side's turn before each epoch, and reports after it, validation included."""

    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def on_epoch_begin(self, epoch, logs=None):
        wait_for_turn()
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        seconds = time.perf_counter() - self.start
        report(seconds=seconds, steps=self.steps, loss=logs["loss"], val_loss=logs["val_loss"])


def seconds_of(function, *args):
    """(result, seconds) of a second call: the first also waits for the system's memory."""
    function(*args)
    start = time.perf_counter()
    result = function(*args)
    return result, time.perf_counter() - start


def plain(train, test, recipe):
    """The source's algorithm: pairs or triplets as floats, a tower for each image, fit."""
    (images, labels), (images_test, labels_test) = train, test
    if recipe.network.pixel_scale == 1:
        (images, images_test) = (images.astype("float32"), images_test.astype("float32"))
    else:
        (images, images_test) = (images / 255.0, images_test / 255.0)
    np.random.seed(1)
    (draw, build) = (plain_texts.make_pairs, plain_texts.pair_model)
    if recipe.training.loss == "triplet":
        (draw, build) = (plain_texts.make_triplets, plain_texts.triplet_model)
    wait_for_turn()
    (drawn, y), seconds = seconds_of(draw, images, labels)
    (drawn_test, y_test) = draw(images_test, labels_test)  # inside its own turn
    report(seconds=seconds)

    keras.utils.set_random_seed(1)
    build(recipe).fit(
        list(np.moveaxis(drawn, 1, 0)),
        y,
        validation_data=(list(np.moveaxis(drawn_test, 1, 0)), y_test),
        batch_size=recipe.training.batch_size,
        epochs=recipe.training.epochs,
        verbose=0,
        callbacks=[Turns(-(-len(y) // recipe.training.batch_size))],
    )
    wait_for_turn()
    report(bytes=peak_memory())


def ours(train, test, recipe):
    """What train_contrastive_siamese_network.py does for the recipe."""
    (images, labels) = train
    wait_for_turn()
    sampler = (
        SAMPLERS[recipe.training.pairing] if recipe.training.loss == "triplet" else sample_pairs
    )
    (_, seconds) = seconds_of(sampler, labels, np.random.default_rng(1))
    of_pixels = {}
    if recipe.training.loss != "triplet":
        of_pixels["seconds_uint8"] = seconds_of(utils.make_pairs, images, labels, 1)[1]
    report(seconds=seconds, **of_pixels)

    build.set_seed(1)
    rng = np.random.default_rng(1)
    train = ImageSet(images, labels, pairs=SAMPLERS[recipe.training.pairing](labels, rng))
    validation = ImageSet(*test, pairs=sampler(test[1], rng))
    (model, encoder, comparison) = build.networks(recipe, train)
    (dataset, steps) = batches.batches(train, recipe, 1)
    model.compile(**build.compiling(recipe, steps))
    with tempfile.TemporaryDirectory() as output:
        checkpoint = checkpoints.Checkpoint(output, {}, recipe)
        chain = callbacks.make_callbacks(encoder, comparison, validation, recipe, checkpoint)
        model.fit(
            dataset,
            steps_per_epoch=steps,
            epochs=recipe.training.epochs,
            verbose=0,
            shuffle=False,
            callbacks=[*chain, Turns(steps)],
        )
    wait_for_turn()
    memory = peak_memory()
    if of_pixels:  # the article's float64 pixels through make_pairs: after the memory was read
        of_pixels = {"seconds_float64": seconds_of(utils.make_pairs, images / 255.0, labels, 1)[1]}
    report(bytes=memory, **of_pixels)


def peak_memory():
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def show(reports, epochs, images_an_epoch):
    print(f"{'':34}{'plain':>12}{'ours':>12}{'ratio':>9}")

    def row(name, a, b, unit=""):
        print(f"{name:34}{a:>10.4g} {unit:1}{b:>10.4g} {unit:1}{a / b:>8.1f}x")

    pairs, memory = reports["pairs"], reports["memory"]
    row("draw the pairs (indices)", pairs["plain"]["seconds"], pairs["ours"]["seconds"], "s")
    for kind in ("uint8", "float64"):
        if seconds := (pairs["ours"] | memory["ours"]).get(f"seconds_{kind}"):
            row(f"make_pairs, {kind} pixels", pairs["plain"]["seconds"], seconds, "s")
    for epoch in range(1, epochs + 1):
        a, b = reports[epoch]["plain"], reports[epoch]["ours"]
        row(f"epoch {epoch}: {images_an_epoch:,} images", a["seconds"], b["seconds"], "s")
    for epoch in range(1, epochs + 1):
        (a, b) = ((side["steps"], side["seconds"]) for side in reports[epoch].values())
        print(
            f"steps an epoch, steps a second: plain {a[0]}, {a[0] / a[1]:.1f}; "
            f"ours {b[0]}, {b[0] / b[1]:.1f}"
        )
    # not the mean: Keras' own input pipeline can stand still for a minute at the end of an epoch
    ratios = [
        reports[epoch]["plain"]["seconds"] / reports[epoch]["ours"]["seconds"]
        for epoch in range(1, epochs + 1)
    ]
    print(f"{'the median of these ratios':58}{np.median(ratios):>8.1f}x")
    row("peak memory, GB", *(memory[side]["bytes"] / 1e9 for side in SIDES))
    for epoch in range(1, epochs + 1):
        losses = "   ".join(
            f"{side} {reports[epoch][side]['loss']:.4f}, {reports[epoch][side]['val_loss']:.4f}"
            for side in SIDES
        )
        print(f"loss, val_loss after epoch {epoch}:     {losses}")


SIDES = {"plain": plain, "ours": ours}

if __name__ == "__main__":
    main()
