"""Near copies across the parts: found where they are, and not where they are none."""

import cv2
import numpy as np
import pytest

from pyimagesearch.data import copies
from pyimagesearch.data.copies import groups_of_copies, is_moved_copy, near_copies
from pyimagesearch.data.datasets import load_mnist
from pyimagesearch.data.images import fit
from pyimagesearch.data.sets import Rows
from tests.data.pictures import pillow_bytes, seen

SHAPE = (64, 64, 3)


@pytest.mark.parametrize("change", [
    lambda image: image + np.random.default_rng(0).integers(-6, 7, image.shape),
    lambda image: image * 1.1 + 8,
    lambda image: seen(pillow_bytes(image[:, :, 0], "JPEG", quality=50))])  # fmt: skip
def test_digits_that_are_saved_again(change):
    (_, (test, _)) = load_mnist()
    copied = np.array([np.clip(change(i), 0, 255).astype(np.uint8) for i in test[:200]])
    (found, looked_at) = near_copies(np.concatenate([copied, test[200:300]]), test[:200])
    assert looked_at == 300 and np.sum(found < 200) >= 180 and np.sum(found >= 200) <= 3


@pytest.fixture(scope="module")
def photos():
    """Forty landscapes of 200x240 pixels: sky above ground, with shapes large and small."""
    rng = np.random.default_rng(0)
    sky = np.linspace(200, 60, 200)[:, np.newaxis, np.newaxis]
    noise = rng.normal(size=(3, 40, 200, 240, 3)).astype(np.float32)
    for of_size, sigma in zip(noise, (3, 8, 24)):  # blurred, and as strong as before
        of_size[:] = [cv2.GaussianBlur(of, (0, 0), sigma) * 4 * sigma**2 for of in of_size]
    return [np.clip(sky + shapes, 0, 255).astype(np.uint8) for shapes in noise.sum(axis=0)]


@pytest.mark.parametrize("change", [
    lambda photo: photo[6:-6, 7:-7],  # 3 % of each side
    lambda photo: photo[8:, 9:],  # two sides
    lambda photo: cv2.resize(photo, (96, 80), interpolation=cv2.INTER_CUBIC)])  # fmt: skip
def test_photos_that_are_cropped_or_shrunk(photos, change):
    train = np.array([fit(photo, SHAPE) for photo in photos])
    test = np.array([fit(change(photo), SHAPE) for photo in photos[:30]])
    (found, looked_at) = near_copies(test, train)
    assert looked_at == 30 and len(found) >= 28
    assert near_copies(test[:15], train[15:])[0].tolist() == []  # other landscapes
    groups = groups_of_copies(np.array([*train[:9], test[3]]))
    assert [rows.tolist() for rows in groups] == [[3, 9]]


def test_images_on_disk_and_an_estimate(monkeypatch):
    (_, (test, _)) = load_mnist()
    monkeypatch.setattr(copies, "MOST_TESTED", 50)
    monkeypatch.setattr(copies, "BLOCK", 7)
    (found, looked_at) = near_copies(Rows(test, np.arange(100)), Rows(test, np.arange(50, 150)))
    assert looked_at == 50 and 24 <= np.sum(found >= 50) <= len(found) <= 27


@pytest.mark.parametrize("block", [1, 3, 2048])
def test_groups_are_what_hangs_together(monkeypatch, block):
    monkeypatch.setattr(copies, "BLOCK", block)
    # two images correlate by the cosine of the angle between them: cos 6 degrees = 0.9945 and
    # cos 12 = 0.9781, each is a copy of the next one alone
    (y, x) = np.mgrid[0:24, 0:24]
    (a, b) = ((-1) ** x, (-1) ** y)  # stripes: the product of the two has a mean of 0
    angles = np.radians([0, 90, 6, 45, 90, 12, 180, 18])
    turned = np.array([np.cos(angle) * a + np.sin(angle) * b for angle in angles])
    images = np.round(128 + 80 * turned).astype(np.uint8)[..., np.newaxis]
    groups = groups_of_copies(Rows(images, np.arange(8)))
    assert [rows.tolist() for rows in groups] == [[0, 2, 5, 7], [1, 4]]
    assert groups_of_copies(images[[0, 1, 3]]) == groups_of_copies(images[:1]) == []
    assert groups_of_copies(images[[1] * 40])[0].tolist() == list(range(40))


def test_drawings_of_different_places_and_sizes_are_no_copies():
    rng = np.random.default_rng(0)
    images = np.full((60, 64, 64, 3), 255, np.uint8)
    for k, (x, y) in enumerate(rng.integers(16, 48, (60, 2)).tolist()):
        cv2.circle(images[k], (x, y), 5 + k % 20, rng.integers(0, 200, 3).tolist(), -1)
    assert groups_of_copies(images) == []
    assert not is_moved_copy(*np.full((2, 50, 50, 3), (200, 100, 30), np.uint8))  # grey, rounded
