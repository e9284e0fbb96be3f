"""The image reader: what a person sees, or an error that names the file."""

import os

import cv2
import numpy as np
import pytest

from pyimagesearch.images import list_images, printable, read_image, read_images


@pytest.fixture
def photo():
    """A colour gradient, 40 rows by 30 columns, smooth so that JPEG keeps it."""
    y, x = np.mgrid[0:40, 0:30]
    return np.stack([x * 8, y * 6, 255 - x * 4], axis=-1).astype(np.uint8)  # BGR


@pytest.mark.parametrize("ending", ["png", "bmp", "ppm", "tiff", "webp", "jpg", "JPG", "gif"])
def test_colour_of_every_format(tmp_path, photo, ending):
    path = tmp_path / f"photo {ending} äöü.{ending}"
    data = cv2.imencode(f".{ending.lower()}", photo)[1]
    data.tofile(path)
    image = read_image(path, (40, 30, 3))
    assert image.dtype == np.uint8
    lost = 20 if ending == "gif" else 6  # of 256: a palette of few colours, or compression
    assert np.abs(image[:, :, ::-1].astype(int) - photo).mean() < lost  # RGB


def test_grey_and_resize(tmp_path, photo):
    path = str(tmp_path / "photo.png")
    cv2.imwrite(path, photo)
    assert read_image(path, (28, 28, 1)).shape == (28, 28, 1)
    small = read_image(path, (20, 15, 3))
    # each pixel is the mean of four
    expected = photo.reshape(20, 2, 15, 2, 3).mean(axis=(1, 3))[:, :, ::-1]
    assert np.abs(small - expected).max() <= 1


def test_sixteen_bits(tmp_path):
    path = str(tmp_path / "grey.png")
    cv2.imwrite(path, np.array([[0, 0x7FFF, 0xFFFF]], np.uint16))
    assert read_image(path, (1, 3, 1)).ravel().tolist() == [0, 127, 255]


def test_unreadable_files_are_named_and_the_rest_is_read(tmp_path, photo):
    png = cv2.imencode(".png", photo)[1].tobytes()
    jpg = cv2.imencode(".jpg", photo)[1].tobytes()
    bad = {
        "cut.png": png[: len(png) // 2],
        "cut.jpg": jpg[: len(jpg) // 2],
        "empty.png": b"",
        "text.png": b"these are words\n" * 100,
        "huge.png": png[:16] + (30000).to_bytes(4) * 2 + png[24:],
    }
    for name, data in bad.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "good.png").write_bytes(png)
    paths, images, messages = read_images(
        [*list_images(tmp_path), tmp_path / "missing.png"], (28, 28, 1)
    )
    assert [os.path.basename(p) for p in paths] == ["good.png"] and images.shape == (1, 28, 28, 1)
    assert len(messages) == len(bad) + 1
    for name in [*bad, "missing.png"]:
        assert sum(name in message for message in messages) == 1


def test_a_name_that_is_no_unicode(tmp_path, photo):
    path = os.path.join(os.fsencode(tmp_path), b"caf\xe9\n.png")
    try:
        with open(path, "wb") as f:
            f.write(cv2.imencode(".png", photo)[1].tobytes())
    except OSError:
        pytest.skip("this file system takes no such name")
    (name,) = list_images(tmp_path)
    assert read_image(name, (28, 28, 1)).shape == (28, 28, 1)
    assert printable(os.path.basename(name)) == "caf\\udce9?.png"


def test_list_images_is_sorted_nested_and_of_any_case(tmp_path):
    for name in ["b.PNG", "a.jpeg", "c/x.Gif", "c/note.txt", "Z.webp"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [os.path.relpath(p, tmp_path) for p in list_images(tmp_path)]
    assert found == sorted(["b.PNG", "a.jpeg", os.path.join("c", "x.Gif"), "Z.webp"])
