"""What a folder holds: found where it is plain, asked where it is not, and all of it counted."""

import os

import pytest

from pyimagesearch.data import layout, leftovers, scan

PNG = b"\x89PNG\r\n\x1a\n"  # an image by its beginning; nothing is decoded here


@pytest.fixture
def tree(tmp_path):
    """Makes files below `in` and finds out what they are: {class: names}, and the layout."""

    def tree(*names, **flags):
        for name in names:
            path = tmp_path / "in" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(PNG)
        found = layout.find(tmp_path / "in", **flags)
        classes = {}
        for file in found.files:
            classes.setdefault(file.class_at(found.level), []).append(file.name.replace("\\", "/"))
        return classes, found

    return tree


def several(*folders, count=2):
    return [f"{folder}/{k}.png" for folder in folders for k in range(count)]


def parts(found):
    return {file.name.replace("\\", "/").split("/")[0]: file.part for file in found.files}


def test_classes_however_deep_their_images_lie(tree):
    names = [*several("cat", "cat/more/and/more", "dog/one"), "cat/extra/0.png"]
    (classes, found) = tree(*names)
    assert sorted(classes["cat"] + classes["dog"]) == sorted(names)
    assert found.level == 1 and not found.parted and not found.pairs and not found.skipped


@pytest.mark.parametrize(
    "train, test, validation",
    [("train", "test", "val"), ("Training", "TESTING", "valid"), ("TRAIN", "eval", "dev")],
)
def test_parts_in_any_case(tree, said, train, test, validation):
    names = several(f"{train}/a", f"{train}/b", f"{test}/b", f"{test}/c", f"{validation}/a")
    (classes, found) = tree(*names, f"{train}/labels.csv", "readme.md")
    assert found.parted and classes.keys() == {"a", "b", "c"}
    assert parts(found) == {train: 0, validation: 1, test: 2}
    assert found.files[0].part == 0  # training first
    assert found.skipped == {".csv": 1, ".md": 1}
    assert "are used as what they are named for" in said()


def test_parts_with_other_classes_in_each(tree):
    (classes, found) = tree(*several("train/a", "train/b", "test/c", "test/d"))
    assert found.parted and classes.keys() == {"a", "b", "c", "d"}


def test_test_images_without_classes_are_left_out(tree, said):
    (classes, found) = tree(*several("train/a", "train/b", "test"))
    assert classes.keys() == {"a", "b"} and not found.parted
    assert found.skipped == {"beside the class folders": 2}
    assert "left out test: its 2 images are in no class folders" in said()


@pytest.mark.parametrize(
    "names",
    [
        several("train", "test"),
        several("train", "test/a", "test/b"),
        several("train/a", "train/b", "test/a", "test/b", "extra"),
    ],
)
def test_train_and_test_are_never_classes_in_silence(tree, names):
    with pytest.raises(ValueError, match=r"Expected either classes, or parts.*--class-level 1"):
        tree(*names)
    (classes, _) = tree(class_level=1)
    assert {"train", "test"} <= classes.keys()


def test_one_name_of_a_part_is_a_class(tree):
    (classes, found) = tree(*several("train", "car", "plane"))
    assert classes.keys() == {"train", "car", "plane"} and not found.parted


@pytest.mark.parametrize("around", ["photos", "a/b/c", "photos/photos"])
def test_folders_around_everything(tree, said, around):
    (classes, _) = tree(*several(f"{around}/cat", f"{around}/dog"), f"{around}/0.png")
    assert classes.keys() == {"cat", "dog"}
    assert f"everything lies in {around.split('/')[0]}" in said()


def test_a_folder_around_train_and_test(tree):
    (classes, found) = tree(*several("data/train/a", "data/train/b", "data/test/a"))
    assert found.parted and classes.keys() == {"a", "b"}


def test_a_folder_around_in_each_part(tree):
    (classes, found) = tree(*several("train/x/a", "train/x/b", "test/y/a", "test/y/b"))
    assert found.parted and classes.keys() == {"a", "b"}


def test_a_part_of_one_class_is_no_folder_around(tree):
    (classes, _) = tree(*several("train/good", "train/bad", "test/bad/x", "test/bad/y"))
    assert classes.keys() == {"good", "bad"}


def test_one_class_is_no_folder_around(tree):
    (classes, _) = tree(*several("cats", "cats/kittens"))
    assert classes.keys() == {"cats"}


ALPHABETS = several("Greek/alpha", "Greek/beta", "Latin/a", "Latin/b", "Latin/c", count=3)


def test_two_levels_that_could_be_the_classes(tree):
    with pytest.raises(ValueError) as error:
        tree(*ALPHABETS)
    text = str(error.value)
    assert "as 2 classes (Greek (6), Latin (9))" in text
    assert "as 5 (Greek/alpha (3), Greek/beta (3), Latin/a (3), …)" in text
    assert "--class-level 1 or --class-level 2" in text and "\n" not in text
    (classes, found) = tree(class_level=1)
    assert {name: len(files) for name, files in classes.items()} == {"Greek": 6, "Latin": 9}
    (classes, found) = tree("Greek/0.png", class_level=2)
    assert classes.keys() == {"Greek/alpha", "Greek/beta", "Latin/a", "Latin/b", "Latin/c"}
    assert found.skipped == {"beside the class folders": 1}  # Greek/0.png is of no character


