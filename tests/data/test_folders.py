"""A folder of images: what is used of it, what is named and left out, what the next run reuses."""

import json
import os
import re

import numpy as np
import pytest

from pyimagesearch.data.folders import read_folder
from pyimagesearch.data.splits import connected
from pyimagesearch.system.errors import InputError


def read(tmp_path, **flags):
    return read_folder(tmp_path / "in", **flags)


def test_what_is_good_is_used_and_the_rest_is_named(write, tmp_path, said):
    for k in range(3):
        write(f"cats/deep er/ä {k}.png", (10 * k, 0, 0))
        write(f"dogs/{k}.PNG", (0, 0, 100 + 10 * k))
    write("dogs/copy of 1.png", (0, 0, 110))  # the very file dogs/1.PNG
    write("dogs/a cat.png", (10, 0, 0))  # the very file of a cat
    write("dogs/words.jpg", b"words")
    write("one/0.png", (7, 7, 7))
    write(".hidden/0.png", (8, 8, 8))
    write("top.png", (9, 9, 9))
    write("cats/notes.txt", b"words")
    (tmp_path / "in" / "empty").mkdir()
    os.symlink(tmp_path / "in", tmp_path / "in" / "cats" / "loop")
    os.symlink("itself", tmp_path / "in" / "itself")
    os.symlink(".", tmp_path / "in" / "all over again")
    folder = read(tmp_path)
    assert folder.pairs is None and folder.splits is None and folder.groups is None
    assert folder.class_names == ("cats", "dogs")
    assert folder.labels.tolist() == [0] * 2 + [1] * 3 and folder.labels.dtype == np.int32
    assert folder.pixels.shape == (5, 20, 20, 3)  # the shorter side, below 64
    # blue of the cats without the one that is also a dog; red of the dogs: RGB, not BGR
    assert folder.pixels[:2][:, 0, 0].tolist() == [[0, 0, 0], [0, 0, 20]]
    assert sorted(folder.pixels[2:][:, 0, 0, 0].tolist()) == [100, 110, 120]
    assert folder.files[0] == os.path.join("cats", "deep er", "ä 0.png")
    assert folder.contents.dtype == np.uint64 and len(set(folder.contents.tolist())) == 5
    said = said()
    assert "words.jpg" in said and "1 files skipped" in said
    assert re.search("left out .*ä 1.png and .*a cat.png: the same file in 2 classes", said)
    assert "left out class one: 1 images, 2 needed" in said
    assert "left out class empty: it holds no images" in said
    assert "1 copies of other files left out" in said
    assert "left out 1 images beside the class folders" in said
    assert "left out 2 linked folders" in said  # the loop, and all over again
    assert "skipped 1 files, .txt: not of an image" in said
    assert "2 classes: cats (2), dogs (3)" in said
    assert "hidden" not in said
    skipped = {".txt": 1, "beside the class folders": 1, "linked folders": 2, "unreadable": 1}
    skipped |= {"in two classes": 2, "in classes of fewer than two": 1, "no ending": 1}
    assert folder.counts == json.loads(json.dumps(folder.counts)) == {
        "files": 10, "read": 9, "used": 5, "copies": 1, "classes": 2, "skipped": skipped
    }  # fmt: skip


def test_grey_pictures_are_read_in_grey(write, tmp_path, said):
    for k in range(4):
        write(f"{'ab'[k % 2]}/{k}.png", (9 * k, 9 * k, 9 * k), size=(200, 100))
    assert read(tmp_path).pixels.shape == (4, 64, 64, 1) and "in grey at 64x64" in said()
    assert read(tmp_path, channels=3).pixels.shape == (4, 64, 64, 3)
    assert read(tmp_path, image_size=(4, 6)).pixels.shape == (4, 4, 6, 1)
    assert read(tmp_path, shape=(5, 7, 3)).pixels.shape == (4, 5, 7, 3)
    assert read_folder(tmp_path / "in", (80, 8, 3)).pixels.shape == (4, 80, 64, 3)


def write_pairs(write, root=""):
    for k in range(4):
        write(f"{root}similar_all_images/similar_{k}_first.jpg", (8 * k, 0, 0))
        write(f"{root}similar_all_images/similar_{k}_second.jpg", (8 * k, 0, 90))
        write(f"{root}dissimilar_all_images/dissimilar_{k}_first.png", (0, 8 * k, 0))
        write(f"{root}dissimilar_all_images/dissimilar_{k}_second.png", (0, 0, 9 * k + 20))


@pytest.mark.parametrize("root", ["", "around/"])
def test_ready_pairs(write, tmp_path, said, root):
    write_pairs(write, root)
    write(f"{root}similar_all_images/similar_9_first.jpg", (200, 0, 0))
    write(f"{root}similar_all_images/other.jpg", (201, 0, 0))
    write(f"{root}dissimilar_all_images/dissimilar_3_first.png", (0, 8, 0))  # that of number 1
    write("beside/0.png", (1, 1, 1)) if not root else None
    folder = read(tmp_path)
    (pixels, pairs) = (folder.pixels, folder.pairs)
    assert folder.labels is None and folder.class_names == ()
    assert sorted(pairs.y.ravel().tolist()) == [0] * 4 + [1] * 4
    assert "similar_9: only one of its two images" in said()
    for a, b, y in zip(pairs.anchors, pairs.others[:, 0], pairs.y[:, 0]):
        (green, red) = (pixels[[a]][0, 0, 0, 1], pixels[[b]][0, 0, 0, 0])
        assert (red > 60) if y else green in (0, 8, 16)
    different = pairs.anchors[pairs.y.ravel() == 0]
    assert len(set(different)) == 3  # two files of one content are one image
    assert len(folder.pixels) == len(folder.files) == 15 and folder.counts["copies"] == 1
    assert folder.counts["skipped"]["without the other half of the pair"] == 2
    # eight pairs, of which two hang together by one image
    assert len(set(folder.groups.tolist())) == 7
    assert all(len(set(folder.groups[pair].tolist())) == 1 for pair in pairs.indices())


