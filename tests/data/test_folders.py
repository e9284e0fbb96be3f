"""A folder of images: what is used of it, and what is named and left out."""

import json
import os

import numpy as np
import pytest

from pyimagesearch.config import Reading
from pyimagesearch.data import folders
from pyimagesearch.data.folders import read_folder
from pyimagesearch.system.terminal import InputError


@pytest.fixture
def read(tmp_path):
    """Reads the folder `in`, each file of which is used, a copy, or skipped for a reason."""

    def read(**flags):
        (images, counts) = read_folder(tmp_path / "in", **flags)
        below = sum(len(names) for _, _, names in os.walk(tmp_path))
        assert below == counts["used"] + counts["copies"] + sum(counts["skipped"].values())
        return images, counts

    return read


def test_what_is_good_is_used_and_the_rest_is_named(write, read, said):
    for k in range(3):
        write(f"cats/deep er/ä {k}.png", (10 * k, 0, 0))
        write(f"dogs/{k}.PNG", (0, 0, 100 + 10 * k))
        write(f"bad/{k}.png", b"words")
    write("dogs/copy of 1.png", (0, 0, 110))  # the very file dogs/1.PNG
    write("dogs/a cat.png", (10, 0, 0))  # the very file of a cat
    write("one/0.png", (7, 7, 7))
    write("top.png", (9, 9, 9))
    write("cats/notes.txt", b"words")
    (images, counts) = read()
    assert images.pairs is None and not images.splits.any() and images.groups is None
    assert images.class_names == ("cats", "dogs")
    assert images.labels.tolist() == [0] * 2 + [1] * 3 and images.labels.dtype == np.int32
    assert images.images.shape == (5, 20, 20, 3)  # the shorter side, below 64
    # blue of the cats without the one that is also a dog; red of the dogs: RGB, not BGR
    assert images.images[:2][:, 0, 0].tolist() == [[0, 0, 0], [0, 0, 20]]
    assert sorted(images.images[2:][:, 0, 0, 0].tolist()) == [100, 110, 120]
    assert images.contents.dtype == np.uint64 and len(set(images.contents.tolist())) == 5
    for line in (
        "bad/2.png: cannot be read (no image of a known format",
        "left out class bad: 0 images, 2 needed",
        "left out 2, in several classes: cats/deep er/ä 1.png, dogs/a cat.png",
        "left out class one: 1 image, 2 needed",
        "left out 1, copies: dogs/copy of 1.png",
        "2 classes: cats (2), dogs (3)",
    ):
        assert line in said()
    skipped = {".txt": 1, "beside the class folders": 1, "unreadable": 3}
    skipped |= {"in several classes": 2, "in classes of fewer than two": 1}
    assert counts == json.loads(json.dumps(counts)) == {
        "files": 12, "read": 9, "used": 5, "copies": 1, "classes": 2, "skipped": skipped
    }  # fmt: skip


def test_shapes(write, read, tmp_path, said, monkeypatch):
    for k in range(4):
        write(f"{'ab'[k % 2]}/{k}.png", (9 * k, 9 * k, 9 * k), size=(200, 100))

    def shape(*args, **flags):
        return read_folder(tmp_path / "in", *args, **flags)[0].images.shape

    assert shape() == (4, 64, 64, 1) and "in grey at 64x64" in said()  # 100 wide, 64 at most
    assert shape(channels=3) == (4, 64, 64, 3) and shape(image_size=(4, 6)) == (4, 4, 6, 1)
    assert shape(shape=(5, 7, 3)) == (4, 5, 7, 3)
    assert shape(Reading(least_shape=(80, 8, 3))) == (4, 80, 64, 3)
    write("a/0.png", (0, 0, 0), size=(9, 190))
    write("b/1.png", (9, 9, 9), size=(9, 190))
    # the shorter side of the median; whole images need the longer one
    assert [shape(Reading(fit=fit, side=224))[1] for fit in ("stretch", "whole")] == [54, 195]
    # smaller where images are many, in steps of 32, but not below a bound
    monkeypatch.setattr(folders, "MANY_SIDE", 40)
    few = [shape(Reading(fit="whole", side=224, most_pixels=4 * k * k))[1] for k in (70, 20)]
    assert few == [64, 40]


