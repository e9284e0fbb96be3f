"""Training images come in; the same images, moved, turned and zoomed at random, go out."""

import math
from collections.abc import Sequence

import tensorflow as tf

from pyimagesearch.config import Recipe


def moved(images: tf.Tensor, recipe: Recipe, seed: Sequence[int] | tf.Tensor) -> tf.Tensor:
    """Each image moved, turned and zoomed at random, the edge repeated where nothing is left.

    images: uint8 (B, H, W, C). recipe: up to its shift in pixels, its turn in degrees and the
    share zoom, each evenly spread; whole pixels where nothing but shift is asked for.
    seed: two integers, which decide it all.
    """
    if not (recipe.training.shift or recipe.training.turn or recipe.training.zoom):
        return images
    (n, height, width) = (tf.shape(images)[0], images.shape[1], images.shape[2])
    if recipe.training.turn or recipe.training.zoom:
        (dx, dy, turn, zoom) = tf.unstack(tf.random.stateless_uniform([4, n], seed, -1, 1))
        (dx, dy) = (recipe.training.shift * dx, recipe.training.shift * dy)
        angle, size = math.pi / 180 * recipe.training.turn * turn, 1 + recipe.training.zoom * zoom
    else:
        whole = tf.random.stateless_uniform(
            [2, n], seed, -recipe.training.shift, recipe.training.shift + 1, dtype=tf.int32
        )
        (dx, dy) = tf.unstack(tf.cast(whole, tf.float32))
        angle, size = tf.zeros_like(dx), tf.ones_like(dx)

    # output pixel (x, y) is the input's (cos x - sin y + …, sin x + cos y + …), about the middle
    (cos, sin) = (size * tf.cos(angle), size * tf.sin(angle))
    (x, y) = ((width - 1) / 2, (height - 1) / 2)
    zero = tf.zeros_like(dx)
    rows = [cos, -sin, x - cos * x + sin * y + dx, sin, cos, y - sin * x - cos * y + dy, zero, zero]
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack(rows, axis=1),
        output_shape=tf.shape(images)[1:3],
        fill_value=0.0,
        interpolation="BILINEAR" if recipe.training.turn or recipe.training.zoom else "NEAREST",
        fill_mode="NEAREST",
    )
