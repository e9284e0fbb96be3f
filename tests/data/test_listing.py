"""What a folder holds: found where it is plain, asked where it is not, and all of it counted."""

import os

import pytest

from pyimagesearch.data import listing
from pyimagesearch.system.terminal import InputError

PNG = b"\x89PNG\r\n\x1a\n"  # an image by its beginning; nothing is decoded here


@pytest.fixture
def tree(tmp_path):
    """Makes files below `in` and finds out what they are: ({class: number of images}, listing)."""

    def tree(*names, **flags):
        for name in names:
            path = tmp_path / "in" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(PNG + b"Matplotlib" * ("figure" in name))
        found = listing.find(tmp_path / "in", **flags)
        sizes = {}
        for file in found.files:
            sizes[file.label] = sizes.get(file.label, 0) + 1
        return sizes, found

    return tree


def several(*folders, count=2):
    return [f"{folder}/{k}.png" for folder in folders for k in range(count)]


ALPHABETS = several("Greek/alpha", "Greek/beta", "Latin/a", "Latin/b", "Latin/c", count=3)
ASL = [f"asl_train/asl_train/{name}/0.png" for name in "ABC"] + ["asl_test/asl_test/A.png"]


@pytest.mark.parametrize(
    "names, sizes",
    [
        (several("cat", "cat/more/and/more", "dog/one"), {"cat": 4, "dog": 2}),
        (several("train", "car", "plane"), {"train": 2, "car": 2, "plane": 2}),
        (several("crash_test", "fire_eval"), {"crash_test": 2, "fire_eval": 2}),
        ([*several("photos/cat", "photos/dog"), "photos/0.png"], {"cat": 2, "dog": 2}),
        ([*several("photos/cat", "photos/dog"), "0.png"], {"cat": 2, "dog": 2}),
        (several("a/b/c/cat", "a/b/c/dog"), {"cat": 2, "dog": 2}),
        (several("cats", "cats/kittens"), {"cats": 4}),
        # parts
        (several("train/a", "train/b", "test/c", "test/d"), dict.fromkeys("abcd", 2)),
        (several("data/train/a", "data/train/b", "data/test/a"), {"a": 4, "b": 2}),
        (several("train/x/a", "train/x/b", "test/y/a", "test/y/b"), {"a": 4, "b": 4}),
        (several("train/good", "train/bad", "test/bad/x"), {"good": 2, "bad": 4}),
        (several("training_set/a", "training_set/b", "test_set/a"), {"a": 4, "b": 2}),
        (several("X_train/a", "X_train/b", "X_test/b"), {"a": 2, "b": 4}),
        (several(*(f"seg_{p}/seg_{p}/{c}" for p in ("train", "test") for c in "ab")),
            {"a": 4, "b": 4}),
        (ASL, dict.fromkeys("ABC", 1)),
    ],
)  # fmt: skip
def test_what_the_classes_are(tree, names, sizes):
    (found, plan) = tree(*names)
    assert found == sizes
    assert sum(plan.skipped.values()) + sum(sizes.values()) == len(names)  # all are counted
    assert plan.files == sorted(plan.files, key=lambda file: (file.label, file.part, file.name))


@pytest.mark.parametrize(
    "train, test, validation",
    [("train", "test", "val"), ("Training", "TESTING", "valid"), ("my-TRAIN", "my-eval", "my-dev")],
)
def test_parts_in_any_case(tree, said, train, test, validation):
    names = several(f"{train}/a", f"{train}/b", f"{test}/b", f"{test}/c", f"{validation}/a")
    (sizes, found) = tree(*names, f"{train}/labels.csv", "readme.md")
    assert sizes == {"a": 4, "b": 4, "c": 2}
    parts = {file.name.replace("\\", "/").split("/")[0]: file.part for file in found.files}
    assert parts == {train: 0, validation: 1, test: 2}
    assert found.skipped == {".csv": 1, ".md": 1}
    assert f"parts: {train} is train, {validation} is val, {test} is test" in said()


@pytest.mark.parametrize("names, sizes", [
    (several("train", "test"), {"train": 2, "test": 2}),
    (several("train", "test/a", "test/b"), {"train": 2, "test": 4}),
    (several("train/a", "test/a", "my_val"), {"train": 2, "test": 2, "my_val": 2})])  # fmt: skip
def test_train_and_test_are_never_classes_in_silence(tree, names, sizes):
    with pytest.raises(InputError, match=r"Expected either classes, or parts.*--class-level 1"):
        tree(*names)
    assert tree(class_level=1)[0] == sizes


def test_two_levels_that_could_be_the_classes(tree):
    with pytest.raises(InputError) as error:
        tree(*ALPHABETS)
    text = str(error.value)
    assert "can be Greek, Latin or Greek/alpha, Greek/beta, Latin/a, …." in text
    assert "Say --class-level 1 or 2" in text and "\n" not in text
    assert tree(class_level=1)[0] == {"Greek": 6, "Latin": 9}
    (sizes, found) = tree("Greek/0.png", class_level=2)
    assert sizes == dict.fromkeys(("Greek/alpha", "Greek/beta", "Latin/a", "Latin/b", "Latin/c"), 3)
    assert found.skipped == {"beside the class folders": 1}  # Greek/0.png is of no character
    with pytest.raises(InputError, match="at level 3 below it"):
        tree(class_level=3)


