"""The batches that training draws: a function of (seed, epoch) alone, pixels gathered as needed."""

# import the necessary packages
import math

import numpy as np
import tensorflow as tf

from pyimagesearch.system.errors import InputError

MOST_STEPS = 25  # of an epoch in one call of TensorFlow
IMAGES_OF_A_CLASS = 4  # in a batch, where chance alone would bring fewer


def batches(train, recipe, seed, first_epoch=0):
    """The training batches of a recipe: pair_batches or image_batches, by its pairing.

    train: an ImageSet, with pairs for all pairings but "batch".
    Returns (dataset of all epochs from first_epoch on, steps in one).
    """
    if train.labels is None and recipe.training.pairing in ("batch", "triplets"):
        raise InputError(
            "Expected classes, which this recipe draws its pairs from. Received: a folder of "
            "ready pairs. Recipes for it: article, bce, keras-io, dogs."
        )
    # a training that was resumed after its last epoch still builds its model from a batch
    (size, epochs) = (recipe.training.batch_size, recipe.training.epochs)
    epochs = range(min(first_epoch, epochs - 1), epochs)
    if recipe.training.pairing == "batch":
        return image_batches(train.images, train.labels, size, epochs, seed, recipe)
    if recipe.training.pairing == "triplets":
        size *= train.pairs.others.shape[1]
    return pair_batches(train.images, train.pairs, size, epochs, seed, recipe)


