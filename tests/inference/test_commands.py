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

from pyimagesearch.data.sets import pixel_digests
from pyimagesearch.inference import answers
from tests.scripts import ROOT, run

sys.path.insert(0, str(ROOT / "benchmarks"))
from fuzz_images import write_files


def test_compare_says_same_or_different_as_cmp_does(ask, folder, seven):
    code, out, _ = ask("compare", seven[0], seven[1])
    assert code == 0 and out.rstrip().endswith("same")
    code, out, err = ask("compare", seven[0], sorted((folder / "0").iterdir())[0], "--json")
    answer = json.loads(out)
    assert code == 1 and "error" not in err and answer["same"] is False
    assert answer["distance"] > answer["threshold"] and answer["similarity"] < 0.5
    code, out, _ = ask("compare", seven[0], seven[0], "--json", "--fmr", "0.001")
    answer = json.loads(out)
    assert code == 0 and answer["similarity"] == pytest.approx(1, abs=1e-3)


def test_compare_fails_with_2(ask, seven, tmp_path, model):
    assert ask("compare", seven[0], tmp_path / "missing.png")[0] == 2
    assert ask("compare", seven[0], ROOT / "LICENSE")[0] == 2
    assert ask("compare", seven[0])[0] == 2
    code, _, err = ask("compare", seven[0], seven[1], "--fmr", "0.3")
    assert code == 2 and "calibrated for: 0.01, 0.001" in err
    (model / "assets.extra" / "siamese.json").write_text("{")
    code, _, err = ask("compare", seven[0], seven[1])
    assert code == 2 and "damaged" in err and len(err.strip().splitlines()) == 1


def test_search_ranks_and_reuses_embeddings(ask, folder, seven, tmp_path):
    code, out, _ = ask("search", seven[0], folder, "--top", 3, "--output", tmp_path / "s.png")
    assert code == 0 and "119 images, 0 of them embedded by an earlier run" in out
    ranked = [line for line in out.splitlines() if not line.startswith("[INFO]")]
    assert [line.split()[0] for line in ranked] == ["1", "2", "3"]
    assert cv2.imread(str(tmp_path / "s.png")) is not None
    _, again, _ = ask("search", seven[0], folder, "--top", 3, "--output", tmp_path / "s.png")
    assert "119 images, 119 of them" in again
    _, out, _ = ask("search", seven[0], folder, "--json", "--output", tmp_path / "s.png")
    answer = json.loads(out)["results"]
    distances = [result["distance"] for result in answer]
    assert len(answer) == 5 and distances == sorted(distances)
    assert all(Path(result["file"]).parent.name == "7" for result in answer)


def test_search_notices_what_changed(ask, folder, seven, tmp_path, model):
    mine = shutil.copytree(folder / "7", tmp_path / "mine")
    flags = ("search", seven[0], mine, "--output", tmp_path / "s.png")
    ask(*flags)
    changed, gone, *_ = sorted(mine.iterdir())
    shutil.copy(sorted((folder / "0").iterdir())[0], changed)
    gone.unlink()
    (mine / "bad.png").write_text("words")
    code, out, _ = ask(*flags)
    assert code == 0 and "11 images, 10 of them" in out and "skipped" in out and "bad.png" in out
    (model / "variables" / "more").write_text("changed")  # another model: nothing is reused
    assert "0 of them" in ask(*flags)[1]


def test_evaluate_and_calibrate(ask, folder, tmp_path, model):
    settings = model / "assets.extra" / "siamese.json"
    before = settings.read_text()
    flags = ("evaluate", folder, "--output", tmp_path / "e.png")
    code, out, _ = ask(*flags)
    assert code == 0 and "suits this data" in out and "all 7140 pairs" in out
    assert settings.read_text() == before
    code, out, _ = ask(*flags, "--json")
    measured = json.loads(out)
    assert measured["accuracy"]["value"] > 0.95 and measured["pairs"] == 120 * 119 / 2
    assert measured["images"] == 120 and measured["trained_on"] is None
    assert measured["retrieval"]["recall_at_1"]["value"] == 1.0
    assert measured["retrieval"]["queries"] == 120 and measured["suits"]
    assert "recall@1                100.00 %" in ask(*flags)[1]

    # a threshold that calls everything the same does not suit
    settings.write_text(json.dumps(json.loads(before) | {"threshold": 99.0}))
    code, out, _ = ask(*flags)
    assert "does not suit" in out and "--calibrate" in out
    code, out, _ = ask(*flags, "--calibrate")
    stored = json.loads(settings.read_text())
    assert code == 0 and 0.2 < stored["threshold"] < 1.2
    assert stored["operating_points"]["0.0001"] is None
    assert set(stored) >= set(json.loads(before)) | {"calibrated_before"}
    assert stored["identification"]["new_classes"] is False  # nothing says that they are
    assert stored["calibrated_before"]["threshold"] == 99.0 and stored["operating_images"] == 60
    assert "suits this data" in ask(*flags)[1]
    # none of these classes is one that the model was trained on
    settings.write_text(json.dumps(stored | {"class_names": ["anna", "bert"]}))
    assert "over 10 classes" in ask(*flags, "--calibrate")[1]
    assert json.loads(settings.read_text())["identification"]["new_classes"] is True

    # fewer images than the thresholds rest on take no part without --force
    settings.write_text(json.dumps(stored | {"operating_images": 6000}))
    (code, _, err) = ask(*flags, "--calibrate")
    assert code == 2 and "the 6000 images" in err and "Received: 60" in err and "--force" in err
    assert ask(*flags, "--calibrate", "--force")[0] == 0


