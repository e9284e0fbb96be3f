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


def test_a_rate_of_a_gallery_is_a_false_match_rate_times_its_size(caplog):
    # of ten images each is compared: FPIR 1 % takes a false match rate of 0.1 %
    settings = {"identification": {"rates": {"1e-2": 7.0, "2e-3": 6.0, "1e-3": 5.0, "5e-4": 4.0}}}
    assert limit_for(settings, 10.0, 10, 0.01) == Limit(5.0, 0.01, 10)
    assert limit_for(settings, 10.0, 1, 0.01) == Limit(7.0, 0.01, 1)
    assert limit_for(settings, 10.0, 6, 0.01) == Limit(5.0, 0.01, 6)  # 0.17 %: the next stricter
    # no rate is known that is strict enough: the strictest threshold, and no promise
    with caplog.at_level("INFO", logger="pyimagesearch"):
        assert limit_for(settings, 10.0, 50, 0.01) == Limit(4.0, None, 50)
    assert "FPIR unknown" in caplog.text
    # the rates of --fmr serve where no finer ones are stored
    settings = {"operating_points": {"0.01": 7.0, "0.001": 5.0, "0.0001": None}}
    assert limit_for(settings, 10.0, 10, 0.01) == Limit(5.0, 0.01, 10)
    assert limit_for(settings, 10.0, 20, 0.01) == Limit(5.0, None, 20)


def test_models_of_1x_keep_their_thresholds_for_galleries():
    settings = {"identification": CALIBRATION}
    assert limit_for(settings, 10.0, 2, 0.001) == Limit(2.0, 0.001, 2)
    assert limit_for(settings, 10.0, 4, 0.01) == Limit(4.0, 0.01, 4)
    assert limit_for(settings, 10.0, 6, 0.01) == Limit(2.0, None, 6)
    # a stricter rate holds a looser one, too
    assert limit_for(settings, 10.0, 2, 0.5) == Limit(8.0, 0.5, 2)


@pytest.mark.parametrize(
    "identification",
    [None, [], {"gallery_sizes": None}, {"rates": {"x": 1.0, "1e-9": "2"}},
        {"gallery_sizes": ["2"], "thresholds": {"0.01": [1.0]}}],
)  # fmt: skip
def test_settings_are_untrusted_text(identification):
    limit = limit_for({"identification": identification, "operating_points": 3}, 10.0, 2, 0.01)
    assert limit.fpir is None and limit.threshold in (1.0, 10.0)


@pytest.mark.parametrize("labels", [[], [0, 1], [0, 1, 2, 3]])
def test_a_gallery_that_does_not_fit_together_is_refused(labels):
    gallery = GALLERY if labels else GALLERY[:0]
    with pytest.raises(InputError, match="Expected a gallery"):
        identify(Line(), np.array([[1.0]]), gallery, np.array(labels, int), NAMES)
