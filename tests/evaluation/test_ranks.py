"""Figures of galleries, on points of a line."""

import json

import numpy as np
import pytest

from pyimagesearch import utils
from pyimagesearch.data.pairs import Pairs
from pyimagesearch.data.sets import ImageSet
from pyimagesearch.evaluation import identification, ranks
from pyimagesearch.evaluation.distances import cosine_matrix, euclidean_matrix, matrix_for

PLAIN = {"distance": "euclidean", "head": "none"}
PAIRS = ImageSet(None, None, Pairs(np.array([0]), np.array([[1]]), np.array([[1]])))


def sample(seed, classes=40, each=10, **known):
    """Classes at 0, 1, 2, …, spread by 0.2 around them."""
    labels = np.repeat(np.arange(classes), each).astype(np.int32)
    places = labels + np.random.default_rng(seed).normal(0, 0.2, len(labels))
    return places.astype(np.float32)[:, np.newaxis], ImageSet(None, labels, **known)


def distance(pair):
    return utils.euclidean_distance(pair).numpy()


def dissimilarity(pair):
    """A head behind the distance: 1 / (1 + exp(-(20 d - 10))), which is 1 in float32 from 1.4."""
    return (1 / (1 + np.exp(-(20 * distance(pair) - 10)))).astype(np.float32)


def test_what_is_calibrated_on_some_images_is_measured_on_others():
    settings = PLAIN | ranks.calibrate(*sample(0), distance, PLAIN, new_classes=True)
    assert settings["identification"]["new_classes"] is True
    settings = json.loads(json.dumps(settings))
    (embeddings, images) = sample(1)
    found = ranks.measure(embeddings, images, distance, settings)
    # an image's nearest is of its class but at the edges of two classes
    assert 0.9 < found.retrieval.recall_at_1.value < 1
    points = found.identification["0.1"]
    assert [point["gallery_size"] for point in points] == [1, 2, 5, 10, 20]
    for point in points:
        assert point["fpir"].low <= 0.1 <= point["fpir"].high
    stored = json.loads(json.dumps(found.as_dict()))
    assert set(stored) == {"retrieval", "identification"}
    assert stored["retrieval"]["recall_at_1"] == found.retrieval.recall_at_1.as_dict()
    assert stored["identification"]["0.1"][0]["fnir"] == points[0]["fnir"].as_dict()
    # of several sizes the largest is told
    lines = found.report().splitlines()
    assert lines[0].startswith("  recall@1                9") and ", @10 " in lines[0]
    assert lines[1].startswith("  mAP@R                   ") and "400 images asked" in lines[1]
    fnir = points[-1]["fnir"].rate()
    assert lines[2].startswith(f"  FNIR at 10 % FPIR       {fnir} where distance < ")
    assert "gallery of 20; FPIR here" in lines[2]


def test_a_head_changes_the_thresholds_and_no_rank():
    settings = {"distance": "euclidean", "head": "sigmoid"}
    (embeddings, images) = sample(1)
    with_head = ranks.measure(embeddings, images, dissimilarity, settings)
    assert with_head.retrieval == ranks.measure(embeddings, images, distance, PLAIN).retrieval
    (plain, behind) = (
        ranks.calibrate(embeddings, images, comparison, s, True)["identification"]["thresholds"]
        for comparison, s in ((distance, PLAIN), (dissimilarity, settings))
    )
    for d, p in zip(plain["0.1"], behind["0.1"]):
        assert p == pytest.approx(1 / (1 + np.exp(-(20 * d - 10))), rel=1e-4)


def test_the_matrix_is_that_of_what_the_model_puts_out():
    assert matrix_for(PLAIN, None) is euclidean_matrix
    assert matrix_for({"distance": "cosine"}, None) is cosine_matrix
    (a, b) = (np.array([[0.0]], np.float32), np.array([[0.5], [9.0]], np.float32))
    # 20 * 0.5 - 10 = 0: one half. Settings that say nothing are no reason to guess
    for settings in ({"distance": "euclidean", "head": "sigmoid"}, {}, {"distance": []}):
        assert matrix_for(settings, dissimilarity)(a, b).tolist() == [pytest.approx([0.5, 1])]


def test_without_classes_or_calibration_nothing_is_made_up():
    assert ranks.calibrate(np.zeros((2, 1)), PAIRS, distance, PLAIN, False) == {}
    assert ranks.measure(np.zeros((2, 1)), PAIRS, distance, PLAIN) is None
    (embeddings, images) = sample(1, classes=3)
    for damaged in (None, 3, {}, {"gallery_sizes": [2], "thresholds": {"x": [0.1]}}):
        found = ranks.measure(embeddings, images, distance, PLAIN | {"identification": damaged})
        assert found.identification == {} and "FNIR" not in found.report()


def test_what_looks_like_a_calibration():
    good = identification.calibrate(sample(0, 3)[0], sample(0, 3)[1].labels)
    assert identification.is_calibration(good)
    for change in (
        {"gallery_sizes": ["1", "2"]},
        {"images_per_class": 0},
        {"thresholds": {"0.1": [0.5]}},
        {"thresholds": {"0.1": [0.5, "0.4"]}},
        {"thresholds": {"a tenth": [0.5, 0.4]}},
        {"thresholds": [0.5, 0.4]},
    ):
        assert not identification.is_calibration(good | change)


@pytest.mark.parametrize("new_classes", [False, True])
def test_intervals_count_groups_or_new_classes(new_classes):
    # 50 images in five groups, which are also five classes
    groups = np.repeat(np.arange(5), 10).astype(np.int32)
    (embeddings, images) = sample(2, 5, groups=None if new_classes else groups)
    found = ranks.measure(embeddings, images, distance, PLAIN, new_classes).retrieval
    assert (found.recall_at_1.low, found.recall_at_1.high) == (None, None)
    (embeddings, images) = sample(2, 5)
    assert ranks.measure(embeddings, images, distance, PLAIN).retrieval.recall_at_1.low > 0.7
