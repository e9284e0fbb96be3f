"""Training images come in; the same images as another camera might have seen them go out."""

import math

import numpy as np
import tensorflow as tf

from pyimagesearch.config import Recipe

# what is drawn for an image, each number evenly spread over [-1, 1): where it lies and how it looks
DRAWS = ("across", "down", "turn", "zoom", "window", "longer", "from left", "from top", "mirror",
         "blur", "colour", "cast", "contrast", "light")  # fmt: skip
MOVES = ("shift", "turn", "zoom", "crop", "mirror", "light", "colour", "blur")  # of a training
DRAWN = len(DRAWS)
LONGER = 0.2  # a window's sides are to each other as the image's, or up to so much more or less


def moved(
    images: tf.Tensor, recipe: Recipe, seed: tf.Tensor = (0, 0), draws: np.ndarray | None = None
) -> tf.Tensor:
    """Each image placed, lit and blurred anew at random, as far as the recipe's training asks.

    images: uint8 (B, H, W, C). recipe: shift in pixels, turn in degrees, zoom as a share, all up
    to so much either way; crop, the share of the area that a window may leave out; mirror, every
    second image; blur, up to this share of a blur by one pixel; colour and light, up to this
    share of colour, contrast, brightness. Edges are repeated. seed: two integers, which decide it
    all, a shift alone in whole pixels; or draws, float (DRAWN, B) in [-1, 1), which do.
    """
    training = recipe.training
    bent = bool(training.turn or training.zoom or training.crop) or draws is not None
    n = tf.shape(images)[0]
    if draws is None:
        draws = tf.random.stateless_uniform([DRAWN, n], seed, -1, 1)
    drawn = dict(zip(DRAWS, tf.unstack(tf.cast(draws, tf.float32), DRAWN)))
    if training.shift or bent or training.mirror:
        shifts = training.shift * tf.stack([drawn["across"], drawn["down"]])
        if not bent:
            reach = round(training.shift)
            whole = tf.random.stateless_uniform([2, n], seed, -reach, reach + 1, dtype=tf.int32)
            shifts = tf.cast(whole, tf.float32)
        transforms = _transforms(training, shifts, drawn, *images.shape[1:3])
        images = tf.raw_ops.ImageProjectiveTransformV3(
            images=images, transforms=transforms, output_shape=tf.shape(images)[1:3],
            interpolation="BILINEAR" if bent else "NEAREST", fill_mode="NEAREST", fill_value=0.0,
        )  # fmt: skip
    lit = training.light or training.colour or training.blur
    return _lit(images, training, drawn) if lit else images


def _transforms(training, shifts, drawn, height, width):
    # shift, turn, zoom, window and mirror, in one projection: (B, 8)
    (dx, dy) = tf.unstack(shifts)
    angle = math.pi / 180 * training.turn * drawn["turn"]
    scale_x = scale_y = 1 + training.zoom * drawn["zoom"]
    if training.crop:
        side = tf.sqrt(1 - training.crop * (drawn["window"] + 1) / 2)
        longer = (1 + LONGER) ** (drawn["longer"] / 2)
        (scale_x, scale_y) = (scale_x * side * longer, scale_y * side / longer)
        dx += (1 - side) * width / 2 * drawn["from left"]
        dy += (1 - side) * height / 2 * drawn["from top"]
    if training.mirror:
        scale_x = tf.where(drawn["mirror"] < 0, scale_x, -scale_x)
    # output pixel (x, y) is the input's (ax + by + …, cx + dy + …), about the middle
    (cos, sin) = (tf.cos(angle), tf.sin(angle))
    (a, b, c, d) = (scale_x * cos, -scale_y * sin, scale_x * sin, scale_y * cos)
    (x, y) = ((width - 1) / 2, (height - 1) / 2)
    zero = tf.zeros_like(dx)
    rows = [a, b, x - a * x - b * y + dx, c, d, y - c * x - d * y + dy, zero, zero]
    return tf.stack(rows, axis=1)


def _lit(images, training, drawn):
    # blur, colour, contrast and brightness, in this order
    drawn = {name: tf.reshape(draw, (-1, 1, 1, 1)) for name, draw in drawn.items()}
    x = tf.cast(images, tf.float32)
    if training.blur:  # like a Gaussian of 1 pixel
        edged = tf.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)), "SYMMETRIC")
        weights = np.array([1, 4, 6, 4, 1], np.float32) / 16
        windows = np.tile(np.outer(weights, weights)[..., None, None], (1, 1, x.shape[3], 1))
        blurred = tf.nn.depthwise_conv2d(edged, windows, (1, 1, 1, 1), "VALID")
        x += training.blur * (drawn["blur"] + 1) / 2 * (blurred - x)
    if training.colour and images.shape[3] == 3:
        # more or less of what is not grey, then warmer or colder: red against blue
        share = 1 + training.colour * drawn["colour"][..., 0]  # (B, 1, 1)
        warmth = 1 + training.colour / 4 * drawn["cast"][..., 0] * tf.constant([1.0, 0.0, -1.0])
        mixed = (share * tf.eye(3) + (1 - share) / 3) * warmth  # (B, 3, 3)
        x = tf.einsum("bhwc,bcd->bhwd", x, mixed)
    if training.light:
        mean = tf.reduce_mean(x, axis=(1, 2, 3), keepdims=True)
        x = mean + (x - mean) * (1 + training.light * drawn["contrast"])
        x *= 1 + training.light * drawn["light"]
    return tf.cast(tf.clip_by_value(tf.round(x), 0, 255), tf.uint8)
