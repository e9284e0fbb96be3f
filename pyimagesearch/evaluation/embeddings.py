"""Images through an encoder, each once; and the distances of pairs of them."""

from functools import lru_cache

import keras
import numpy as np
import tensorflow as tf

from pyimagesearch.data.pairs import Pairs
from pyimagesearch.data.sets import Rows, in_batches
from pyimagesearch.evaluation.distances import Comparison


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
    embeddings: np.ndarray, pairs: Pairs, comparison: Comparison
) -> tuple[np.ndarray, np.ndarray]:
    """Distances and labels of Pairs, from embeddings (N, D): ((B, 1) float32, (B, 1) int)."""
    (a, b) = pairs.indices().T
    return np.asarray(comparison([embeddings[a], embeddings[b]])), pairs.labels()
