"""Two image sets come in; how many images of the one have a near copy in the other goes out.

Near copies are frames of one clip, or a photo that was saved again. A network that was trained
on the one knows the other, and a figure that is measured on it promises too much.
"""

import numpy as np

from pyimagesearch.data.images import opencv
from pyimagesearch.data.sets import Rows, evenly

ALIKE = 0.99  # two images whose thumbnails correlate more than this are near copies
SIDE = 24  # pixels of a thumbnail
MOST_TESTED = 4_000  # images of which a copy is looked for
MOST_SEARCHED = 100_000  # images among which it is looked for
BLOCK = 2_048  # of these at a time
LEAST_CONTRAST = 2.0  # standard deviation of the pixels: a plain area is no copy of another


def near_copies(test: np.ndarray | Rows, train: np.ndarray | Rows) -> dict[str, int]:
    """How many images of the one part have a near copy among the training images.

    test, train: uint8 (N, H, W, C) and (M, H, W, C), in memory or on disk.
    Returns {"found", "of": test images looked at}. Of more than 4,000 test or 100,000 training
    images so many are looked at, evenly spread.
    """
    tested, searched = evenly(len(test), MOST_TESTED), evenly(len(train), MOST_SEARCHED)
    thumbs = thumbnails(test, tested)
    nearest = np.full(len(tested), -1, np.float32)  # the highest correlation so far
    for start in range(0, len(searched), BLOCK):
        others = thumbnails(train, searched[start : start + BLOCK])
        nearest = np.maximum(nearest, np.max(thumbs @ others.T, axis=1))
    return {"found": int(np.sum(nearest > ALIKE)), "of": len(tested)}


def thumbnails(images: np.ndarray | Rows, rows: np.ndarray) -> np.ndarray:
    """Some images at 24x24, each with mean 0 and length 1: float32 (len(rows), 576 C).

    The product of two is then the correlation of their pixels, the same at any brightness and
    contrast. A plain image becomes 0.
    """
    cv2 = opencv()
    area = cv2.INTER_AREA
    small = np.array([cv2.resize(images[row], (SIDE, SIDE), interpolation=area) for row in rows])
    pixels = small.reshape(len(rows), -1).astype(np.float32)
    pixels -= pixels.mean(axis=1, keepdims=True)
    contrast = pixels.std(axis=1, keepdims=True)
    length = np.where(contrast < LEAST_CONTRAST, np.inf, contrast * pixels.shape[1] ** 0.5)
    return pixels / length
