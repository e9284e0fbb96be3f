"""Which image is trained on, chooses, is tested on: by its content, class by class, in groups."""

import hashlib

import numpy as np
import pytest

from pyimagesearch.config import Reading
from pyimagesearch.data.pairs import Pairs, sample_pairs
from pyimagesearch.data.parts import MOST_TAKEN, assign
from pyimagesearch.data.sets import ImageSet, pixel_digests
from pyimagesearch.data.splits import TEST, TRAIN, VALIDATION, chances, connected
from pyimagesearch.system.errors import InputError

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


def test_chances_are_even_and_the_same_everywhere():
    contents = np.arange(20_000, dtype=np.uint64)
    chance = chances(contents, 42)
    assert chance.min() >= 0 and chance.max() < 1
    # 2,000 of 20,000 in each tenth, the standard deviation is sqrt(20,000 * 0.1 * 0.9) = 42
    assert abs(np.histogram(chance, 10, (0, 1))[0] - 2000).max() < 4 * 42
    # the same on any machine: the digest of seed and content, as a fraction of 2^64
    digest = hashlib.blake2b(bytes([42] + 7 * [0] + [1] + 7 * [0]), digest_size=8).digest()
    assert chance[1] == pytest.approx(int.from_bytes(digest, "little") / 2**64, abs=1e-15)
    assert chance[1] == pytest.approx(0.9877556983605247, abs=1e-15)
    assert abs(np.corrcoef(chance, chances(contents, 43))[0, 1]) < 0.03


def test_large_classes_are_split_by_chance_alone():
    images = image_set([1000, 500])
    part, how = assign(images, None, USUAL, seed=1)
    assert how == "images"
    chance = chances(images.contents, 1)
    assert (part == np.where(chance < 0.2, TEST, np.where(chance >= 0.88, VALIDATION, 0))).all()


def test_added_photos_move_no_other():
    before = image_set([100, 200, 60, 300])
    more = image_set([103, 203, 62, 302], seed=9)
    # the old photos keep their contents and come in another order, among ten new ones
    place = np.concatenate([np.flatnonzero(more.labels == c)[:n]
                            for c, n in enumerate([100, 200, 60, 300])])  # fmt: skip
    more.contents[place] = before.contents
    order = np.random.default_rng(3).permutation(len(more))
    for seed in range(10):
        old, _ = assign(before, None, USUAL, seed)
        new, _ = assign(more.take(order), None, USUAL, seed)
        again = np.empty(len(more), int)
        again[order] = new
        assert (again[place] == old).all()


