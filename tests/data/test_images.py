"""The image reader: listing, reading and resizing, or an error that names the file."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from pyimagesearch.data.images import (
    WholeShape,
    fit,
    read_image,
    read_images,
)
from pyimagesearch.data.listing import list_images
from pyimagesearch.system.errors import printable
from tests.data.pictures import opencv_bytes, seen

ROOT = Path(__file__).parents[2]


def test_grey_and_resize(tmp_path, photo):
    path = str(tmp_path / "photo.png")
    cv2.imwrite(path, photo)
    assert read_image(path, (28, 28, 1)).shape == (28, 28, 1)
    small = read_image(path, (20, 15, 3))
    # each pixel is the mean of four
    expected = photo.reshape(20, 2, 15, 2, 3).mean(axis=(1, 3))[:, :, ::-1]
    assert np.abs(small - expected).max() <= 1


@pytest.mark.parametrize("height, width", [(1, 1), (1, 5000), (5000, 1)])
def test_thin_images(height, width):
    image = seen(opencv_bytes(np.full((height, width), 9, np.uint8), ".png"))
    assert image.shape == (height, width, 1)
    for shape in ((28, 28, 3), WholeShape((28, 28, 3))):
        assert fit(image, shape).shape == (28, 28, 3) and (fit(image, shape) == 9).all()


def test_a_whole_shape_keeps_the_ratio_and_repeats_the_edges():
    """4 wide, 2 high, into 4x4: as it is in the middle, its first and last row once more."""
    image = np.arange(8, dtype=np.uint8).reshape(2, 4, 1)
    whole = fit(image, WholeShape((4, 4, 1)))[:, :, 0]
    np.testing.assert_array_equal(whole, image[[0, 0, 1, 1], :, 0])
    # 2 wide, 6 high, into 3x3: one wide and three high, in the middle
    column = np.repeat(np.arange(0, 60, 10, dtype=np.uint8), 2).reshape(6, 2, 1)
    whole = fit(column, WholeShape((3, 3, 3)))
    np.testing.assert_array_equal(whole, np.broadcast_to([[[5]], [[25]], [[45]]], (3, 3, 3)))


@pytest.mark.parametrize(
    "name", ["a b.png", "日本語 🦉.PNG", "a\nb.png", "'\"`$.png", "-.png", os.fsdecode(b"\xe9.png")]
)
def test_names(tmp_path, photo, name):
    (tmp_path / name).write_bytes(opencv_bytes(photo, ".jpg"))  # the ending does not matter
    assert read_images(list_images(tmp_path), (8, 8, 3))[1].shape == (1, 8, 8, 3)
    (tmp_path / name).write_bytes(b"")
    (message,) = read_images(list_images(tmp_path), (8, 8, 3))[2]
    assert printable(name) in message and "\n" not in message


def test_endings_of_the_formats(tmp_path):
    names = ["a.JFIF", "a.jpe", "a.dib", "a.pbm", "a.avif", "a.jp2", "a.j2k", "a.pnm"]
    for name in [*names, "a.txt", "a.psd"]:
        (tmp_path / name).touch()
    os.mkfifo(tmp_path / "pipe")
    assert {os.path.basename(path) for path in list_images(tmp_path)} == set(names)


def test_importing_the_readers_changes_nothing_around_them():
    code = """
import logging, os, sys, threading, warnings
before = (dict(os.environ), logging.getLogger("PIL").level)
import numpy, PIL.Image
filters = list(warnings.filters)
import pyimagesearch.data.folders, pyimagesearch.data.images
assert before == (dict(os.environ), logging.getLogger("PIL").level), "environment or logging"
assert warnings.filters == filters, "warnings"
assert threading.active_count() == 1 and "cv2" not in sys.modules and "pi_heif" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
