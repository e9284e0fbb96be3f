"""make_pairs and sample_pairs: the article's contract, for labels of any kind."""

import numpy as np
import pytest

from pyimagesearch.data.pairs import sample_pairs, sample_triplets
from pyimagesearch.system.terminal import InputError
from pyimagesearch.utils import make_pairs


def test_shapes_order_and_dtype_are_the_article_s():
    images = np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1)  # image i is the pixel i
    labels = np.array([0, 0, 0, 1, 1, 1])
    pairs, y = make_pairs(images, labels, rng=0)
    assert pairs.shape == (12, 2, 1, 1, 1) and pairs.dtype == np.uint8
    assert y.shape == (12, 1) and y.ravel().tolist() == [1, 0] * 6
    pixels = pairs.reshape(12, 2)
    assert pixels[:, 0].tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert ((labels[pixels[:, 0]] == labels[pixels[:, 1]]) == (y.ravel() == 1)).all()


ANIMALS = ["cat", "dog", "dog", "cat", "cat"]


@pytest.mark.parametrize("labels", [
    [7, 7, -3, 7, -3], ANIMALS, [2.0, 0.0, 2.0, 0.0, 0.0], [True, False, True, False, True],
    *(np.array(labels, dtype=object) for labels in (ANIMALS, [3, -1, 3, -1, -1])),  # from pandas
    [[1], [0], [1], [0], [1]]])  # fmt: skip  # as keras.datasets.cifar10 gives them
def test_any_labels(labels):
    flat = np.ravel(labels)
    for seed in range(20):
        partners = sample_pairs(labels, seed).others
        assert partners.shape == (5, 2)
        assert (flat[partners[:, 0]] == flat).all()
        assert (flat[partners[:, 1]] != flat).all()
        assert (partners[:, 0] != np.arange(5)).all()  # never with itself


def test_no_image_is_compared_with_itself():
    # image 0 has no other of its class: no anchor, but the negative of the others
    pairs = sample_pairs(["a", "b", "b"], 0)
    assert pairs.anchors.tolist() == [1, 2] and pairs.others.tolist() == [[2, 0], [1, 0]]
    with pytest.raises(InputError, match="two images at least"):
        sample_pairs([1, 2, 3], 0)


def test_every_partner_is_equally_likely():
    labels = np.repeat([0, 1, 2], [2, 3, 5])  # image 2 is in class 1: 2, 3, 4
    drawn = np.array([sample_pairs(labels, seed).others[2] for seed in range(1400)])
    positive = np.bincount(drawn[:, 0], minlength=10)
    negative = np.bincount(drawn[:, 1], minlength=10)
    # 1400 / 2 = 700 times each of two, 1400 / 7 = 200 times each of seven; 4 standard deviations
    assert np.flatnonzero(positive).tolist() == [3, 4]
    assert abs(positive[[3, 4]] - 700).max() < 4 * np.sqrt(1400 / 4)
    assert np.flatnonzero(negative).tolist() == [0, 1, 5, 6, 7, 8, 9]
    assert abs(negative[negative > 0] - 200).max() < 4 * np.sqrt(1400 * 6 / 49)


def test_seed_generator_and_global_state():
    rng = np.random.default_rng(5)
    (a, again, b, c, d) = (sample_pairs([0, 1] * 50, x).others for x in (5, 5, 6, rng, rng))
    assert (a == again).all() and (a != b).any() and (c != d).any()
    for seed in (3, 3):
        np.random.seed(seed)
        again, first = sample_pairs([0, 1] * 50).others, again
    assert (again == first).all()


def test_triplets_use_each_image_once():
    labels = np.repeat([0, 1, 2], [2, 3, 5])
    pairs = sample_triplets(labels, 0)
    # 1 + 1 + 2 triplets: an image of each odd class is left over
    assert pairs.anchors.shape == (4,) and pairs.others.shape == pairs.y.shape == (4, 2)
    (positive, negative) = pairs.others.T
    assert len({*pairs.anchors, *positive}) == 8
    assert (labels[pairs.anchors] == labels[positive]).all()
    assert (labels[pairs.anchors] != labels[negative]).all()
    assert pairs.y.tolist() == [[1, 0]] * 4
    # every image has its turn: 7 is an anchor or a positive in 4 of 5 draws
    drawn = [sample_triplets(labels, seed) for seed in range(500)]
    often = sum(7 in [*d.anchors, *d.others[:, 0]] for d in drawn)
    assert abs(often - 400) < 4 * np.sqrt(500 * 0.16)
    with pytest.raises(ValueError, match="two images at least"):
        sample_triplets([1, 2, 3], 0)


THREE = np.zeros((3, 2, 2))


@pytest.mark.parametrize(
    "images, labels, message",
    [
        (THREE, [1, 1, 1], "at least two classes.*1"),
        (np.zeros((0, 2, 2)), [], "at least two classes.*0"),
        (THREE, [0, 1], "one label for each image.*3 images, 2 labels"),
        (THREE, np.eye(3), r"\(N,\) or \(N, 1\)\. Received: \[1\.0, 0\.0, 0\.0\]\. np.argmax"),
        (THREE, [0, 0.5, 1], r"Received: 0\.5"),
        (THREE, ["a", 1, "b"], "Received: 'a'"),
        (THREE, np.array([None, 1, 2], object), "Received: None"),
        (THREE, [[0], [1, 2], [3]], r"Received: \[1, 2\]"),
        ([np.zeros((2, 2)), np.zeros((3, 2))], [0, 1], "Expected images of one size"),
        (np.array([np.zeros(2), None], object), [0, 1], "Expected images of one size"),
    ],
)
def test_errors_say_what_came(images, labels, message):
    with pytest.raises(InputError, match=message) as error:
        make_pairs(images, labels)
    assert "\n" not in str(error.value)