@pytest.mark.parametrize("reading", [USUAL, NO_CHOICES, Reading(tested=0.2, held_out=0.5)])
def test_no_class_loses_more_than_half(reading):
    sizes = [2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 40, 100]
    images = image_set(sizes)
    for seed in range(30):
        part, _ = assign(images, None, reading, seed, "images")
        (validation, test) = counts(images, part).T[1:]
        assert (validation + test <= np.array(sizes) // 2).all()
        assert (test != 1).all() and (validation != 1).all()  # two images, to compare them
        assert (test[6:] >= 2).all()  # eight images and more are in every part
        assert (validation[6:] >= 2 * (reading.held_out > 0)).all()


def test_a_class_of_three_images_is_trained_on_alone():
    images = image_set([12] * 9 + [3])
    part, how = assign(images, None, USUAL, 0)
    assert how == "images" and counts(images, part)[9].tolist() == [3, 0, 0]
    assert (counts(images, part)[:9, 1:] >= 2).all()


def test_many_classes_of_six_meet_the_shares_in_the_mean_and_the_bound():
    images = image_set([6] * 20_000)
    part, _ = assign(images, None, USUAL, 5, "images")
    of = counts(images, part)
    # a class gives two images to one part: to the test with chance 0.2 * 6 / 2 = 0.6, to the
    # validation with 0.12 * 6 / 2 = 0.36; standard deviations 69 and 68 of 20,000 classes
    assert set(map(tuple, of)) == {(6, 0, 0), (4, 2, 0), (4, 0, 2)}
    assert abs(np.sum(of[:, 2] > 0) - 12_000) < 4 * 69
    assert abs(np.sum(of[:, 1] > 0) - 7_200) < 4 * 68


@pytest.mark.parametrize("size", [6, 8, 12])
def test_no_part_is_larger_than_its_bound(size):
    images = image_set([size] * 20_000)  # 120,000 to 240,000 images
    part, _ = assign(images, None, USUAL, 5, "images")
    for kind in (TEST, VALIDATION):
        # halved until it fits: more than a quarter of the bound is left
        assert MOST_TAKEN / 4 < np.sum(part == kind) <= MOST_TAKEN


@pytest.mark.parametrize(
    "sizes, reading",
    [([8, 8], USUAL), ([4] * 4, USUAL), ([8, 5, 4], USUAL), ([4, 4], NO_CHOICES), ([4] * 9, USUAL)],
)
def test_the_smallest_that_can_be_split(sizes, reading):
    images = image_set(sizes)
    for seed in range(40):
        part, how = assign(images, None, reading, seed, "images")
        of = counts(images, part)
        assert how == "images" and (of[:, 0] >= 2).all()
        assert (np.sum(of[:, 2] >= 2)) >= 2
        assert (np.sum(of[:, 1] >= 2)) >= 2 or reading is NO_CHOICES


@pytest.mark.parametrize(
    "sizes, reading, split",
    [
        ([5, 4], USUAL, None),
        ([300, 3], USUAL, None),
        ([300, 2, 2, 2], USUAL, None),
        ([3, 3], NO_CHOICES, None),
        ([9] * 5, USUAL, "classes"),
    ],
)
def test_what_cannot_be_split_is_refused_with_what_is_needed(sizes, reading, split):
    with pytest.raises(
        InputError, match=r"Expected .*Received: [^\n]*More of them.*--split"
    ) as error:
        assign(image_set(sizes), None, reading, 0, split)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "sizes, least",
    [
        # what a part holds at least: two images of one class, one of another
        ([300, 5], 3), ([300, 4], 2), ([300, 3, 3], 2), ([5] * 3, 3), ([4] * 3, 2), ([40, 7], 4),
        ([5, 5], 2), ([6, 4], 2), ([7, 7], 4),  # here a class has to give more than its half
    ],
)  # fmt: skip
def test_few_images_give_each_part_a_same_and_a_different_pair(sizes, least):
    images = image_set(sizes)
    for seed in range(40):
        part, how = assign(images, None, USUAL, seed)
        of = counts(images, part)
        assert how == "images" and of[-1, 0] >= least and (of[:, 0] >= 2).all()
        for kind in (TEST, VALIDATION):
            some = of[:, kind]
            assert some.max() >= 2 and np.count_nonzero(some) >= 2
            pairs = sample_pairs(images.labels[part == kind], 0)  # both kinds of them
            assert set(pairs.y.ravel()) == {0, 1}


