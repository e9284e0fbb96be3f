"""The order in which an epoch takes its images: a function of (seed, epoch) alone."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from pyimagesearch.system.errors import InputError

MOST_STEPS = 25  # of an epoch in one call of TensorFlow
LEAST_STEPS = 10  # in one call, where an epoch has many
LEFT_OUT = 0.05  # of the images: the most that an epoch may leave out
IMAGES_OF_A_CLASS = 4  # in a batch, where chance alone would bring fewer

Order = Callable[[tf.Tensor], tf.Tensor]  # (seed, epoch), int32 (2,) -> int32 (n,), which images


def steps_and_size(n: int, size: int, whole: bool = True, shares: int = 1) -> tuple[int, int]:
    """Steps of an epoch of n images in batches of about `size`, and the size that these have.

    whole: every batch is full, and an epoch leaves out at most 5 % of the images (or one), for
    which the size may be anything from half of the wanted to three times as much. Otherwise the
    last batch takes what is left.
    Of more than 25 steps a number from 10 to 25 is to divide them, since so many run in one
    call of TensorFlow: some steps fewer, or a size up to a tenth away, allow that.
    A set smaller than a batch is one batch.
    shares: a number that the size of each batch is a multiple of, how many devices share it.
    Raises InputError where there are fewer images than shares.

    >>> steps_and_size(54000, 128)  # 421 batches, but 421 is prime; 420 = 20 * 21
    (420, 128)
    """
    if n < shares:
        raise InputError(f"Expected an image for each of {shares} devices. Received: {n} images.")
    n -= n % shares
    size = max(min(size, n), shares)
    least = min(2, n) if whole else 1  # an image alone makes no pair
    ranked = []
    for other in range(max(size // 2, least), min(3 * size, n) + 1):
        if other % shares:
            continue
        steps = n // other if whole else -(-n // other)
        while whole and _awkward(steps) and (steps - 1) * other >= (1 - LEFT_OUT) * n:
            steps -= 1
        lost = max(n - steps * other, 0)
        away = abs(other - size)
        rank = (max(lost - LEFT_OUT * n, 0), away > size / 10, _awkward(steps), away)
        ranked.append((rank, steps, other))
    return min(ranked)[1:]


def epochs_of(n: int, size: int, epochs: int, least_steps: int) -> int:
    """So many epochs of n images in batches of about `size`, and more where the steps are few."""
    return max(epochs, -(-least_steps // steps_and_size(n, size)[0]))


def _awkward(steps):
    return steps > MOST_STEPS and steps_of_a_call(steps) < LEAST_STEPS


def steps_of_a_call(steps: int) -> int:
    """The largest number up to 25 that divides the steps of an epoch."""
    return max(k for k in range(1, MOST_STEPS + 1) if steps % k == 0)


def shuffled(n: int) -> Order:
    """Each of n images once, in random order."""
    return lambda key: tf.random.experimental.stateless_shuffle(tf.range(n), seed=key)


def by_fours(classes: np.ndarray) -> Order:
    """Each image once, those of a class four by four, these fours in random order.

    classes: int (N,), 0 to C - 1.
    """
    sizes = np.bincount(classes)

    def order(key):
        rng = np.random.default_rng(key)
        mixed = rng.permutation(len(classes))
        by_class = mixed[np.argsort(classes[mixed], kind="stable")]
        rank = np.arange(len(classes)) - (np.cumsum(sizes) - sizes)[classes[by_class]]
        starts = np.cumsum(rank % IMAGES_OF_A_CLASS == 0) - 1  # the number of each image's four
        place = rng.permutation(starts[-1] + 1)[starts]
        return by_class[np.argsort(place, kind="stable")].astype(np.int32)

    return _in_tensorflow(order, len(classes))


def balanced(classes: np.ndarray, count: int, together: int) -> Order:
    """`count` images, `together` of one class after each other, all classes equally often.

    classes: int (N,), 0 to C - 1, none of them empty. An epoch goes on where the one before
    it ended, in two endless rows. Rounds: each takes all classes once, in random order. In
    round r a class gives its images r * together to (r + 1) * together - 1 of its own row,
    which holds all of its images in random order, then all in another, and so on. So a class
    of n images has shown all of them after n / together rounds, large or small.
    count: a multiple of `together`.
    """
    sizes = np.bincount(classes)
    by_class = np.argsort(classes, kind="stable")
    starts = np.cumsum(sizes) - sizes
    takes = count // together  # of an epoch

    def order(key):
        (seed, epoch) = (int(x) for x in key)
        take = epoch * takes + np.arange(takes)
        rounds = take // len(sizes)
        mixed = {
            r: np.random.default_rng([seed, 1, r]).permutation(len(sizes))
            for r in np.unique(rounds)
        }
        of = np.array([mixed[r][t] for r, t in zip(rounds, take % len(sizes))])
        chosen = np.empty((takes, together), np.int32)
        for c in np.unique(of):
            rows = np.flatnonzero(of == c)
            place = rounds[rows, np.newaxis] * together + np.arange(together)
            (first, last) = (place.min() // sizes[c], place.max() // sizes[c])
            own = [
                np.random.default_rng([seed, 2, c, turn]).permutation(sizes[c])
                for turn in range(first, last + 1)
            ]
            own = starts[c] + np.concatenate(own)  # the class's row, from turn `first` on
            chosen[rows] = by_class[own[place - first * sizes[c]]]
        return chosen.ravel()

    return _in_tensorflow(order, takes * together)


def _in_tensorflow(order, length):
    def wrapped(key):
        return tf.ensure_shape(tf.numpy_function(order, [key], tf.int32), (length,))

    return wrapped
