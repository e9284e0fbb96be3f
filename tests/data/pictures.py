"""Pictures that the tests encode, and what the reader makes of bytes."""

import io

import cv2
import numpy as np
from PIL import Image

from pyimagesearch.data.cache import read_files
from pyimagesearch.data.images import decode


def opencv_bytes(image, ending):
    return cv2.imencode(ending, image)[1].tobytes()


def pillow_bytes(image, kind, **options):
    file = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(
        file, kind, **options
    )
    return file.getvalue()


def seen(data):
    return decode(bytes(data), "name")


SMALL = (4, 6, 3)  # of the pictures of one colour that a cache is asked for


def read(paths, shape=SMALL):
    return read_files("pixels", paths, shape)


def reds(paths):
    """The red of each file that can be read."""
    return read(paths).values[:, 0].tolist()


def mean(batch):
    """A model that embeds a picture as its red and 1."""
    return np.stack([batch[:, 0, 0, 0], np.ones(len(batch))], axis=1).astype(np.float32)
