"""The batches that training draws."""

import numpy as np
import pytest

from pyimagesearch.datasets import (
    hold_out,
    image_batches,
    load_mnist,
    pair_batches,
    pairs_of_a_batch,
)
from pyimagesearch.utils import sample_pairs


def numbered_images(n):
    """n images of 2x2, all four pixels the number of the image."""
    return np.arange(n, dtype=np.uint8).reshape(n, 1, 1, 1).repeat(2, 1).repeat(2, 2)


def test_mnist_is_mnist():
    (trainX, trainY), (testX, testY) = load_mnist()
    assert trainX.shape == (60000, 28, 28, 1) and testX.shape == (10000, 28, 28, 1)
    assert trainX.dtype == np.uint8
    assert trainY[:5].tolist() == [5, 0, 4, 1, 9] and testY[:3].tolist() == [7, 2, 1]
    assert trainX.mean() / 255 == pytest.approx(0.1307, abs=1e-4)


def test_hold_out_takes_each_image_once():
    images, labels = numbered_images(50), np.arange(50) % 3
    (a, la), (b, lb) = hold_out(images, labels, 0.1, np.random.default_rng(0))
    assert len(a) == 45 and len(b) == 5
    seen = np.concatenate([a, b])[:, 0, 0, 0]
    assert sorted(seen) == list(range(50))
    assert (np.concatenate([la, lb]) == seen % 3).all()


def pixels(images):
    return np.asarray(images)[:, 0, 0, 0]


def test_pair_batches_hold_every_pair_once_an_epoch():
    images, labels = numbered_images(20), np.arange(20) % 4
    partners = sample_pairs(labels, 0)
    batches, steps = pair_batches(images, partners, batch_size=12, epochs=2, seed=1)
    batches = list(batches)
    assert steps == 4 and len(batches) == 8  # 6 anchors a step: 6 + 6 + 6 + 2
    orders = []
    for epoch in (batches[:4], batches[4:]):
        anchors = np.concatenate([pixels(a) for (a, _), _ in epoch])
        assert sorted(anchors) == list(range(20))
        for (a, b), y in epoch:
            assert pixels(b).reshape(-1, 2).tolist() == partners[pixels(a)].tolist()
            assert np.asarray(y).ravel().tolist() == [1, 0] * len(a)
        orders.append(anchors.tolist())
    assert orders[0] != orders[1]
    again, _ = pair_batches(images, partners, 12, 1, seed=1)
    assert np.concatenate([pixels(a) for (a, _), _ in again]).tolist() == orders[0]


def test_pair_batches_refuse_an_odd_batch():
    with pytest.raises(ValueError, match=r"even batch size.*Received: 7"):
        pair_batches(numbered_images(4), np.zeros((4, 2), int), 7, 1, 0)


def test_image_batches_number_the_classes():
    batches, steps = image_batches(numbered_images(10), np.array([30, 10] * 5), 4, 1, 0)
    batches = list(batches)
    assert steps == len(batches) == 2  # what does not fill a batch waits for the next epoch
    for images, labels in batches:
        assert (np.asarray(labels) == 1 - pixels(images) % 2).all()  # 10 -> 0, 30 -> 1


def test_shift_moves_whole_images_and_fills_with_black():
    images = np.zeros((64, 7, 7, 1), np.uint8)
    images[:, 3, 3] = 200  # one dot in the middle
    (batch, _), *_ = image_batches(images, np.arange(64) % 2, 64, 1, 0, shift=2)[0]
    image, row, column, _ = np.nonzero(batch.numpy())
    assert image.tolist() == list(range(64))  # still one dot in each
    assert set(row) == set(column) == {1, 2, 3, 4, 5}
    assert len(set(zip(row, column))) > 15  # nearly all of the 25 places


def test_pairs_of_a_batch_tell_the_truth():
    images, labels = numbered_images(20), np.arange(20) % 4
    for batches, _ in (
        pair_batches(images, sample_pairs(labels, 0), 12, 1, 0),
        image_batches(images, labels, 20, 1, 0),
    ):
        a, b, y = pairs_of_a_batch(next(iter(batches)), count=3)
        assert y.tolist() == [1, 1, 1, 0, 0, 0]
        assert ((pixels(a) % 4 == pixels(b) % 4) == (y == 1)).all()
