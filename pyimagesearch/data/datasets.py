"""A name, a folder or a list comes in; four parts with their pairs go out: DataSet."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike

from pyimagesearch.config import Recipe
from pyimagesearch.data import folders, sets, splits
from pyimagesearch.data.copies import near_copies
from pyimagesearch.data.listing import few_of
from pyimagesearch.data.pairs import SAMPLERS, Pairs, sample_pairs
from pyimagesearch.data.sets import LEAST_IMAGES, DataSet, ImageSet, class_numbers, pixel_digests
from pyimagesearch.data.splits import TEST, TRAIN, VALIDATION
from pyimagesearch.system.terminal import InputError, printable, say, warn

PARTS = ("train", "validation", "choices", "test")
MOST_NAMES = 20  # of classes, in one line
LEAST_PAIRS = 4_000  # for validation: few images have far more pairs than a single draw
FEW = 30  # images to test with or to choose by: figures on so few say little


def load_mnist() -> tuple:
    """The digits that ship with this project: ((trainX, trainY), (testX, testY)).

    Images uint8 (60000, 28, 28, 1) and (10000, 28, 28, 1), labels int32 0 to 9.
    """
    with np.load(Path(__file__).with_name("mnist.npz")) as data:
        (train, test) = ((data[f"x_{part}"][..., np.newaxis], data[f"y_{part}"].astype(np.int32))
                         for part in ("train", "test"))  # fmt: skip
    return train, test


def load_keras(name: str) -> tuple:
    """fashion_mnist or cifar10 through Keras, which downloads it once. Returns as Keras does."""
    try:
        return getattr(keras.datasets, name).load_data()
    except Exception as error:  # Keras raises whatever its download met
        raise InputError(f"{name}, or a network to fetch it", error) from None


DATASETS = {
    "mnist": load_mnist, "cifar10": lambda: load_keras("cifar10"),
    "fashion_mnist": lambda: load_keras("fashion_mnist"),
}  # fmt: skip


def _images_of(source, own, reading, split, flags):
    """The images of a source, see load, and what was read and left out, for JSON."""
    if isinstance(source, str) and not own:
        if not os.path.exists(source):
            expected = f"{', '.join(DATASETS)}, a folder or a list"
            raise InputError(expected, f"{printable(source)}, not there")
        return folders.read_folder(source, reading, **flags)
    asked = {"split": split if own else None} | flags
    if wrong := [f"--{k.replace('_', '-')}" for k, value in asked.items() if value is not None]:
        received = source if own else "images in memory"
        raise InputError(f"{' and '.join(wrong)} with a folder alone", received)
    (train, test) = DATASETS[source]() if own else source
    if test is None:
        return of_arrays(*train), {}
    if len(test) != 2:
        raise InputError("test=(images, labels)", f"{len(test)} things")
    (images, others) = (sets.array_of(x[0]) for x in (train, test))
    if others.shape[1:] != images.shape[1:]:
        raise InputError(f"test images of shape {images.shape[1:]}", others.shape[1:])
    for part in () if own else ((images, train[1]), (others, test[1])):  # each before it is joined
        check_arrays(*part)
    given = np.repeat(np.array([TRAIN, TEST], np.int8), [len(images), len(others)])
    return of_arrays(np.concatenate([images, others]), np.append(train[1], test[1]), given), {}


def load(
    source: str | tuple,
    recipe: Recipe,
    seed: int,
    *,
    split: str | None = None,
    known: np.ndarray | None = None,
    **flags: Any,
) -> DataSet:
    """The four parts of a data set, and what is to be said of them.

    source: of DATASETS, a folder, a list; (images, labels) to train with, and for the test or None.
    recipe: which shares are tested and held out, and how training pairs are drawn. Where none is
    held out, validation is the test, which then chooses nothing, and choices is train.
    split: see splits.split. known: ImageSet.digests of what an earlier model was trained on, which
    is trained on again. Where a test image was, or is now, parts["clean"] is False.
    flags: image_size, channels, class_level and group_by, see folders.read_folder.
    Raises InputError for what is no data set, or cannot be split.
    """
    own = isinstance(source, str) and source in DATASETS
    (images, counts) = _images_of(source, own, recipe.reading, split, flags)
    trained = np.zeros(len(images), bool)
    if known is not None and len(known):
        trained = np.any(np.isin(images.digests(), known), axis=0)
    (part, by) = splits.split(images, recipe.reading, seed, split, trained)
    kinds = (TRAIN, VALIDATION, TEST)
    (train, held, test) = (images.part(np.flatnonzero(part == kind)) for kind in kinds)
    validation = held if len(held) else test
    if images.labels is not None:  # pairs for training, and for the loss of validation
        if recipe.training.pairing != "batch":  # whose loss forms the pairs
            rng = np.random.default_rng([seed, TRAIN])
            train = replace(train, pairs=SAMPLERS[recipe.training.pairing](train.labels, rng))
        rng = np.random.default_rng([seed, VALIDATION] if len(held) else seed)
        draws = -(-LEAST_PAIRS // (2 * len(held))) if len(held) else 1
        drawn = [sample_pairs(validation.labels, rng) for _ in range(draws)]
        validation = replace(validation, pairs=Pairs(*map(np.concatenate, zip(*drawn))))
    choices = held if len(held) else train
    (trained_on, chosen_by, tested_on) = (classes_of(x.labels) for x in (train, choices, test))
    found = [] if own else [near_copies(test.images, x.images) for x in (train, held) if len(x)]
    copies = np.array(sorted({row for rows, _ in found for row in rows}), int)
    dirty = int(np.sum(trained[part == TEST] | np.isin(test.contents, train.contents)))
    parts = {
        **counts, **dict(zip(PARTS, map(len, (train, validation, choices, test)))),
        "split": "own" if own else by,
        "classes": len(classes_of(images.labels)), "classes_tested": len(tested_on),
        "groups": len(np.unique(images.groups)) if images.groups is not None else None,
        "trained_before": dirty, "clean": dirty == 0,
        "near_copies": {"test": {"found": len(copies), "of": found[0][1]}} if found else {},
    }  # fmt: skip
    (new_classes, new_choices) = (images.labels is not None and not some & trained_on
                                  for some in (tested_on, chosen_by))  # fmt: skip
    data = DataSet(train, validation, choices, test, parts, new_classes, new_choices, copies)
    (sizes, *doubts) = describe(data)
    say(sizes)
    warn(doubts)
    return data


def check_arrays(images: np.ndarray, labels: ArrayLike) -> np.ndarray:
    """The labels as numbers, see sets.class_numbers, for images uint8 (N, H, W, C) or (N, H, W).

    C 1 or 3. Raises InputError for anything else.
    """
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or (*images.shape, 1)[3] not in (1, 3):
        mend = ". From 0 to 1: (images * 255).round().astype('uint8'); to 255: without * 255"
        received = f"{images.dtype} {images.shape}{mend * (images.dtype.kind == 'f')}"
        raise InputError("images uint8 (N, H, W, C), C 1 or 3", received)
    if images.max(initial=0) == 1:
        raise InputError("values from 0 to 255", "0 and 1 alone. Take images * 255")
    numbers = class_numbers(labels)
    if len(numbers) != len(images):
        raise InputError("a label for each image", f"{len(numbers)} for {len(images)} images")
    return numbers


def of_arrays(images: Any, labels: ArrayLike, splits: np.ndarray | None = None) -> ImageSet:
    """Images in memory with their labels, see check_arrays. splits: TRAIN, then TEST, or None.

    files are the images' numbers in each. Logs which classes of one image are left out.
    """
    images = sets.array_of(images)
    numbers = check_arrays(images, labels)
    images = images[..., np.newaxis] if images.ndim == 3 else images
    names = tuple(map(str, np.unique(np.asarray(labels))))
    sizes = np.bincount(numbers, minlength=len(names))
    warn(f"left out class {printable(name)}: {size} image, {LEAST_IMAGES} needed"
        for name, size in zip(names, sizes) if size < LEAST_IMAGES)  # fmt: skip
    some = np.flatnonzero(sizes[numbers] >= LEAST_IMAGES)
    if not len(some):
        raise InputError("two images of a class at least", "one of each")
    files = np.arange(len(images))
    if splits is not None:
        files[splits == TEST] -= np.sum(splits == TRAIN)
    found = ImageSet(images, numbers, None, names, None, pixel_digests(images), splits, files)
    return found if len(some) == len(images) else found.part(some)  # which copies the pixels


def classes_of(labels: np.ndarray | None) -> set[int]:
    """The numbers of the classes that are among labels; empty where only pairs are known."""
    return set() if labels is None else set(np.unique(labels).tolist())


def describe(data: DataSet) -> list[str]:
    """What is to be said of the parts: sizes first, then what a reader of figures must know."""
    (parts, test, choices) = (data.parts, data.test, data.choices)
    chosen_by = " and" if choices is data.train else f", {parts['choices']}"
    unit = "classes" if test.labels is not None else "groups of pairs that share images"
    line = f"{parts['train']} to train on{chosen_by} to choose by, {parts['test']} to test with, "
    line += f"{parts['classes'] or parts['groups']} {unit}"
    if data.new_choices:
        line += f", {len(classes_of(choices.labels))} of them only to choose by"
    line += f", {parts['classes_tested']} of them only in the test" if data.new_classes else ""
    skipped = sum(parts.get("skipped", {}).values())
    line += f", {skipped} files or folders left out" if skipped else ""
    line += f", {parts['copies']} copies left out" if parts.get("copies") else ""
    lines = [line]
    untested = classes_of(data.train.labels) - classes_of(test.labels)
    if untested and not data.new_classes:
        names = [data.train.class_names[number] for number in sorted(untested)]
        lines.append(f"trained on and not tested: {few_of(names, MOST_NAMES)}")
    if len(test) < FEW:
        lines.append(f"{len(test)} test images: figures on so few say little")
    if len(choices) < FEW:
        lines.append(f"{len(choices)} images to choose by: the threshold is a rough one; "
                     "evaluate --calibrate with more makes it a better one")  # fmt: skip
    if not parts["clean"]:
        lines.append(f"these figures are not clean: {parts['trained_before']} of {parts['test']} "
                     "test images were trained on")  # fmt: skip
    near = parts["near_copies"].get("test", {"found": 0})
    if near["found"]:
        lines.append(f"{near['found']} of {near['of']} test images have a near copy elsewhere: "
                     "keep together what belongs together (in a folder --group-by)")  # fmt: skip
    return lines
