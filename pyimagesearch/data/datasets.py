"""Image sets: MNIST, Keras' own, a folder of classes, a folder of pairs; and how they are split."""

# import the necessary packages
from pathlib import Path

import keras
import numpy as np

from pyimagesearch.data import folders
from pyimagesearch.data.pairs import Pairs, sample_pairs
from pyimagesearch.data.rows import take
from pyimagesearch.data.sets import ImageSet
from pyimagesearch.system.errors import InputError

MOST_TAKEN = 30_000  # images to choose by, or to measure with
MNIST_PATH = Path(__file__).parent / "mnist.npz"


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


def load_keras(name):
    """fashion_mnist or cifar10 through Keras, which downloads it once. Returns as load_mnist."""
    try:
        parts = getattr(keras.datasets, name).load_data()
    except Exception as error:  # Keras raises whatever its download met
        raise InputError(
            f"Expected {name} on this disk, or a network to fetch it. Received: {error}."
        ) from None
    return tuple(
        (images.reshape(*images.shape[:3], -1), labels.ravel().astype("int64"))
        for images, labels in parts
    )


DATASETS = {
    "mnist": load_mnist,
    "fashion_mnist": lambda: load_keras("fashion_mnist"),
    "cifar10": lambda: load_keras("cifar10"),
}


def load(name, recipe, rng, cache, image_size=None, channels=None, by="images"):
    """The image sets to train and to test on: (train, test).

    name: a key of DATASETS, which brings its own test images; else a folder, as
    folders.read_folder takes it with cache, image_size and channels, of which the share
    recipe.reading.tested is kept for the test, as split does it.
    """
    if name in DATASETS:
        if image_size or channels or by != "images":
            raise InputError(
                "Expected --image-size, --channels and --split with a folder alone. "
                f"Received: --dataset {name}."
            )
        return tuple(ImageSet(*part, None) for part in DATASETS[name]())
    if not Path(name).is_dir():
        raise InputError(
            f"Expected --dataset {', '.join(DATASETS)} or a folder. Received: {name}, no folder."
        )
    folder = folders.read_folder(
        name, recipe.reading.least_shape, image_size=image_size, channels=channels
    )
    everything = ImageSet(folder.pixels, folder.labels, folder.pairs, folder.class_names)
    return split(everything, recipe.reading.tested, rng, by)


def with_pairs(images, rng, sampler=sample_pairs):
    """An ImageSet with pairs: its own, or drawn from its labels by a sampler of SAMPLERS."""
    return images if images.pairs else images.replace(pairs=sampler(images.labels, rng))


def split(images, fraction, rng, by="images"):
    """Split an ImageSet at random in two: (kept, taken), about `fraction` of it in the second.

    by "images": of every class, at least two images on each side; a class with fewer than
    four is kept whole. by "classes": whole classes, at least two on each side. A set of pairs
    is split by its pairs, and no taken pair shares an image with a kept one.
    At 0 the second is empty; it never holds much more than 30,000 images, since more would take
    time and memory and change no figure.
    Raises ValueError where one side would not have two classes.
    """
    if fraction == 0:
        return images, None
    if images.labels is None:
        if by == "classes":
            raise InputError("Expected --split images. Received: classes, for ready pairs.")
        return _split_pairs(images, fraction, rng)
    (classes, numbers) = np.unique(images.labels, return_inverse=True)
    fraction = min(fraction, MOST_TAKEN / len(numbers))
    if by == "classes":
        count = max(round(fraction * len(classes)), 2)
        taken = np.isin(numbers, rng.permutation(len(classes))[:count])
        enough = len(classes) >= count + 2
        wanted = "six classes for --split classes, four with a recipe that holds out none"
    else:
        taken = np.zeros(len(numbers), dtype=bool)
        for number in range(len(classes)):
            rows = rng.permutation(np.flatnonzero(numbers == number))
            if len(rows) >= 4:
                taken[rows[: max(round(fraction * len(rows)), 2)]] = True
        enough = len(np.unique(numbers[taken])) >= 2
        wanted = "two classes of six images, of four with a recipe that holds out none"
    if not enough:
        raise InputError(
            f"Expected at least {wanted}. Received: {len(numbers)} images of {len(classes)} "
            "classes to split in two."
        )
    return _part(images, np.flatnonzero(~taken)), _part(images, np.flatnonzero(taken))


def _part(images, rows):
    return ImageSet(take(images.images, rows), images.labels[rows], None)


def _split_pairs(images, fraction, rng):
    pairs = images.pairs.singly()
    order = rng.permutation(len(pairs.anchors))
    count = round(fraction * len(order))
    (taken, kept) = (np.sort(order[:count]), np.sort(order[count:]))
    kept_images = np.unique(pairs.indices()[kept])
    shared = np.isin(pairs.indices()[taken], kept_images).any(axis=1)
    taken = taken[~shared]
    parts = [Pairs(*(part[rows] for part in pairs)) for rows in (kept, taken)]
    if any(np.unique(part.y).tolist() != [0, 1] for part in parts):
        raise InputError(
            "Expected pairs of both kinds to train on and to test on, which share no image. "
            f"Received: {len(order)} pairs, {count} of them for the test, {np.sum(shared)} of "
            "these with an image that is also trained on."
        )
    return tuple(_used(images, part) for part in parts)


def _used(images, pairs):
    # the images that stand in these pairs, and no others
    (used, place) = np.unique(pairs.indices(), return_inverse=True)
    (anchors, others) = place.reshape(-1, 2).T
    pairs = Pairs(anchors, others[:, np.newaxis], pairs.y)
    return ImageSet(take(images.images, used), None, pairs)
