"""Which images of one part have a near copy in another.

Near copies are frames of one clip, or a photo that was saved again, shrunk or cropped. A network
that was trained on the one knows the other, and a figure that is measured on it promises too much.
"""

import numpy as np

from pyimagesearch.data.sets import Rows, evenly

SIDE = 24  # pixels of a thumbnail
ALIKE = 0.99  # two images whose thumbnails correlate more than this are near copies
LIKELY = 0.7  # two that correlate more than this may be, and are laid over each other
ALIGNED_SIDE = 32  # pixels of images that are laid over each other,
ALIGNED = 0.985  # which are near copies if they correlate more than this then,
MOST_TURN, MOST_ZOOM = 0.03, 0.2  # and if neither is turned or zoomed by more
STEPS, LEAST_STEP = 50, 1e-4  # of the search for the best place
MOST_TESTED = 4_000  # images of which a copy is looked for
MOST_SEARCHED = 100_000  # images among which it is looked for
BLOCK = 2_048  # of these at a time
LEAST_CONTRAST = 2.0  # standard deviation of the pixels: a plain area is no copy of another


def near_copies(test: np.ndarray | Rows, train: np.ndarray | Rows) -> tuple[np.ndarray, int]:
    """Which test images have a near copy among the training images.

    Of each the training image with the most similar thumbnail is looked at.
    test, train: uint8 (N, H, W, C) and (M, H, W, C), in memory or on disk.
    Returns (int, rows of test that have one; how many were looked at). Of more than 4,000 test or
    100,000 training images so many are looked at, evenly spread.
    """
    tested, searched = evenly(len(test), MOST_TESTED), evenly(len(train), MOST_SEARCHED)
    thumbs = thumbnails(test, tested)
    highest = np.full(len(tested), -1, np.float32)  # correlation so far
    nearest = np.zeros(len(tested), int)  # the training image that it is with
    for start in range(0, len(searched), BLOCK):
        rows = searched[start : start + BLOCK]
        correlations = thumbs @ thumbnails(train, rows).T
        nearest = np.where(correlations.max(axis=1) > highest,
                           rows[correlations.argmax(axis=1)], nearest)  # fmt: skip
        highest = np.maximum(highest, correlations.max(axis=1))
    found = highest > ALIKE
    for k in np.flatnonzero((highest > LIKELY) & ~found):
        found[k] = is_moved_copy(test[tested[k]], train[nearest[k]])
    return tested[found], len(tested)


def is_moved_copy(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether one image is the other shrunk, cropped or shifted. a, b: uint8 (H, W, C).

    OpenCV looks for the affine map of the one onto the other with the highest correlation of
    their pixels (Evangelidis and Psarakis, "Parametric Image Alignment Using Enhanced Correlation
    Coefficient Maximization", 2008).
    """
    import cv2

    size = (ALIGNED_SIDE, ALIGNED_SIDE)
    (a, b) = (
        cv2.resize(image.mean(axis=2, dtype=np.float32), size, interpolation=cv2.INTER_AREA)
        for image in (a, b)
    )
    (a, b) = (cv2.GaussianBlur(image, (3, 3), 0) for image in (a, b))
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, STEPS, LEAST_STEP)
    start = np.eye(2, 3, dtype=np.float32)  # no map at all
    try:
        how = (cv2.MOTION_AFFINE, stop, None, 1)
        (correlation, found) = cv2.findTransformECC(a, b, start, *how)  # type: ignore
    except cv2.error:  # there is no such map
        return False
    change = np.abs(found[:, :2] - np.eye(2))
    (zoomed, turned) = (change.diagonal().max(), max(change[0, 1], change[1, 0]))
    return bool(correlation > ALIGNED and turned < MOST_TURN and zoomed < MOST_ZOOM)


def thumbnails(images: np.ndarray | Rows, rows: np.ndarray) -> np.ndarray:
    """Some images at 24x24, each with mean 0 and length 1: float32 (len(rows), 576 C).

    The product of two is then the correlation of their pixels, the same at any brightness and
    contrast. A plain image becomes 0.
    """
    import cv2

    area = cv2.INTER_AREA
    small = np.array([cv2.resize(images[row], (SIDE, SIDE), interpolation=area) for row in rows])
    pixels = small.reshape(len(rows), -1).astype(np.float32)
    pixels -= pixels.mean(axis=1, keepdims=True)
    contrast = pixels.std(axis=1, keepdims=True)
    length = np.where(contrast < LEAST_CONTRAST, np.inf, contrast * pixels.shape[1] ** 0.5)
    return pixels / length
