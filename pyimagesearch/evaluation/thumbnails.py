"""Small copies of some images, all in one picture, as text that a page can hold."""

import base64
from typing import Any

import cv2
import numpy as np

from pyimagesearch.data.rows import Rows

SIDE = 64  # pixels of the longer side of a small copy
COLUMNS = 32  # a row of the picture is then at most 2048 pixels wide, which any phone can show
MOST_BYTES = 1_800_000  # of the picture as text
# tried in turn until one is small enough: the share of SIDE, and JPEG's quality
ATTEMPTS = ((1, 85), (1, 65), (0.75, 60), (0.5, 50), (0.25, 40))


def thumbnails(images: np.ndarray | Rows, rows: np.ndarray, most: int = MOST_BYTES) -> dict:
    """The images of these rows, side by side in one picture, 32 to a row of it.

    images: uint8 (N, H, W, C), C 1 or 3. rows: int (T,), which; at most about a thousand.
    Returns a dict for JSON: "src", a data URI of a PNG, or of a JPEG where that would be too
    large; "width" and "height" of a small copy, "cell" [across, down] from one to the next, and
    "columns". most: how long "src" may be.
    """
    small = _small(images, rows, SIDE)
    if max(small.shape[1:3]) <= SIDE // 2:  # drawn enlarged, where a JPEG's faults would be seen
        found = _picture(small, 1, None)
        if len(found["src"]) <= most:
            return found
    for share, quality in ATTEMPTS:
        side = max(int(max(small.shape[1:3]) * share), 1)
        found = _picture(_small(small, np.arange(len(small)), side), 8, quality)
        if len(found["src"]) <= most:
            break
    return found


def _small(images: np.ndarray | Rows, rows: np.ndarray, side: int) -> np.ndarray:
    # (T, h, w, C), the longer of h and w at most `side`; one image after another is read
    (height, width, channels) = images.shape[1:]
    share = min(1.0, side / max(height, width))
    (down, across) = (max(round(n * share), 1) for n in (height, width))
    small = np.empty((len(rows), down, across, channels), np.uint8)
    for k, row in enumerate(rows):
        image = np.asarray(images[row : row + 1])[0]
        shrunk = cv2.resize(image, (across, down), interpolation=cv2.INTER_AREA)
        small[k] = shrunk.reshape(down, across, channels)
    return small


def _picture(small: np.ndarray, multiple: int, quality: int | None) -> dict[str, Any]:
    # cells are as large as multiples of JPEG's blocks of 8x8: no image shows in its neighbour
    (count, height, width, channels) = small.shape
    (down, across) = (-(-n // multiple) * multiple for n in (height, width))
    columns = min(COLUMNS, count)
    cells = np.zeros((-(-count // columns) * columns, down, across, channels), np.uint8)
    padding = ((0, 0), (0, down - height), (0, across - width), (0, 0))
    cells[:count] = np.pad(small, padding, mode="edge")
    # (rows, columns, down, across, C) -> (rows, down, columns, across, C)
    grid = cells.reshape(-1, columns, down, across, channels).swapaxes(1, 2)
    pixels = grid.reshape(-1, columns * across, channels)
    if channels == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    kind = "png" if quality is None else "jpeg"
    flags = [cv2.IMWRITE_PNG_COMPRESSION, 9]
    if quality is not None:
        full = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
        flags = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, full]
    (_, content) = cv2.imencode(f".{kind}", pixels, flags)
    text = base64.b64encode(content.tobytes()).decode()
    return {
        "src": f"data:image/{kind};base64,{text}",
        "width": width,
        "height": height,
        "cell": [across, down],
        "columns": columns,
    }
