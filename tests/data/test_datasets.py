"""The image sets, and the batches that training draws from them."""

import numpy as np
import pytest

from pyimagesearch.config import RECIPES
from pyimagesearch.data.batches import image_batches, moved, pair_batches, pairs_of_a_batch
from pyimagesearch.data.datasets import load_mnist, split
from pyimagesearch.data.pairs import Pairs, sample_pairs, sample_triplets
from pyimagesearch.data.sets import ImageSet

STILL = RECIPES["fast"].changed(shift=0)


def numbered_images(n):
    """n images of 2x2, all four pixels the number of the image."""
    return np.arange(n, dtype=np.uint8).reshape(n, 1, 1, 1).repeat(2, 1).repeat(2, 2)


def test_mnist_is_mnist():
    (trainX, trainY), (testX, testY) = load_mnist()
    assert trainX.shape == (60000, 28, 28, 1) and testX.shape == (10000, 28, 28, 1)
    assert trainX.dtype == np.uint8
    assert trainY[:5].tolist() == [5, 0, 4, 1, 9] and testY[:3].tolist() == [7, 2, 1]
    assert trainX.mean() / 255 == pytest.approx(0.1307, abs=1e-4)


def test_split_takes_some_of_every_class():
    images, labels = numbered_images(50), np.arange(50) % 3  # 17, 17 and 16 of a class
    kept, taken = split(ImageSet(images, labels, None), 0.1, np.random.default_rng(0))
    assert np.bincount(taken.labels).tolist() == [2, 2, 2]  # round(0.1 * 17), not below 2
    seen = np.concatenate([pixels(kept.images), pixels(taken.images)])
    assert sorted(seen) == list(range(50))
    assert (np.concatenate([kept.labels, taken.labels]) == seen % 3).all()


def test_split_by_classes_keeps_them_apart():
    labels = np.arange(60) % 10
    kept, taken = split(
        ImageSet(numbered_images(60), labels, None), 0.3, np.random.default_rng(0), "classes"
    )
    assert len(set(kept.labels)) == 7 and len(set(taken.labels)) == 3
    assert not set(kept.labels) & set(taken.labels) and len(taken.labels) == 18


def test_split_refuses_too_little():
    images = ImageSet(numbered_images(6), np.array([0, 0, 0, 1, 1, 1]), None)
    with pytest.raises(ValueError, match="two classes of six images"):
        split(images, 0.5, np.random.default_rng(0))
    with pytest.raises(ValueError, match="six classes"):
        split(images, 0.5, np.random.default_rng(0), "classes")


def test_split_of_pairs_shares_no_image():
    anchors = np.arange(0, 80, 2)
    others = (anchors + 1)[:, None]
    others[0] = anchors[1]  # one image stands in two pairs
    y = (np.arange(40) % 2)[:, None]
    for seed in range(5):
        rng = np.random.default_rng(seed)
        images = ImageSet(numbered_images(80), None, Pairs(anchors, others, y))
        kept, taken = split(images, 0.3, rng)
        used = [set(pixels(part.images)) for part in (kept, taken)]
        assert not used[0] & used[1]
        assert len(kept.pairs.anchors) == 28 and len(taken.pairs.anchors) in (11, 12)
        for part in (kept, taken):  # and holds no image that is in none of its pairs
            assert len(part.images) == len(np.unique(part.pairs.indices()))


def pixels(images):
    return np.asarray(images)[:, 0, 0, 0]


def test_pair_batches_hold_every_pair_once_an_epoch():
    images, labels = numbered_images(20), np.arange(20) % 4
    pairs = sample_pairs(labels, 0)
    batches, steps = pair_batches(images, pairs, batch_size=12, epochs=range(2), seed=1)
    batches = list(batches)
    assert steps == 4 and len(batches) == 8  # 6 anchors a step: 6 + 6 + 6 + 2
    orders = []
    for epoch in (batches[:4], batches[4:]):
        anchors = np.concatenate([pixels(a) for (a, _), _ in epoch])
        assert sorted(anchors) == list(range(20))
        for (a, b), y in epoch:
            assert pixels(b).reshape(-1, 2).tolist() == pairs.others[pixels(a)].tolist()
            assert np.asarray(y).ravel().tolist() == [1, 0] * len(a)
        orders.append(anchors.tolist())
    assert orders[0] != orders[1]
    # the second epoch is the same for a training that begins with it
    again, _ = pair_batches(images, pairs, 12, range(1, 2), seed=1)
    assert np.concatenate([pixels(a) for (a, _), _ in again]).tolist() == orders[1]


