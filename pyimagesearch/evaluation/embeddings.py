"""Images through an encoder, each once; and the distances of pairs of them."""

from functools import lru_cache

import keras
import numpy as np
import tensorflow as tf

from pyimagesearch.data.pairs import Pairs
from pyimagesearch.data.sets import Rows, in_batches
from pyimagesearch.evaluation.distances import Comparison

NUMBERS_AT_ONCE = 2_000_000  # of the embeddings that a comparison is given in one go


def embed(encoder: keras.Model, images: np.ndarray | Rows) -> np.ndarray:
    """Every image through the encoder once: uint8 (N, H, W, C) -> float32 array (N, D)."""
    forward = _forward(encoder)
    return in_batches(lambda batch: forward(batch).numpy(), images)


@lru_cache(maxsize=4)  # an encoder is compiled once, not anew in each epoch
def _forward(encoder):
    return tf.function(
        lambda batch: encoder(batch, training=False),
        input_signature=[tf.TensorSpec(encoder.input_shape, tf.uint8)],
    )


def pair_distances(
    embeddings: np.ndarray, pairs: Pairs, distance: Comparison
) -> tuple[np.ndarray, np.ndarray]:
    """Distances and labels of Pairs, from embeddings (N, D): ((B, 1) float32, (B, 1) int)."""
    indices = pairs.indices()
    block = max(NUMBERS_AT_ONCE // embeddings.shape[1], 1)
    ends = [indices[start : start + block].T for start in range(0, len(indices), block)]
    distances = [np.ravel(distance([embeddings[a], embeddings[b]])) for a, b in ends]
    return np.concatenate([np.empty(0, np.float32), *distances])[:, np.newaxis], pairs.labels()
