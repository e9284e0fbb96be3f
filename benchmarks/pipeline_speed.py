"""The batches of a training alone, its steps alone, and both together: which one waits?

    python benchmarks/pipeline_speed.py                    # MNIST, two minutes
    python benchmarks/pipeline_speed.py --photos PHOTOS    # and the small network for photos

Batches alone: drawn and thrown away. Steps alone: fit on one batch, over and over. Together: fit
as the train script calls it. Images a second, the median of five turns. Batches and steps share
the same cores here, so together is slower than either; with a card it would not be.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from pyimagesearch.system import terminal

terminal.setup()  # before Keras

import tensorflow as tf

from pyimagesearch import config
from pyimagesearch.data import batches, datasets
from pyimagesearch.training import build

TURNS = 5
SECONDS = 2  # of each measurement, about


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--photos", help="a folder of photos, a subfolder per class")
    args = ap.parse_args()
    print("| recipe | images a batch | batches alone | steps alone | together |")
    print("| --- | --- | --- | --- | --- |")
    for name in ("article", "fast", "best", *(["photos-small"] if args.photos else [])):
        dataset = args.photos if name == "photos-small" else "mnist"
        (images, rates) = measure(config.RECIPES[name].changed(epochs=10_000), dataset)
        print(f"| `{name}` | {images} | {' | '.join(f'{r:,.0f}' for r in rates)} |", flush=True)


def measure(recipe, dataset):
    """The images of a batch, and of the three ways in turns the median images a second."""
    data = datasets.load(dataset, recipe, 42)
    recipe = build.fitted(recipe, data.train)
    build.set_seed(42)
    (model, _, _) = build.networks(recipe, data.train)
    (drawn, steps) = batches.batches(data.train, recipe, 42)
    model.compile(**build.compiling(recipe, steps))
    (inputs, _) = next(iter(drawn))
    images = sum(int(x.shape[0]) for x in tf.nest.flatten(inputs))  # of pairs: anchors and others
    iterator = iter(drawn)
    same = drawn.take(1).cache().repeat()

    def fit(dataset, count):
        model.fit(dataset, steps_per_epoch=count, epochs=1, shuffle=False, verbose=0)

    ways = [
        lambda count: [next(iterator) for _ in range(count)],
        lambda count: fit(same.take(count), count),
        lambda count: fit(drawn.take(count), count),
    ]
    # Keras runs several steps in one call: whole calls only
    call = batches.steps_of_a_call(steps)
    counts = [call * max(round(SECONDS / seconds(way, call)), 1) for way in ways]
    rates = [[images * n / seconds(way, n) for way, n in zip(ways, counts)] for _ in range(TURNS)]
    return images, np.median(rates, axis=0)


def seconds(way, count):
    """How long a way takes for so many batches, after one call that builds its graph."""
    way(count)
    start = time.perf_counter()
    way(count)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
