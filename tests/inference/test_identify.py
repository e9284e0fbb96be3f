"""identify: a black picture, whose embedding is 0, among places on a line; and the command."""

import json
import shutil

import numpy as np
import pytest
import small_model
from small_model import answers

from pyimagesearch import SiameseModel
from pyimagesearch.inference.gallery import Gallery

BLACK = np.zeros(small_model.SHAPE, np.uint8)


def line(**places):
    """A gallery in which each image is as far from black as its place says."""
    found = [(name, place) for name, some in places.items() for place in some]
    embeddings = np.zeros((len(found), 49), np.float32)
    embeddings[:, 0] = [place for _, place in found]
    (names, count) = (tuple(f"{name}/{place}.png" for name, place in found), len(found))
    return Gallery(embeddings, names, tuple(n for n, _ in found), "", (1, 1, count), "people")


@pytest.fixture
def calibrated(original):
    """A model with other rates; its own threshold is 0.5."""

    def calibrated(rates, points=(), **identification):
        model = SiameseModel(original)
        model.settings["identification"] = {"rates": rates} | identification
        (model.operating_points, model.digest) = (dict(points), "")  # as line's galleries have
        return model

    return calibrated


def test_the_nearest_class_its_distance_and_the_runners_up(calibrated):
    # anna's distance is the smaller of 9 and 3; a gallery of four: FPIR 0.4 % below 4
    people = line(anna=[9, 3], bert=[50], carl=[4])
    model = calibrated({"0.001": 4.0})
    assert json.loads(json.dumps(model.identify(BLACK, people, top=2))) == {
        "known": True,
        "name": "anna",
        "threshold": 4.0,
        "fpir": 0.01,
        "gallery_size": 4,
        "candidates": [
            # 2^(-3 / 4) and 2^(-4 / 4)
            {"name": "anna", "distance": 3.0, "similarity": 2**-0.75, "file": "people/anna/3.png"},
            {"name": "carl", "distance": 4.0, "similarity": 0.5, "file": "people/carl/4.png"},
        ],
    }
    # at the threshold, which is not below it; classes at one distance come by name
    found = model.identify(BLACK, line(zoe=[4], carl=[4]))
    assert (found["known"], found["name"]) == (False, None)
    assert [c["name"] for c in found["candidates"]] == ["carl", "zoe"]


FINE = {"1e-2": 0.4, "2e-3": 0.3, "1e-3": 0.2, "5e-4": 0.1}


@pytest.mark.parametrize(
    "rates, points, size, limit",
    [
        # of ten images each is compared: FPIR 1 % takes a false match rate of 0.1 %
        (FINE, {}, 10, (0.2, 0.01)),
        (FINE, {}, 1, (0.4, 0.01)),
        (FINE, {}, 6, (0.2, 0.01)),  # 0.17 %: the next stricter
        # no rate is known that is strict enough: the strictest threshold, and no promise
        (FINE, {}, 50, (0.1, None)),
        ({}, {}, 2, (0.5, None)),
        # the rates of --fmr serve where no finer ones are stored
        ({}, {"0.01": 0.4, "0.001": 0.3, "0.0001": None}, 10, (0.3, 0.01)),
        ({}, {"0.01": 0.4, "0.001": 0.3, "0.0001": None}, 20, (0.3, None)),
    ],
)
def test_a_rate_of_a_gallery_is_a_false_match_rate_times_its_size(
    calibrated, rates, points, size, limit
):
    found = calibrated(rates, points).identify(BLACK, line(anna=range(size)))
    assert (found["threshold"], found["fpir"]) == limit


@pytest.fixture
def gallery(folder, tmp_path):
    """An image each of the digits 0 to 6."""
    for digit in range(7):
        (tmp_path / "gallery" / str(digit)).mkdir(parents=True)
        shutil.copy(folder / str(digit) / "0.png", tmp_path / "gallery" / str(digit))
    return tmp_path / "gallery"


def test_known_or_unknown_with_the_runners_up(ask, folder, gallery, model):
    # of 7 images each is compared with all: FPIR 10 % takes a false match rate of 1.4 %
    found = {"rates": {"1e-2": 0.6, "5e-3": 0.5}, "new_classes": False}
    small_model.change(model, identification=found, operating_points={})
    flags = ("--fpir", 0.1, "--top", 3)
    (code, out, err) = ask("identify", folder / "3" / "5.png", gallery, *flags)
    lines = answers(out)
    assert code == 0 and err == "" and "classes that were trained on" in out and len(lines) == 4
    assert lines[0].startswith("3: distance 0.") and lines[0].endswith("gallery of 7 images")
    assert "< threshold 0.6000, FPIR 10 %" in lines[0]
    assert [line.split()[0] for line in lines[1:]] == ["1", "2", "3"]
    assert lines[1].endswith("gallery/3/0.png") and lines[1].split()[3] == "3"
    (code, out, _) = ask("identify", folder / "7" / "5.png", gallery, *flags)
    assert code == 1 and answers(out)[0].startswith("unknown: distance ") and ">=" in out
    # what is asked about is not found as itself
    (code, out, _) = ask("identify", gallery / "3" / "0.png", gallery, *flags)
    assert code == 1 and "left out " in out and "gallery of 6" in out
    # 0.5 % is 3.5 % of seven images
    unknown = "FPIR unknown (too few images chose the thresholds), gallery of 7"
    assert unknown in ask("identify", folder / "3" / "5.png", gallery)[1]


@pytest.mark.parametrize("kind, message", [
    ("empty", "Expected a folder with images"),
    ("flat", "a subfolder for each person or thing"),
    ("broken", "Expected readable images"),
    ("link", "other images than the one"),
    ("itself", "other images than the one")])  # fmt: skip
def test_what_cannot_be_identified(refused, folder, tmp_path, kind, message):
    place = tmp_path / kind
    (place / "anna").mkdir(parents=True)
    if kind == "flat":
        shutil.copy(folder / "1" / "0.png", place)
    if kind == "broken":
        (place / "anna" / "a.png").write_text("words")
        assert "readable images" in refused("duplicates", place)
    query = folder / "1" / "1.png"
    if kind == "itself":  # the folder holds the query alone
        query = shutil.copy(query, place / "anna")
    if kind == "link":
        (place / "anna" / "a.png").symlink_to(query)
    assert message in refused("identify", query, place, "--json")


@pytest.mark.parametrize("rate", ["0", "1", "nan", "one"])
def test_a_rate_is_a_share(refused, folder, rate):
    error = refused("identify", folder / "1" / "1.png", folder, f"--fpir={rate}")
    assert "expected a number between 0 and 1" in error
