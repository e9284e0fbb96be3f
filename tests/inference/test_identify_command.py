"""identify, as a user asks it."""

import json
import shutil

import pytest
import small_model
from small_model import answers

# of 7 images each is compared with all: FPIR 10 % takes a false match rate of 1.4 %
RATES = {"1e-2": 0.6, "5e-3": 0.5}


@pytest.fixture
def gallery(folder, tmp_path):
    """An image each of the digits 0 to 6."""
    for digit in range(7):
        (tmp_path / "gallery" / str(digit)).mkdir(parents=True)
        shutil.copy(folder / str(digit) / "0.png", tmp_path / "gallery" / str(digit))
    return tmp_path / "gallery"


@pytest.fixture
def calibrate(model):
    def change(rates=RATES, new_classes=True):
        found = {"rates": rates, "new_classes": new_classes}
        small_model.change(model, identification=found, operating_points={})

    return change


def test_known_or_unknown_with_the_runners_up(ask, folder, gallery, calibrate):
    calibrate()
    flags = ("--fpir", 0.1, "--top", 3)
    (code, out, err) = ask("identify", folder / "3" / "5.png", gallery, *flags)
    lines = answers(out)
    assert code == 0 and err == "" and len(lines) == 4
    assert lines[0].startswith("3: distance 0.") and "< threshold 0.6000, FPIR 10 %" in lines[0]
    assert lines[0].endswith("gallery of 7")
    assert [line.split()[0] for line in lines[1:]] == ["1", "2", "3"]
    assert lines[1].endswith("gallery/3/0.png") and lines[1].split()[3] == "3"
    (code, out, _) = ask("identify", folder / "7" / "5.png", gallery, *flags)
    assert code == 1 and answers(out)[0].startswith("unknown: distance ") and ">=" in out
    (code, out, _) = ask("identify", folder / "7" / "5.png", gallery, *flags, "--json")
    answer = json.loads(out)
    assert code == 1 and (answer["known"], answer["name"]) == (False, None)
    assert (answer["threshold"], answer["fpir"], answer["gallery_size"]) == (0.6, 0.1, 7)
    distances = [candidate["distance"] for candidate in answer["candidates"]]
    assert len(distances) == 3 and distances == sorted(distances) and distances[0] > 0.6
    assert all(candidate["similarity"] < 0.5 for candidate in answer["candidates"])
    assert (answer["classes"], answer["images"], answer["new_classes"]) == (7, 7, True)


def test_a_rate_that_is_not_known_is_not_promised(ask, folder, gallery, calibrate):
    query = folder / "3" / "5.png"
    calibrate({})
    assert "FPIR unknown, gallery of 7" in answers(ask("identify", query, gallery)[1])[0]
    calibrate()  # 0.5 % is 3.5 % of seven images, and 1 % of two
    (_, out, err) = ask("identify", query, gallery, "--json")
    assert json.loads(out)["fpir"] is None and "not calibrated for 0.01 in a gallery of 7" in err
    for digit in "23456":
        shutil.rmtree(gallery / digit)
    calibrate(new_classes=False)
    (_, out, err) = ask("identify", query, gallery, "--json")
    answer = json.loads(out)
    assert (answer["fpir"], answer["threshold"], answer["known"]) == (0.01, 0.5, False)
    assert "classes that were trained on" in err


def test_what_is_asked_about_is_not_found_as_itself(ask, gallery, calibrate):
    calibrate()
    (code, out, _) = ask("identify", gallery / "3" / "0.png", gallery, "--fpir", 0.1)
    assert code == 1 and "left out " in out and "class 3: no image of it is left" in out
    assert "6 images" in out and len(answers(out)) == 1 + 5


def test_a_gallery_of_one_image_with_broken_ones(ask, folder, tmp_path):
    (tmp_path / "gallery" / "anna").mkdir(parents=True)
    (tmp_path / "gallery" / "bert").mkdir()
    shutil.copy(folder / "1" / "0.png", tmp_path / "gallery" / "anna" / "1.png")
    (tmp_path / "gallery" / "bert" / "bad.png").write_text("words")
    (code, out, _) = ask("identify", folder / "1" / "1.png", tmp_path / "gallery")
    assert code == 0 and answers(out)[0].startswith("anna: ") and len(answers(out)) == 2
    assert "skipped " in out and "bad.png" in out and "class bert: no image" in out


@pytest.mark.parametrize(
    "kind, message",
    [
        ("absent", "no such folder"),
        ("empty", "a folder with images"),
        ("flat", "a subfolder for each person or thing"),
        ("broken", "Expected readable images"),
        ("query", "absent.png: cannot be opened"),
    ],
)
def test_what_cannot_be_identified(refused, folder, tmp_path, kind, message):
    place = tmp_path / kind
    if kind != "absent":
        (place / "anna").mkdir(parents=True)
    if kind in ("flat", "query"):
        shutil.copy(folder / "1" / "0.png", place)
    if kind == "broken":
        (place / "anna" / "a.png").write_text("words")
    query = folder / "absent.png" if kind == "query" else folder / "1" / "1.png"
    assert message in refused("identify", query, place, "--json")


@pytest.mark.parametrize("rate", ["0", "1", "nan", "one"])
def test_a_rate_is_a_share(refused, folder, gallery, rate):
    error = refused("identify", folder / "1" / "1.png", gallery, f"--fpir={rate}")
    assert "expected a number between 0 and 1" in error
