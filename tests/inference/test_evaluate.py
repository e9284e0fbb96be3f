"""evaluate, as a user asks it."""

import json
import shutil

import numpy as np
import pytest
import small_model

from pyimagesearch import SiameseModel
from pyimagesearch.data.sets import pixel_digests
from pyimagesearch.system.terminal import InputError


@pytest.mark.slow
def test_evaluate_and_calibrate(ask, folder, tmp_path, model):
    settings = model / "assets.extra" / "siamese.json"
    before = shutil.copy(settings, tmp_path / "before.json").read_text()
    flags = ("evaluate", folder, "--output", tmp_path / "e.png")
    (code, out, _) = ask(*flags)
    assert code == 0 and "suits this data" in out and "recall@1                100.00 %" in out
    measured = json.loads(ask(*flags, "--json")[1])
    assert measured["accuracy"]["value"] > 0.95 and measured["images"] == 120
    assert measured["trained_on"] is None and settings.read_text() == before
    (pixels, _) = small_model.images()
    np.save(model / "assets.extra" / "trained_on.npy", np.sort(pixel_digests(pixels[:50])))
    (_, out, err) = ask(*flags, "--json")
    assert "50 of these 120 images trained or calibrated it" in err
    assert json.loads(out)["trained_on"] == 50
    (_, out, err) = ask(*flags, "--json", "--calibrate", "--force")  # those that report are counted
    assert "24 of these 60 images" in err and json.loads(out)["trained_on"] == 24
    assert json.loads(ask(*flags, "--json")[1])["trained_on"] == 84  # 50 + 60 - 26 that did both
    pair = measured["worst"][0]
    assert pair["expected"] and pair["a"].startswith("2/") and pair["classes"] == ["2", "2"]
    assert {row["expected"] for row in measured["worst"]} == {True, False}
    (model / "assets.extra" / "trained_on.npy").unlink()
    # a threshold that calls everything the same does not suit
    shutil.copy(tmp_path / "before.json", settings)
    small_model.change(model, threshold=99.0, class_names=["anna", "bert"])
    (code, out, _) = ask(*flags)
    assert "does not suit" in out and "--calibrate" in out
    (code, out, _) = ask(*flags, "--calibrate")
    # a threshold takes 30 false matches that share no image: of 60 images all would be in one
    assert code == 0 and "TMR at 0.1 % FMR        not known: too few images" in out
    stored = json.loads(settings.read_text())
    assert 0.2 < stored["threshold"] < 1.2 and stored["operating_points"]["0.0001"] is None
    assert stored["calibrated_before"]["threshold"] == 99.0
    # none of these classes is one that the model was trained on
    assert stored["identification"]["new_classes"] is True
    assert "suits this data" in ask(*flags)[1]


@pytest.mark.parametrize("make, message", [
    (lambda path: None, "a folder, or a list"),
    (lambda path: path.mkdir(), "a folder with images"),
    (lambda path: small_model.write_folder(path, 1, 3), "at least two classes")])  # fmt: skip
def test_evaluate_of_a_wrong_folder(refused, tmp_path, make, message):
    make(tmp_path / "wrong")
    assert message in refused("evaluate", tmp_path / "wrong", "--output", tmp_path / "e.png")
    assert not (tmp_path / "e.png").exists()


def test_train_and_test_folders_are_used_as_what_they_are(ask, folder, tmp_path):
    for digit in "012":
        for k, path in enumerate(sorted((folder / digit).iterdir())):
            place = tmp_path / "data" / ("test" if k < 4 else "train") / digit
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, place)
    code, out, err = ask("evaluate", tmp_path / "data", "--json")
    assert code == 0 and "evaluated on its test/ part: 12 of 36 images" in err
    answer = json.loads(out)
    assert answer["part"] == "test" and answer["images"] == 12 and answer["pairs"] == 66


def test_the_flags_of_the_folder_are_those_of_training(ask, folder, tmp_path):
    # two alphabets of two characters each: two readings, and the choice is the user's
    for digit, place in zip("0123", ("Greek/a", "Greek/b", "Latin/a", "Latin/b")):
        shutil.copytree(folder / digit, tmp_path / "alphabets" / place)
    flags = ("evaluate", tmp_path / "alphabets", "--json")
    code, out, err = ask(*flags)
    assert code == 2 and out == "" and "--class-level 1 or 2" in err
    assert json.loads(ask(*flags, "--class-level", 1)[1])["folder"]["classes"] == 2
    answer = json.loads(ask(*flags, "--class-level", 2)[1])
    assert answer["folder"]["classes"] == 4 and answer["accuracy"]["value"] == 1.0
    # the files of one number are a group: twelve, each with an image of each class
    groups = ("--class-level", 2, "--group-by", r"\d+(?=\.png)")
    answer = json.loads(ask(*flags, *groups, "--calibrate")[1])
    # the other six, with all of their images, choose
    assert (answer["unit"], answer["units"], answer["images"]) == ("groups", 6, 24)


def test_ready_pairs_are_evaluated_as_pairs(ask, tmp_path, model):
    pairs = small_model.write_pairs(tmp_path / "pairs", groups=6)
    answer = json.loads(ask("evaluate", pairs, "--json")[1])
    assert {*SiameseModel(model).embed_folder(pairs).classes} == {""}  # its folders are none
    # six groups of three same and three different pairs, of seven images
    assert answer["pairs"] == 36 and answer["images"] == 42
    assert answer["accuracy"]["value"] == 1.0
    answer = json.loads(ask("evaluate", pairs, "--calibrate", "--json")[1])
    assert answer["pairs"] == 18 and answer["images"] == 21
    stored = json.loads((model / "assets.extra" / "siamese.json").read_text())
    assert 0.1 < stored["threshold"] < 1.2
    # who is who is not known of pairs: no rate is promised by a calibration on other images
    assert stored["identification"]["rates"] == {} and "retrieval" not in answer


def test_calibrating_with_little(ask, refused, folder, tmp_path, model):
    small = shutil.copytree(folder, tmp_path / "small")
    for path in sorted((small / "9").iterdir())[3:]:
        path.unlink()
    flags = ("evaluate", small, "--calibrate", "--output", tmp_path / "e.png")
    small_model.change(model, operating_images=4000)
    (model.parent / "foreign.tflite").write_text("words")
    (code, out, _) = ask(*flags)
    # 54 images report, 54 choose, and so does the class of three
    assert code == 0 and "pairs of 54 images" in out
    stored = json.loads((model / "assets.extra" / "siamese.json").read_text())
    assert stored["operating_images"] == 57
    assert "foreign.tflite keeps its settings (" in out
    for name in "2345678":
        shutil.rmtree(small / name)
    # 27 images of three classes: fifteen are too few to replace what 57 have chosen
    message = refused(*flags)
    assert "at least 30 images" in message and "rest on 57. Received: 15 of" in message
    with pytest.raises(InputError, match="a picture's file name"):  # before anything is stored
        SiameseModel(model).evaluate(small, calibrate=True, force=True, figure="e.abc")
    assert SiameseModel(model).settings["operating_images"] == 57
    assert ask(*flags, "--force")[0] == 0
    noise = np.random.default_rng(0).integers(0, 256, (60, 28, 28), dtype=np.uint8)
    with pytest.raises(InputError, match="no better than chance"):
        SiameseModel(model).evaluate(noise, np.arange(60) % 3, calibrate=True)
