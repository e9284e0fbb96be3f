"""Which image is trained on, chooses, is tested on: by its content, class by class, in groups."""

from dataclasses import replace

import numpy as np
import pytest

from pyimagesearch.config import Reading
from pyimagesearch.data.sets import ImageSet, Pairs, digests_of, pixel_digests
from pyimagesearch.data.splits import TEST, TRAIN, VALIDATION, connected, split
from pyimagesearch.system.terminal import InputError

USUAL = Reading(tested=0.2, held_out=0.15)  # recipe photos: 20 % tested, 12 % chosen by
NO_CHOICES = Reading(tested=0.2, held_out=0)  # recipe article


def image_set(sizes, seed=0, **known):
    """Classes of these sizes, contents at random, no pixels to speak of."""
    labels = np.repeat(np.arange(len(sizes)), sizes).astype(np.int32)
    contents = np.random.default_rng(seed).integers(2**63, size=len(labels)).astype(np.uint64)
    known = {"contents": contents, "class_names": tuple(f"c{i}" for i in range(len(sizes)))} | known
    return ImageSet(np.zeros((len(labels), 1, 1, 1), np.uint8), labels, **known)


def counts(images, part):
    """Images of each class (rows) in training, validation and test (columns)."""
    classes = len(images.class_names)
    return np.stack([np.bincount(images.labels[part == kind], minlength=classes)
                     for kind in (TRAIN, VALIDATION, TEST)], axis=1)  # fmt: skip


