"""Images through an encoder, each once; and the distances of pairs of them."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np
import tensorflow as tf

from pyimagesearch.utils import euclidean_distance


def embed(encoder, images):
    """Every image through the encoder once: uint8 (N, H, W, C) -> float32 array (N, D)."""
    forward = _forward(encoder)
    return in_batches(lambda batch: forward(batch).numpy(), images)


@lru_cache(maxsize=4)  # an encoder is compiled once, not anew in each epoch
def _forward(encoder):
    return tf.function(
        lambda batch: encoder(batch, training=False),
        input_signature=[tf.TensorSpec(encoder.input_shape, tf.uint8)],
    )


def in_batches(function, images, batch_size=None):
    """function of the images batch by batch, on up to four cores: (N, H, W, C) -> N rows.

    batch_size: by default as many as bound the memory, 255 of MNIST's and fewer of larger ones.
    """
    batch_size = batch_size or max(200_000 // (images.shape[1] * images.shape[2]), 4)
    starts = range(0, len(images), batch_size)
    with ThreadPoolExecutor(min(os.cpu_count(), 4)) as pool:
        # a batch is taken from the images, which may be on disk, when its turn comes
        parts = pool.map(lambda start: function(images[start : start + batch_size]), starts)
        return np.concatenate(list(parts))


def evenly(count, most):
    """The indices of `most` of `count` things, evenly spread, or of all where they are fewer."""
    return np.linspace(0, count - 1, min(count, most)).astype(int)


def pair_distances(embeddings, pairs, distance=euclidean_distance, numbers=2_000_000):
    """Distances and labels of Pairs: ((B, 1) float32, (B, 1) int).

    embeddings: (N, D). distance: of two (B, D), as euclidean_distance.
    Each image was embedded once, however many pairs it stands in. numbers: how many of the
    embeddings' are looked at in one go, which bounds the memory.
    """
    indices = pairs.indices()
    block = max(numbers // embeddings.shape[1], 1)
    parts = [indices[i : i + block].T for i in range(0, len(indices), block)]
    distances = [np.asarray(distance([embeddings[a], embeddings[b]])) for a, b in parts]
    return np.concatenate(distances).reshape(-1, 1), pairs.labels()
