"""Open-set identification on points whose answers a reader sees, and on simulated classes."""

import json

import numpy as np
import pytest

from pyimagesearch.evaluation import identification
from pyimagesearch.evaluation.distances import euclidean_matrix
from pyimagesearch.evaluation.identification import (
    Draw,
    calibrate,
    effective_size,
    measure,
    rates_at,
    threshold_for,
)
from pyimagesearch.evaluation.verification import apart
from pyimagesearch.system.errors import InputError


def sample(seed, classes, each, spread=0.3):
    """Classes around points of an 8-dimensional normal distribution."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), each)
    centres = rng.normal(size=(classes, 8))
    return centres[labels] + rng.normal(0, spread, (len(labels), 8)), labels


def strangers(nearest, distances=(0.1, 0.2, 0.3, 0.4, 0.5)):
    count = len(distances)
    no = np.zeros(count, bool)
    return Draw(np.arange(count), np.array(nearest), np.array(distances, np.float32), no, no)


def test_threshold_by_hand(monkeypatch):
    # 40 % of five probes: two may be returned; they are nearer than the third distance
    monkeypatch.setattr(identification, "MIN_FALSE_MATCHES", 2)
    assert identification._threshold([strangers([5, 6, 7, 8, 9])], 0.4) == pytest.approx(0.3)
    # of equal distances none: a threshold cannot part them, and so one false positive is left
    tied = strangers([5, 6, 7, 8, 9], (0.1, 0.2, 0.2, 0.4, 0.5))
    assert identification._threshold([tied], 0.4) is None
    # two draws: four of ten
    both = [strangers([5, 6, 7, 8, 9]), strangers([6, 7, 8, 9, 5], (0.15, 0.25, 0.6, 0.7, 0.8))]
    assert identification._threshold(both, 0.4) == pytest.approx(0.3)


def test_false_positives_that_share_an_image_count_once(monkeypatch):
    monkeypatch.setattr(identification, "MIN_FALSE_MATCHES", 2)
    # one enrolled image is near to all: a wrong label, perhaps
    assert identification._threshold([strangers([5, 5, 5, 5, 5])], 0.4) is None
    # the same probes over again in a second draw are no others
    again = [strangers([5, 6, 7, 8, 9], (0.1, 0.9, 0.9, 0.9, 0.9))] * 2
    assert identification._threshold(again, 0.2) is None
    assert apart(np.array([[0, 5], [0, 6], [1, 5], [1, 6]]), 30) == 2


def test_a_probe_is_missed_where_another_is_as_near_or_none_is_near_enough():
    # three probes of enrolled classes at 0.1, 0.2, 0.9; the second has a rival
    mated = Draw(
        np.array([0, 1, 2]),
        np.array([3, 4, 5]),
        np.array([0.1, 0.2, 0.9]),
        np.ones(3, bool),
        np.array([True, False, True]),
    )
    (fnir, fpir) = rates_at([mated, strangers([0, 1, 2, 3, 4])], np.arange(6), 0.45)
    assert fnir.value == pytest.approx(2 / 3)
    assert fpir.value == pytest.approx(4 / 5)  # 0.1 to 0.4
    assert fnir.low is None  # three classes say nothing about others


def test_a_draw_enrols_some_classes_and_asks_with_all_other_images():
    (embeddings, labels) = sample(0, 6, 4)
    matrix = euclidean_matrix(embeddings, embeddings)
    for draw in identification._draws(matrix, labels, 3, 2, 0):
        enrolled = np.unique(labels[draw.probes[draw.mated]])
        assert len(enrolled) == 3 and len(draw.probes) == 24 - 3 * 2
        references = np.setdiff1d(np.arange(24), draw.probes)
        assert np.array_equal(np.unique(labels[references], return_counts=True)[1], [2, 2, 2])
        # the distance to a class is the smallest over its images
        assert np.array_equal(draw.distances, matrix[np.ix_(draw.probes, references)].min(axis=1))
        assert np.array_equal(draw.distances, matrix[draw.probes, draw.nearest])
        own = labels[draw.nearest] == labels[draw.probes]
        assert np.array_equal(draw.right, own)  # no ties here


def test_the_promised_rate_holds_on_other_classes():
    calibration = calibrate(*sample(1, 100, 10))
    assert calibration["gallery_sizes"] == [1, 2, 5, 10, 20, 50]
    assert (calibration["classes"], calibration["images"]) == (100, 1000)
    assert calibration == json.loads(json.dumps(calibrate(*sample(1, 100, 10))))
    measured = measure(*sample(2, 100, 10), calibration)
    for point in measured["0.01"] + measured["0.1"]:
        (fpir, fnir) = (point["fpir"], point["fnir"])
        assert fpir.low <= fpir.value <= fpir.high and fnir.low <= fnir.value <= fnir.high
    assert measured["0.1"][3]["gallery_size"] == 10
    assert measured["0.1"][3]["fpir"].value == pytest.approx(0.1, abs=0.04)
    assert measured["0.01"][3]["fpir"].value == pytest.approx(0.01, abs=0.005)
    # a larger gallery needs a stricter threshold, and misses more
    thresholds = [point["threshold"] for point in measured["0.01"]]
    assert thresholds == sorted(thresholds, reverse=True)
    assert measured["0.01"][0]["fnir"].value < measured["0.01"][-1]["fnir"].value


def test_a_rate_that_too_little_supports_is_unknown():
    # 50 draws of 1 of 12 classes: 0.1 % of 50 * 44 probes are 2, and all images are 48
    calibration = calibrate(*sample(3, 12, 4))
    assert calibration["gallery_sizes"] == [1, 2, 5, 10]
    assert calibration["thresholds"]["0.001"] == [None] * 4
    # one class alone leaves nobody out; classes of one image have none left to ask with
    assert calibrate(*sample(3, 1, 50))["gallery_sizes"] == []
    assert calibrate(*sample(3, 50, 1))["classes"] == 0


def test_a_collapsed_network_returns_nobody_rightly():
    (embeddings, labels) = (np.ones((300, 4)), np.arange(300) % 30)
    calibration = calibrate(embeddings, labels)
    assert set(calibration["thresholds"]["0.1"]) == {None}
    point = {"0.1": [1.0] * len(calibration["gallery_sizes"])}
    measured = measure(embeddings, labels, calibration | {"thresholds": point})
    # of two enrolled classes both are as near
    assert [round(p["fnir"].value) for p in measured["0.1"]] == [0, 1, 1, 1, 1]


def test_threshold_for_takes_the_next_larger_size():
    calibration = {
        "gallery_sizes": [1, 5, 20],
        "thresholds": {"0.01": [0.9, 0.7, 0.5], "0.001": [None, None, 0.2]},
    }
    sizes = (1, 2, 5, 6, 20, 21)
    found = [threshold_for(calibration, size, 0.01) for size in sizes]
    assert found == [0.9, 0.7, 0.7, 0.5, 0.5, None]
    assert threshold_for(calibration, 3, 0.001) == 0.2  # stricter than it need be, and known
    assert threshold_for(calibration, 3, 0.05) is None
    for damaged in (None, {}, {"gallery_sizes": 3, "thresholds": {"0.01": 4}}, {"thresholds": []}):
        assert threshold_for(damaged, 1, 0.01) is None


def test_a_gallery_with_more_images_than_were_calibrated_counts_as_a_larger_one():
    labels = np.repeat(np.arange(4), 3)
    assert effective_size(labels, {"images_per_class": 1}) == 12
    assert effective_size(labels, {"images_per_class": 3}) == 4
    assert effective_size(labels, {"images_per_class": 2}) == 6
    assert effective_size(labels, None) == 12


def test_a_bound_on_images_takes_of_all_classes_as_many(monkeypatch):
    monkeypatch.setattr(identification, "MOST_IMAGES", 40)
    labels = np.repeat(np.arange(5), [100, 10, 3, 1, 30])
    taken = np.bincount(labels[identification._of_all_classes(labels, 1)], minlength=5)
    assert taken.tolist() == [10, 10, 3, 0, 10]
    # of too many classes some, two images of each
    labels = np.repeat(np.arange(100), 5)
    taken = np.bincount(labels[identification._of_all_classes(labels, 1)], minlength=100)
    assert (taken[taken > 0] == 2).all() and taken.sum() == 40


def test_what_cannot_be_enrolled_is_refused():
    with pytest.raises(InputError, match="at least one image"):
        calibrate(*sample(0, 3, 3), images_per_class=0)
    with pytest.raises(InputError, match="finite"):
        calibrate(np.full((4, 2), np.nan), np.arange(4))
