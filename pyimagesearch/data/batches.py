"""An image set comes in; the batches that training draws go out, a function of (seed, epoch)."""

import math

import numpy as np
import tensorflow as tf

from pyimagesearch.config import Recipe
from pyimagesearch.data import orders
from pyimagesearch.data.augmentation import moved
from pyimagesearch.data.labels import are_uneven
from pyimagesearch.data.orders import IMAGES_OF_A_CLASS, steps_and_size
from pyimagesearch.data.pairs import Pairs
from pyimagesearch.data.rows import Rows
from pyimagesearch.data.sets import ImageSet
from pyimagesearch.system.errors import InputError
from pyimagesearch.system.terminal import at_once

Batches = tuple[tf.data.Dataset, int]  # the batches of all epochs, and the steps of one
AT_ONCE = at_once()  # batches that are made side by side


def batches(
    train: ImageSet, recipe: Recipe, seed: int, first_epoch: int = 0, shares: int = 1
) -> Batches:
    """The training batches of a recipe: pair_batches or image_batches, by its pairing.

    train: with pairs for all pairings but "batch". Where its largest class has more than three
    times the images of its smallest, all classes come equally often.
    shares: how many devices share a batch in equal parts.
    Returns (dataset of all epochs from first_epoch on, steps in one).
    Raises InputError where the recipe needs classes, and only pairs are known.
    """
    # a training that was resumed after its last epoch still builds its model from a batch
    (size, last) = (recipe.training.batch_size, recipe.training.epochs)
    epochs = range(min(first_epoch, last - 1), last)
    if train.labels is None:
        if recipe.training.pairing in ("batch", "triplets"):
            raise InputError(
                "Expected classes, which this recipe draws its pairs from. Received: a folder of "
                "ready pairs. Recipes for it: pairs, article, bce, keras-io, dogs."
            )
    elif recipe.training.pairing == "batch":
        return image_batches(train.images, train.labels, size, epochs, seed, recipe, shares)
    if recipe.training.pairing == "triplets":
        size *= train.drawn.others.shape[1]
    (drawn, labels) = (train.drawn, train.labels)
    return pair_batches(train.images, drawn, size, epochs, seed, recipe, labels, shares)


