"""compare --pairs: lists as people write them, and what is said of their faults."""

import json
import shutil

import pytest

from pyimagesearch.inference import pair_lists
from pyimagesearch.inference.pair_lists import Line
from pyimagesearch.system.errors import InputError


def read(tmp_path, text):
    (tmp_path / "list.csv").write_bytes(text.encode("utf-8", "surrogateescape"))
    return pair_lists.read(tmp_path / "list.csv")


def test_a_list_is_read_line_by_line(tmp_path):
    found = read(tmp_path, 'a,b,same\nx.png,y.png,1\n\n"x,\n1.png",z.png,no\ny.png,z.png,\n')
    # the second pair's first name holds a comma and a line break
    assert found.lines == [
        Line(2, "x.png", "y.png", True),
        Line(4, "x,\n1.png", "z.png", False),
        Line(6, "y.png", "z.png", None),
    ]
    assert found.faults == [] and found.folder == str(tmp_path)
    assert found.files() == ["x.png", "y.png", "x,\n1.png", "z.png"]


@pytest.mark.parametrize(
    "text",
    [
        "B,note,A\ny.png,mine,x.png\n",  # other columns, another order, capitals
        "\ufeffa;b\r\nx.png;y.png\r\n",  # what Excel writes where the comma is a decimal point
        "a\tb\nx.png\ty.png",
    ],
)
def test_forms_of_the_same_list(tmp_path, text):
    assert read(tmp_path, text).lines == [Line(2, "x.png", "y.png", None)]


def test_names_of_any_bytes_and_characters(tmp_path):
    names = ["caf\udce9.png", "a\u2028b\x0c.png"]  # bytes E9; what str.splitlines would break
    assert read(tmp_path, f"a,b\n{','.join(names)}\n").lines == [Line(2, *names, None)]


def test_every_fault_has_its_line(tmp_path):
    found = read(tmp_path, "a,b,same\nx.png,y.png,maybe\nx.png\n,y.png,1\nx,y,1,2\nx,y,Yes\n")
    assert [line.number for line in found.lines] == [6]
    assert [number for number, _ in found.faults] == [2, 3, 4, 5]
    texts = [text for _, text in found.faults]
    assert "Received: maybe" in texts[0] and "b missing" in texts[1] and "a missing" in texts[2]
    assert "more cells" in texts[3]


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "Received: .*list.csv with none"),
        ("x.png,y.png\n", "columns a and b.*with x.png,y.png"),
        ("a,b,b\nx,y,z\n", "columns a and b"),
        ("a,b\n\n", "pairs below the header"),
        ('a,b\n"' + "x" * 200_000, "a CSV file"),
    ],
)
def test_what_is_no_list(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path, text)


@pytest.fixture
def write(folder, tmp_path):
    """Writes a list into a folder that holds the digits."""
    shutil.copytree(folder, tmp_path / "lists" / "digits")

    def write(*lines, name="pairs.csv"):
        path = tmp_path / "lists" / name
        path.write_text("\n".join(lines) + "\n")
        return path

    return write


def test_a_line_for_each_pair_and_a_summary(ask, write):
    same = [f"digits/{k}/0.png,digits/{k}/1.png,1" for k in range(5)]
    different = [f"digits/{k}/2.png,digits/{k + 1}/3.png,0" for k in range(4)]
    wrong = "digits/8/0.png,digits/8/1.png,0"
    # whatever the folder that the command is asked in: paths begin at the list's
    path = write("a,b,same", *same, *different, wrong)
    (code, out, err) = ask("compare", "--pairs", path)
    lines = [line for line in out.splitlines() if not line.startswith("[INFO]")]
    assert code == 0 and err == "" and len(lines) == 11
    assert [line.split()[2] for line in lines[:10]] == 5 * ["same"] + 4 * ["different"] + ["same"]
    assert [line.endswith("wrong") for line in lines[:10]] == 9 * [False] + [True]
    assert lines[10].startswith(
        "10 pairs compared: 6 the same, 4 different; of 10 whose answer is given 90.00 % ("
    )
    answer = json.loads(ask("compare", "--pairs", path, "--json")[1])
    summary = answer["summary"]
    assert (summary["compared"], summary["same"], summary["known"]) == (10, 6, 10)
    assert summary["right"]["low"] < summary["right"]["value"] == 0.9 < summary["right"]["high"]
    assert answer["pairs"][9] | {"same": True, "expected": False} == answer["pairs"][9]
    assert answer["pairs"][9]["line"] == 11 and answer["faults"] == []


def test_without_an_answer_nothing_is_right_or_wrong(ask, write):
    (code, out, _) = ask("compare", "--pairs", write("a,b", "digits/1/0.png,digits/1/1.png"))
    assert code == 0 and out.splitlines()[-1] == "1 pairs compared: 1 the same, 0 different"


def test_pairs_that_cannot_be_compared_are_named_and_the_others_compared(ask, write):
    path = write(
        "a,b,same",
        "digits/1/0.png,absent.png,1",
        "digits/1/0.png,digits/1/1.png,1",
        "pairs.csv,digits,0",
        "digits/1/0.png,digits/1/1.png,perhaps",
    )
    (code, out, err) = ask("compare", "--pairs", path)
    lines = [line for line in out.splitlines() if not line.startswith("[INFO]")]
    assert code == 2 and len(err.splitlines()) == 1 and "3 of 4 that are none: line 2" in err
    assert (
        lines[0].startswith("line 2 not compared: ") and "absent.png: cannot be opened" in lines[0]
    )
    assert lines[1].endswith("digits/1/1.png")
    assert "pairs.csv: cannot be read" in lines[2] and "digits: not a file" in lines[2]
    assert lines[3].startswith("line 5 not compared: Expected same")
    (code, out, _) = ask("compare", "--pairs", path, "--json")
    answer = json.loads(out)
    assert code == 2 and [fault["line"] for fault in answer["faults"]] == [2, 4, 5]
    # none at all
    (code, out, err) = ask("compare", "--pairs", write("a,b", "x.png,y.png"), "--json")
    assert code == 2 and json.loads(out)["pairs"] == [] and "1 of 1" in err


@pytest.mark.parametrize(
    "arguments", [["7.png"], [], ["1.png", "2.png", "--pairs", "list.csv"], ["--pairs", "absent"]]
)
def test_two_images_or_a_list(ask, arguments):
    (code, out, err) = ask("compare", *arguments)
    assert code == 2 and out == "" and len(err.splitlines()) == 1 and "Expected" in err
