"""Lists in CSV files: classes and pairs as people write them, and every fault with its line."""

import numpy as np
import pytest

from pyimagesearch import config
from pyimagesearch.data import datasets
from pyimagesearch.data.folders import read_folder
from pyimagesearch.data.lists import holds_pairs
from pyimagesearch.data.splits import TEST, TRAIN, VALIDATION
from pyimagesearch.system.terminal import InputError


@pytest.fixture
def listed(tmp_path, write):
    """Writes images 0.png to 9.png, each of another red, a copy of 0, and a list of these lines."""
    for k in range(10):
        write(f"{k}.png", (0, 0, 20 * k))
    write("copy.png", (0, 0, 0))

    def listed(*lines, name="list.csv"):
        path = tmp_path / "in" / name
        path.write_bytes("\n".join(lines).encode())
        return path

    return listed


def reds(images):
    return (images.images[:][:, 0, 0, 0] // 20).tolist()


def test_a_list_of_classes(listed, said):
    path = listed(
        ",label,path,note", "0,cat,0.png,x", "1,dog,2.png,", "", "2,cat,1.png,y", "3,dog,3.png,"
    )
    (images, counts) = read_folder(path)
    assert images.class_names == ("cat", "dog")
    assert reds(images) == [0, 1, 2, 3] and images.labels.tolist() == [0, 0, 1, 1]
    assert not images.splits.any() and images.groups is None and images.pairs is None
    assert counts["used"] == 4 and "2 classes: cat (2), dog (2)" in said()
    assert "columns that are not used: note\n" in said()
    assert not holds_pairs(path)
    lines = [f"{k}.png,{'ab'[k // 3]}" for k in range(6)]
    (images, _) = read_folder(listed("path,label", *lines, "./1.png,a", "0.png,b"))
    assert reds(images) == [1, 2, 3, 4, 5]  # 0 is in two classes
    assert "left out 2, in several classes: 0.png, 0.png" in said()


@pytest.mark.parametrize(
    "header, labels, names",
    [("\ufeffpath;label\r", "aabb", ("a", "b")), ("Path\tLabel", "aabb", ("a", "b")),
        ("path, label", "aabb", ("a", "b")),
        ("path,label", ["1.0", "1", "02", "02"], ("02", "1")),  # as pandas writes whole numbers
        ("path,label", ["1.5", "1.5", "v1.0", "v1.0"], ("1.5", "v1.0"))],
)  # fmt: skip
def test_forms_of_the_same_list(listed, header, labels, names):
    mark = max(",;\t", key=header.count)
    names_of = ("./0.png", ".\\1.png", " 2.png ", "3.png")  # written elsewhere, or by hand
    path = listed(header, *(f"{x}{mark}{label}" for x, label in zip(names_of, labels)))
    assert read_folder(path)[0].class_names == names


def test_split_and_group_columns(listed, said):
    parts = ["train", "Training", "val", "dev", "test", "eval"]
    lines = [f"{k}.png,a,{part},g{k // 2}" for k, part in enumerate(parts)]
    path = listed("path,label,split,group", *lines, "6.png,b,train,", "7.png,b,test,")
    (images, _) = read_folder(path)
    of_part = dict(zip(reds(images), images.splits))
    expected = [TRAIN, TRAIN, VALIDATION, VALIDATION, TEST, TEST, TRAIN, TEST]
    assert [of_part[k] for k in range(8)] == expected
    groups = dict(zip(reds(images), images.groups))
    assert groups[0] == groups[1] != groups[2] == groups[3] and groups[6] != groups[7]
    assert "3 groups; 2 images are in none" in said()
    # a pair belongs together, too, and takes no group of the list's away
    lines = ["0.png,1.png,1,pair 1", "2.png,3.png,0,", "4.png,5.png,0,pair 1"]
    (images, _) = read_folder(listed("a,b,same,group", *lines))
    groups = dict(zip(reds(images), images.groups))
    assert groups[0] == groups[1] == groups[4] == groups[5] != groups[2] == groups[3]


@pytest.mark.parametrize("lines, message", [
        (["path,label\0"], "UTF-8"),  # as each letter of a list in UTF-16
        (["a,b", "0.png,1.png"], r"list\.csv with 1 line below a,b\.$"),
        (["path,label,path", "0.png,a,1.png"], r"none of them twice"),
        ([""], r"below none\.$"),
        (["path,label"], r"list\.csv with 0 lines below path,label\.$"),
        (["path,label", "0.png,a", ",a"], r"line 3 is at fault.*path missing\.$"),
        (["path,label", "0.png,a,b"], r"line 2 .*more cells"),
        (["path,label", "x.png,a", "y.png,a", "0.png,a"], r"line 2 .*x\.png, not there\.$"),
        (["path,label", "../in,a"], r"line 2 .*Expected a file"),
        (["path,label,split", "0.png,a,train", "1.png,a,tset"], r"line 3 .*train, val or test.*ts"),
        (["path,label,split", "0.png,a,train", "1.png,a,"], r"line 3 .*Received: nothing\."),
        (["a,b,same", "0.png,1.png,maybe"], r"line 2 .*same 1 or 0\. Received: maybe"),
        (["a,b,same", "0.png,1.png,"], r"line 2 .*same 1 or 0\. Received: nothing"),
        (["a,b,same,split", "0.png,1.png,1,train", "copy.png,2.png,0,test"],
            r"0.png in train and 2.png in test"),
    ])  # fmt: skip
def test_every_fault_is_named_with_its_line(listed, lines, message):
    with pytest.raises(InputError, match=message) as error:
        read_folder(listed(*lines))
    assert "\n" not in str(error.value)


def test_what_is_no_list(listed, tmp_path):
    listed("path,label", "1.png,a", name="list.tsv")
    (tmp_path / "folder.csv").mkdir()
    recipe = config.RECIPES["photos"]
    for name, message in (
        ("in/absent.csv", "not there"),
        ("in/list.tsv", "Received: 0 such"),  # a list, whatever its name
        ("in/0.png", "a list in a CSV file.*0.png, an image"),
        ("folder.csv", "with none"),  # a folder is one, whatever its name
    ):
        with pytest.raises(InputError, match=message):
            datasets.load(str(tmp_path / name), recipe, 0)
    with pytest.raises(InputError, match=r"a list in a CSV .*absent\.csv \(No such file"):
        read_folder(tmp_path / "absent.csv")
    path = listed("path,label", "0.png,a", "1.png,b")
    with pytest.raises(InputError, match="--class-level with a folder"):
        read_folder(path, class_level=1)


def test_a_list_of_pairs(listed, write, said):
    write("bad.png", b"words")
    path = listed(
        "same,b,a,group",
        "1.0,1.png,0.png,",
        "no,3.png,2.png,anna",
        "different,4.png,copy.png,",  # with 0.png's content: one image
        "1,5.png,bad.png,",
        "0,6.png,7.png,anna",
        "1,copy.png,1.png,",  # the first pair once more
    )
    (images, counts) = read_folder(path)
    assert images.labels is None and images.pairs.y.ravel().tolist() == [1, 0, 0, 0]
    ends = np.array(reds(images))[images.pairs.indices()]
    assert ends.tolist() == [[0, 1], [2, 3], [0, 4], [7, 6]]
    # 0, 1 and 4 hang together, and what is anna's
    groups = dict(zip(reds(images), images.groups.tolist()))
    assert groups[0] == groups[1] == groups[4] != groups[2] == groups[3] == groups[6] == groups[7]
    assert "out 1 pair of images that are in a pair before\n1 pairs of one class and" in said()
    assert counts["copies"] == 1 and counts["skipped"]["unreadable"] == 1
    assert holds_pairs(path)