def pair_batches(
    images: np.ndarray | Rows,
    pairs: Pairs,
    batch_size: int,
    epochs: range,
    seed: int,
    recipe: Recipe | None = None,
    labels: np.ndarray | None = None,
    shares: int = 1,
) -> Batches:
    """Batches of pairs for fit: ((anchors, others), y), the k pairs of an anchor side by side.

    images: uint8 (N, H, W, C). pairs: M anchors with k others each.
    A step holds batch_size / k anchors (B / k, H, W, C), their others in turn (B, H, W, C),
    and y (B, 1). Pixels are gathered step by step: no pair is copied out.
    epochs: which, a range; every one has its own order, and holds every anchor once.
    recipe: how images are moved, see moved; None: not at all.
    labels: int (N,). Where classes are of very different size an epoch has M anchors all the
    same, but of all classes equally often; None: each anchor once in any case.
    Returns (dataset of all epochs, steps in one). Raises InputError where k does not divide
    batch_size.
    """
    (count, k) = pairs.others.shape
    if batch_size % k:
        raise InputError(
            "Expected an even batch size: each image brings a positive and a negative pair. "
            f"Received: {batch_size}."
        )
    pixels = _gatherer(images)
    (anchors, others, y_of) = (tf.constant(x) for x in pairs)

    def gather(indices, seed):
        of_step = tf.reshape(tf.gather(others, indices), [-1])
        y = tf.cast(tf.reshape(tf.gather(y_of, indices), [-1, 1]), tf.float32)
        (images_a, images_b) = (pixels(tf.gather(anchors, indices)), pixels(of_step))
        if recipe:
            images_a = moved(images_a, recipe, seed)
            images_b = moved(images_b, recipe, seed + 1)
        return (images_a, images_b), y

    (steps, size) = steps_and_size(count, batch_size // k, False, shares)
    order = orders.shuffled(count)
    if labels is not None:
        classes = _numbered(labels[pairs.anchors])
        if are_uneven(np.bincount(classes)):
            order = orders.balanced(classes, count, together=1)
    return _batches(order, steps, size, epochs, seed, gather), steps


def image_batches(
    images: np.ndarray | Rows,
    labels: np.ndarray,
    batch_size: int,
    epochs: range,
    seed: int,
    recipe: Recipe | None = None,
    shares: int = 1,
) -> Batches:
    """Batches of images with their labels, for a loss that forms the pairs itself.

    images: uint8 (N, H, W, C). labels: int32 (N,). recipe: how images are moved; None: not.
    Where the largest class has more than three times the images of the smallest, a batch is
    of P classes with K images each, see orders.balanced. Where there are so many classes that
    a batch would hold fewer than four images of each, the images of a class come four by four.
    A batch is so large that an epoch leaves out as few images as can be, see steps_and_size;
    these have their chance in the next one.
    Returns (dataset of all epochs, steps in one): uint8 (B, H, W, C), int32 (B,).
    """
    if batch_size < 2:
        raise InputError(f"Expected at least 2 images a batch. Received: {batch_size}.")
    pixels = _gatherer(images)
    classes = _numbered(labels)
    count = classes.max() + 1
    class_of = tf.constant(np.asarray(labels, np.int32))

    def gather(indices, seed):
        batch = pixels(indices)
        if recipe:
            batch = moved(batch, recipe, seed)
        return batch, tf.gather(class_of, indices)

    (steps, size) = steps_and_size(len(classes), batch_size, shares=shares)
    if are_uneven(np.bincount(classes)):
        together = max(size // count, min(IMAGES_OF_A_CLASS, size // 2))
        unit = math.lcm(together, shares)
        size = unit * max(round(size / unit), 1)  # P classes x K images, in equal parts
        order = orders.balanced(classes, steps * size, together)
    elif size < IMAGES_OF_A_CLASS * count:
        order = orders.by_fours(classes)
    else:
        order = orders.shuffled(len(classes))
    return _batches(order, steps, size, epochs, seed, gather, whole=True), steps


def pairs_of_a_batch(batch: tuple, count: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Some pairs as the network sees them: (images_a, images_b, y), `count` same, then different.

    batch: one element of either dataset. Fewer where the batch holds fewer.
    """
    (inputs, y) = batch
    if isinstance(inputs, tuple):  # (anchors, others): k pairs of each anchor, side by side
        (images_a, images_b) = (x.numpy() for x in inputs)
        images_a = images_a.repeat(len(images_b) // len(images_a), axis=0)
        y = y.numpy().ravel()
    else:  # every pair inside the batch
        order = np.random.default_rng(0).permutation(len(y) * (len(y) - 1) // 2)
        (a, b) = (indices[order] for indices in np.triu_indices(len(y), 1))
        images_a, images_b = inputs.numpy()[a], inputs.numpy()[b]
        y = (y.numpy()[a] == y.numpy()[b]).astype(int)
    some = np.concatenate([np.flatnonzero(y == kind)[:count] for kind in (1, 0)])
    return images_a[some], images_b[some], y[some]


def _gatherer(images):
    # a function of indices: pixels held in memory, or read from the disk as they are asked for
    if isinstance(images, np.ndarray) and not isinstance(images, np.memmap):
        with tf.device("CPU:0"):  # the batches are made there: no card is to hold them all
            images = tf.constant(images)
        return lambda indices: tf.gather(images, indices)

    def read(indices):
        pixels = tf.numpy_function(lambda i: images[i], [indices], tf.uint8)
        return tf.ensure_shape(pixels, (None, *images.shape[1:]))

    return read


def _numbered(labels):
    # 0 to classes - 1, none of them empty
    return np.unique(labels, return_inverse=True)[1]


def _batches(order, steps, size, epochs, seed, gather, whole=False):
    def one_epoch(epoch):
        batches = tf.data.Dataset.from_tensor_slices(order(tf.stack([seed, epoch])))
        return (
            batches.batch(size, drop_remainder=whole)
            .take(steps)
            .enumerate()
            .map(
                lambda step, indices: gather(
                    indices, tf.stack([seed, epoch * 1_000_003 + tf.cast(step, tf.int32)])
                ),
                num_parallel_calls=AT_ONCE,  # in their order all the same
            )
        )

    dataset = tf.data.Dataset.range(epochs.start, epochs.stop, output_type=tf.int32)
    dataset = dataset.flat_map(one_epoch)
    # nothing here is left to autotune, and its thread can hold up the end of fit for a minute
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.prefetch(4).with_options(options)