def test_few_groups_give_each_part_both_kinds_of_pairs():
    # a class of eleven clips of four frames, another of five single photos
    images = image_set(
        [44, 5], groups=np.r_[np.arange(44) // 4, np.arange(11, 16)].astype(np.int32)
    )
    for seed in range(20):
        part, _ = assign(images, None, USUAL, seed)
        assert (part[:44].reshape(11, 4) == part[:44:4, np.newaxis]).all()
        assert (counts(images, part) >= [[22, 4, 4], [3, 1, 1]]).all()


def test_many_small_classes_are_split_by_classes(caplog):
    images = image_set([4] * 24)
    with caplog.at_level("INFO", logger="pyimagesearch"):
        for seed in range(20):
            part, how = assign(images, None, USUAL, seed)
            of = counts(images, part)
            assert how == "classes" and ((of > 0).sum(axis=1) == 1).all()
            assert (np.sum(of > 0, axis=0) >= 2).all() and of[:, 0].sum() >= 48
    assert "24 classes of about 4 images" in caplog.text and "--split images" in caplog.text
    assert assign(images, None, USUAL, 0, "images")[1] == "images"  # asked for, and possible
    assert assign(image_set([5] * 10), None, USUAL, 0)[1] == "images"  # two would be tested
    # six classes of three: by images nothing is possible, by classes all
    assert assign(image_set([3] * 6), None, USUAL, 0)[1] == "classes"


def test_a_new_class_moves_no_other():
    sizes = [10] * 60
    for seed in range(5):
        old = counts(image_set(sizes), assign(image_set(sizes), None, USUAL, seed, "classes")[0])
        more = image_set([*sizes, 10], seed=4)
        new = counts(more, assign(more, None, USUAL, seed, "classes")[0])
        assert (old == new[:60]).all()


def test_groups_are_never_cut():
    # five clips of twelve frames in each of six classes
    images = image_set([60] * 6, groups=np.repeat(np.arange(30), 12).astype(np.int32))
    for seed in range(20):
        part, how = assign(images, None, USUAL, seed)
        assert how == "groups"
        assert (part.reshape(30, 12) == part.reshape(30, 12)[:, :1]).all()
        of = counts(images, part)
        assert (of >= 12).all() and (of[:, 0] >= 30).all()


def test_later_frames_and_clips_move_no_group():
    before = image_set([90] * 4, groups=np.repeat(np.arange(60), 6).astype(np.int32))
    for seed in range(10):
        old, _ = assign(before, None, USUAL, seed)
        # one frame more at the end of clips 0, 7, 14, …
        more = np.sort(np.concatenate([np.arange(360), np.arange(5, 360, 42)]))
        new = np.append(False, more[1:] == more[:-1])
        after = before.take(more)
        after.contents[new] += np.uint64(1)
        again, _ = assign(after, None, USUAL, seed)
        assert (again[~new] == old).all() and (again[new] == again[np.flatnonzero(new) - 1]).all()


def test_groups_across_classes_are_never_cut():
    # ten writers wrote each of four letters three times
    images = image_set([30] * 4, groups=np.tile(np.arange(10), 12).astype(np.int32))
    for seed in range(20):
        part, how = assign(images, None, USUAL, seed)
        assert how == "groups"
        for writer in range(10):
            assert len(set(part[images.groups == writer])) == 1
        writers = counts(images, part)[0] / 3
        assert writers.min() >= 1 and writers[0] >= 5


def ready_pairs(people=8, n=4):
    """All pairs among each person's n genuine images, and each of these with n forged ones."""
    rows = np.arange(people * 2 * n).reshape(people, 2, n)
    pairs = [(a, b, 1) for p in rows for i, a in enumerate(p[0]) for b in p[0][i + 1 :]]
    pairs += [(a, b, 0) for p in rows for a in p[0] for b in p[1]]
    (a, b, y) = np.array(pairs).T
    pixels = np.arange(rows.size, dtype=np.uint8).reshape(-1, 1, 1, 1)
    return ImageSet(pixels, None, Pairs(a, b[:, np.newaxis], y[:, np.newaxis]))


def test_ready_pairs_are_split_where_they_hang_together():
    images = ready_pairs()
    for seed in range(20):
        part, how = assign(images, None, USUAL, seed)
        assert how == "images" and set(part) == {TRAIN, VALIDATION, TEST}
        persons = part.reshape(8, 8)
        assert (persons == persons[:, :1]).all()
        assert np.sum(persons[:, 0] == TRAIN) >= 4
        for kind in (TRAIN, VALIDATION, TEST):
            some = images.part(np.flatnonzero(part == kind))
            assert set(some.pairs.y.ravel()) == {0, 1}
            # no pair is lost: 6 same and 16 different of each person
            assert len(some.pairs.y) == 22 * np.sum(persons[:, 0] == kind)
            # and each is the pair it was
            (a, b) = some.images[some.pairs.indices()][:, :, 0, 0, 0].T
            assert (a // 8 == b // 8).all() and ((b % 8 < 4) == (some.pairs.y.ravel() == 1)).all()


def test_ready_pairs_that_all_hang_together_are_refused():
    with pytest.raises(InputError, match=r"groups that share no image.*Received: 1 to split"):
        assign(ready_pairs(people=1), None, NO_CHOICES, 0)
    with pytest.raises(InputError, match=r"--split classes.*Received: ready pairs"):
        assign(ready_pairs(), None, USUAL, 0, "classes")


def test_connected():
    edges = np.array([[5, 4], [1, 3], [4, 2], [3, 1]])
    assert connected(7, edges).tolist() == [0, 1, 2, 1, 2, 2, 3]
    chain = np.stack([np.arange(999), np.arange(1, 1000)], axis=1)
    assert (connected(1000, np.random.default_rng(0).permutation(chain)) == 0).all()


def test_train_and_test_folders_are_obeyed():
    images = image_set([40, 40])
    given = np.tile(np.repeat([TRAIN, TEST], [30, 10]), 2).astype(np.int8)
    part, how = assign(images, given, USUAL, 0)
    assert ((part == TEST) == (given == TEST)).all() and how == "images"
    # 15 % of what is not tested is held out; 60 images, standard deviation 2.8
    assert 4 <= np.sum(part == VALIDATION) <= 20
    assert (assign(images, given, NO_CHOICES, 0)[0] == given).all()
    given[:6] = given[40:46] = VALIDATION
    assert (assign(images, given, USUAL, 0)[0] == given).all()
    with pytest.raises(InputError, match="no test part of their own"):
        assign(images, given, USUAL, 0, "classes")
    given[given == TEST] = TRAIN  # train/ and val/ alone: the test is taken from training
    part, _ = assign(images, given, USUAL, 0)
    assert ((part == VALIDATION) == (given == VALIDATION)).all() and (part == TEST).any()


def test_test_folders_must_be_measurable():
    images = image_set([10, 10])
    given = np.zeros(20, np.int8)
    given[:4] = TEST  # four images, all of one class
    with pytest.raises(InputError, match=r"to test with.*Received: 4 images"):
        assign(images, given, NO_CHOICES, 0)
    given[10] = TEST  # one of another makes different pairs
    assert (assign(images, given, NO_CHOICES, 0)[0] == given).all()
    with pytest.raises(InputError, match=r"to train on.*Received: 0 images"):
        assign(images, np.full(20, TEST, np.int8), USUAL, 0)


def test_what_was_trained_on_stays_in_training():
    images = image_set([100] * 5)
    part, _ = assign(images, None, USUAL, 1)
    # the same seed: the very same parts
    trained = part == TRAIN
    assert (assign(images, None, USUAL, 1, trained=trained)[0] == part).all()
    # another seed, or a model that also knows what it was chosen by: the rest is shared out
    for seed, known in ((2, trained), (1, part != TEST), (2, part != TEST)):
        again, _ = assign(images, None, USUAL, seed, trained=known)
        assert (again[known] == TRAIN).all()
        (validation, test) = counts(images, again).sum(axis=0)[1:]
        # of the 500 - n images that are not known 20 / 32 and 12 / 32, but no more than half of a
        # class; more than half of what is wanted: 100 and 60
        assert test >= 50 and validation >= 30 and test > validation


def test_where_nothing_else_is_left_known_images_are_tested_on():
    # the new images are of one class alone: the other is tested on again
    images = image_set([200, 8])
    trained = np.arange(208) >= 120  # of the first class 80, of the second all
    part, _ = assign(images, None, USUAL, 1, trained=trained)
    assert (part[120:200] == TRAIN).all() and (counts(images, part)[1] == [4, 2, 2]).all()
    # where all was trained on, the parts are what they are without
    part, _ = assign(images, None, USUAL, 1)
    assert (assign(images, None, USUAL, 1, trained=np.ones(208, bool))[0] == part).all()


def test_exact_shares_for_a_set_that_never_grows():
    images = image_set([1000, 330])
    given = np.zeros(1330, np.int8)
    given[:100] = given[1000:1030] = TEST
    part, _ = assign(images, given, Reading(held_out=0.1), 0, exact=True)
    assert counts(images, part).tolist() == [[810, 90, 100], [270, 30, 30]]
    trained = np.zeros(1330, bool)
    trained[100:500] = True
    part, _ = assign(images, given, Reading(held_out=0.1), 0, trained=trained, exact=True)
    assert (part[trained] == TRAIN).all() and counts(images, part)[:, 1].min() >= 30


def test_pixel_digests_tell_pixels_and_shapes_apart():
    images = np.random.default_rng(0).integers(0, 255, (50, 4, 6, 1), dtype=np.uint8)
    digests = pixel_digests(images)
    assert digests.dtype == np.uint64 and len(set(digests)) == 50
    assert (pixel_digests(images[::-1])[::-1] == digests).all()
    assert not set(pixel_digests(images.reshape(50, 6, 4, 1))) & set(digests)
    same = pixel_digests(np.zeros((3, 2, 2, 1), np.uint8))
    assert len(set(same)) == 1


def test_parts_of_an_image_set_keep_what_is_known():
    images = image_set([4, 4], groups=np.arange(8, dtype=np.int32))
    images = images.replace(pairs=sample_pairs(images.labels, 0))
    some = images.part(np.array([6, 0, 1]))
    assert some.labels.tolist() == [1, 0, 0] and some.groups.tolist() == [6, 0, 1]
    assert (some.contents == images.contents[[6, 0, 1]]).all()