def test_signatures_hang_together_by_their_writers(write, tmp_path):
    """Of each of three writers two genuine and two forged: all pairs of them."""
    for p in range(3):
        images = [(100 * p + 10 * k, k, p) for k in range(4)]
        for n, (i, j) in enumerate([(0, 1), (0, 2), (0, 3), (1, 2), (1, 3)]):
            folder = "similar_all_images" if n == 0 else "dissimilar_all_images"
            write(f"{folder}/p{p}_{n}_first.png", images[i])
            write(f"{folder}/p{p}_{n}_second.png", images[j])
    folder = read(tmp_path)
    assert len(folder.pixels) == 12 and len(folder.pairs.y) == 15
    assert np.bincount(folder.groups).tolist() == [4, 4, 4]
    # groups by a name join what pairs have not joined
    assert set(read(tmp_path, group_by="p[01]_").groups.tolist()) == {0, 1, 2}
    assert set(read(tmp_path, group_by="similar").groups.tolist()) == {0}
    with pytest.raises(
        InputError, match=r"--group-by to match names .* xyz, which matches none of"
    ):
        read(tmp_path, group_by="xyz")


def test_connected():
    assert connected(5, [(3, 1), (4, 3)]).tolist() == [0, 1, 2, 1, 1]
    line = [(k, k + 1) for k in range(9_999)]
    assert set(connected(10_000, line[::-1]).tolist()) == {0}


def test_groups_by_a_part_of_the_name(write, tmp_path, said):
    for k, name in enumerate(["a/clip1_0", "a/clip1_1", "a/clip2_0", "b/clip1_2", "b/odd", "b/x"]):
        write(f"{name}.png", (k, 0, 0))
    folder = read(tmp_path, group_by=r"(clip\d+)_")
    assert folder.groups.tolist() == [0, 0, 1, 0, 2, 3] and folder.groups.dtype == np.int32
    assert "4 groups by (clip\\d+)_; 2 files do not match and are groups of their own" in said()
    assert read(tmp_path, group_by=r"^\w+/clip\d").groups.tolist() == [0, 0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match=r"regular expression.*Received: '\('"):
        read(tmp_path, group_by="(")


def test_train_and_test_are_parts(write, tmp_path, said):
    for k in range(3):
        for place in ("train/cat", "train/dog", "Test/dog", "Test/cat", "VALID/cat"):
            write(f"{place}/{k}.png", (sum(map(ord, place)) % 200, 9 * k, k))
    write("train/cat/3.png", (1, 2, 3))
    write("Test/cat/3.png", (1, 2, 3))  # a copy of an image that is trained on
    folder = read(tmp_path)
    assert folder.class_names == ("cat", "dog")
    assert folder.splits.dtype == np.int8
    counts = {(c, part): np.sum((folder.labels == c) & (folder.splits == part))
        for c in (0, 1) for part in (0, 1, 2)}  # fmt: skip
    assert counts == {(0, 0): 4, (0, 1): 3, (0, 2): 3, (1, 0): 3, (1, 1): 0, (1, 2): 3}
    assert "1 copies of other files left out" in said() and "1 were in another part" in said()
    assert "2 classes: cat (10), dog (6)" in said()


def test_names_in_any_script(write, tmp_path):
    for name in ["猫", "قط", "café", os.fsdecode(b"caf\xe9")]:
        for k in range(2):
            write(f"{name}/{name} {k}.png", (sum(map(ord, name)) % 250, k, 0))
    folder = read(tmp_path)
    assert set(folder.class_names) == {"猫", "قط", "café", "caf\\udce9"}
    assert np.bincount(folder.labels).tolist() == [2] * 4
    assert all(os.path.exists(tmp_path / "in" / file) for file in folder.files)


def test_time_and_memory_do_not_depend_on_the_length_of_class_names(write, tmp_path):
    for k in range(4):
        write(f"{'ab'[k % 2] * 200}/{k}.png", (k, 0, 0))
    folder = read(tmp_path)
    assert folder.labels.nbytes == 4 * 4 and len(folder.class_names[0]) == 200


@pytest.mark.parametrize(
    "names, message",
    [
        ([], "a subfolder for each class"),
        (["0.png", "1.png"], "a subfolder for each class"),
        (["a/0.png", "a/1.png"], "two classes.*Received: 1 such"),
        (["a/0.png", "b/0.png"], "two classes.*Received: 0 such"),
        ([".a/0.png", ".b/0.png"], "a subfolder for each class"),
    ],
)
def test_folders_that_cannot_be_used(write, tmp_path, names, message):
    (tmp_path / "in").mkdir()
    for k, name in enumerate(names):
        write(name, (k, 0, 0))
    with pytest.raises(ValueError, match=message):
        read(tmp_path)


def test_a_folder_without_a_readable_image(write, tmp_path):
    write("a/0.png", b"words")
    write("b/0.png", b"")
    with pytest.raises(ValueError, match=r"readable images\. Received: none\. .*0\.png"):
        read(tmp_path)
    with pytest.raises(ValueError, match=r"Expected a folder, or a list"):
        read_folder(tmp_path / "missing")