def test_matrix(ask, tmp_path):
    code, _, _ = ask("matrix", ROOT / "examples", "--output", tmp_path / "m.png")
    assert code == 0 and cv2.imread(str(tmp_path / "m.png")) is not None
    with open(tmp_path / "m.csv", newline="") as f:
        rows = list(csv.reader(f))
    table = np.array([row[1:] for row in rows[1:]], float)
    assert table.shape == (13, 13) and rows[0][1:] == [row[0] for row in rows[1:]]
    assert (table == table.T).all() and (np.diag(table) < 0.001).all()
    digits = np.array(list("7305201679543"))
    assert table[0, 8] < table[0, digits != "7"].min()  # the other seven is the nearest


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda path: None, "a folder, or a list"),
        (lambda path: path.mkdir(), "a subfolder for each class"),
        (lambda path: small_model.write_folder(path, 1, 3), "at least two classes"),
        (lambda path: small_model.write_folder(path, 2, 1), "at least two classes"),
    ],
)
def test_evaluate_of_a_wrong_folder(ask, tmp_path, make, message):
    make(tmp_path / "wrong")
    code, _, err = ask("evaluate", tmp_path / "wrong", "--output", tmp_path / "e.png")
    assert code == 2 and message in err and not (tmp_path / "e.png").exists()


def test_train_and_test_folders_are_used_as_what_they_are(ask, folder, tmp_path):
    for digit in "012":
        for k, path in enumerate(sorted((folder / digit).iterdir())):
            place = tmp_path / "data" / ("test" if k < 4 else "train") / digit
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, place)
    code, out, _ = ask("evaluate", tmp_path / "data", "--output", tmp_path / "e.png")
    assert code == 0 and "evaluated on its test/ part: 12 of 36 images" in out, out
    answer = json.loads(ask("evaluate", tmp_path / "data", "--json")[1])
    assert answer["part"] == "test" and answer["images"] == 12 and answer["pairs"] == 66


def test_the_flags_of_the_folder_are_those_of_training(ask, folder, tmp_path):
    # two alphabets of two characters each: two readings, and the choice is the user's
    for digit, place in zip("0123", ("Greek/a", "Greek/b", "Latin/a", "Latin/b")):
        shutil.copytree(folder / digit, tmp_path / "alphabets" / place)
    flags = ("evaluate", tmp_path / "alphabets", "--json")
    code, out, err = ask(*flags)
    assert code == 2 and out == "" and "--class-level 1 or --class-level 2" in err
    assert json.loads(ask(*flags, "--class-level", 1)[1])["folder"]["classes"] == 2
    answer = json.loads(ask(*flags, "--class-level", 2)[1])
    assert answer["folder"]["classes"] == 4 and answer["accuracy"]["value"] == 1.0
    # the files of one number are a group: twelve, each with an image of each class
    groups = ("--class-level", 2, "--group-by", r"\d+(?=\.png)")
    answer = json.loads(ask(*flags, *groups, "--calibrate")[1])
    assert answer["unit"] == "groups" and answer["units"] == 6  # the other six choose


def test_ready_pairs_are_evaluated_as_pairs(ask, tmp_path, model):
    pairs = small_model.write_pairs(tmp_path / "pairs", groups=6)
    code, out, err = ask("evaluate", pairs, "--json")
    answer = json.loads(out)
    # six groups of three same and three different pairs, of seven images
    assert code == 0 and answer["pairs"] == 36 and answer["images"] == 42, err
    assert answer["accuracy"]["value"] == 1.0
    code, out, _ = ask("evaluate", pairs, "--calibrate", "--json")
    answer = json.loads(out)
    assert code == 0 and answer["pairs"] == 18 and answer["images"] == 21
    stored = json.loads((model / "assets.extra" / "siamese.json").read_text())
    assert 0.1 < stored["threshold"] < 1.2
    assert stored["identification"]["rates"] == {} and "retrieval" not in answer


