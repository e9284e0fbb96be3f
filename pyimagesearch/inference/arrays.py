"""What people pass for images and embeddings: taken as it should be, or refused with the way out.

Nothing is converted in silence: floats in [0, 1] made uint8 would all be black.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pyimagesearch.data.rows import Rows
from pyimagesearch.system.errors import InputError


def checked_images(images: Any, shape: tuple[int, int, int]) -> np.ndarray | Rows:
    """Images as they are where they are uint8 (N, *shape), in memory or on disk.

    shape: (H, W, C) of the model. Raises InputError for anything else, with how to mend it.
    """
    wanted = f"uint8 images of shape (N, {', '.join(map(str, shape))})"
    if isinstance(images, Rows) and (images.shape[1:], images.array.dtype) == (shape, np.uint8):
        return images
    array = _array(images, wanted)
    if array.dtype == np.uint8 and array.ndim == 4 and array.shape[1:] == shape:
        return array
    if array.dtype.kind in "uifb" and array.ndim in (2, 3, 4):
        mend = " ".join(filter(None, [_of_shape(array.shape, shape), _of_values(array)]))
    else:
        mend = "Take embed_files(paths) for files." if array.dtype.kind in "US" else ""
    raise InputError(f"Expected {wanted}. Received: {_described(array)}. {mend}".strip())


def checked_embeddings(vectors: Any, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Two float32 (B, D) where a pair of floats of that shape came; InputError where not."""
    wanted = f"a pair (feats_a, feats_b), each floats of shape (B, {size})"
    try:
        (a, b) = vectors
    except (TypeError, ValueError):
        raise InputError(f"Expected {wanted}. Received: {type(vectors).__name__}.") from None
    (a, b) = (_array(feats, wanted) for feats in (a, b))
    for feats in (a, b):
        if feats.dtype.kind != "f" or feats.shape[1:] != (size,) or feats.ndim != 2:
            mend = "For a single one take feats[None]." if feats.shape == (size,) else ""
            if feats.dtype.kind in "ui" and feats.ndim >= 3:
                mend = "Take embed(images) first."
            raise InputError(f"Expected {wanted}. Received: {_described(feats)}. {mend}".strip())
    if len(a) != len(b):
        raise InputError(
            f"Expected {wanted}, as many of one as of the other. Received: {len(a)} and {len(b)}. "
            "For one against many take distance_to_all(feats, gallery)."
        )
    return a.astype(np.float32, copy=False), b.astype(np.float32, copy=False)


def _array(values: Any, wanted: str) -> np.ndarray:
    try:
        return np.asarray(values)
    except ValueError:  # NumPy's word for rows of several lengths
        kinds = sorted({str(np.shape(value)) for value in values if np.ndim(value) > 0})
        raise InputError(
            f"Expected {wanted}. Received: a list of arrays of several shapes, "
            f"{', '.join(kinds[:3]) or 'unknown'}. Bring all to one size."
        ) from None


def _described(array: np.ndarray) -> str:
    text = f"{array.dtype} of shape {array.shape}"
    if array.size and array.dtype.kind in "uif":
        text += f" with values from {array.min():.4g} to {array.max():.4g}"
    return text


def _of_shape(found: Sequence[int], shape: tuple[int, int, int]) -> str:
    """How to bring an array of one shape to (N, *shape)."""
    (height, width, channels) = shape
    if found == shape:
        return "One image alone lacks the first axis: images[None]."
    if channels == 1 and tuple(found) == (height, width):
        return "One image alone lacks the first and the last axis: images[None, ..., None]."
    if channels == 1 and len(found) == 3 and tuple(found[1:]) == (height, width):
        return "The last axis, of one channel, is missing: images[..., None]."
    if len(found) != 4:
        return "These are no images of this size."
    if tuple(found[1:]) == (channels, height, width):
        return "The channels come last: images.transpose(0, 2, 3, 1)."
    if tuple(found[1:]) == shape:
        return ""
    return "Files are brought to this size and these channels by embed_files(paths)."


def _of_values(array: np.ndarray) -> str:
    """How to bring values of another type to uint8 from 0 to 255."""
    if array.dtype == np.uint8 or not array.size:
        return ""
    if array.dtype == bool:
        return "Multiply by 255: images.astype('uint8') * 255."
    (low, high) = (array.min(), array.max())
    if array.dtype.kind == "f" and low >= 0 and high <= 1:
        return "Multiply by 255 and convert: (images * 255).round().astype('uint8')."
    if array.dtype.kind == "f" and -1 <= low < 0 and high <= 1:
        return "Bring them from 0 to 255: ((images + 1) * 127.5).round().astype('uint8')."
    if low >= 0 and high <= 255:
        return "Convert: images.round().astype('uint8')."
    if array.dtype == np.uint16:
        return "Divide by 257 and convert: (images / 257).round().astype('uint8')."
    return "Bring the values to whole numbers from 0 to 255."
