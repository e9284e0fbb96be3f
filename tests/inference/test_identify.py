"""Who is this: with a model that is a line, on which each embedding is a place."""

import json

import numpy as np
import pytest

from pyimagesearch.inference.identify import Limit, identify, limit_for
from pyimagesearch.system.errors import InputError


class Line:
    """The distance of two embeddings is that of two places on a line."""

    threshold = 10.0

    def __init__(self, identification=None):
        self.settings = {"identification": identification}

    def distance_to_all(self, feats, gallery):
        return np.abs(gallery - feats)[:, 0]


CALIBRATION = {
    "gallery_sizes": [2, 5],
    "thresholds": {"0.01": [8.0, 4.0], "0.001": [2.0, None]},
    "images_per_class": 1,
}
NAMES = ("anna", "bert", "carl")
GALLERY = np.array([[0], [50], [100], [53]], np.float32)
LABELS = np.array([0, 1, 2, 1])


def test_the_nearest_class_its_distance_and_the_runners_up():
    (found,) = identify(Line(CALIBRATION), np.array([[56.0]]), GALLERY, LABELS, NAMES)
    # bert's distance is the smaller of 6 and 3; four images count as a gallery of four: 4.0
    assert [(c.name, c.distance, c.image) for c in found.candidates] == [
        ("bert", 3.0, 3),
        ("carl", 44.0, 2),
        ("anna", 56.0, 0),
    ]
    assert (found.known, found.name, found.limit) == (True, "bert", Limit(4.0, 0.01, 4))


def test_nobody_that_it_knows():
    (found,) = identify(Line(CALIBRATION), np.array([[57.0]]), GALLERY, LABELS, NAMES, top=1)
    # at the threshold, which is not below it
    assert (found.known, found.name) == (False, None)
    assert [c.name for c in found.candidates] == ["bert"]
    assert json.loads(json.dumps(found.as_dict())) == {
        "known": False,
        "name": None,
        "threshold": 4.0,
        "fpir": 0.01,
        "gallery_size": 4,
        "candidates": [{"name": "bert", "distance": 4.0, "image": 3}],
    }


def test_classes_at_one_distance_come_by_name():
    gallery, labels = np.array([[10], [0]], np.float32), np.array([1, 0])
    (found,) = identify(Line(), np.array([[5.0]]), gallery, labels, ("zoe", "anna"))
    assert [c.name for c in found.candidates] == ["anna", "zoe"]


def test_beyond_the_calibration_the_rate_is_unknown_and_the_threshold_the_strictest(caplog):
    (model, many) = (Line(CALIBRATION), np.arange(6))
    with caplog.at_level("INFO", logger="pyimagesearch"):
        assert limit_for(model, many, 0.01) == Limit(4.0, None, 6)
    assert "FPIR unknown" in caplog.text
    assert limit_for(model, np.arange(2), 0.001) == Limit(2.0, 0.001, 2)
    assert limit_for(model, many, 0.001) == Limit(2.0, None, 6)
    # a rate that is not stored, and models that were never calibrated so: the one for pairs
    for identification in (CALIBRATION, None, [], {"gallery_sizes": None}):
        assert limit_for(Line(identification), many, 0.5) == Limit(10.0, None, 6)


@pytest.mark.parametrize("labels", [[], [0, 1], [0, 1, 2, 3]])
def test_a_gallery_that_does_not_fit_together_is_refused(labels):
    gallery = GALLERY if labels else GALLERY[:0]
    with pytest.raises(InputError, match="Expected a gallery"):
        identify(Line(), np.array([[1.0]]), gallery, np.array(labels, int), NAMES)