def test_a_class_too_small_to_calibrate_with_is_left_out_and_named(ask, folder, tmp_path, model):
    few = shutil.copytree(folder, tmp_path / "few")
    for path in sorted((few / "9").iterdir())[3:]:
        path.unlink()
    code, out, _ = ask("evaluate", few, "--calibrate", "--output", tmp_path / "e.png")
    assert code == 0 and "left out class 9: 3 images; 4 needed" in out, out
    assert "Written to" in out and "1431 pairs" in out  # of 54 images
    answer = json.loads(ask("evaluate", few, "--calibrate", "--json")[1])
    assert answer["images"] == 54 and len(answer["left_out"]) == 1 and "9" in answer["left_out"][0]


def test_images_that_were_trained_on_are_counted(ask, folder, tmp_path, model):
    (pixels, _) = small_model.images()
    np.save(model / "assets.extra" / "trained_on.npy", np.sort(pixel_digests(pixels[:50])))
    code, out, _ = ask("evaluate", folder, "--output", tmp_path / "e.png")
    assert code == 0 and "50 of these 120 images were trained on" in out
    assert json.loads(ask("evaluate", folder, "--json")[1])["trained_on"] == 50


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


def test_json_needs_no_folder_to_write_to(ask, folder, tmp_path):
    """In a folder that may only be read (where root may write all the same: a file in its way)."""
    (tmp_path / "output").write_text("a file where the figures' folder would be")
    assert ask("matrix", folder / "7", "--json")[0] == 0
    code, _, err = ask("matrix", folder / "7")
    assert code == 2 and len(err.strip().splitlines()) == 1


def test_a_figure_is_drawn_where_a_program_names_one(ask, folder, tmp_path):
    code, out, _ = ask("matrix", folder / "7", "--json", "--output", tmp_path / "m.png")
    assert code == 0 and json.loads(out)["files"][0] == "0.png"
    assert (tmp_path / "m.png").exists() and (tmp_path / "m.csv").exists()


def test_the_cache_is_found_and_emptied(ask, folder, seven, tmp_path):
    ask("search", seven[0], folder, "--json")
    answer = json.loads(ask("cache", "--json")[1])
    assert Path(answer["directory"]) == tmp_path / "cache" and answer["bytes"] > 119 * 49 * 4
    code, out, _ = ask("cache", "--clear")
    assert code == 0 and "MB, now empty" in out
    assert json.loads(ask("cache", "--json")[1])["bytes"] == 0
    assert "119 images, 0 of them" in ask("search", seven[0], folder, "--json")[2]


def test_a_bug_shows_its_traceback_and_fails_with_2(ask, seven, monkeypatch):
    def bug(args):
        raise KeyError("a bug")

    monkeypatch.setitem(answers.ANSWERS, "compare", bug)
    code, out, err = ask("compare", seven[0], seven[1])
    assert code == 2 and out == "" and "Traceback" in err and "KeyError: 'a bug'" in err


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


USER = [sys.executable, "-m", "pyimagesearch", "compare", *["examples/image_01.png"] * 2, "--model"]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_compare_that_cannot_print_fails_with_2(original):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*USER, original], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 2 and "error" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.slow
def test_as_a_user_runs_it(original):
    done = subprocess.run([*USER, original], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.splitlines()[-1].endswith("same")


@pytest.mark.slow
def test_no_command_falls_over_hostile_files(ask, tmp_path):
    paths = []
    for name, seed in (("a", 1), ("b", 2)):
        (tmp_path / "hostile" / name).mkdir(parents=True)
        paths += write_files(tmp_path / "hostile" / name, 100, seed)
    assert len(paths) >= 200
    folder, output = tmp_path / "hostile", ("--output", tmp_path / "figure.png")
    for arguments in (
        ("search", ROOT / "examples" / "image_01.png", folder, *output),
        ("matrix", folder, *output),
        ("evaluate", folder, *output),
        ("embed", folder, "--output", tmp_path / "vectors.npz"),
        ("identify", ROOT / "examples" / "image_01.png", folder, "--top", 1),
    ):
        code, out, err = ask(*arguments)
        code -= arguments[0] == "identify"  # 1: unknown
        assert code == 0 and err == "" and "skipped" in out
    codes = [ask("compare", path, paths[0])[0] for path in paths[1::10]]
    assert set(codes) <= {0, 1, 2} and 2 in codes
    done = run(
        "train_contrastive_siamese_network.py",
        *("--dataset", folder, "--epochs", 1, "--output", tmp_path / "trained"),
    )
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert "files skipped" in done.stdout and "test pairs right" in done.stdout
