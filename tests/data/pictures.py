"""Pictures that the tests encode, and what the reader makes of bytes."""

import io
import tempfile
from pathlib import Path

import cv2
from PIL import Image

from pyimagesearch.data.images import read_picture


def opencv_bytes(image, ending):
    return cv2.imencode(ending, image)[1].tobytes()


def pillow_bytes(image, kind, **options):
    file = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(
        file, kind, **options
    )
    return file.getvalue()


def seen(data, side=None):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "name").write_bytes(data)
        return read_picture(Path(folder) / "name", side)[0]
