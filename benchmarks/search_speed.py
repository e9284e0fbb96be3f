"""How fast a folder is embedded and searched.

    python benchmarks/search_speed.py

Search: the median of 20 queries over random embeddings of 48 numbers, after loading.
Embedding: images a second through the model that ships, many at a time as `search` does it,
beside the article's way of calling `predict` for one pair after the other. In turns, one run.
"""

import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
from pyimagesearch.system import terminal

terminal.setup()  # before Keras

import keras

from pyimagesearch import config, utils
from pyimagesearch.inference import search
from pyimagesearch.inference.saved_model import SiameseModel
from pyimagesearch.siamese_network import build_encoder


def seconds(function, *args):
    start = time.perf_counter()
    function(*args)
    return time.perf_counter() - start


def searching():
    rng = np.random.default_rng(0)
    for n in (100_000, 1_000_000, 10_000_000):  # the last takes 2 GB
        gallery = rng.standard_normal((n, 48), np.float32)
        queries = rng.standard_normal((20, 48), np.float32)
        squares = search.squared_norms(gallery)
        plain = [seconds(search.nearest, query, gallery) for query in queries]
        known = [seconds(search.nearest, query, gallery, 5, squares) for query in queries]
        print(
            f"search {n:>10,} embeddings: {1e3 * np.median(plain):6.1f} ms a query, "
            f"{1e3 * np.median(known):6.1f} ms with their norms kept"
        )


def embedding():
    model = SiameseModel(ROOT / config.MODEL_PATH)
    images = np.random.default_rng(0).integers(0, 256, (5000, *model.image_shape), dtype=np.uint8)
    pairs = images[:200].reshape(100, 2, 1, *model.image_shape)

    # the article's way: a Keras model of two inputs, a call of predict for each pair
    encoder = build_encoder(config.RECIPES[model.settings["recipe"]])
    inputs = [keras.Input(model.image_shape, dtype="uint8") for _ in range(2)]
    two_towers = keras.Model(inputs, utils.euclidean_distance([encoder(x) for x in inputs]))

    def pair_by_pair():
        for imageA, imageB in pairs:
            two_towers.predict([imageA, imageB], verbose=0)

    pair_by_pair()
    model.embed(images)
    ratios, rates = [], []
    for _ in range(5):
        rate = len(images) / seconds(model.embed, images)
        slow = 2 * len(pairs) / seconds(pair_by_pair)
        rates.append((rate, slow))
        ratios.append(rate / slow)
    (rate, slow) = np.median(rates, axis=0)
    print(f"embed: {rate:,.0f} images a second; predict pair by pair: {slow:,.0f}")
    print(f"the median of five ratios: {np.median(ratios):,.0f}x")


if __name__ == "__main__":
    searching()
    embedding()
