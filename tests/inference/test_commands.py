"""python -m pyimagesearch, with a model that needs no training, on folders of digits."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import small_model
from small_model import answers

import test_contrastive_siamese_network as test_script
from pyimagesearch import SiameseModel
from tests.scripts import PIPES, ROOT


def test_compare_says_same_or_different_as_cmp_does(ask, folder, seven):
    code, out, _ = ask("compare", seven[0], seven[1])
    assert code == 0 and out.rstrip().endswith("same")
    code, out, err = ask("compare", seven[0], sorted((folder / "0").iterdir())[0], "--json")
    answer = json.loads(out)
    assert code == 1 and "error" not in err and answer["same"] is False
    assert answer["distance"] > answer["threshold"] and answer["similarity"] < 0.5
    answer = json.loads(ask("compare", seven[0], seven[0], "--json", "--fmr", "0.001")[1])
    assert answer["threshold"] == 0.3 and answer["similarity"] == pytest.approx(1, abs=1e-3)


def test_how_likely_they_are_the_same(ask, seven, folder, model):
    small_model.change(model, probability={"middle": 0.7, "slope": 4})
    answer = json.loads(ask("compare", *seven[:2], "--json")[1])
    expected = 1 / (1 + np.exp(4 * (answer["distance"] - 0.7)))
    assert answer["probability"] == pytest.approx(expected) and "similarity" in answer
    words = f", {100 * expected:.0f} % likely the same, where half of the pairs are: same"
    assert answers(ask("compare", *seven[:2])[1])[0].endswith(words)
    found = json.loads(ask("identify", seven[0], folder, "--json")[1])["candidates"]
    assert len(found) == 5 and all(0 < one["probability"] < 1 for one in found)
    assert " %  same " in ask("search", seven[0], folder)[1]


def test_compare_fails_with_2(refused, seven):
    assert "Expected readable images" in refused("compare", seven[0], ROOT / "LICENSE")
    assert "threshold for: 0.01, 0.001" in refused("compare", *seven[:2], "--fmr", "0.3")
    for words in (["7.png"], [], ["1.png", "2.png", "--pairs", "list.csv"], ["--pairs", "absent"]):
        assert "Expected" in refused("compare", *words)


def test_a_flag_that_would_do_nothing_is_refused(refused, folder):
    assert "Expected --force with --calibrate" in refused("evaluate", folder, "--force")
    assert "Expected --fpir and" in refused("page", "--fpir", 0.1)
    assert "Received: both" in refused("embed", "--merge", "1.npz", "--class-level", 2)


def test_a_missing_flag_is_named_and_what_is_meant(refused):
    assert "required: --format; --help" in refused("export", "--fromat", "tflite")
    assert "--topp, perhaps --top is meant" in refused("search", "7.png", "digits", "--topp=3")
    assert "--fmr; --help" in refused("identify", "7.png", "digits", "--fmr", 1)  # it has none
    assert ", perhaps evaluate is meant; --help" in refused("evalute", "digits")


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
    assert lines[10].endswith("6 the same, 4 different; of 10 whose answer is given 9 right")
    answer = json.loads(ask("compare", "--pairs", path, "--json")[1])
    summary = answer["summary"]
    assert (summary["compared"], summary["same"], summary["known"]) == (10, 6, 10)
    assert summary["right"] == 9
    assert answer["pairs"][9] | {"same": True, "expected": False} == answer["pairs"][9]
    assert answer["pairs"][9]["line"] == 11 and answer["faults"] == []
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
    assert "3 of 4 lines without one, the first line 2" in err
    assert lines[0].startswith("line 2 not compared: ")
    assert "absent.png: cannot be opened" in lines[0]
    assert lines[1].endswith("digits/1/1.png")
    assert "pairs.csv: cannot be read" in lines[2]
    assert lines[3].startswith("line 5 not compared: Expected same")
    (code, out, _) = ask("compare", "--pairs", path, "--json")
    assert code == 2 and [fault["line"] for fault in json.loads(out)["faults"]] == [2, 4, 5]
    (code, out, err) = ask("compare", "--pairs", write("a,b", "x.png,y.png"), "--json")
    assert code == 2 and json.loads(out)["pairs"] == [] and "1 of 1" in err
    (code, _, err) = ask("compare", "--pairs", write("path,label", "x.png,y"))
    assert code == 2 and "columns a and b" in err


@pytest.mark.slow
def test_search_ranks_reuses_embeddings_and_notices_what_changed(ask, folder, tmp_path, model):
    mine = shutil.copytree(folder, tmp_path / "mine")
    figure = mine / "found.png"
    flags = ("search", mine / "7" / "0.png", mine, "--top", 3, "--output", figure)
    (code, out, _) = ask(*flags)
    assert code == 0 and "images embedded: 120, 0 of them by an earlier run" in out
    assert [line.split()[0] for line in answers(out)] == ["1", "2", "3"]
    assert cv2.imread(str(figure)) is not None
    (_, again, _) = ask(*flags)  # its own picture is not found
    assert "121, 120 of them" in again and answers(again) == answers(out)
    results = json.loads(ask(*flags, "--json")[1])["results"]
    distances = [result["distance"] for result in results]
    assert len(results) == 3 and distances == sorted(distances)
    assert all(Path(result["file"]).parent.name == "7" for result in results)

    shutil.copy(mine / "0" / "0.png", mine / "7" / "1.png")
    (mine / "7" / "2.png").unlink()
    (mine / "bad.png").write_text("words")
    (code, out, _) = ask(*flags)
    assert code == 0 and "120, 118 of them" in out and "skipped" in out and "bad.png" in out
    (model / "variables" / "more").write_text("changed")  # another model: nothing is reused
    assert "0 of them" in ask(*flags)[1]


def test_a_model_of_angles_is_asked_by_angles(ask, model, tmp_path):
    """Dark grey points where white does, and lies further away than white that is partly black."""
    small_model.save(model, distance="cosine")
    (white, half, dark) = (np.full((28, 28), value, np.uint8) for value in (255, 255, 60))
    half[:8] = 0
    (tmp_path / "in").mkdir()
    for name, pixels in (("white", white), ("in/half", half), ("in/dark", dark)):
        cv2.imwrite(str(tmp_path / f"{name}.png"), pixels)
    found = json.loads(ask("search", "white.png", "in", "--json")[1])["results"]
    assert [one["file"] for one in found] == ["in/dark.png", "in/half.png"]
    # 49 tiles of which 14 are black: the angle's cosine is 35 / (7 * 35^0.5)
    assert [one["distance"] for one in found] == pytest.approx([0, 1 - 35**0.5 / 7], abs=1e-5)
    assert found[1]["similarity"] == pytest.approx(1 - np.arccos(35**0.5 / 7) / np.pi, abs=1e-5)
    assert SiameseModel(model).judge(-1e-7, 0.0).similarity == 1  # of rounding, and collapsed


def test_matrix(ask, tmp_path):
    code, _, _ = ask("matrix", ROOT / "examples", "--output", tmp_path / "m.csv")  # and m.png
    assert code == 0 and cv2.imread(str(tmp_path / "m.png")) is not None
    with open(tmp_path / "m.csv", newline="") as f:
        rows = list(csv.reader(f))
    table = np.array([row[1:] for row in rows[1:]], float)
    assert table.shape == (13, 13) and rows[0][1:] == [row[0] for row in rows[1:]]
    assert (table == table.T).all() and (np.diag(table) < 0.001).all()
    (_, out, _) = ask("matrix", ROOT / "examples", "--json")
    assert np.array(json.loads(out)["distances"]) == pytest.approx(table, abs=1e-6)
    digits = np.array(list("7305201679543"))
    assert table[0, 8] < table[0, digits != "7"].min()  # the other seven is the nearest


def test_a_matrix_of_a_head_is_what_the_model_puts_out(ask, folder, model):
    small_model.save(model, head="sigmoid")
    diagonal = np.diag(json.loads(ask("matrix", folder / "7", "--json")[1])["distances"])
    assert diagonal == pytest.approx(1 / (1 + np.exp(3)), abs=1e-3)  # of weight 6 and bias -3


@pytest.mark.parametrize(
    "question",
    [["compare", "7/0.png", "7/1.png"], ["search", "7/0.png", "."], ["matrix", "7"],
        ["evaluate", "."], ["identify", "7/0.png", "."], ["embed", "."]],
)  # fmt: skip
def test_json_alone_on_standard_output_and_no_file(ask, folder, tmp_path, question):
    (name, *paths) = question
    code, out, err = ask(name, *(folder / path for path in paths), "--json")
    assert code == 0 and isinstance(json.loads(out), dict) and len(out.splitlines()) == 1
    assert "[INFO] images are read in grey at 28x28" in err
    assert {path.name for path in tmp_path.iterdir()} <= {"models", "cache"}  # no figure, no table


def test_the_cache_is_found_and_emptied(ask, folder, seven, tmp_path):
    ask("search", seven[0], folder, "--json")
    answer = json.loads(ask("cache", "--json")[1])
    assert Path(answer["directory"]) == tmp_path / "cache" and answer["bytes"] > 119 * 49 * 4
    assert "MB, now empty" in ask("cache", "--clear")[1]
    assert json.loads(ask("cache", "--json")[1])["bytes"] == 0
    assert "120, 0 of them" in ask("search", seven[0], folder, "--json")[2]


@pytest.mark.slow
def test_names_of_any_bytes(ask, folder, tmp_path):
    place = tmp_path / "run [v2]"
    shutil.copytree(folder / "7", place / "7")
    try:
        odd = shutil.copy(place / "7" / "0.png", os.fsdecode(bytes(place / "7") + b"/\xe9 *.png"))
    except OSError:
        pytest.skip("this file system has no such names")
    shutil.copytree(folder / "1", place / "1")
    for question in (["search", odd, place], ["matrix", place], ["evaluate", place]):
        code, _, err = ask(*question, "--output", place / "f?.png")
        assert code == 0 and err == "" and (place / "f?.png").exists()
        (place / "f?.png").unlink()


@pytest.mark.slow
@pytest.mark.parametrize("streams, code", [(">&-", 0), (">&- 2>&- <&-", 0), (">/dev/full", 2)])
def test_compare_without_a_console_or_room_to_print(original, streams, code):
    if "full" in streams and not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    words = "-m pyimagesearch compare examples/image_01.png examples/image_01.png --model"
    line = f"{sys.executable} {words} {original} {streams}"
    done = subprocess.run(["bash", "-c", line], **PIPES)
    assert done.returncode == code and "Traceback" not in done.stderr
    assert ("error" in done.stderr) == (code == 2)


@pytest.mark.slow
def test_the_test_script_with_names_of_any_bytes(runs, tmp_path):
    place = tmp_path / "run [v2] *"
    images = small_model.write_folder(place / "images", 3, 2)
    names = [os.fsdecode(b"latin-\xe9.png"), "模型 [a].png", "$a_b$.png", "two\nlines.png"]
    for name in names:
        shutil.copy(images / "0" / "0.png", images / name)
    (figure, model) = (place / "pairs?.png", small_model.save(place / "model ü"))
    flags = ("--input", images, "--model", model, "--output", figure, "--pairs", 5)
    lines = answers(runs(test_script, *flags))
    assert len(lines) == 5 and all(line.endswith(("same", "different")) for line in lines)
    assert cv2.imread(str(figure)) is not None