def pair_batches(images, pairs, batch_size, epochs, seed, recipe=None):
    """Batches of pairs for fit: ((anchors, others), y), the k pairs of an anchor side by side.

    images: uint8 (N, H, W, C). pairs: Pairs, M anchors with k others each.
    A step holds batch_size / k anchors (B / k, H, W, C), their others in turn (B, H, W, C),
    and y (B, 1). Pixels are gathered step by step: no pair is copied out.
    epochs: which, a range; every one has its own order.
    recipe: how images are moved, see moved; None: not at all.
    Returns (dataset of all epochs, steps in one). Raises ValueError where k does not divide
    batch_size.
    """
    k = pairs.others.shape[1]
    if batch_size % k:
        raise InputError(
            "Expected an even batch size: each image brings a positive and a negative pair. "
            f"Received: {batch_size}."
        )
    pixels = _gatherer(images)
    (anchors, others, labels) = (tf.constant(x) for x in pairs)

    def gather(indices, seed):
        of_step = tf.reshape(tf.gather(others, indices), [-1])
        y = tf.cast(tf.reshape(tf.gather(labels, indices), [-1, 1]), tf.float32)
        (imagesA, imagesB) = (pixels(tf.gather(anchors, indices)), pixels(of_step))
        if recipe:
            imagesA = moved(imagesA, recipe, seed)
            imagesB = moved(imagesB, recipe, seed + 1)
        return (imagesA, imagesB), y

    order = _shuffled(len(pairs.anchors))
    return _batches(len(pairs.anchors), batch_size // k, epochs, seed, order, gather)


def image_batches(images, labels, batch_size, epochs, seed, recipe=None):
    """Batches of images with their labels, for a loss that forms the pairs itself.

    images: uint8 (N, H, W, C). labels: (N,) of any kind; the loss sees 0 to classes - 1.
    Where there are so many classes that a batch would hold fewer than four images of each, the
    images of a class come four by four. recipe: how images are moved; None: not at all.
    What does not fill a batch, or a round number of them, has its chance in the next epoch.
    Returns (dataset of all epochs, steps in one): uint8 (B, H, W, C), int32 (B,).
    """
    if batch_size < 2:
        raise InputError(f"Expected at least 2 images a batch. Received: {batch_size}.")
    pixels = _gatherer(images)
    (classes, numbers) = np.unique(labels, return_inverse=True)
    labels = tf.constant(numbers.astype("int32"))

    def gather(indices, seed):
        batch = pixels(indices)
        if recipe:
            batch = moved(batch, recipe, seed)
        return batch, tf.gather(labels, indices)

    batch_size = min(batch_size, len(numbers))
    many = batch_size < IMAGES_OF_A_CLASS * len(classes)
    order = _by_fours(numbers) if many else _shuffled(len(numbers))
    return _batches(len(numbers), batch_size, epochs, seed, order, gather, drop_remainder=True)


def pairs_of_a_batch(batch, count=5):
    """Some pairs as the network sees them: (imagesA, imagesB, y), `count` same, then different.

    batch: one element of either dataset. Fewer where the batch holds fewer.
    """
    (inputs, y) = batch
    if isinstance(inputs, tuple):  # (anchors, others): k pairs of each anchor, side by side
        (imagesA, imagesB) = (x.numpy() for x in inputs)
        imagesA = imagesA.repeat(len(imagesB) // len(imagesA), axis=0)
        y = y.numpy().ravel()
    else:  # every pair inside the batch
        order = np.random.default_rng(0).permutation(len(y) * (len(y) - 1) // 2)
        (a, b) = (indices[order] for indices in np.triu_indices(len(y), 1))
        imagesA, imagesB = inputs.numpy()[a], inputs.numpy()[b]
        y = (y.numpy()[a] == y.numpy()[b]).astype(int)
    some = np.concatenate([np.flatnonzero(y == kind)[:count] for kind in (1, 0)])
    return imagesA[some], imagesB[some], y[some]


def moved(images, recipe, seed):
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


def _gatherer(images):
    # a function of indices: pixels held in memory, or read from the disk as they are asked for
    if isinstance(images, np.ndarray) and not isinstance(images, np.memmap):
        images = tf.constant(images)
        return lambda indices: tf.gather(images, indices)

    def read(indices):
        pixels = tf.numpy_function(lambda i: images[i], [indices], tf.uint8)
        return tf.ensure_shape(pixels, (None, *images.shape[1:]))

    return read


def _shuffled(n):
    return lambda seed: tf.random.experimental.stateless_shuffle(tf.range(n), seed=seed)


def _by_fours(numbers):
    # the images of each class in random order, four by four, and these fours in random order
    def order(seed):
        rng = np.random.default_rng(seed)
        shuffled = rng.permutation(len(numbers))
        by_class = shuffled[np.argsort(numbers[shuffled], kind="stable")]
        sizes = np.bincount(numbers)
        rank = np.arange(len(numbers)) - (np.cumsum(sizes) - sizes)[numbers[by_class]]
        starts = np.cumsum(rank % IMAGES_OF_A_CLASS == 0) - 1  # the number of each image's four
        place = rng.permutation(starts[-1] + 1)[starts]
        return by_class[np.argsort(place, kind="stable")].astype(np.int32)

    return lambda seed: tf.ensure_shape(tf.numpy_function(order, [seed], tf.int32), (len(numbers),))


def _batches(n, size, epochs, seed, order, gather, drop_remainder=False):
    steps = n // size if drop_remainder else -(-n // size)
    if drop_remainder and steps > MOST_STEPS:
        steps -= steps % MOST_STEPS  # a round number: see optimizers.steps_per_execution

    def one_epoch(epoch):
        batches = tf.data.Dataset.from_tensor_slices(order(tf.stack([seed, epoch])))
        return (
            batches.batch(size, drop_remainder)
            .take(steps)
            .enumerate()
            .map(
                lambda step, indices: gather(
                    indices, tf.stack([seed, epoch * 1_000_003 + tf.cast(step, tf.int32)])
                )
            )
        )

    dataset = tf.data.Dataset.range(epochs.start, epochs.stop, output_type=tf.int32)
    dataset = dataset.flat_map(one_epoch)
    # nothing here is left to autotune, and its thread can hold up the end of fit for a minute
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.prefetch(4).with_options(options), steps
