"""Near copies across the parts: found where they are, and not where they are none."""

import numpy as np
import pytest

from pyimagesearch.data import datasets
from pyimagesearch.data.datasets import load_mnist, near_copies, thumbnails
from pyimagesearch.data.images import decode
from pyimagesearch.data.sets import Rows
from tests.data.pictures import pillow_bytes


@pytest.fixture(scope="module")
def digits():
    return load_mnist()


def test_thumbnails_multiply_to_the_correlation_of_the_pixels():
    images = np.random.default_rng(0).integers(0, 255, (6, 24, 24, 3), dtype=np.uint8)
    thumbs = thumbnails(images, np.arange(6))
    np.testing.assert_allclose(thumbs @ thumbs.T, np.corrcoef(images.reshape(6, -1)), atol=1e-5)
    assert not thumbnails(np.full((1, 4, 4, 1), 7, np.uint8), [0]).any()  # plain


def saved(quality):
    return lambda image: decode(pillow_bytes(image[:, :, 0], "JPEG", quality=quality), "name")


CHANGES = {
    "noise": lambda image: image + np.random.default_rng(0).integers(-6, 7, image.shape),
    "brighter": lambda image: image * 1.1 + 8,
    "JPEG 50": saved(50),
    "JPEG 90": saved(90),
}


@pytest.mark.parametrize("change", CHANGES)
def test_nine_in_ten_copies_are_found(digits, change):
    (_, (test, _)) = digits
    copied = np.array([np.clip(CHANGES[change](i), 0, 255).astype(np.uint8) for i in test[:200]])
    near = near_copies(np.concatenate([copied, test[200:300]]), test[:200])
    assert 180 <= near["found"] <= 203 and near["of"] == 300


def test_images_on_disk_and_an_estimate(digits, monkeypatch):
    (_, (test, _)) = digits
    monkeypatch.setattr(datasets, "MOST_TESTED", 50)
    monkeypatch.setattr(datasets, "BLOCK", 7)
    near = near_copies(Rows(test, np.arange(100)), Rows(test, np.arange(50, 150)))
    assert near["of"] == 50 and 24 <= near["found"] <= 27