def test_chances_are_the_same_everywhere():
    # the images with the lowest chances are tested on, those with the highest choose
    images = image_set([100, 50])
    part, how = split(images, USUAL, seed=1)
    assert how == "images" and counts(images, part).tolist() == [[68, 12, 20], [34, 6, 10]]
    chance = digests_of(bytes([1] + 7 * [0]) + content.tobytes() for content in images.contents)
    for c in (0, 1):
        kinds = part[images.labels == c][np.argsort(chance[images.labels == c])]
        assert np.flatnonzero(np.diff(kinds)).tolist() == [20 // (c + 1) - 1, 88 // (c + 1) - 1]


def test_an_added_photo_moves_at_most_one_other_of_its_class():
    before = image_set([100, 200, 60])
    more = image_set([101, 200, 60], seed=9)
    place = np.delete(np.arange(361), 100)  # the old photos keep their contents
    more.contents[place] = before.contents
    order = np.random.default_rng(3).permutation(361)
    for seed in range(10):
        old, _ = split(before, USUAL, seed)
        again = np.empty(361, int)
        again[order] = split(more.part(order), USUAL, seed)[0]
        moved = again[place] != old
        assert moved.sum() <= 2 and not moved[100:].any()


def test_no_class_loses_more_than_half_and_a_small_one_is_trained_on():
    sizes = np.array([2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 40, 100])
    images = image_set(sizes)
    for seed in range(30):
        for reading in (USUAL, NO_CHOICES, Reading(tested=0.2, held_out=0.5)):
            part, _ = split(images, reading, seed, "images")
            (validation, test) = counts(images, part).T[1:]
            assert (validation + test <= sizes // 2).all() and not (validation + test)[:4].any()
            assert (test != 1).all() and (validation != 1).all()  # two images, to compare them
            assert (test[9:] >= 2).all() and (validation[9:] >= 2 * (reading.held_out > 0)).all()


@pytest.mark.parametrize(
    "sizes, reading",
    [
        *((sizes, USUAL) for sizes in ([8, 8], [4] * 4, [8, 5, 4], [4] * 9, [5] * 10, [4, 4, 3, 3],
            [300, 5], [300, 4], [300, 3, 3], [5] * 3, [4] * 3, [40, 7], [5, 5], [6, 4], [7, 7])),
        ([4, 3], NO_CHOICES),
    ],
)  # fmt: skip
def test_few_images_give_each_part_a_same_and_a_different_pair(sizes, reading):
    images = image_set(sizes)
    for seed in range(20):
        part, how = split(images, reading, seed)
        of = counts(images, part)
        assert how == "images" and (of[:, 0] >= 2).all()
        for kind in (TEST, VALIDATION)[: 1 + (reading is USUAL)]:
            assert of[:, kind].max() >= 2 and np.count_nonzero(of[:, kind]) >= 2


@pytest.mark.parametrize("sizes, reading, by", [
    ([5, 4], USUAL, None), ([300, 3], USUAL, None), ([300, 2, 2, 2], USUAL, None),
    ([3, 3], NO_CHOICES, None), ([9] * 5, USUAL, "classes")])  # fmt: skip
def test_what_cannot_be_split_is_refused_with_what_is_needed(sizes, reading, by):
    with pytest.raises(
        InputError, match=r"Expected .*Received: .*Add images or classes, or.*--split"
    ) as error:
        split(image_set(sizes), reading, 0, by)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("sizes", [[4] * 24, [5] * 100, [2] * 100, [3] * 6])
def test_many_small_classes_are_split_by_classes(said, sizes):
    images = image_set(sizes)
    for seed in range(10):
        part, how = split(images, USUAL, seed)
        of = counts(images, part)
        assert how == "classes" and ((of > 0).sum(axis=1) == 1).all()
        assert (np.sum(of > 0, axis=0) >= 2).all() and of[:, 0].sum() >= len(images) / 3
    assert f"{len(sizes)} classes of about {sizes[0]} images" in said() and "--split im" in said()


def test_groups_are_never_cut():
    # five clips of twelve frames in each of six classes; a class of few photos beside eleven clips
    clips = image_set([60] * 6, groups=np.repeat(np.arange(30), 12).astype(np.int32))
    few = np.r_[np.arange(44) // 4, np.arange(11, 16)].astype(np.int32)
    for images, least in ((clips, [36, 12, 12]), (image_set([44, 5], groups=few), [3, 1, 1])):
        for seed in range(20):
            part, how = split(images, USUAL, seed)
            (_, first, group) = np.unique(images.groups, return_index=True, return_inverse=True)
            assert how == "groups" and (part == part[first[group]]).all()
            assert (counts(images, part) >= least).all()
    # two clips in each class: one part is all that a class can serve
    images = image_set([8] * 6, groups=np.repeat(np.arange(12), 4).astype(np.int32))
    assert counts(images, split(images, USUAL, 0)[0]).sum(axis=0).min() >= 8


def test_groups_across_classes_are_never_cut():
    # ten writers wrote each of four letters three times
    images = image_set([30] * 4, groups=np.tile(np.arange(10), 12).astype(np.int32))
    for seed in range(20):
        part, how = split(images, USUAL, seed)
        writers = counts(images, part)[0] / 3
        assert how == "groups" and writers.min() >= 1 and writers[0] >= 5
        assert all(len(set(part[images.groups == writer])) == 1 for writer in range(10))


def ready_pairs(people=8, n=4):
    """All pairs among each person's n genuine images, and each of these with n forged ones."""
    rows = np.arange(people * 2 * n).reshape(people, 2, n)
    pairs = [(a, b, 1) for p in rows for i, a in enumerate(p[0]) for b in p[0][i + 1 :]]
    pairs += [(a, b, 0) for p in rows for a in p[0] for b in p[1]]
    (a, b, y) = np.array(pairs).T
    pixels = np.arange(rows.size, dtype=np.uint8).reshape(-1, 1, 1, 1)
    pairs = Pairs(a, b[:, np.newaxis], y[:, np.newaxis])
    groups = connected(rows.size, [pairs.indices()])
    return ImageSet(pixels, None, pairs, groups=groups, contents=pixel_digests(pixels))


def test_ready_pairs_are_split_where_they_hang_together():
    images = ready_pairs()
    for seed in range(20):
        part, how = split(images, USUAL, seed)
        persons = part.reshape(8, 8)
        assert how == "groups" and (persons == persons[:, :1]).all()
        assert np.sum(persons[:, 0] == TRAIN) >= 4
        for kind in (TRAIN, VALIDATION, TEST):
            some = images.part(np.flatnonzero(part == kind))
            # no pair is lost: 6 same and 16 different of each person; and each is the pair it was
            assert len(some.pairs.y) == 22 * np.sum(persons[:, 0] == kind) > 0
            (a, b) = some.images[some.pairs.indices()][:, :, 0, 0, 0].T
            assert (a // 8 == b // 8).all() and ((b % 8 < 4) == (some.pairs.y.ravel() == 1)).all()
    with pytest.raises(InputError, match=r"pairs of both kinds.*Received: 0 of 8 images"):
        split(ready_pairs(people=1), NO_CHOICES, 0)
    with pytest.raises(InputError, match=r"--split classes.*Received: ready pairs"):
        split(images, USUAL, 0, "classes")


def test_parts_that_are_given_are_obeyed():
    images = image_set([40, 40])
    given = np.tile(np.repeat([TRAIN, TEST], [30, 10]), 2).astype(np.int8)
    part, how = split(replace(images, splits=given), USUAL, 0)
    # 15 % of what is not tested is held out: 4.5 of 30
    assert how == "images" and counts(images, part).tolist() == [[25, 5, 10]] * 2
    assert ((part == TEST) == (given == TEST)).all()
    assert (split(replace(images, splits=given), NO_CHOICES, 0)[0] == given).all()
    given[:6] = given[40:46] = VALIDATION
    assert (split(replace(images, splits=given), USUAL, 0)[0] == given).all()
    with pytest.raises(InputError, match="no test part"):
        split(replace(images, splits=given), USUAL, 0, "classes")
    given[given == TEST] = TRAIN  # train/ and val/ alone: the test is taken from training
    part, _ = split(replace(images, splits=given), USUAL, 0)
    assert ((part == VALIDATION) == (given == VALIDATION)).all() and (part == TEST).any()
    images = image_set([40, 40, 10])  # train/a, train/b, test/c, which is tested on
    given = np.repeat([TRAIN, TEST], [80, 10]).astype(np.int8)
    given[:5] = TEST
    part, how = split(replace(images, splits=given), USUAL, 0)
    # 15 % of what is not tested: 5.25 of 35, 6 of 40
    assert how == "images" and counts(images, part).tolist() == [[30, 5, 5], [34, 6, 0], [0, 0, 10]]


def test_parts_that_are_given_must_be_measurable():
    images = image_set([10, 10])
    given = np.zeros(20, np.int8)
    given[:4] = TEST  # four images, all of one class
    with pytest.raises(InputError, match=r"to test with.*Received: 4 of 20 images"):
        split(replace(images, splits=given), NO_CHOICES, 0)
    given[10] = TEST  # one of another makes different pairs
    assert (split(replace(images, splits=given), NO_CHOICES, 0)[0] == given).all()
    with pytest.raises(InputError, match=r"Received: 0 of 20 images"):
        split(replace(images, splits=np.full(20, TEST, np.int8)), USUAL, 0)


def test_what_was_trained_on_stays_in_training():
    images = image_set([100] * 5)
    part, _ = split(images, USUAL, 1)
    # the same seed: the very same parts
    trained = part == TRAIN
    assert (split(images, USUAL, 1, trained=trained)[0] == part).all()
    # another seed, or a model that also knows what it was chosen by: the rest is shared out
    for seed, known in ((2, trained), (1, part != TEST), (2, part != TEST)):
        again, _ = split(images, USUAL, seed, trained=known)
        assert (again[known] == TRAIN).all()
        # 20 / 32 of what is not known at least, and 12 / 32
        (validation, test) = counts(images, again).sum(axis=0)[1:]
        assert test >= 60 and validation >= 35
    # where all was trained on, the parts are what they are without
    assert (split(images, USUAL, 1, trained=np.ones(500, bool))[0] == part).all()
