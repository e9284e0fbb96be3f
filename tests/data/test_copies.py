"""Near copies across the parts: found where they are, and not where they are none."""

import io

import numpy as np
import pytest
from PIL import Image

from pyimagesearch.data import copies
from pyimagesearch.data.copies import near_copies, normal, thumbnails
from pyimagesearch.data.datasets import load_mnist
from pyimagesearch.data.rows import Rows


@pytest.fixture(scope="module")
def digits():
    return load_mnist()


def test_normal_pixels_multiply_to_their_correlation():
    images = np.random.default_rng(0).integers(0, 255, (6, 9, 11, 3), dtype=np.uint8)
    products = np.einsum("nhwc,mhwc->nm", normal(images), normal(images))
    np.testing.assert_allclose(products, np.corrcoef(images.reshape(6, -1)), atol=1e-5)
    assert not normal(np.full((1, 4, 4, 1), 7, np.uint8)).any()  # plain


@pytest.mark.parametrize("shape", [(28, 28, 1), (13, 40, 3), (5, 8, 1), (64, 64, 3)])
def test_thumbnails_are_sums_over_fields_and_never_further_apart(shape):
    images = np.random.default_rng(0).integers(0, 255, (20, *shape), dtype=np.uint8)
    images[:10] //= 9  # of little contrast
    (pixels, thumbs) = (normal(images).astype(float), thumbnails(images))
    (rows, columns) = ([int(i * n / min(8, n)) for i in range(min(8, n))] for n in shape[:2])
    bottom, right = rows[1] if len(rows) > 1 else shape[0], columns[1]
    first = pixels[:, :bottom, :right].sum(axis=(1, 2, 3)) / (bottom * right * shape[2]) ** 0.5
    np.testing.assert_allclose(thumbs[:, 0], first, atol=1e-4)
    near = np.sum((thumbs[:, None] - thumbs) ** 2, axis=-1)
    flat = pixels.reshape(20, -1)
    assert (near <= np.sum((flat[:, None] - flat) ** 2, axis=-1) + copies.ROUNDING).all()


def saved(image, quality):
    file = io.BytesIO()
    Image.fromarray(image[:, :, 0]).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))[:, :, np.newaxis]


def noise(image, rng):
    return np.clip(image.astype(int) + rng.integers(-6, 7, image.shape), 0, 255).astype(np.uint8)


def brighter(image, rng):
    return np.clip(image * 1.1 + 8, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    "change",
    [noise, brighter, *(lambda image, rng, q=q: saved(image, q) for q in (50, 70, 90))],
    ids=["noise", "brighter", "JPEG 50", "JPEG 70", "JPEG 90"],
)
def test_nine_in_ten_copies_are_found(digits, change):
    rng = np.random.default_rng(0)
    (_, (test, _)) = digits
    copied = np.array([change(image, rng) for image in test[:200]])
    near = near_copies(np.concatenate([copied, test[200:300]]), test[:200])
    assert 180 <= near["found"] <= 203
    assert (near["of"], near["searched"]) == (300, 200)


def test_one_in_a_hundred_of_mnist_at_most(digits):
    # 4,000 of the test images against 54,000 to train on: 0.2 %, all of them ones
    ((train, _), (test, _)) = digits
    near = near_copies(test, train[:54_000])
    assert near == {"found": near["found"], "of": 4000, "searched": 54_000, "test": 10_000,
                    "train": 54_000}  # fmt: skip
    assert near["found"] <= 40


def test_images_on_disk_and_an_estimate(digits, monkeypatch):
    (_, (test, _)) = digits
    monkeypatch.setattr(copies, "MOST_TESTED", 50)
    monkeypatch.setattr(copies, "MOST_PROPOSED", 7)
    near = near_copies(Rows(test, np.arange(100)), Rows(test, np.arange(50, 150)))
    assert near["of"] == 50 and near["test"] == 100 and 24 <= near["found"] <= 27
    (line,) = copies.describe(near)
    assert line.startswith(
        f"{near['found']} of 50 test images have a near copy in training (looked"
    )
    assert copies.describe({**near, "found": 0}) == []
