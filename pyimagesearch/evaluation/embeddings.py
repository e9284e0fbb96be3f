"""Images through an encoder, each once; and the distances of pairs of them."""

from collections.abc import Callable
from functools import lru_cache

import keras
import numpy as np
import tensorflow as tf

from pyimagesearch.data.pairs import Pairs
from pyimagesearch.data.rows import Rows, in_batches
from pyimagesearch.evaluation.distances import PAIRS_AT_ONCE
from pyimagesearch.utils import euclidean_distance

# of two arrays of embeddings, each (B, D): the distances, (B,) or (B, 1), smaller = more alike
Comparison = Callable[[list[np.ndarray]], np.ndarray]


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
    embeddings: np.ndarray,
    pairs: Pairs,
    distance: Comparison = euclidean_distance,
) -> tuple[np.ndarray, np.ndarray]:
    """Distances and labels of Pairs: ((B, 1) float32, (B, 1) int).

    embeddings: (N, D). distance: of two (B, D), as euclidean_distance.
    """
    distances = distances_of(embeddings, pairs.indices(), distance)
    return distances.reshape(-1, 1), pairs.labels()


def distances_of(
    embeddings: np.ndarray,
    indices: np.ndarray,
    distance: Comparison = euclidean_distance,
) -> np.ndarray:
    """The distances of pairs of images, float32 (B,). indices: int (B, 2), which images.

    Each image was embedded once, however many pairs it stands in.
    """
    block = max(PAIRS_AT_ONCE // embeddings.shape[1], 1)
    parts = [indices[i : i + block].T for i in range(0, len(indices), block)]
    distances = [np.ravel(distance([embeddings[a], embeddings[b]])) for a, b in parts]
    return np.concatenate([np.empty(0, np.float32), *distances])


def raw_pixels(images: np.ndarray | Rows) -> np.ndarray:
    """The embedding that every network must beat: the pixels themselves, (N, D) in [0, 1].

    Of larger images than 32x32 the means of tiles, up to 32x32 of them: as much as memory bears.
    """
    (height, width) = images.shape[1:3]
    (rows, columns) = (-(-height // 32), -(-width // 32))

    def tiles(batch):
        batch = batch[:, : height // rows * rows, : width // columns * columns]
        # (B, tiles down, rows of one, tiles across, columns of one, C)
        shape = (len(batch), height // rows, rows, width // columns, columns, -1)
        return (batch.reshape(shape).mean(axis=(2, 4)) / 255).reshape(len(batch), -1)

    return in_batches(lambda batch: tiles(batch).astype(np.float32), images)
