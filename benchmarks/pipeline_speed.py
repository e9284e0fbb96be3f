"""The batches of a training alone, its steps alone, and both together: which one waits?

    python benchmarks/pipeline_speed.py                    # MNIST, two minutes
    python benchmarks/pipeline_speed.py --photos PHOTOS    # and the small network for photos

Batches alone: drawn and thrown away. Steps alone: fit on one batch, over and over. Together: fit
as the train script calls it. Images a second, the median of five turns. A step takes its time
whether the batches come from memory or not, so what together lies below the slower of the two
is what they cost each other: here they share the same cores, with a card they would not.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from pyimagesearch.system import terminal

terminal.setup()  # before Keras


from pyimagesearch import config
from pyimagesearch.data import batches, datasets
from pyimagesearch.data.orders import steps_of_a_call
from pyimagesearch.training import build

TURNS = 5
SECONDS = 2  # of each measurement, about
HEAD = ("recipe", "images a batch", "batches alone", "steps alone", "together")


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--photos", help="a folder of photos, a subfolder per class")
    args = ap.parse_args()
    trainings = [(name, "mnist") for name in ("article", "fast", "best")]
    trainings += [("photos-small", args.photos)] if args.photos else []
    rows = [row(*training) for training in trainings]
    print("\n".join(f"| {' | '.join(line)} |" for line in [HEAD, ["---"] * len(HEAD), *rows]))


def row(name, dataset):
    """A line of the table: a recipe on a data set."""
    recipe = config.RECIPES[name].changed(epochs=10_000)  # more than will be drawn
    data = datasets.load(dataset, recipe, 42)
    recipe = build.fitted(recipe, data.train)
    build.set_seed(42)
    (model, _, _) = build.networks(recipe, data.train)
    (drawn, steps) = batches.batches(data.train, recipe, 42)
    model.compile(**build.compiling(recipe, steps))
    at_once = steps_of_a_call(steps)
    images = images_of(next(iter(drawn)))
    kinds = [
        (drawing(iter(drawn)), 1),
        (fitting(model, drawn.take(1).cache().repeat()), at_once),
        (fitting(model, drawn), at_once),
    ]
    counts = [steps_of(run, at_least) for run, at_least in kinds]
    rates = [
        [images * count / seconds(run, count) for (run, _), count in zip(kinds, counts)]
        for _ in range(TURNS)
    ]
    return [f"`{name}`", str(images), *(f"{rate:,.0f}" for rate in np.median(rates, axis=0))]


def drawing(iterator):
    """A function that draws so many batches."""
    return lambda count: [next(iterator) for _ in range(count)]


def fitting(model, dataset):
    """A function that trains so many steps."""
    return lambda count: model.fit(
        dataset.take(count), steps_per_epoch=count, epochs=1, shuffle=False, verbose=0
    )


def images_of(batch):
    """How many images a batch holds: of pairs the anchors and the others."""
    (inputs, _) = batch
    parts = inputs if isinstance(inputs, tuple) else (inputs,)
    return sum(int(part.shape[0]) for part in parts)


def steps_of(run, at_least):
    """How many steps take about SECONDS, a multiple of at_least."""
    run(at_least)  # builds its graph
    count = at_least
    while (taken := seconds(run, count)) < SECONDS / 4:
        count *= 2
    return max(round(count * SECONDS / taken / at_least), 1) * at_least


def seconds(run, count):
    start = time.perf_counter()
    run(count)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
