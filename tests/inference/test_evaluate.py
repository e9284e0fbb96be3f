"""Which images of a folder are evaluated, and how they are halved to calibrate."""

import numpy as np
import pytest

from pyimagesearch.data.folders import Folder
from pyimagesearch.data.pairs import Pairs
from pyimagesearch.data.rows import Rows
from pyimagesearch.data.sets import ImageSet
from pyimagesearch.inference import evaluate
from pyimagesearch.system.errors import InputError


def pixels(count):
    """Images of one pixel, which is their number."""
    return np.arange(count, dtype=np.uint8).reshape(-1, 1, 1, 1)


def numbers(images: ImageSet) -> list[int]:
    return np.ravel(images.images[:]).tolist()


def classes(labels, groups=None, names="abcdef"):
    labels = np.array(labels, np.int32)
    groups = groups if groups is None else np.array(groups, np.int32)
    return ImageSet(
        images=pixels(len(labels)), labels=labels, class_names=tuple(names), groups=groups
    )


def pairs(indices, y, groups=None):
    (anchors, others) = np.array(indices).T
    ready = Pairs(anchors, others[:, np.newaxis], np.array(y)[:, np.newaxis])
    images = pixels(np.max(indices) + 1)
    return ImageSet(images=images, labels=None, pairs=ready, groups=groups)


def folder(images: ImageSet, splits=None) -> Folder:
    return Folder(
        pixels=Rows(images.images, np.arange(len(images))),
        files=[f"{k}.png" for k in range(len(images))],
        labels=images.labels,
        class_names=images.class_names,
        pairs=images.pairs,
        splits=splits if splits is None else np.array(splits, np.int8),
        groups=images.groups,
        contents=np.arange(len(images), dtype=np.uint64),
    )


def test_halves_of_classes():
    # a has five images, b four, c three: every second one of a class, and c is too small
    (first, second, messages) = evaluate.halves(classes([0] * 5 + [1] * 4 + [2] * 3))
    assert numbers(first) == [0, 2, 4, 5, 7] and numbers(second) == [1, 3, 6, 8]
    assert messages == ["left out class c: 3 images; 4 needed, 2 to choose by and 2 to report on"]


def test_groups_stay_together():
    # in each class four clips of two, two, one and one frames
    labels = [0] * 6 + [1] * 6
    groups = [0, 0, 1, 1, 2, 3, 4, 4, 5, 5, 6, 7]
    (first, second, messages) = evaluate.halves(classes(labels, groups))
    assert not messages and len(first) == len(second) == 6
    assert not set(first.groups) & set(second.groups)
    # a class of one clip cannot be halved
    (_, _, messages) = evaluate.halves(classes(labels + [2] * 4, groups + [8] * 4))
    assert messages == [
        "left out class c: 4 images, in groups that stay together; 4 needed, 2 to choose by and 2 "
        "to report on"
    ]


def test_groups_across_classes_stay_together():
    # writers 0 to 3, each of whom has written two of both letters
    labels, groups = [0, 0, 1, 1] * 4, np.arange(4).repeat(4)
    (first, second, _) = evaluate.halves(classes(labels, groups))
    assert set(first.groups) == {0, 2} and set(second.groups) == {1, 3}


def test_halves_of_pairs():
    # four writers of one same and two different pairs each, around one image each
    indices = [(4 * w, 4 * w + k) for w in range(4) for k in (1, 2, 3)]
    (first, second, messages) = evaluate.halves(pairs(indices, [1, 0, 0] * 4))
    assert not messages
    assert numbers(first) == [0, 1, 2, 3, 8, 9, 10, 11]
    assert numbers(second) == [4, 5, 6, 7, 12, 13, 14, 15]
    for half in (first, second):
        assert half.pairs.indices().tolist() == [[a, a + k] for a in (0, 4) for k in (1, 2, 3)]
        assert np.ravel(half.pairs.y).tolist() == [1, 0, 0] * 2


def test_pairs_of_one_group_stay_together():
    # four pairs without a shared image, of which 0 and 1 are one person's, 2 and 3 another's
    indices = [(0, 1), (2, 3), (4, 5), (6, 7)]
    ready = pairs(indices, [1, 0, 1, 0], groups=np.array([0, 0, 0, 0, 1, 1, 1, 1], np.int32))
    (first, second, _) = evaluate.halves(ready)
    assert numbers(first) == [0, 1, 2, 3] and numbers(second) == [4, 5, 6, 7]


def test_what_cannot_be_halved():
    with pytest.raises(InputError, match="4 images of each of two classes"):
        evaluate.halves(classes([0] * 9 + [1] * 3))
    with pytest.raises(InputError, match="hang together in 1 groups"):
        evaluate.halves(pairs([(0, 1), (1, 2), (0, 2)], [1, 0, 0]))


def test_the_part_that_is_evaluated():
    images = classes([0, 0, 0, 1, 1, 1, 2, 2], names="abc")
    (part, messages, name) = evaluate.part(folder(images))
    assert numbers(part) == list(range(8)) and not messages and name is None
    # test/ where it is there, and of c only one image is in it
    (part, messages, name) = evaluate.part(folder(images, [0, 2, 2, 0, 2, 2, 1, 2]))
    assert numbers(part) == [1, 2, 4, 5] and name == "test"
    assert messages == ["left out class c: 1 image, 2 needed"]
    assert part.labels.tolist() == [0, 0, 1, 1]
    # val/ where there is no test/
    (part, _, name) = evaluate.part(folder(images, [0, 1, 1, 0, 1, 1, 0, 0]))
    assert numbers(part) == [1, 2, 4, 5] and name == "val"
    with pytest.raises(InputError, match="two classes with at least two images"):
        evaluate.part(folder(images, [0, 2, 2, 0, 0, 2, 0, 2]))


def test_ready_pairs_are_kept():
    ready = pairs([(0, 1), (2, 3)], [1, 0])
    (part, messages, name) = evaluate.part(folder(ready))
    assert part.labels is None and part.pairs.indices().tolist() == [[0, 1], [2, 3]]
    assert not messages and name is None
    with pytest.raises(InputError, match="2 same, 0 different"):
        evaluate.part(folder(pairs([(0, 1), (2, 3)], [1, 1])))
