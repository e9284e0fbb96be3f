"""compare --pairs: lists as people write them, and what is said of their faults."""

import json
import shutil

import pytest
from small_model import answers


@pytest.fixture
def write(folder, tmp_path):
    """Writes a list into a folder that holds the digits."""
    shutil.copytree(folder, tmp_path / "lists" / "digits")

    def write(*lines):
        path = tmp_path / "lists" / "pairs.csv"
        path.write_bytes("\n".join([*lines, ""]).encode("utf-8", "surrogateescape"))
        return path

    return write


def test_a_line_for_each_pair_and_a_summary(ask, write):
    same = [f"digits/{k}/0.png,digits/{k}/1.png,1" for k in range(5)]
    different = [f"digits/{k}/2.png,digits/{k + 1}/3.png,0" for k in range(4)]
    wrong = "digits/8/0.png,digits/8/1.png,0"
    # whatever the folder that the command is asked in: paths begin at the list's
    path = write("a,b,same", *same, *different, wrong)
    (code, out, err) = ask("compare", "--pairs", path)
    lines = answers(out)
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
    # nothing is right or wrong
    out = ask("compare", "--pairs", write("a,b", "digits/1/0.png,digits/1/1.png"))[1]
    assert out.splitlines()[-1] == "1 pair compared: 1 the same, 0 different"


def test_pairs_that_cannot_be_compared_are_named_and_the_others_compared(ask, write):
    path = write(
        "a,b,same",
        "digits/1/0.png,absent.png,1",
        "digits/1/0.png,digits/1/1.png,1",
        "pairs.csv,digits,0",
        "digits/1/0.png,digits/1/1.png,perhaps",
    )
    (code, out, err) = ask("compare", "--pairs", path)
    lines = answers(out)
    assert code == 2 and len(err.splitlines()) == 1
    assert "3 of 4 that are none, the first on line 2" in err
    assert lines[0].startswith("line 2 not compared: ")
    assert "absent.png: cannot be opened" in lines[0]
    assert lines[1].endswith("digits/1/1.png")
    assert "pairs.csv: cannot be read" in lines[2]
    assert lines[3].startswith("line 5 not compared: Expected same")
    (code, out, _) = ask("compare", "--pairs", path, "--json")
    answer = json.loads(out)
    assert code == 2 and [fault["line"] for fault in answer["faults"]] == [2, 4, 5]
    # none at all
    (code, out, err) = ask("compare", "--pairs", write("a,b", "x.png,y.png"), "--json")
    assert code == 2 and json.loads(out)["pairs"] == [] and "1 of 1" in err
    # a list of something else
    (code, _, err) = ask("compare", "--pairs", write("path,label", "x.png,y"))
    assert code == 2 and "columns a and b" in err


@pytest.mark.parametrize(
    "arguments", [["7.png"], [], ["1.png", "2.png", "--pairs", "list.csv"], ["--pairs", "absent"]]
)
def test_two_images_or_a_list(refused, arguments):
    assert "Expected" in refused("compare", *arguments)
