"""Which images of one part have a near copy in another, and which images of a set are near copies.

Near copies are frames of one clip, or a photo that was saved again, shrunk or cropped. A network
that was trained on the one knows the other, and a figure that is measured on it promises too much.
"""

import numpy as np

from pyimagesearch.data.images import fit
from pyimagesearch.data.sets import Rows, evenly, in_order
from pyimagesearch.data.splits import groups_of

SIDE = 24  # pixels of a thumbnail
ALIKE = 0.99  # two images whose thumbnails correlate more than this are near copies
LIKELY = 0.7  # two that correlate more than this may be, and are laid over each other
ALIGNED_SIDE = 32  # pixels of images that are laid over each other,
ALIGNED = 0.985  # which are near copies if they correlate more than this then,
MOST_TURN, MOST_ZOOM = 0.03, 0.2  # if neither is turned or zoomed by more,
SHADES, MOST_PLAIN = 32, 0.75  # and if no two of so many shades hold more of the pixels
STEPS, LEAST_STEP = 50, 1e-4  # of the search for the best place
MOST_TESTED = 4_000  # images of which a copy is looked for
MOST_SEARCHED = 100_000  # images among which it is looked for
BLOCK = 2_048  # of these at a time,
MOST_CORRELATIONS = 2**23  # or fewer, so that no more of them are in memory
LEAST_CONTRAST = 2.0  # standard deviation of the pixels: a plain area is no copy of another


def near_copies(test: np.ndarray | Rows, train: np.ndarray | Rows) -> tuple[np.ndarray, int]:
    """Which test images have a near copy among the training images.

    Returns (int, rows of test that have one; how many were looked at, of many images some).
    """
    (rows, columns) = (evenly(len(test), MOST_TESTED), evenly(len(train), MOST_SEARCHED))
    found = [np.unique(pairs[:, 0]) for pairs in _pairs_of_copies(test, rows, train, columns)]
    return np.unique(np.concatenate(found)), len(rows)


def groups_of_copies(images: np.ndarray | Rows) -> list[np.ndarray]:
    """The groups of near copies among images uint8 (N, H, W, C): int, rows of each, largest first.

    Each is a near copy of another in its group, perhaps not of all, as the frames of a clip are.
    """
    every = np.arange(len(images))
    return groups_of(len(images), _pairs_of_copies(images, every, images, every))


def _pairs_of_copies(images, rows, others, columns):
    """Pairs of near copies, block by block: int (P, 2), a row of images and a column of others.

    All whose thumbnails correlate more than ALIKE; last, of other rows, what is_moved_copy finds.
    """
    thumbs = thumbnails(images, rows)
    highest = np.full(len(rows), -1, np.float32)  # correlation so far
    nearest = np.zeros(len(rows), int)  # the column that it is with
    size = min(MOST_CORRELATIONS // max(len(rows), 1) + 1, BLOCK)
    for start in range(0, len(columns), size):
        block = columns[start : start + size]
        correlations = thumbs @ thumbnails(others, block).T
        if images is others:  # no image is a copy of itself
            correlations[rows[:, np.newaxis] == block] = -1
        best = correlations.max(axis=1)
        nearest = np.where(best > highest, block[correlations.argmax(axis=1)], nearest)
        highest = np.maximum(highest, best)
        (a, b) = np.nonzero(correlations > ALIKE)
        yield np.stack([rows[a], block[b]], axis=1)
    likely = (highest > LIKELY) & (highest <= ALIKE)
    pairs = np.stack([rows[likely], nearest[likely]], axis=1)
    yield pairs[[*in_order(lambda pair: is_moved_copy(images[pair[0]], others[pair[1]]), pairs)]]


def is_moved_copy(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether one image is the other shrunk, cropped or shifted. a, b: uint8 (H, W, C).

    Shapes and letters on a plain ground never count: many of them fit over each other. OpenCV
    looks for the affine map with the highest correlation (Evangelidis and Psarakis, "Parametric
    Image Alignment Using Enhanced Correlation Coefficient Maximization", 2008).
    """
    import cv2

    size = (ALIGNED_SIDE, ALIGNED_SIDE, 1)
    grey = (image.mean(axis=2, dtype=np.float32, keepdims=True) for image in (a, b))
    (a, b) = (fit(image, size)[..., 0] for image in grey)
    pixels_of = np.histogram(a, SHADES, (a.min(), a.max() + 1))[0]  # of each shade
    if np.sort(pixels_of)[-2:].sum() > MOST_PLAIN * a.size:
        return False
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

    The product of two is the correlation of their pixels, at any contrast. A plain image becomes 0.
    """
    small = np.array([fit(images[row], (SIDE, SIDE, images.shape[3])) for row in rows])
    pixels = small.reshape(-1, SIDE * SIDE * images.shape[3]).astype(np.float32)
    pixels -= pixels.mean(axis=1, keepdims=True)
    contrast = pixels.std(axis=1, keepdims=True)
    return pixels / np.where(contrast < LEAST_CONTRAST, np.inf, contrast * pixels.shape[1] ** 0.5)
