"""A folder of images: what is used of it, what is named and left out, what the next run reuses."""

import os
import re

import cv2
import numpy as np
import pytest

from pyimagesearch.config import RECIPES
from pyimagesearch.data import folders

RECIPE = RECIPES["photos"]


@pytest.fixture
def write(tmp_path):
    """Writes an image of one colour (blue, green, red), or bytes, into the folder `in`."""

    def write(name, content, size=(20, 24)):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not isinstance(content, bytes):
            ending = path.suffix or ".png"
            content = cv2.imencode(ending, np.full((*size, 3), content, np.uint8))[1].tobytes()
        path.write_bytes(content)
        return path

    return write


def read(tmp_path, **flags):
    return folders.read_folder(tmp_path / "in", RECIPE, tmp_path / "out", **flags)


def test_what_is_good_is_used_and_the_rest_is_named(write, tmp_path, capsys):
    for k in range(3):
        write(f"cats/deep er/ä {k}.png", (10 * k, 0, 0))
        write(f"dogs/{k}.PNG", (0, 0, 100 + 10 * k))
    write("dogs/copy of 1.png", (0, 0, 110))  # the very file dogs/1.PNG
    write("dogs/a cat.png", (10, 0, 0))  # the very file of a cat
    write("dogs/words.jpg", b"words")
    write("one/0.png", (7, 7, 7))
    write(".hidden/0.png", (8, 8, 8))
    write("top.png", (9, 9, 9))
    (tmp_path / "in" / "empty").mkdir()
    os.symlink(tmp_path / "in", tmp_path / "in" / "cats" / "loop")
    os.symlink("itself", tmp_path / "in" / "itself")
    os.symlink(".", tmp_path / "in" / "all over again")
    (pixels, labels, pairs) = read(tmp_path)
    said = capsys.readouterr().out
    assert pairs is None
    assert labels.tolist() == ["cats"] * 2 + ["dogs"] * 3
    assert pixels.shape == (5, 20, 20, 3)  # the shorter side, below 64
    # blue of the cats without the one that is also a dog; red of the dogs: RGB, not BGR
    assert pixels[:2][:, 0, 0].tolist() == [[0, 0, 0], [0, 0, 20]]
    assert sorted(pixels[2:][:, 0, 0, 0].tolist()) == [100, 110, 120]
    assert "words.jpg" in said and "1 files skipped" in said
    assert re.search("left out .*ä 1.png and .*a cat.png: the same file in 2 classes", said)
    assert "left out class one: 1 images, 2 needed" in said
    assert "left out class empty: it holds no images" in said
    assert "1 copies of other files left out" in said
    assert "hidden" not in said and "top.png" not in said


def test_the_second_run_reads_nothing_and_a_changed_file_anew(write, tmp_path, monkeypatch):
    for k in range(4):
        write(f"a/{k}.png", (10 * k, 0, 0))
        write(f"b/{k}.png", (0, 10 * k + 5, 0))
    first = read(tmp_path, image_size=(4, 6), channels=3)
    assert first[0].shape == (8, 4, 6, 3)
    decoded = []
    decode = folders.images.decode
    monkeypatch.setattr(
        folders.images, "decode", lambda data, path: decoded.append(str(path)) or decode(data, path)
    )
    second = read(tmp_path, image_size=(4, 6), channels=3)
    assert decoded == []
    assert (second[0][:] == first[0][:]).all() and (second[1] == first[1]).all()
    write("b/2.png", (0, 77, 0), size=(21, 25))
    (pixels, labels, _) = read(tmp_path, image_size=(4, 6), channels=3)
    assert len(decoded) == 1 and decoded[0].endswith("2.png")
    assert 77 in pixels[labels == "b"][:, 0, 0, 1] and 25 not in pixels[labels == "b"][:, 0, 0, 1]
    # what could not be read is tried again, though its size and time are what they were
    path = write("b/9.png", b"words")
    assert len(read(tmp_path, image_size=(4, 6), channels=3)[0]) == 8
    time = os.stat(path).st_mtime_ns
    path.write_bytes(cv2.imencode(".png", np.zeros((1, 1, 3)))[1].tobytes()[:5])
    os.utime(path, ns=(time, time))
    assert len(decoded) == 2 and len(read(tmp_path, image_size=(4, 6), channels=3)[0]) == 8
    assert len(decoded) == 3
    path.unlink()
    # a torn array is made anew
    (array,) = (tmp_path / "out").glob(".images-*/pixels")
    array.write_bytes(array.read_bytes()[:-1])
    assert (read(tmp_path, image_size=(4, 6), channels=3)[0][:] == pixels[:]).all()
    assert [p.name[:8] for p in (tmp_path / "out").iterdir()] == [".images-"]


def test_grey_pictures_are_read_in_grey(write, tmp_path, capsys):
    for k in range(4):
        write(f"{'ab'[k % 2]}/{k}.png", (9 * k, 9 * k, 9 * k), size=(200, 100))
    (pixels, _, _) = read(tmp_path)
    assert pixels.shape == (4, 64, 64, 1) and "in grey at 64x64" in capsys.readouterr().out
    assert read(tmp_path, channels=3)[0].shape == (4, 64, 64, 3)


def test_ready_pairs(write, tmp_path, capsys):
    for k in range(4):
        write(f"similar_all_images/similar_{k}_first.jpg", (8 * k, 0, 0))
        write(f"similar_all_images/similar_{k}_second.jpg", (8 * k, 0, 90))
        write(f"dissimilar_all_images/dissimilar_{k}_first.png", (0, 8 * k, 0))
        write(f"dissimilar_all_images/dissimilar_{k}_second.png", (0, 0, 9 * k + 20))
    write("similar_all_images/similar_9_first.jpg", (200, 0, 0))
    write("dissimilar_all_images/dissimilar_3_first.png", (0, 8, 0))  # the file of number 1
    (pixels, labels, pairs) = read(tmp_path)
    assert labels is None
    assert sorted(pairs.y.ravel().tolist()) == [0] * 4 + [1] * 4
    assert "similar_9: only one of its two images" in capsys.readouterr().out
    for a, b, y in zip(pairs.anchors, pairs.others[:, 0], pairs.y[:, 0]):
        (green, red) = (pixels[[a]][0, 0, 0, 1], pixels[[b]][0, 0, 0, 0])
        assert (red > 60) if y else green in (0, 8, 16)
    different = pairs.anchors[pairs.y.ravel() == 0]
    assert len(set(different)) == 3  # two files of one content are one image


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
    assert list((tmp_path / "out").iterdir()) == []