@pytest.mark.parametrize("root", ["", "around/"])
def test_ready_pairs(write, read, said, root):
    for k in range(4):
        write(f"{root}similar_all_images/similar_{k}_first.jpg", (8 * k, 0, 0))
        write(f"{root}similar_all_images/similar_{k}_second.jpg", (8 * k, 0, 90))
        write(f"{root}dissimilar_all_images/{k}_first.png", (0, 8 * k, 0))
        write(f"{root}dissimilar_all_images/{k}_second.png", (0, 0, 9 * k + 20))
    write(f"{root}dissimilar_all_images/3_first.png", (0, 8, 0))  # that of number 1
    write(f"{root}similar_all_images/bad_first.jpg", b"words")
    write(f"{root}similar_all_images/bad_second.jpg", (77, 7, 7))
    (images, counts) = read()
    (pixels, pairs, groups) = (images.images, images.pairs, images.groups)
    assert images.labels is None and images.class_names == ()
    assert sorted(pairs.y.ravel().tolist()) == [0] * 4 + [1] * 4
    for a, b, y in zip(pairs.anchors, pairs.others[:, 0], pairs.y[:, 0]):
        (green, red) = (pixels[[a]][0, 0, 0, 1], pixels[[b]][0, 0, 0, 0])
        assert (red > 60) if y else green in (0, 8, 16)
    assert len(set(pairs.anchors[pairs.y.ravel() == 0])) == 3  # copies are one image
    assert len(pixels) == 15 and counts["copies"] == 1
    assert counts["skipped"] == {"unreadable": 1, "in no pair that is used": 1}
    # eight pairs, of which two hang together by one image
    assert len(set(groups.tolist())) == 7
    assert all(len(set(groups[pair].tolist())) == 1 for pair in pairs.indices())


def test_pairs_that_contradict_each_other_are_left_out_and_named(write, read, said):
    for kind, names in {"similar": "ab ac ad ef gg", "dissimilar": "ab ca eg ff"}.items():
        for k, (a, b) in enumerate(names.split()):
            write(f"{kind}_all_images/{k}_first.png", (ord(a), 0, 0))
            write(f"{kind}_all_images/{k}_second.png", (ord(b), 0, 0))
    (images, counts) = read()
    # ab and ac are both, gg and ff say nothing; what is left: ad and ef the same, eg different
    assert sorted(images.pairs.y.ravel().tolist()) == [0, 1, 1] and len(images) == 5
    assert said().count("left out the pair of ") == 6
    assert counts["read"] == 18 == 5 + counts["copies"] + sum(counts["skipped"].values())
    with pytest.raises(InputError, match=r"group-by to match names .* xyz, which does not match"):
        read(group_by="xyz")
    assert set(read(group_by="similar")[0].groups.tolist()) == {0}  # joins what pairs have not


def test_groups_by_a_part_of_the_name(write, read, said):
    for k, name in enumerate(["a/clip1_0", "a/clip1_1", "a/clip2_0", "b/clip1_2", "b/odd", "b/x"]):
        write(f"{name}.png", (k, 0, 0))
    groups = read(group_by=r"(clip\d+)_")[0].groups
    assert groups.tolist() == [0, 0, 1, 0, 2, 3] and groups.dtype == np.int32
    assert "2 groups; 2 images are in none" in said()
    assert read(group_by=r"^\w+/clip\d")[0].groups.tolist() == [0, 0, 1, 2, 3, 4]
    with pytest.raises(InputError, match=r"regular expression.*Received: '\('"):
        read(group_by="(")


def test_train_and_test_are_parts(write, read, said):
    for k in range(3):
        for place in ("train/cat", "train/dog", "Test/dog", "Test/cat", "VALID/cat"):
            write(f"{place}/{k}.png", (sum(map(ord, place)) % 200, 9 * k, k))
    for place in ("train", "Test"):  # a copy of an image that is trained on
        write(f"{place}/cat/3.png", (1, 2, 3))
    images = read()[0]
    assert images.class_names == ("cat", "dog") and images.splits.dtype == np.int8
    sizes = [[int(np.sum((images.labels == c) & (images.splits == part)))
              for part in (0, 1, 2)] for c in (0, 1)]  # fmt: skip
    assert sizes == [[4, 3, 3], [3, 0, 3]]
    assert "left out 1, copies of images in another part: Test/cat/3.png" in said()
    with pytest.raises(InputError, match=r"in train and .* in val\. Move them together"):
        read(group_by="(t)/")


@pytest.mark.parametrize("value", [3, 250])
def test_images_that_show_little_or_nothing(write, read, said, value):
    for name in ("a/0.png", "a/1.bmp", "b/0.ppm", "b/1.tif"):  # none is a copy of another
        write(name, (value,) * 3)
    with pytest.raises(InputError, match=rf"in which every pixel is {value}\."):
        read()
    write("a/0.png", (value, value, value + 1))
    read()
    assert f"the mean of the images is {value} of 255" in said()


def test_names_in_any_script_and_of_any_length(write, read):
    for name in ["猫", "قط", "café", os.fsdecode(b"caf\xe9"), "b" * 200]:
        for k in range(2):
            write(f"{name}/{name} {k}.png", (sum(map(ord, name)) % 250, k, 0))
    images = read()[0]
    assert set(images.class_names) == {"猫", "قط", "café", "caf\\udce9", "b" * 200}
    assert np.bincount(images.labels).tolist() == [2] * 5 and images.labels.nbytes == 4 * 10