def test_single_pairs_and_triplets_in_batches():
    images, labels = numbered_images(20), np.arange(20) % 4
    pairs = sample_pairs(labels, 0).singly()
    batches, steps = pair_batches(images, pairs, 8, range(1), seed=0)
    assert steps == 5  # 40 pairs
    drawn = [
        (i, j, k) for (a, b), y in batches for i, j, k in zip(pixels(a), pixels(b), np.ravel(y))
    ]
    assert sorted(drawn) == sorted(zip(*pairs.indices().T, pairs.labels().ravel()))
    triplets = sample_triplets(labels, 0)
    ((a, b), y), *_ = pair_batches(images, triplets, 2 * 8, range(1), seed=0)[0]
    assert a.shape[0] == 8 and b.shape[0] == 16 and np.ravel(y).tolist() == [1, 0] * 8


def test_pair_batches_refuse_an_odd_batch():
    with pytest.raises(ValueError, match=r"even batch size.*Received: 7"):
        pair_batches(numbered_images(4), sample_pairs([0, 0, 1, 1], 0), 7, range(1), 0)


def test_image_batches_number_the_classes():
    batches, steps = image_batches(numbered_images(10), np.array([30, 10] * 5), 4, range(1), 0)
    batches = list(batches)
    assert steps == len(batches) == 2  # what does not fill a batch waits for the next epoch
    for images, labels in batches:
        assert (np.asarray(labels) == 1 - pixels(images) % 2).all()  # 10 -> 0, 30 -> 1


def test_many_classes_come_four_by_four():
    labels = np.arange(120) % 20  # 6 images of each class: a four and a two
    batches, steps = image_batches(numbered_images(120), labels, 24, range(2), 0)
    epochs = np.array([np.asarray(y) for _, y in batches]).reshape(2, -1)
    assert steps == 5
    for epoch in epochs:
        assert (np.bincount(epoch) == 6).all()  # each image once
        runs = np.split(epoch, np.flatnonzero(np.diff(epoch)) + 1)
        assert {len(run) for run in runs} <= {2, 4, 6}  # 6: both of a class, by chance
    assert (epochs[0] != epochs[1]).any()


def dots():
    images = np.zeros((64, 7, 7, 1), np.uint8)
    images[:, 3, 3] = 200  # one dot in the middle
    return images


def test_shift_moves_whole_images():
    recipe = RECIPES["fast"].changed(shift=2)
    (batch, _), *_ = image_batches(dots(), np.arange(64) % 2, 64, range(1), 0, recipe)[0]
    image, row, column, _ = np.nonzero(batch.numpy())
    assert image.tolist() == list(range(64))  # still one dot in each
    assert set(row) == set(column) == {1, 2, 3, 4, 5}
    assert len(set(zip(row, column))) > 15  # nearly all of the 25 places


def test_turn_and_zoom_keep_the_middle_where_it_is():
    images = dots()
    images[:, 3, 0] = 100  # and one at the left edge, 3 pixels from the middle
    still = moved(images, STILL, [0, 0])
    assert still is images
    turned = moved(images, STILL.changed(turn=180), [0, 0]).numpy()
    assert (turned[:, 3, 3] > 190).all()
    # the other dot is somewhere else on its circle, now and then at the right edge
    assert (turned[:, 3, 6] > 50).any() and (turned[:, 3, 0] < 50).any()
    zoomed = moved(images, STILL.changed(zoom=0.5), [0, 0]).numpy()
    assert (zoomed[:, 3, 3] > 190).all() and len(np.unique(zoomed[:, 3, 2])) > 1
    assert (moved(images, STILL.changed(turn=180), [0, 0]).numpy() == turned).all()
    assert (moved(images, STILL.changed(turn=180), [0, 1]).numpy() != turned).any()


def test_pairs_of_a_batch_tell_the_truth():
    images, labels = numbered_images(20), np.arange(20) % 4
    for batches, _ in (
        pair_batches(images, sample_pairs(labels, 0), 12, range(1), 0),
        image_batches(images, labels, 20, range(1), 0),
    ):
        a, b, y = pairs_of_a_batch(next(iter(batches)), count=3)
        assert y.tolist() == [1, 1, 1, 0, 0, 0]
        assert ((pixels(a) % 4 == pixels(b) % 4) == (y == 1)).all()
