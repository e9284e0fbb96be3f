"""datasets.load: the four parts of a data set, decided in one place, and what is said of them."""

import json
import logging
from dataclasses import replace

import numpy as np
import pytest

from pyimagesearch.config import RECIPES
from pyimagesearch.data import datasets
from pyimagesearch.data.datasets import load_mnist
from pyimagesearch.data.sets import ImageSet, pixel_digests
from pyimagesearch.system.terminal import InputError

PHOTOS, ARTICLE = RECIPES["photos"], RECIPES["article"]


def folder(sizes, **counts):
    """What folders.read_folder gives, of images made up here."""
    labels = np.repeat(np.arange(len(sizes)), sizes).astype(np.int32)
    pixels = np.random.default_rng(0).integers(0, 255, (len(labels), 8, 8, 1), dtype=np.uint8)
    names = tuple(f"class {i}" for i in range(len(sizes)))
    return ImageSet(pixels, labels, None, names, contents=pixel_digests(pixels)), counts


@pytest.fixture
def load(monkeypatch, tmp_path, caplog):
    """load(folder, recipe, …) -> (DataSet, the lines that were logged)."""
    caplog.set_level(logging.INFO, logger="pyimagesearch")

    def load(read, recipe=PHOTOS, seed=1, **flags):
        monkeypatch.setattr(datasets.folders, "read_folder", lambda *args, **kwargs: read)
        caplog.clear()
        return datasets.load(str(tmp_path), recipe, seed, **flags), caplog.messages

    return load


def test_mnist_is_mnist():
    (trainX, trainY), (testX, testY) = load_mnist()
    assert trainX.shape == (60000, 28, 28, 1) and testX.shape == (10000, 28, 28, 1)
    assert trainX.dtype == np.uint8 and trainY.dtype == testY.dtype == np.int32
    assert trainY[:5].tolist() == [5, 0, 4, 1, 9] and testY[:3].tolist() == [7, 2, 1]
    assert trainX.mean() / 255 == pytest.approx(0.1307, abs=1e-4)


@pytest.mark.slow
def test_mnist_brings_its_own_test(caplog):
    caplog.set_level(logging.INFO, logger="pyimagesearch")
    data = datasets.load("mnist", RECIPES["fast"], 42)
    line = "54000 to train on, 6000 to choose by, 10000 to test with, 10 classes"
    assert caplog.messages == [line]
    assert (data.test.images == load_mnist()[1][0]).all()
    assert data.validation.images is data.choices.images and not data.new_classes
    assert data.train.pairs is None and data.validation.pairs and data.choices.pairs is None
    assert data.test.class_names == tuple("0123456789") and data.test.labels.dtype == np.int32
    # a tenth of every digit is held out, to the image
    held, of = np.bincount(data.choices.labels), np.bincount(load_mnist()[0][1])
    assert (abs(held - of / 10) <= 0.5).all()
    assert data.parts["clean"] and data.parts["split"] == "own"
    # a model that was trained on some of the test: its figures are said not to be clean
    known = pixel_digests(np.concatenate([data.test.images[:300], data.choices.images[:500]]))
    again = datasets.load("mnist", RECIPES["fast"], 42, known=known)
    line = "these figures are not clean: 300 of 10000 test images were trained on"
    assert line in caplog.messages
    assert (again.parts["clean"], again.parts["trained_before"]) == (False, 300)
    assert not np.isin(pixel_digests(again.choices.images), known).any()


def test_a_file_is_known_at_any_size(photos):
    before = datasets.load(str(photos), PHOTOS, 1)
    parts = (before.train, before.choices, before.test)
    known = np.concatenate([part.digests().ravel() for part in parts])
    again = datasets.load(str(photos), PHOTOS, 1, known=known, image_size=(16, 16), channels=1)
    assert again.parts["trained_before"] == again.parts["test"] == 12 and not again.parts["clean"]


def test_flags_of_a_folder_are_refused_for_mnist():
    flags = {"split": "images", "channels": 1, "group_by": "x", "class_level": 1}
    for name, value in (flags | {"image_size": (8, 8)}).items():
        with pytest.raises(InputError, match=r"with a folder alone\. Received: mnist"):
            datasets.load("mnist", ARTICLE, 0, **{name: value})


def test_parts_are_counted_and_said(load):
    skipped = {".heic": 7, "unreadable": 2}
    data, lines = load(folder([60] * 10 + [3], files=614, skipped=skipped, copies=3))
    sizes = [len(data.train), len(data.choices), len(data.test)]
    assert sizes == [413, 70, 120]  # of each class of sixty 12 tested, 7 to choose by
    assert lines == [
        "413 to train on, 70 to choose by, 120 to test with, 11 classes, "
        "9 files or folders left out, 3 copies left out",
        "trained on and not tested: class 10",
    ]
    parts = json.loads(json.dumps(data.parts))
    assert [parts[kind] for kind in ("train", "choices", "test")] == sizes
    kept = {"files": 614, "copies": 3, "classes": 11, "classes_tested": 10, "split": "images"}
    assert parts | kept == parts
    for part in (data.train, data.validation, data.choices, data.test):
        assert part.labels.dtype == np.int32 and part.class_names[9] == "class 9"


def test_a_recipe_that_holds_out_none(load):
    data, lines = load(folder([60] * 10), ARTICLE)
    assert data.validation.images is data.test.images and data.choices is data.train
    assert data.train.pairs and data.validation.pairs and data.test.pairs is None
    assert lines == [
        f"{len(data.train)} to train on and to choose by, {len(data.test)} to test with, 10 classes"
    ]


def test_new_classes_are_known_as_such(load):
    data, lines = load(folder([30] * 10), split="classes")
    assert data.new_classes and data.parts["split"] == "classes" and len(lines) == 1
    assert lines[0].endswith("2 of them only to choose by, 2 of them only in the test")
    assert not load(folder([12] * 10))[0].new_classes


def test_what_few_images_cannot_say_is_said(load):
    data, lines = load(folder([60, 5]))
    of_test = np.bincount(data.test.labels)
    assert of_test[1] == 1 and len(data.test) < 30 > len(data.choices)
    assert lines[1] == f"{len(data.test)} test images: figures on so few say little"
    assert lines[2].startswith(f"{len(data.choices)} images to choose by: the threshold is a rough")
    assert len(lines) == 3 and len(load(folder([600, 5]))[1]) == 1


def test_near_copies_across_the_parts_are_said(load):
    rng = np.random.default_rng(0)
    clips = rng.integers(0, 250, (4, 15, 1, 8, 8, 1))  # fifteen clips in each of four classes
    pixels = (clips + rng.integers(0, 5, (4, 15, 6, 8, 8, 1))).astype(np.uint8)
    pixels = pixels.reshape(360, 8, 8, 1)
    groups = np.repeat(np.arange(60), 6).astype(np.int32)
    (frames, counts) = folder([90] * 4)
    frames = replace(frames, images=pixels, contents=pixel_digests(pixels))
    data, lines = load((frames, counts))
    tested = len(data.test)
    assert lines[1] == (
        f"{tested} of {tested} test images have a near copy elsewhere: "
        "keep together what belongs together (in a folder --group-by)"
    )
    assert data.parts["near_copies"]["test"] == {"found": tested, "of": tested}
    assert data.copies.tolist() == list(range(tested))
    data, lines = load((replace(frames, groups=groups), counts), group_by="clip")
    assert len(lines) == 1 and data.parts["near_copies"]["test"]["found"] == 0
    assert data.copies.tolist() == []
    assert (data.parts["split"], data.parts["groups"]) == ("groups", 60)