@pytest.mark.parametrize(
    "names, message",
    [
        # a stray image does not settle it
        ([*ALPHABETS, *several("Runic/a", "Runic/b"), "Greek/0.png"], "--class-level 1 or 2"),
        ([f"{part}/{name}" for part in ("train", "test") for name in ALPHABETS], "level 1 or 2"),
        (several("x/x/a", "x/x/b", "y/y"), r"can be x, y or x/x, y/y\."),  # one of two branches
        ([], r"with images\. Received: .*in, with none \(left out: nothing\)"),
        (["0.png", "1.png"], "class folders, at level 1 below it"),
        ([".a/0.png", ".b/0.png"], r"with none \(left out: hidden \(2\)\)"),
        (["a/0.heic", "b/1.HEIC"], r"with none \(left out: \.heic \(2\)\)"),
    ],
)  # fmt: skip
def test_folders_that_are_refused_in_one_line(tree, tmp_path, monkeypatch, names, message):
    monkeypatch.setattr(listing, "ENDINGS", (".png",))  # as without pi-heif
    with pytest.raises(InputError, match="no such folder"):
        tree()
    (tmp_path / "in").mkdir()
    with pytest.raises(InputError, match=message) as error:
        tree(*names)
    assert "\n" not in str(error.value)


def test_what_is_left_out_is_counted_and_said(tree, tmp_path, said, monkeypatch):
    monkeypatch.setattr(listing, "ENDINGS", (".png",))  # as without pi-heif
    images = [*several("a", "b", "store/c", "store/c/deep"), "top.png", "a/._0.png"]
    images += [".NET/0.png", ".NET/more/1.png", "b/.cache/words.txt", "__MACOSX/a/._0.png"]
    images += ["output/metrics.json", "output/figure.png", "a/metrics.json", "a/figure.png"]
    images += ["runs/x/contrastive_siamese_model/x"]
    images += ["a/x.heic", "a/y.HEIC", "b/film.mp4", "a/deep/noise.x", "table.csv"]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "0.png").write_bytes(PNG)
    for folder in ("a", "empty", "store/c"):
        os.makedirs(tmp_path / "in" / folder)
    for link, target in {
        "linked": elsewhere, "all over again": ".", "itself": "itself",
        "again": tmp_path / "in" / "store", "store/c/around": tmp_path / "in" / "store",
        "a/other": tmp_path / "in" / "b",
    }.items():  # fmt: skip
        os.symlink(target, tmp_path / "in" / link)
    (sizes, found) = tree(*images)
    assert sizes == {"a": 2, "b": 2, "store": 4, "linked": 1}  # a link is followed
    assert found.skipped == {
        ".heic": 2, ".mp4": 1, ".x": 1, ".csv": 1, ".json": 1, "beside the class folders": 2,
        "another name of a folder that is read": 4, "hidden": 4, "output of a training": 3,
    }  # fmt: skip
    for line in (
        "left out 2, .heic: a/x.heic, a/y.HEIC (pip install pi-heif, and they are read)",
        "left out 1, .mp4: b/film.mp4",
        "left out 4, hidden: .NET, __MACOSX, ",
        "left out 3, output of a training: a, output, runs/x",
        "left out 2, beside the class folders: itself, top.png",
    ):
        assert line in said()


def test_classes_and_parts_without_images_are_named(tree, tmp_path, said):
    (tmp_path / "in/train/none/deep").mkdir(parents=True)
    (sizes, _) = tree(*several("train/a", "train/b", "val/a", "test"), "train/words/0.txt")
    assert sizes == {"a": 4, "b": 2}
    for line in (
        "left out class train/none: it holds no images",
        "left out class train/words: it holds no images",
        "left out 2, beside the class folders: test/0.png, test/1.png",
    ):
        assert line in said()


@pytest.mark.parametrize("parts", [{"": 0}, {"train/": 0, "test/": 2}])
def test_ready_pairs(tree, parts):
    names = ["a_first.jpg", "a_first.png", "a_second.png", "b.png", "c_first.png"]
    names = [f"similar_all_images/{name}" for name in names]
    other = ["dissimilar_all_images/a_first.png", "dissimilar_all_images/a_second.png"]
    (_, found) = tree(*(part + name for part in parts for name in names + other), "x.png")
    pairs = [(a.name, a.part, b.name, b.part, y) for a, b, y in found.pairs]
    assert pairs == [
        (part + a, k, part + b, k, y)
        for a, b, y in ((*other, 0), (names[0], names[2], 1))
        for part, k in parts.items()
    ]
    assert found.skipped == {"beside the class folders": 1}
