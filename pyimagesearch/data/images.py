"""One careful reader: a file -> a uint8 array as a person sees it, or an error that names it."""

import os
import stat
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image, UnidentifiedImageError

from pyimagesearch.data.decoding import is_image, pixels
from pyimagesearch.data.deep import MAX_BYTES, MAX_PIXELS, bands, opencv
from pyimagesearch.system.errors import InputError
from pyimagesearch.system.names import printable
from pyimagesearch.system.progress_bar import ProgressBar
from pyimagesearch.system.threads import at_once

THREADS = at_once()


def looks_like_image(path: str | os.PathLike, kinds: Sequence[str]) -> bool:
    """Whether a file's ending is one of `kinds`; without an ending, whether it begins so."""
    ending = os.path.splitext(path)[1].lower()
    if ending:
        return ending in kinds
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe would be waited for
            return False
        with open(path, "rb") as f:
            return is_image(f.read(64))
    except OSError:
        return False


def read_image(path: str | os.PathLike, shape: tuple[int, int, int]) -> np.ndarray:
    """Read an image as a person sees it, in grey or colour, resized where it differs.

    shape: (H, W, 1) for grey, (H, W, 3) for colour (RGB). Returns uint8 of that shape.
    Raises InputError, naming the file, where it cannot be read whole.
    """
    return fit(decode(read_bytes(path), path, max(shape[:2])), shape)


def read_bytes(path: str | os.PathLike) -> bytes:
    """A file's content. Raises InputError, naming it, where that cannot be had."""
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):  # a pipe would be waited for
            raise InputError("not a file")
        if status.st_size > MAX_BYTES:
            raise InputError(f"{status.st_size:,} bytes, more than {MAX_BYTES:,}")
        with open(path, "rb") as f:
            return f.read()
    except OSError as error:
        raise InputError(f"{printable(path)}: cannot be opened ({error.strerror})") from None
    except ValueError as error:
        raise InputError(f"{printable(path)}: {error}") from None


def decode(data: bytes, path: str | os.PathLike, side: int | None = None) -> np.ndarray:
    """The picture in a file's bytes as a person sees it; the first of several.

    It is turned as EXIF says, transparency is laid over white, 16 bits are scaled by 1 / 257 and
    floats from 0 to 1 by 255. path: for messages. side: the longer side that is wanted; a large
    JPEG photo is then decoded at a reduced size, but at twice that side or more; above 25
    million pixels always.
    Returns uint8 (H, W, 1) for a grey picture, (H, W, 3) in RGB for others.
    Raises InputError, naming the file, where it cannot be read whole.
    """
    try:
        if not data:
            raise InputError("empty")
        if is_truncated(data):
            raise InputError("cut off")
        (image, orientation) = pixels(data, side)
        if image.shape[2] in (2, 4):
            image = over_white(image)
        return upright(image, orientation)
    except UnidentifiedImageError:
        reason = "no image of a known format"
    except Image.DecompressionBombError:  # Pillow's own limit is higher
        reason = f"more than {MAX_PIXELS:,} pixels"
    except Exception as error:  # a broken file makes Pillow raise nearly anything
        reason = " ".join(str(error).split()) or type(error).__name__
    raise InputError(f"{printable(path)}: cannot be read ({reason})")


def over_white(image: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 2 or 4), transparency last -> (H, W, 1 or 3)."""
    result = np.empty_like(image, shape=(*image.shape[:2], image.shape[2] - 1))
    for rows in bands(*image.shape[:2]):
        picture = Image.fromarray(image[rows])
        white = Image.new(picture.mode[:-1], picture.size, "white")
        white.paste(picture.convert(white.mode), mask=picture.getchannel("A"))
        result[rows] = np.asarray(white).reshape(result[rows].shape)
    return result


def upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """The picture turned as its EXIF orientation says."""
    if orientation in (5, 6, 7, 8):
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)


class WholeShape(tuple):
    """A shape (H, W, C) into which images are fitted whole: their sides keep their ratio."""


FITS: dict[str, type] = {"stretch": tuple, "whole": WholeShape}  # what becomes of other ratios


def fit(image: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """uint8 (h, w, 1 or 3) -> uint8 of shape (H, W, 1 or 3), resized where it differs.

    Of a WholeShape the image takes the middle, and its edges are repeated on both sides of it.
    """
    cv2 = opencv()
    if isinstance(shape, WholeShape):
        (h, w) = image.shape[:2]
        scale = min(shape[0] / h, shape[1] / w)
        inside = (max(round(scale * h), 1), max(round(scale * w), 1), shape[2])
        image = fit(image, inside)
        (above, left) = ((shape[0] - inside[0]) // 2, (shape[1] - inside[1]) // 2)
        below, right = shape[0] - inside[0] - above, shape[1] - inside[1] - left
        return np.pad(image, ((above, below), (left, right), (0, 0)), mode="edge")
    (height, width, channels) = shape
    if image.shape[2] > channels:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    if image.shape[:2] != (height, width):
        # INTER_AREA averages, so that nothing is lost when an image shrinks
        shrinks = image.shape[0] > height or image.shape[1] > width
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        image = cv2.resize(image, (width, height), interpolation=method)
    # grey becomes RGB of three equal channels
    return np.broadcast_to(image.reshape(height, width, -1), shape).copy()


def described(shape: tuple[int, int, int]) -> str:
    """How images of a shape (H, W, C) are read, in words: "in grey at 28x28", width first."""
    (height, width, channels) = shape
    whole = ", whole, the edges filled" if isinstance(shape, WholeShape) else ""
    return f"in {'grey' if channels == 1 else 'colour'} at {width}x{height}{whole}"


def name_of(shape: tuple[int, int, int]) -> str:
    """What tells how images are read from every other way: for the cache."""
    return "x".join(map(str, shape)) + (" whole" if isinstance(shape, WholeShape) else "")


def read_images(
    paths: Iterable[str | os.PathLike], shape: tuple[int, int, int]
) -> tuple[list, np.ndarray, list[str]]:
    """Read what can be read. Returns (paths read, uint8 (N, H, W, C), one message a bad file)."""
    paths = list(paths)
    results = list(_results(paths, shape))
    good = [path for path, _, error in results if error is None]
    images = [image for _, image, error in results if error is None]
    bad = [error for _, _, error in results if error is not None]
    return good, np.array(images, dtype=np.uint8).reshape(-1, *shape), bad


def _results(paths, shape):
    def read(path):
        try:
            return path, read_image(path, shape), None
        except ValueError as error:
            return path, None, str(error)

    with ProgressBar(len(paths), "images read") as progress, ThreadPoolExecutor(THREADS) as pool:
        for result in pool.map(read, paths):
            yield result
            progress.add(1)


def is_truncated(data: bytes) -> bool:
    """Whether a PNG, JPEG or JPEG 2000 lacks its end."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return b"IEND\xaeB`\x82" not in data  # the last chunk's name and checksum
    if data.startswith(b"\xff\xd8"):
        return data.find(b"\xff\xd9", data.find(b"\xff\xda")) < 0
    if data.startswith((b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  ")):  # JPEG 2000
        return data.find(b"\xff\xd9", data.find(b"\xff\x93")) < 0
    return False
