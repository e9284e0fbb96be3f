"""Lists in CSV files: classes and pairs as people write them, and every fault with its line."""

import shutil

import cv2
import numpy as np
import pytest

from pyimagesearch import config
from pyimagesearch.data import datasets, lists
from pyimagesearch.data.folders import read_folder
from pyimagesearch.data.splits import TEST, TRAIN, VALIDATION
from pyimagesearch.system.errors import InputError
from pyimagesearch.training.arguments import default_recipe


@pytest.fixture
def listed(tmp_path, write):
    """Writes images 0.png to 9.png, each of another red, and a list of these lines."""
    for k in range(10):
        write(f"{k}.png", (0, 0, 20 * k))

    def listed(*lines, name="list.csv"):
        path = tmp_path / "in" / name
        path.write_bytes("\n".join(lines).encode("utf-8", "surrogateescape"))
        return path

    return listed


def reds(folder):
    return (folder.pixels[:][:, 0, 0, 0] // 20).tolist()


def test_a_list_of_classes(listed, said):
    path = listed("label,path,note", "cat,0.png,x", "dog,2.png,", "", "cat,1.png,y", "dog,3.png,")
    folder = read_folder(path)
    assert folder.class_names == ("cat", "dog") and folder.files == [f"{k}.png" for k in range(4)]
    assert reds(folder) == [0, 1, 2, 3] and folder.labels.tolist() == [0, 0, 1, 1]
    assert folder.splits is None and folder.groups is None and folder.pairs is None
    assert folder.counts["used"] == 4
    assert "columns that are not used: note" in said() and "2 classes: cat (2), dog (2)" in said()
    assert lists.is_list(path) and not lists.holds_pairs(path)
    assert default_recipe(str(path)) == "photos"


@pytest.mark.parametrize("text", ["\ufeffpath;label\r", "Path\tLabel", "path, label"])
def test_forms_of_the_same_list(listed, text):
    mark = max(",;\t", key=text.count)
    path = listed(text, *(f"./{k}.png{mark}{'ab'[k // 2]}" for k in range(4)))
    assert read_folder(path).class_names == ("a", "b")


def test_paths_may_be_absolute_and_lie_above(listed, tmp_path):
    (tmp_path / "lists").mkdir()
    shutil.copy(listed("path,label", *(f"../in/{k}.png,{k % 2}" for k in range(3))),
        tmp_path / "lists" / "list.csv")  # fmt: skip
    with open(tmp_path / "lists" / "list.csv", "a") as f:
        f.write(f"\n{tmp_path}/in/3.png,1\n")
    assert sorted(reds(read_folder(tmp_path / "lists" / "list.csv"))) == [0, 1, 2, 3]


def test_split_and_group_columns(listed, said):
    parts = ["train", "Training", "val", "dev", "test", "eval"]
    path = listed(
        "path,label,split,group",
        *(f"{k}.png,a,{part},g{k // 2}" for k, part in enumerate(parts)),
        "6.png,b,train,",
        "7.png,b,test,",
    )
    folder = read_folder(path)
    of_part = {name: folder.splits[k] for k, name in enumerate(folder.files)}
    assert [of_part[f"{k}.png"] for k in range(8)] == [
        *(TRAIN, TRAIN, VALIDATION, VALIDATION, TEST, TEST, TRAIN, TEST)
    ]
    groups = {name: folder.groups[k] for k, name in enumerate(folder.files)}
    assert groups["0.png"] == groups["1.png"] != groups["2.png"] == groups["3.png"]
    assert groups["6.png"] != groups["7.png"]
    assert "5 groups by the list; 2 files have none there and are groups of their own" in said()


@pytest.mark.parametrize(
    "lines, message",
    [
        (["path,split", "0.png,train"], r"path,label or a,b,same.*line 1 without label"),
        (["a,b", "0.png,1.png"], r"line 1 without same"),
        (["path,label,path", "0.png,a,1.png"], r"none of them twice"),
        ([""], r"line 1 without path and label"),
        (["path,label"], r"lines below the header"),
        (["path,label", "0.png,a", ",a"], r"line 3 is at fault.*path missing\.$"),
        (["path,label", "0.png"], r"line 2 .*label missing"),
        (["path,label", "0.png,a,b"], r"line 2 .*more cells"),
        (
            ["path,label", "x.png,a", "y.png,a", "0.png,a"],
            r"line 2 .*x\.png, not there\. More lines at fault: 1",
        ),
        (["path,label", "../in,a"], r"line 2 .*no file"),
        (["path,label,split", "0.png,a,train", "1.png,a,tset"], r"line 3 .*train, val or test.*ts"),
        (["path,label,split", "0.png,a,train", "1.png,a,"], r"line 3 .*nothing, which other lines"),
        (["path,label", "0.png,a", "./0.png,b"], r"line 3 .*which line 2 has as a; here it is b"),
        (["path,label", "0.png,a", "0.png,a"], r"line 3 .*each file once.*which line 2 has\."),
        (["a,b,same", "0.png,1.png,maybe"], r"line 2 .*same 1 or 0\. Received: maybe"),
        (["a,b,same", "0.png,1.png,"], r"line 2 .*same 1 or 0\. Received: nothing"),
        (["a,b,same", "0.png,./0.png,1"], r"line 2 .*two files"),
        (["a,b,same", "0.png,1.png,1", "1.png,0.png,0"], r"line 3 .*of line 2 with another answer"),
        (["a,b,same", "0.png,1.png,1", "0.png,1.png,1"], r"line 3 .*that of line 2\."),
        (
            ["a,b,same,split", "0.png,1.png,1,train", "1.png,2.png,0,test"],
            r"1\.png, train on line 2, and 1\.png, test on line 3",
        ),
    ],
)
def test_every_fault_is_named_with_its_line(listed, lines, message):
    with pytest.raises(InputError, match=message) as error:
        read_folder(listed(*lines))
    assert "\n" not in str(error.value)


def test_what_is_no_list(listed, tmp_path):
    listed("path,label", "0.png,a", name="list.tsv")
    (tmp_path / "folder.csv").mkdir()
    recipe = config.RECIPES["photos"]
    for name, message in (
        ("in/absent.csv", "not there"),
        ("in/list.tsv", "a file that does not end in .csv"),
        ("folder.csv", "a subfolder for each class"),  # a folder is one, whatever its name
    ):
        assert default_recipe(str(tmp_path / name)) == "photos"
        with pytest.raises(InputError, match=message):
            datasets.load(str(tmp_path / name), recipe, 0)
        with pytest.raises(InputError, match=message):
            read_folder(tmp_path / name)
    with pytest.raises(InputError, match="--class-level with a folder"):
        read_folder(listed("path,label", "0.png,a"), class_level=1)


def test_what_cannot_be_used_is_left_out_with_its_line(listed, write, said):
    write("bad.png", b"words")
    for name, red in (("copy.png", 0), ("wrong.png", 20)):
        write(name, (0, 0, red))
    lines = [f"{k}.png,{'ab'[k // 4]}" for k in range(8)]
    folder = read_folder(listed("path,label", *lines, "bad.png,a", "copy.png,a", "wrong.png,b"))
    assert reds(folder) == [0, 2, 3, 4, 5, 6, 7]  # 1 is in two classes
    assert "skipped line 10: " in said() and "bad.png: cannot be read" in said()
    assert "left out 1.png (line 3) and wrong.png (line 12): the same file in 2 cl" in said()
    assert folder.counts["copies"] == 1
    assert folder.counts["skipped"] == {"in two classes": 2, "unreadable": 1}


def test_a_list_of_pairs(listed, write, said):
    write("copy.png", (0, 0, 0))
    write("bad.png", b"words")
    path = listed(
        "same,b,a",
        "1,1.png,0.png",
        "no,3.png,2.png",
        "different,4.png,copy.png",  # with 0.png's content: one image
        "1,5.png,bad.png",
    )
    folder = read_folder(path)
    assert folder.labels is None and folder.pairs.y.ravel().tolist() == [1, 0, 0]
    ends = np.array(reds(folder))[folder.pairs.indices()]
    assert ends.tolist() == [[0, 1], [2, 3], [0, 4]]
    # 0, 1 and 4 hang together
    by_red = dict(zip(reds(folder), folder.groups.tolist()))
    assert by_red[0] == by_red[1] == by_red[4] != by_red[2] == by_red[3]
    assert "1 pairs of one class and 2 of two, of 5 images" in said()
    assert (
        "left out 1 pairs of files that cannot be read" in said() and "skipped line 5: " in said()
    )
    assert folder.counts["copies"] == 1 and folder.counts["skipped"]["unreadable"] == 1
    assert lists.holds_pairs(path) and default_recipe(str(path)) == "pairs"


def test_groups_of_pairs(listed):
    path = listed("a,b,same,group", "0.png,1.png,1,anna", "2.png,3.png,0,bob", "4.png,5.png,0,anna")
    folder = read_folder(path)
    by_red = dict(zip(reds(folder), folder.groups.tolist()))
    assert by_red[0] == by_red[1] == by_red[4] == by_red[5] != by_red[2] == by_red[3]


def test_a_copy_in_pairs_of_another_part_is_refused(listed, write):
    write("copy.png", (0, 0, 0))
    with pytest.raises(InputError, match=r"copy\.png, test on line 3, a copy of it"):
        read_folder(
            listed("a,b,same,split", "0.png,1.png,1,train", "copy.png,2.png,0,test")
        )  # fmt: skip


def test_a_group_in_two_parts_that_are_given_is_refused(listed, write, tmp_path):
    path = listed(
        "path,label,split,group",
        "0.png,a,train,anna", "1.png,a,test,anna", "2.png,b,train,", "3.png,b,test,",
        "4.png,b,test,eve", "5.png,b,train,eve",
    )  # fmt: skip
    message = r"0\.png \(line 2\) in train and 1\.png \(line 3\) in test.*so are 1 other groups"
    with pytest.raises(InputError, match=message):
        read_folder(path)
    # the same of folders
    for k, name in enumerate(["train/a/x_0", "test/a/x_1", "train/b/y_0", "test/b/z_0"]):
        for more in "pq":
            write(f"deep/{name}{more}.png", (k, 99, ord(more)))
    assert read_folder(tmp_path / "in" / "deep").groups is None
    with pytest.raises(
        InputError, match=r"train/a/x_0p\.png in train and test/a/x_1p\.png in test"
    ):
        read_folder(tmp_path / "in" / "deep", group_by=r"([a-z])_\d")


def test_near_copies_across_the_parts_of_a_list_are_said(write, tmp_path, said):
    noise = np.random.default_rng(0).integers(0, 200, (24, 20, 20, 3), dtype=np.uint8)
    lines = ["path,label,split"]
    for k in range(24):
        lines.append(f"{k}.png,{'ab'[k % 2]},{('train', 'val', 'test')[k // 8]}")
    noise[23] = noise[1] + 1  # a brighter copy, tested
    for k, image in enumerate(noise):
        write(f"{k}.png", cv2.imencode(".png", image)[1].tobytes())
    (tmp_path / "in" / "list.csv").write_text("\n".join(lines))
    recipe = config.RECIPES["photos-small"]
    data = datasets.load(str(tmp_path / "in" / "list.csv"), recipe, 0)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [8, 8, 8]
    assert data.parts["split"] == "folders"
    assert "1 of 8 test images have a near copy in training" in said()
