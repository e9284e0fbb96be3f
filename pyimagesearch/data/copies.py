"""Two image sets come in; how many images of the one have a near copy in the other goes out.

Frames of one clip, a photo saved again or a little brighter: a network that was trained on the
one knows the other, and a figure measured on it promises too much.
"""

import math

import numpy as np

from pyimagesearch.data.rows import Rows, evenly
from pyimagesearch.data.sets import BLOCK_BYTES

ALIKE = 0.985  # two images whose pixels correlate more than this are near copies
SIDE = 8  # of the thumbnails that propose
MOST_TESTED = 4_000  # images of which a copy is looked for
MOST_SEARCHED = 100_000  # images among which it is looked for
MOST_PROPOSED = 2_048  # images of which one is proposed to each test image
ROUNDING = 0.005  # of the thumbnails' distances, in float32
LEAST_CONTRAST = 2.0  # standard deviation of the pixels: a plain area is no copy of another


def near_copies(test: np.ndarray | Rows, train: np.ndarray | Rows) -> dict[str, int]:
    """How many images of the one part have a near copy among the training images.

    test, train: uint8 (N, H, W, C) and (M, H, W, C), in memory or on disk.
    Near copies are two images whose pixels correlate more than 0.985, whatever their
    brightness and contrast. Thumbnails of 8x8 propose: of each 2,048 training images the one
    that comes nearest to a test image, unless it is too far away for any copy.
    Returns {"found", "of": test images looked at, "searched": training images looked at,
    "test": N, "train": M}. Of more than 4,000 test or 100,000 training images so many are
    looked at, evenly spread.
    """
    tested, searched = evenly(len(test), MOST_TESTED), evenly(len(train), MOST_SEARCHED)
    size = min(max(BLOCK_BYTES // (4 * math.prod(test.shape[1:])), 1), MOST_PROPOSED)
    thumbs = np.concatenate([thumbnails(test[rows]) for rows in _blocks(tested, size)])
    squares = np.sum(thumbs**2, axis=1)
    found = np.zeros(len(tested), bool)
    for rows in _blocks(searched, size):
        block = train[rows]
        others = thumbnails(block)
        # -|a - b|^2 / 2 = a b - |a|^2 / 2 - |b|^2 / 2: of pixels it is r - 1, and of thumbnails
        # it is never lower, but for rounding errors
        left = np.flatnonzero(~found)
        products = thumbs[left] @ others.T - np.sum(others**2, axis=1) / 2
        nearest = np.argmax(products, axis=1)
        bound = 1 + products[np.arange(len(left)), nearest] - squares[left] / 2
        proposed = np.flatnonzero(bound > ALIKE - ROUNDING)
        for some in _blocks(proposed, size):
            (a, b) = (normal(test[tested[left[some]]]), normal(block[nearest[some]]))
            found[left[some]] = np.einsum("nhwc,nhwc->n", a, b) > ALIKE
    return {
        "found": int(found.sum()),
        "of": len(tested),
        "searched": len(searched),
        "test": len(test),
        "train": len(train),
    }


def describe(near: dict[str, int], what: str = "test images") -> list[str]:
    """What near_copies has found, as a line, or no line where that is nothing."""
    if not near["found"]:
        return []
    estimate = near["of"] < near["test"] or near["searched"] < near["train"]
    return [
        f"{near['found']} of {near['of']} {what} have a near copy in training"
        + (f" (looked for among {near['searched']} images)" if estimate else "")
        + ": keep what belongs together apart with --group-by"
    ]


def normal(images: np.ndarray) -> np.ndarray:
    """Pixels with mean 0 and length 1 in each image: float32 (N, H, W, C).

    The product of two images is then the correlation r of their pixels, and the square of
    their distance 2 - 2 r. A plain image, without contrast, becomes 0.
    """
    pixels = images.astype(np.float32)
    pixels -= pixels.mean(axis=(1, 2, 3), keepdims=True)
    length = np.sqrt(np.einsum("nhwc,nhwc->n", pixels, pixels)).reshape(-1, 1, 1, 1)
    plain = length < LEAST_CONTRAST * math.prod(images.shape[1:]) ** 0.5
    return np.where(plain, 0, pixels / np.maximum(length, 1e-9))


def thumbnails(images: np.ndarray) -> np.ndarray:
    """Of normal pixels the sums over 8x8 fields, each divided by the root of the field's size.

    uint8 (N, H, W, C) -> float32 (N, 64), fewer of smaller images; the channels of a field are
    summed together. Two thumbnails are never further apart than the normal pixels of their
    images: in each field of n pixels (sum of d)^2 / n <= sum of d^2.
    """
    (n, height, width, channels) = images.shape
    # fields of whole pixels, as equal as can be: where each begins
    (rows, columns) = (
        np.linspace(0, side, min(SIDE, side), endpoint=False).astype(int)
        for side in (height, width)
    )
    flat = images.reshape(n, height, width * channels).astype(np.float32)
    squares = np.einsum("nhw,nhw->n", flat, flat)
    fields = np.add.reduceat(flat, rows, axis=1)
    fields = np.add.reduceat(fields, columns * channels, axis=2).astype(np.float64)
    sizes = np.diff(rows, append=height)[:, np.newaxis] * np.diff(columns, append=width) * channels
    # normal without a copy of the pixels: sum of (x - mean)^2 = sum of x^2 - pixels mean^2
    pixels = height * width * channels
    mean = np.sum(fields, axis=(1, 2), keepdims=True) / pixels
    contrast = np.sqrt(np.maximum(squares[:, np.newaxis, np.newaxis] / pixels - mean**2, 0))
    length = np.where(contrast < LEAST_CONTRAST, np.inf, contrast * pixels**0.5)
    fields = (fields - mean * sizes) / (length * np.sqrt(sizes))
    return fields.reshape(n, -1).astype(np.float32)


def _blocks(rows: np.ndarray, size: int) -> list[np.ndarray]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]
