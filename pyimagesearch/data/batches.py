"""An image set comes in; the batches that training draws go out, a function of (seed, epoch)."""

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import tensorflow as tf

from pyimagesearch.config import Recipe
from pyimagesearch.data.augmentation import moved
from pyimagesearch.data.sets import UNEVEN, ImageSet, Rows
from pyimagesearch.system.terminal import AT_ONCE, InputError

MOST_STEPS = 25  # of an epoch in one call of TensorFlow
LEAST_STEPS = 10  # in one call, where an epoch has many
LEFT_OUT = 0.05  # of the images: the most that an epoch may leave out
IMAGES_OF_A_CLASS = 4  # in a batch, where chance alone would bring fewer


def batches(
    train: ImageSet,
    recipe: Recipe,
    seed: int,
    first_epoch: int = 0,
    shares: int = 1,
    move: bool = True,
) -> tuple[tf.data.Dataset, int]:
    """The training batches of a recipe: (dataset of all epochs from first_epoch on, steps of one).

    Pairing "batch": a step is (images (B, H, W, C), labels (B,)), for a loss that forms the pairs.
    Where classes are of very different size, or a batch would hold fewer than four images of a
    class, it is of P classes with K images each, see balanced.
    Others: train has pairs, M anchors with k others each. A step is ((anchors, others), y):
    batch_size / k anchors (B / k, H, W, C), or batch_size of them for "triplets", the k others of
    each side by side (B, H, W, C), y (B, 1). Every epoch holds every anchor once, in an order of
    its own; of classes of very different size M anchors of all classes equally often.
    shares: the devices that share a batch in equal parts. move: as the recipe asks, at random.
    InputError where k does not divide batch_size, "batch" gets below 4, or only pairs are known.
    """
    (pairing, size) = (recipe.training.pairing, recipe.training.batch_size)
    in_batch = pairing == "batch"
    if train.labels is None and pairing in ("batch", "triplets"):
        raise InputError("classes", "ready pairs, which --recipe pairs trains on")
    k = 1 if in_batch or pairing == "triplets" else train.pairs.others.shape[1]
    if size % k or (in_batch and size < 4):  # two of a class, two of another
        raise InputError(f"a batch size that is {'4 or more' if in_batch else 'even'}", size)
    # of ready pairs none is drawn more often than another
    labels = np.zeros(len(train), int) if train.labels is None else train.labels
    class_of = tf.constant(labels, tf.int32)
    if not in_batch:
        (anchors, others, y_of) = (tf.constant(x) for x in train.pairs)
        labels = labels[train.pairs.anchors]
    count = len(labels)
    (steps, size) = steps_and_size(count, size // k, in_batch, shares)
    sizes = np.unique(labels, return_counts=True)[1]
    # how many images of one class follow each other; 0: as chance has it
    together = 1 if sizes.max() > UNEVEN * sizes.min() else 0
    if in_batch and (together or (steps > 1 and size < IMAGES_OF_A_CLASS * len(sizes))):
        together = max(size // len(sizes), min(IMAGES_OF_A_CLASS, size // 2))
        unit = math.lcm(together, shares)
        size = unit * max(round(size / unit), 1)  # P classes x K images, in equal parts
        count = steps * size
    shuffled = partial(tf.random.experimental.stateless_shuffle, tf.range(count))
    order = balanced(labels, count, together) if together else shuffled  # by (seed, epoch)

    images = train.images
    if isinstance(images, Rows):

        def read(rows):
            pixels = tf.numpy_function(lambda i: images[i], [rows], tf.uint8)
            return tf.ensure_shape(pixels, (None, *images.shape[1:]))
    else:
        with tf.device("CPU:0"):  # the batches are made there: no card is to hold them all
            read = partial(tf.gather, tf.constant(images))

    def pixels(rows, key):
        return moved(read(rows), recipe, key) if move else read(rows)

    def one_epoch(epoch):
        def made(step, indices):
            key = tf.stack([seed, epoch * 1_000_003 + tf.cast(step, tf.int32)])
            if in_batch:
                return pixels(indices, key), tf.gather(class_of, indices)
            of_step = tf.reshape(tf.gather(others, indices), [-1])
            y = tf.cast(tf.reshape(tf.gather(y_of, indices), [-1, 1]), tf.float32)
            return (pixels(tf.gather(anchors, indices), key), pixels(of_step, key + 1)), y

        batches = tf.data.Dataset.from_tensor_slices(order(tf.stack([seed, epoch])))
        batches = batches.batch(size, drop_remainder=in_batch).take(steps).enumerate()
        return batches.map(made, num_parallel_calls=AT_ONCE)

    # a training that was resumed after its last epoch still builds its model from a batch
    last = recipe.training.epochs
    epochs = tf.data.Dataset.range(min(first_epoch, last - 1), last, output_type=tf.int32)
    # nothing here is left to autotune, and its thread can hold up the end of fit for a minute
    options = tf.data.Options()
    options.autotune.enabled = False
    return epochs.flat_map(one_epoch).prefetch(4).with_options(options), steps


def balanced(labels: np.ndarray, count: int, together: int) -> Callable[[tf.Tensor], tf.Tensor]:
    """`count` images, `together` of one class after each other, all classes equally often.

    labels: int (N,). count: a multiple of `together`. Returns a function of (seed, epoch), int32
    (2,), to the numbers of the images, int32 (count,).
    The classes come in rounds, each once, in random order. Each class gives the images of an
    endless row, which holds all of its images in random order, then all in another, and so on.
    """
    (_, classes, sizes) = np.unique(labels, return_inverse=True, return_counts=True)
    by_class = np.split(np.argsort(classes, kind="stable"), np.cumsum(sizes)[:-1])
    takes = count // together

    def order(key):
        (rng, rounds) = (np.random.default_rng(key.tolist()), -(-takes // len(sizes)))
        of = np.concatenate([rng.permutation(len(sizes)) for _ in range(rounds)])[:takes]
        rows = []  # of each class
        for members, wanted in zip(by_class, np.bincount(of, minlength=len(sizes)) * together):
            row = [rng.permutation(members) for _ in range(-(-wanted // len(members)))]
            rows.append(np.concatenate([members[:0], *row])[:wanted])
        chosen = np.empty((takes, together), np.int32)
        chosen[np.argsort(of, kind="stable")] = np.concatenate(rows).reshape(-1, together)
        return chosen.ravel()

    return lambda key: tf.ensure_shape(tf.numpy_function(order, [key], tf.int32), (count,))


def pairs_of_a_batch(batch: tuple, count: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of a batch of either kind: (images_a, images_b, y), `count` same, then different."""
    (inputs, y) = (batch[0], batch[1].numpy().ravel())
    if isinstance(inputs, tuple):  # (anchors, others): k pairs of each anchor, side by side
        (images_a, images_b) = (x.numpy() for x in inputs)
        (a, b) = (np.arange(len(y)) // (len(images_b) // len(images_a)), np.arange(len(y)))
    else:  # every pair inside the batch
        images_a = images_b = inputs.numpy()
        ends = np.random.default_rng(0).permutation(np.transpose(np.triu_indices(len(y), 1)))
        # one same pair of each class before a second one of any
        (_, first) = np.unique(np.where(np.equal(*y[ends.T]), y[ends[:, 0]], -1), return_index=True)
        (a, b) = np.concatenate([ends[np.sort(first)], np.delete(ends, first, axis=0)]).T
        y = (y[a] == y[b]).astype(int)
    some = np.concatenate([np.flatnonzero(y == kind)[:count] for kind in (1, 0)])
    return images_a[a[some]], images_b[b[some]], y[some]


def steps_and_size(n: int, size: int, whole: bool = True, shares: int = 1) -> tuple[int, int]:
    """Steps of an epoch of n images in batches of about `size`, and the size that these have.

    whole: every batch is full, of half the size to three times as much, and at most 5 % of the
    images (or one) are left out. Otherwise the last batch takes what is left.
    Of more than 25 steps a number from 10 to 25 is to divide them, since so many run in one
    call of TensorFlow: some steps fewer, or a size up to a tenth away, allow that.
    shares: the devices that share a batch; they divide its size.

    >>> steps_and_size(54000, 128)  # 421 batches, but 421 is prime; 420 = 20 * 21
    (420, 128)
    """

    def is_awkward(steps):
        return steps > MOST_STEPS and steps_of_a_call(steps) < LEAST_STEPS

    if n < shares:
        raise InputError(f"an image for each of {shares} devices", f"{n} images")
    n -= n % shares
    size = max(min(size, n), shares)
    ranked = []
    # an image alone makes no pair
    least = max(size // 2, min(4, n) if whole else 1)
    for other in range(-(-least // shares) * shares, min(3 * size, n) + 1, shares):
        steps = n // other if whole else -(-n // other)
        while whole and is_awkward(steps) and (steps - 1) * other >= (1 - LEFT_OUT) * n:
            steps -= 1
        (lost, away) = (max(n - steps * other - LEFT_OUT * n, 0), abs(other - size))
        ranked.append(((lost, away > size / 10, is_awkward(steps), away), steps, other))
    return min(ranked)[1:]


def steps_of_a_call(steps: int) -> int:
    """The largest number up to 25 that divides the steps of an epoch."""
    return max(k for k in range(1, MOST_STEPS + 1) if steps % k == 0)
