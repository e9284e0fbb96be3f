"""Which images of a folder are evaluated, and how they are halved to calibrate."""

from dataclasses import replace

import numpy as np

from pyimagesearch.data.sets import ImageSet, Pairs
from pyimagesearch.inference import evaluate


def images(count, labels=None, pairs=None, groups=None):
    """Images of one pixel, which is their number."""
    pixels = np.arange(count, dtype=np.uint8).reshape(-1, 1, 1, 1)
    (labels, groups) = (x if x is None else np.array(x, np.int32) for x in (labels, groups))
    return ImageSet(pixels, labels, pairs, tuple("abcdef"), groups)


def pairs(indices, y, groups=None):
    (anchors, others) = np.array(indices).T
    ready = Pairs(anchors, others[:, np.newaxis], np.array(y)[:, np.newaxis])
    return images(np.max(indices) + 1, pairs=ready, groups=groups)


def halves(some: ImageSet) -> list[list[int]]:
    return [np.ravel(half.images).tolist() for half in evaluate.halves(some)]


def test_halves_of_classes():
    # a has five images, b four, c three: every second one of a class
    assert halves(images(12, [0] * 5 + [1] * 4 + [2] * 3)) == [
        [0, 2, 4, 6, 8, 10],
        [1, 3, 5, 7, 9, 11],
    ]


def test_groups_stay_together():
    # in each class four clips of one, one, two and two frames
    groups = [0, 0, 1, 1, 2, 3, 4, 4, 5, 5, 6, 7]
    (first, second) = evaluate.halves(images(12, [0] * 6 + [1] * 6, groups=groups))
    assert len(first) == len(second) == 6 and not set(first.groups) & set(second.groups)
    # writers 0 to 3, each of whom has written two of both letters
    writers = np.arange(4).repeat(4)
    (first, second) = evaluate.halves(images(16, [0, 0, 1, 1] * 4, groups=writers))
    assert set(first.groups) == {0, 2} and set(second.groups) == {1, 3}


def test_halves_of_pairs():
    # four writers of one same and two different pairs each, around one image each
    indices = [(4 * w, 4 * w + k) for w in range(4) for k in (1, 2, 3)]
    (first, second) = evaluate.halves(pairs(indices, [1, 0, 0] * 4))
    for half, numbers in (
        (first, [*range(4), *range(8, 12)]),
        (second, [4, 5, 6, 7, *range(12, 16)]),
    ):
        assert np.ravel(half.images).tolist() == numbers
        assert half.pairs.indices().tolist() == [[a, a + k] for a in (0, 4) for k in (1, 2, 3)]
        assert np.ravel(half.pairs.y).tolist() == [1, 0, 0] * 2
    # four pairs without a shared image, of which 0 and 1 are one person's, 2 and 3 another's
    ready = pairs([(0, 1), (2, 3), (4, 5), (6, 7)], [1, 0, 1, 0], groups=[0, 0, 0, 0, 1, 1, 1, 1])
    assert halves(ready) == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_the_part_that_is_evaluated():
    some = images(8, [0, 0, 0, 1, 1, 1, 2, 2])
    # test/ where it is there, else val/, else all
    for splits, numbers, name in (
        (None, list(range(8)), None),
        ([0, 2, 2, 0, 2, 2, 1, 0], [1, 2, 4, 5], "test"),
        ([0, 1, 1, 0, 1, 1, 0, 0], [1, 2, 4, 5], "val"),
    ):
        splits = splits and np.array(splits, np.int8)
        (part, found) = evaluate.part(replace(some, splits=splits))
        assert (np.ravel(part.images).tolist(), found) == (numbers, name)
        assert part.labels.tolist() == some.labels[numbers].tolist()
