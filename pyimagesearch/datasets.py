"""Images and labels, and the batches that training draws from them."""

# import the necessary packages
from pathlib import Path

import numpy as np
import tensorflow as tf

MNIST_PATH = Path(__file__).parent / "data" / "mnist.npz"


def load_mnist(path=MNIST_PATH):
    """The 70,000 handwritten digits that ship with this project.

    Returns ((trainX, trainY), (testX, testY)): images uint8 (60000, 28, 28, 1) and
    (10000, 28, 28, 1), labels int64 0 to 9.
    """
    with np.load(path) as data:
        trainX, testX = data["x_train"], data["x_test"]
        trainY, testY = data["y_train"], data["y_test"]

    # add a channel dimension to the images
    trainX = np.expand_dims(trainX, axis=-1)
    testX = np.expand_dims(testX, axis=-1)
    return (trainX, trainY.astype("int64")), (testX, testY.astype("int64"))


def hold_out(images, labels, fraction, rng):
    """Split (images, labels) at random in two: (kept to train on, held out for choices).

    fraction of the images, 0 to below 1, are held out; at 0 the second part is empty.
    """
    order = rng.permutation(len(images))
    size = round(fraction * len(images))
    held, kept = np.sort(order[:size]), np.sort(order[size:])
    return (images[kept], labels[kept]), (images[held], labels[held])


def batches(images, labels, partners, recipe, seed):
    """The training batches of a recipe: pair_batches or image_batches, by its pairing.

    Returns (dataset of all epochs, steps in one).
    """
    if recipe.pairing == "pairs":
        return pair_batches(images, partners, recipe.batch_size, recipe.epochs, seed)
    return image_batches(images, labels, recipe.batch_size, recipe.epochs, seed, recipe.shift)


def pair_batches(images, partners, batch_size, epochs, seed):
    """Batches of pairs for fit: ((anchors, others), y), an image's two pairs side by side.

    images: uint8 (N, H, W, C). partners: int (N, 2) from sample_pairs.
    A step holds batch_size / 2 anchors (B / 2, H, W, C), their positives and negatives in
    turn (B, H, W, C), and y (B, 1). Pixels are gathered step by step: no pair is copied out.
    Every epoch has its own order, a function of (seed, epoch) alone.
    Returns (dataset of all epochs, steps in one). Raises ValueError for an odd batch_size.
    """
    if batch_size % 2:
        raise ValueError(
            "Expected an even batch size: each image brings a positive and a negative pair. "
            f"Received: {batch_size}."
        )
    images, partners = tf.constant(images), tf.constant(partners)

    def gather(indices, epoch, step):
        others = tf.reshape(tf.gather(partners, indices), [-1])
        y = tf.tile([[1.0], [0.0]], [tf.size(indices), 1])
        return (tf.gather(images, indices), tf.gather(images, others)), y

    return _batches(len(images), batch_size // 2, epochs, seed, gather, drop_remainder=False)


def image_batches(images, labels, batch_size, epochs, seed, shift=0):
    """Batches of images with their labels, for a loss that forms the pairs itself.

    images: uint8 (N, H, W, C). labels: (N,) of any kind; the loss sees 0 to classes - 1.
    shift: every image is moved by up to this many pixels, black coming in at the edge.
    What does not fill a batch, or a round number of them, has its chance in the next epoch.
    Order and shifts are a function of (seed, epoch, step) alone.
    Returns (dataset of all epochs, steps in one): uint8 (B, H, W, C), int32 (B,).
    """
    if batch_size < 2:
        raise ValueError(f"Expected at least 2 images a batch. Received: {batch_size}.")
    images = tf.constant(images)
    labels = tf.constant(np.unique(labels, return_inverse=True)[1].astype("int32"))

    def gather(indices, epoch, step):
        batch = tf.gather(images, indices)
        if shift:
            batch = _shifted(batch, shift, [seed, epoch * 1_000_003 + step])
        return batch, tf.gather(labels, indices)

    batch_size = min(batch_size, len(images))
    return _batches(len(images), batch_size, epochs, seed, gather, drop_remainder=True)


def pairs_of_a_batch(batch, count=5):
    """Some pairs as the network sees them: (imagesA, imagesB, y), `count` same, then different.

    batch: one element of either dataset. Fewer where the batch holds fewer.
    """
    (inputs, y) = batch
    if isinstance(inputs, tuple):  # (anchors, others): two pairs of each anchor, side by side
        imagesA, imagesB, y = inputs[0].numpy().repeat(2, axis=0), inputs[1].numpy(), y.numpy()
        y = y.ravel()
    else:  # every pair inside the batch
        order = np.random.default_rng(0).permutation(len(y) * (len(y) - 1) // 2)
        (a, b) = (indices[order] for indices in np.triu_indices(len(y), 1))
        imagesA, imagesB = inputs.numpy()[a], inputs.numpy()[b]
        y = (y.numpy()[a] == y.numpy()[b]).astype(int)
    some = np.concatenate([np.flatnonzero(y == kind)[:count] for kind in (1, 0)])
    return imagesA[some], imagesB[some], y[some]


def _batches(n, size, epochs, seed, gather, drop_remainder):
    steps = n // size if drop_remainder else -(-n // size)
    if drop_remainder and steps > 25:
        steps -= steps % 25  # a round number, which training.steps_per_execution divides

    def one_epoch(epoch):
        order = tf.random.experimental.stateless_shuffle(tf.range(n), seed=[seed, epoch])
        batches = tf.data.Dataset.from_tensor_slices(order).batch(size, drop_remainder)
        return (
            batches.take(steps)
            .enumerate()
            .map(lambda step, indices: gather(indices, epoch, tf.cast(step, tf.int32)))
        )

    dataset = tf.data.Dataset.range(epochs, output_type=tf.int32).flat_map(one_epoch)
    # nothing here is left to autotune, and its thread can hold up the end of fit for a minute
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.prefetch(4).with_options(options), steps


def _shifted(images, shift, seed):
    # each output pixel (x, y) is the input's (x + dx, y + dy)
    (dx, dy) = tf.unstack(
        tf.cast(
            tf.random.stateless_uniform(
                [2, tf.shape(images)[0]], seed, -shift, shift + 1, dtype=tf.int32
            ),
            tf.float32,
        )
    )
    zero, one = tf.zeros_like(dx), tf.ones_like(dx)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([one, zero, dx, zero, one, dy, zero, zero], axis=1),
        output_shape=tf.shape(images)[1:3],
        fill_value=0.0,
        interpolation="NEAREST",
        fill_mode="CONSTANT",
    )
