"""Images come in; what a network with frozen weights sees of them goes out, kept between runs."""

import hashlib

import keras
import numpy as np
import tensorflow as tf

from pyimagesearch.config import Recipe
from pyimagesearch.data.augmentation import DRAWN, MOVES, moved
from pyimagesearch.data.cache import cached
from pyimagesearch.data.rows import Rows
from pyimagesearch.data.sets import pixel_digests
from pyimagesearch.evaluation.embeddings import embed


def features_of(
    network: keras.Model,
    images: np.ndarray | Rows,
    recipe: Recipe | None = None,
    view: tuple[int, int] = (0, 0),
) -> np.ndarray:
    """What a network puts out for each image, from the cache where it is known: float16 (N, D).

    images: uint8 (N, H, W, C). recipe: moves each image first, see data.augmentation.moved, at
    random by its pixels and the view (seed, number) alone; None: as they are.
    """
    store = f"features {_digest(network)}"
    if recipe:
        asked = [float(getattr(recipe.training, move)) for move in MOVES]
        store += f" moved {asked} seed {view[0]} view {view[1]}"

    digests = pixel_digests(images)

    def compute(rows):
        pixels = np.asarray(images[rows])
        if recipe:
            draws = [
                np.random.default_rng([digest, *view]).uniform(-1, 1, DRAWN)
                for digest in digests[rows]
            ]
            pixels = moved(tf.constant(pixels), recipe, draws=np.transpose(draws)).numpy()
        return embed(network, pixels).astype(np.float16)

    return cached(store, digests, compute, "images looked at", np.float16)


def _digest(network):
    digest = hashlib.blake2b(str(network.input_shape).encode(), digest_size=8)
    for weight in network.get_weights():
        digest.update(weight.tobytes())
    return digest.hexdigest()
