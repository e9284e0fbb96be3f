"""The batches that training draws: every image in its turn, and all classes equally often."""

import numpy as np
import pytest

from pyimagesearch.config import RECIPES
from pyimagesearch.data import batches as drawing
from pyimagesearch.data.augmentation import moved
from pyimagesearch.data.batches import pairs_of_a_batch, steps_and_size
from pyimagesearch.data.pairs import sample_pairs, sample_triplets
from pyimagesearch.data.sets import ImageSet

STILL = RECIPES["fast"].changed(shift=0)


def pair_batches(images, pairs, size, epochs, seed=0, labels=None):
    """The batches of pairs that a recipe asks for which moves no image."""
    recipe = STILL.changed(pairing="pairs", batch_size=size, epochs=epochs[-1] + 1)
    return drawing.batches(ImageSet(images, labels, pairs), recipe, seed, epochs[0])


def image_batches(images, labels, size, epochs=1, seed=0, recipe=STILL):
    """The batches of images with labels that such a recipe asks for."""
    recipe = recipe.changed(pairing="batch", batch_size=size, epochs=epochs)
    return drawing.batches(ImageSet(images, labels), recipe, seed)


def numbered_images(n):
    """n images of one pixel, which says the number of the image."""
    return np.arange(n).reshape(n, 1, 1, 1)


def pixels(images):
    return np.ravel(images)


def test_pair_batches_hold_every_pair_once_an_epoch():
    images, labels = numbered_images(20), np.arange(20) % 4
    pairs = sample_pairs(labels, 0)
    batches, steps = pair_batches(images, pairs, 12, range(2), seed=1)
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


@pytest.mark.parametrize(
    "n, size, whole, expected",
    [
        (60000, 32, False, (1875, 32)),  # the article's: 1875 = 25 * 75
        (255, 128, True, (2, 127)),  # one batch of 128 would leave out 127
        (5, 128, True, (1, 5)),  # smaller than a batch
        (38, 4, True, (9, 4)),  # two images of 19 batches would hardly be of one class
        (991, 32, False, (32, 31)),  # 31 calls of one step would be slow; 32 = 2 * 16
    ],
)
def test_steps_and_size(n, size, whole, expected):
    assert steps_and_size(n, size, whole) == expected


def test_an_epoch_leaves_out_at_most_one_in_twenty():
    for size in (8, 16, 64, 128):
        for n in [*range(2, 200), *range(200, 60_000, 1997)]:
            steps, got = steps_and_size(n, size)
            # one image may always be left out: 17 in batches of about 8
            assert 0 <= n - steps * got <= max(0.05 * n, 1)
            assert min(size, n) // 2 <= got <= 3 * size


UNEVEN = np.repeat(np.arange(9), [900] + 8 * [12]).astype(np.int32)


def test_uneven_classes_come_equally_often():
    # nine classes, batches of 64: seven images of each in every batch, 63
    batches, steps = image_batches(numbered_images(996), UNEVEN, 64, 9, seed=3)
    assert steps == 15  # as 996 // 64
    batches = [(pixels(x), np.asarray(y)) for x, y in batches]
    assert len(batches) == 9 * 15
    for images, y in batches:
        assert np.bincount(y).tolist() == [7] * 9 and (UNEVEN[images] == y).all()
    # 105 of each class an epoch: each of twelve eight or nine times, of 900 none twice
    (first, second) = (
        np.bincount(np.concatenate([images for images, _ in some]), minlength=996)
        for some in (batches[:15], batches[15:30])
    )
    assert set(first[900:]) == {8, 9} and first[:900].max() == 1
    assert (first[:900] != second[:900]).any()


@pytest.mark.parametrize("sizes", [[40] + 39 * [3], 40 * [4]])
def test_many_classes_come_by_fours(sizes):
    # 40 classes, batches of 32: 8 of them with 4 images each
    labels = np.repeat(np.arange(40), sizes).astype(np.int32)
    batches, steps = image_batches(numbered_images(len(labels)), labels, 32, 5)
    drawn = np.array([np.asarray(y) for _, y in batches])
    assert steps == 5 and drawn.shape == (25, 32)
    fours = drawn.reshape(-1, 4)
    assert (fours == fours[:, :1]).all()
    assert np.bincount(fours[:, 0]).tolist() == [5] * 40  # 200 fours


@pytest.mark.parametrize(
    "sampler", [sample_pairs, sample_triplets, lambda y, r: sample_pairs(y, r).singly()]
)
def test_uneven_pairs_have_anchors_of_all_classes(sampler):
    pairs = sampler(UNEVEN, 0)
    batches, _ = pair_batches(numbered_images(996), pairs, 12, range(1), 0, labels=UNEVEN)
    anchors = np.concatenate([pixels(a) for (a, _), _ in batches])
    assert len(anchors) == len(pairs.anchors)
    often = np.bincount(UNEVEN[anchors])
    assert often.max() - often.min() <= 1


def dots():
    images = np.zeros((64, 7, 7, 1), np.uint8)
    images[:, 3, 3] = 200  # one dot in the middle
    return images


def test_shift_moves_whole_images():
    recipe = RECIPES["fast"].changed(shift=2)
    (batch, _), *_ = image_batches(dots(), np.arange(64) % 2, 64, recipe=recipe)[0]
    image, row, column, _ = np.nonzero(batch.numpy())
    assert image.tolist() == list(range(64))  # still one dot in each
    assert set(row) == set(column) == {1, 2, 3, 4, 5}
    assert len(set(zip(row, column))) > 15  # nearly all of the 25 places


def test_turn_and_zoom_keep_the_middle_where_it_is():
    images = dots()
    images[:, 3, 0] = 100  # and one at the left edge, 3 pixels from the middle
    assert moved(images, STILL, [0, 0]) is images
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
    of_pairs = pair_batches(images, sample_pairs(labels, 0), 12, range(1), 0)
    for batches, _ in (of_pairs, image_batches(images, labels, 20)):
        a, b, y = pairs_of_a_batch(next(iter(batches)), count=3)
        assert y.tolist() == [1, 1, 1, 0, 0, 0]
        assert ((pixels(a) % 4 == pixels(b) % 4) == (y == 1)).all()
    assert len({*(pixels(a) % 4)[:3]}) == 3  # of a batch of images, one pair a class
