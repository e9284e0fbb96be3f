"""Each test of files has a cache of its own, and decoders that write no lines past Python."""

import os

import cv2
import numpy as np
import pytest

from pyimagesearch.data import images
from pyimagesearch.system import terminal


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    """The folder of this test's cache."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("CONTRASTIVE_CACHE", str(folder))
    return folder


@pytest.fixture(autouse=True, scope="session")
def quiet_decoders():
    """What the scripts ask of the decoders for themselves."""
    terminal.setup(keras=False)


@pytest.fixture
def write(tmp_path):
    """Writes an image of one colour (blue, green, red), or bytes, into the folder `in`."""

    def write(name, content, size=(20, 24)):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not isinstance(content, bytes):
            ending = path.suffix or ".png"
            content = cv2.imencode(ending, np.full((*size, 3), content, np.uint8))[1].tobytes()
        path.write_bytes(content)
        return path

    return write


@pytest.fixture
def photo():
    """A colour gradient, 40 rows by 30 columns, smooth so that JPEG keeps it. BGR."""
    y, x = np.mgrid[0:40, 0:30]
    return np.stack([x * 8, y * 6, 255 - x * 4], axis=-1).astype(np.uint8)


@pytest.fixture
def decoded(monkeypatch):
    """The names of the files that are opened from now on."""
    names = []
    read_picture = images.read_picture

    def noted(path, *rest):
        names.append(os.path.basename(path))
        return read_picture(path, *rest)

    monkeypatch.setattr(images, "read_picture", noted)
    return names


@pytest.fixture
def files(write):
    """Six images, red 0 10 20 …, in a folder."""
    return [str(write(f"{k}.png", (0, 0, 10 * k))) for k in range(6)]