def test_a_stray_image_does_not_settle_it(tree):
    with pytest.raises(ValueError, match="--class-level 2"):
        tree(*ALPHABETS, *several("Runic/a", "Runic/b"), "Greek/0.png")


def test_classes_that_lie_deeper_are_not_overlooked(tree):
    """As an archive unpacks that holds seg_train/seg_train/<class> and the same for the test."""
    folders = [f"seg_{part}/seg_{part}/{name}" for part in ("train", "test") for name in "ab"]
    with pytest.raises(ValueError, match="name the folder that holds the classes"):
        tree(*several(*folders))


def test_two_levels_inside_train_and_test(tree):
    names = [f"{part}/{name}" for part in ("train", "test") for name in ALPHABETS]
    with pytest.raises(ValueError, match="--class-level 2"):
        tree(*names)
    (classes, found) = tree(class_level=2)
    assert found.parted and "Latin/c" in classes


def test_a_level_without_images(tree):
    with pytest.raises(ValueError, match=r"second folders.*Received: --class-level 2"):
        tree(*several("a", "b"), class_level=2)


def test_pairs_in_parts_are_no_classes(tree):
    folders = [f"{part}/{name}" for part in ("train", "test") for name in layout.PAIR_FOLDERS]
    with pytest.raises(ValueError, match="in one folder"):
        tree(*several(*folders))


def test_what_is_left_out_is_counted_and_said(tree, tmp_path, said, monkeypatch):
    monkeypatch.setattr(scan, "endings", lambda: (".png",))  # as without pi-heif
    for name in ["a/x.heic", "a/y.HEIC", "b/film.mp4", "a/raw.CR2", "a/deep/noise", "table.csv"]:
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"words")
    tree(*several("a", "b", "elsewhere/c"), "top.png", ".DS_Store", "a/._0.png", "b/.cache/0.png")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "1.png").write_bytes(PNG)
    os.symlink(tmp_path / "elsewhere", tmp_path / "in" / "a" / "linked")
    os.symlink(tmp_path / "elsewhere", tmp_path / "in" / "linked")
    os.symlink(tmp_path / "in", tmp_path / "in" / "around")
    (tmp_path / "in" / "empty").mkdir()
    (classes, found) = tree()
    assert found.skipped == {
        ".heic": 2, ".mp4": 1, ".cr2": 1, "no ending": 1, ".csv": 1,
        "beside the class folders": 1, "linked folders": 2,
    }  # fmt: skip
    assert classes["linked"] == ["linked/1.png"]  # a link as a class folder is followed
    leftovers.say_skipped(found.skipped)
    for line in (
        "skipped 2 files, .heic: pip install pi-heif, and they are read",
        "skipped 1 files, .cr2: save them as PNG or JPEG",
        "skipped 1 files, .mp4: not of an image",
        "left out 2 linked folders",
        "left out 1 images beside the class folders",
        "left out around: a link to a folder around it",
        "left out class empty: it holds no images",
    ):
        assert line in said()


def test_the_line_that_names_the_classes():
    assert leftovers.classes_line(["a", "b"], [1200, 3]) == "2 classes: a (1,200), b (3)"
    many = leftovers.classes_line([f"class {k}" for k in range(1000)], range(2, 1002))
    assert (
        many
        == "1,000 classes, from class 999 (1,001), class 998 (1,000) to class 1 (3), class 0 (2)"
    )
    assert len(leftovers.classes_line(["long " * 99, "b" * 300, "c"], [3, 2, 1])) < 300


@pytest.mark.parametrize(
    "names, perhaps",
    [
        (["anna", "bob", "carl"], True),
        (["p1_left", "p2_right", "anna"], True),
        (["1", "2", "3"], False),
        (["IMG_0001", "IMG_0002", "IMG_0003"], False),
        (["photo (1)", "photo (2)", "cover"], False),
        (["front", "back"], False),  # of each of two things
    ],
)
def test_the_same_names_in_two_classes_are_perhaps_pairs(said, names, perhaps):
    leftovers.say_perhaps_pairs({"before": names, "after": names[::-1], "other": ["x", "y", "z"]})
    assert ("before, after hold the same 3 file names" in said()) == perhaps


def test_a_folder_of_what_cannot_be_read_says_so(tree, tmp_path, said, monkeypatch):
    monkeypatch.setattr(scan, "endings", lambda: (".png",))
    with pytest.raises(ValueError, match=r"without \(left out: \.heic \(4\)\)"):
        tree("a/0.heic", "a/1.heic", "b/0.heic", "b/1.heic")
    assert "skipped 4 files, .heic: pip install pi-heif" in said()


def test_what_lies_beside_train_and_test_is_counted(tree):
    (_, found) = tree(*several("train/a", "train/b", "test/a"), "labels/a.xml", "labels/b.xml")
    assert found.skipped == {".xml": 2}


def test_a_level_that_there_is_not(tree):
    with pytest.raises(ValueError, match=r"1 or 2\. Received: 3"):
        tree(*ALPHABETS, class_level=3)


def test_folders_that_hold_nothing(tree, tmp_path):
    (tmp_path / "in").mkdir()
    for names in ([], ["0.png", "1.png"], [".a/0.png", ".b/0.png"]):
        with pytest.raises(ValueError, match="a subfolder for each class"):
            tree(*names)
    with pytest.raises(ValueError, match="no such folder"):
        layout.find(tmp_path / "missing")
