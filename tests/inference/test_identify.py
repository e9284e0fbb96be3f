"""Who is this: with a model that is a line, on which each embedding is a place."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from pyimagesearch.inference.identify import identify, limit_for

# the distance of two embeddings is that of two places on a line
LINE = SimpleNamespace(
    threshold=10.0,
    settings={"operating_points": {"0.001": 4.0}},
    distance_to_all=lambda feats, gallery: np.abs(gallery - feats)[:, 0],
)


NAMES = ("anna", "bert", "carl")
GALLERY = np.array([[0], [50], [100], [53]], np.float32)
LABELS = np.array([0, 1, 2, 1])


def asked(place, gallery=GALLERY, labels=LABELS, names=NAMES, **how):
    return identify(LINE, np.array([place]), gallery, labels, names, **how)


def test_the_nearest_class_its_distance_and_the_runners_up():
    # bert's distance is the smaller of 6 and 3; a gallery of four: FPIR 0.4 % below 4.0
    assert json.loads(json.dumps(asked(56.0))) == {
        "known": True,
        "name": "bert",
        "threshold": 4.0,
        "fpir": 0.01,
        "gallery_size": 4,
        "candidates": [
            {"name": "bert", "distance": 3.0, "image": 3},
            {"name": "carl", "distance": 44.0, "image": 2},
            {"name": "anna", "distance": 56.0, "image": 0},
        ],
    }


def test_nobody_that_it_knows():
    found = asked(57.0, top=1)  # at the threshold, which is not below it
    assert (found["known"], found["name"]) == (False, None)
    assert found["candidates"] == [{"name": "bert", "distance": 4.0, "image": 3}]


def test_classes_at_one_distance_come_by_name():
    (gallery, labels) = (np.array([[10], [0]], np.float32), np.array([1, 0]))
    found = asked(5.0, gallery, labels, ("zoe", "anna"))
    assert [c["name"] for c in found["candidates"]] == ["anna", "zoe"]


def test_a_rate_of_a_gallery_is_a_false_match_rate_times_its_size(caplog):
    # of ten images each is compared: FPIR 1 % takes a false match rate of 0.1 %
    settings = {"identification": {"rates": {"1e-2": 7.0, "2e-3": 6.0, "1e-3": 5.0, "5e-4": 4.0}}}
    assert limit_for(settings, 10.0, 10, 0.01) == (5.0, 0.01)
    assert limit_for(settings, 10.0, 1, 0.01) == (7.0, 0.01)
    assert limit_for(settings, 10.0, 6, 0.01) == (5.0, 0.01)  # 0.17 %: the next stricter
    # no rate is known that is strict enough: the strictest threshold, and no promise
    with caplog.at_level("INFO", logger="pyimagesearch"):
        assert limit_for(settings, 10.0, 50, 0.01) == (4.0, None)
    assert "FPIR unknown" in caplog.text
    # the rates of --fmr serve where no finer ones are stored
    settings = {"operating_points": {"0.01": 7.0, "0.001": 5.0, "0.0001": None}}
    assert limit_for(settings, 10.0, 10, 0.01) == (5.0, 0.01)
    assert limit_for(settings, 10.0, 20, 0.01) == (5.0, None)


def test_models_of_1x_keep_their_thresholds_for_galleries():
    thresholds = {"0.01": [8.0, 4.0], "0.001": [2.0, None]}
    settings = {"identification": {"gallery_sizes": [2, 5], "thresholds": thresholds}}
    assert limit_for(settings, 10.0, 2, 0.001) == (2.0, 0.001)
    assert limit_for(settings, 10.0, 4, 0.01) == (4.0, 0.01)
    assert limit_for(settings, 10.0, 6, 0.01) == (2.0, None)
    # a stricter rate holds a looser one, too
    assert limit_for(settings, 10.0, 2, 0.5) == (8.0, 0.5)


@pytest.mark.parametrize(
    "identification",
    [
        *(None, [], {"gallery_sizes": None}, {"rates": {"x": 1.0, "1e-9": "2"}}),
        {"rates": {"1e-9": float("nan"), "1e-8": 10**400}},
        {"gallery_sizes": ["2"], "thresholds": {"0.01": [1.0]}},
    ],
)
def test_settings_are_untrusted_text(identification):
    limit = limit_for({"identification": identification, "operating_points": 3}, 10.0, 2, 0.01)
    assert limit in ((1.0, None), (10.0, None))
