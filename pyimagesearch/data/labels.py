"""Labels of any kind come in, int32 numbers of classes go out; what sizes of classes mean."""

from typing import Any

import numpy as np

from pyimagesearch.system.errors import InputError

LEAST_IMAGES = 2  # of a class: its same pair takes two
UNEVEN = 3  # times the smallest class


def class_numbers(labels: Any) -> np.ndarray:
    """The labels as numbers 0 to C - 1, in the order of the labels' values: int32 (N,).

    labels: (N,) or (N, 1) whole numbers, bools or strings; a list, an array or a tensor. The
    memory this takes does not grow with the length of the strings.
    Raises InputError for other shapes (one-hot labels), and for labels that are no classes:
    fractions, NaN, a mixture of kinds.
    """
    if isinstance(labels, (list, tuple)) and labels and isinstance(labels[0], str):
        return _numbered(labels)  # an array of strings would be as wide as the longest
    try:
        labels = np.asarray(labels)
    except ValueError:  # rows of different lengths
        raise _no_labels("rows of different lengths") from None
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        one_hot = " np.argmax(labels, axis=1) makes them of one-hot rows." * (labels.ndim == 2)
        raise _no_labels(f"shape {labels.shape}", one_hot)
    if labels.dtype.kind == "O":
        return _numbered(labels.tolist())
    if labels.dtype.kind == "f" and not (np.isfinite(labels) & (labels == np.round(labels))).all():
        raise _no_labels("fractions or NaN")
    if labels.dtype.kind not in "biufUS":
        raise _no_labels(f"an array of {labels.dtype}")
    return np.unique(labels, return_inverse=True)[1].astype(np.int32)


def are_uneven(sizes: np.ndarray) -> bool:
    """Whether the largest class has more than three times as many images as the smallest.

    sizes: int (C,), above 0. Such classes are drawn equally often, and their figures shown.
    """
    return bool(np.max(sizes) > UNEVEN * np.min(sizes))


def _numbered(values):
    if not any(all(isinstance(x, kind) for x in values) for kind in (str, (int, np.integer))):
        kinds = sorted({type(value).__name__ for value in values})
        raise _no_labels(f"values of type {', '.join(kinds)}")
    numbers = {value: number for number, value in enumerate(sorted(set(values)))}
    return np.array([numbers[value] for value in values], np.int32)


def _no_labels(received, advice=""):
    return InputError(
        "Expected one label for each image, whole numbers or strings, (N,) or (N, 1). "
        f"Received: {received}.{advice}"
    )
