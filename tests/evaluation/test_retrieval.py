"""Retrieval figures on points of a line, whose order a reader sees."""

import json

import numpy as np
import pytest
import sklearn.metrics

from pyimagesearch import utils
from pyimagesearch.evaluation import retrieval
from pyimagesearch.evaluation.distances import cosine_matrix, euclidean_matrix, matrix_of
from pyimagesearch.evaluation.resampling import mean_figure
from pyimagesearch.evaluation.retrieval import retrieve
from pyimagesearch.system.errors import InputError


def line(*places):
    return np.array(places, np.float32)[:, np.newaxis]


def values(result):
    figures = result.as_dict()
    return {name: f["value"] for name, f in figures.items() if isinstance(f, dict)}


def test_five_points_by_hand():
    # a at 0, 1, 6; b at 3.4, 10. Ranks of the images of the query's own class:
    # a 0: 1 and 3 (b at 3.4 between); a 1: 1 and 3; a 6: 3 and 4; b 3.4: 4; b 10: 2
    found = retrieve(line(0, 1, 6, 3.4, 10), np.array([0, 0, 0, 1, 1]))
    assert (found.queries, found.left_out) == (5, 0)
    assert values(found) == pytest.approx(
        {
            "recall_at_1": 2 / 5,
            "recall_at_5": 1,
            "recall_at_10": 1,
            # one of the two nearest for the two a on the left; R = 1 for each b: none
            "r_precision": (1 / 2 + 1 / 2) / 5,
            "map_at_r": (1 / 2 + 1 / 2) / 5,
        }
    )


def test_average_precision_at_r_by_hand():
    # the query at 0 sees a (1), b (2), a (3), a (9): R = 3, P(1) = 1, P(3) = 2 / 3, and the
    # third a is behind R. The sum of those, divided by R, is (1 + 2 / 3) / 3 = 5 / 9
    places, labels = line(0, 1, -2, 3, 9), np.array([0, 0, 1, 0, 0])
    (scores, _) = retrieval._scores(euclidean_matrix(places[:1], places), labels, np.array([0]))
    assert scores[0].tolist() == pytest.approx([1, 1, 1, 2 / 3, 5 / 9])


def test_recall_at_five_and_ten():
    # seven of b stand between the two of a: the other a has rank 8
    found = retrieve(line(-0.5, 8.5, 1, 2, 3, 4, 5, 6, 7), np.array([0, 0, *[1] * 7]))
    assert values(found)["recall_at_1"] == 7 / 9
    assert values(found)["recall_at_5"] == 7 / 9
    assert values(found)["recall_at_10"] == 1


def test_images_at_one_distance_count_for_the_other_classes_first():
    # the a at 0 has an a and a b at distance 1: the b comes first
    labels = np.array([0, 0, 1])
    (scores, _) = retrieval._scores(np.array([[0.0, 1, 1]]), labels, np.array([0]))
    assert scores[0].tolist() == [0, 1, 1, 0, 0]
    # a collapsed network, whatever the order of the images and its last digits
    same = 1 + np.random.default_rng(0).normal(0, 1e-6, (40, 8))
    assert values(retrieve(same, np.arange(40) % 4))["recall_at_1"] == 0


def test_the_query_itself_is_never_found_and_loners_are_left_out():
    found = retrieve(line(0, 0.1, 5, 9), np.array([0, 0, 1, 2]))
    assert (found.queries, found.left_out) == (2, 2)
    assert values(found)["recall_at_1"] == 1
    with pytest.raises(InputError, match="a class with two images"):
        retrieve(line(0, 1), np.array([0, 1]))


def test_agrees_with_plain_loops_and_scikit_learn(monkeypatch):
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 6, 80)
    embeddings = rng.normal(labels[:, None], 1.5, (80, 5))
    monkeypatch.setattr(retrieval, "BLOCK", 240)  # three queries at a time
    found = values(retrieve(embeddings, labels))
    recall, precision, average = ([] for _ in range(3))
    for query in range(80):
        others = np.delete(np.arange(80), query)
        far = np.linalg.norm(embeddings[others] - embeddings[query], axis=1)
        hits = (labels[others] == labels[query])[np.argsort(far)]
        r = hits.sum()
        recall.append(hits[:5].any())
        precision.append(hits[:r].mean())
        # scikit-learn divides by the hits among the R nearest, mAP@R by R
        top = (
            sklearn.metrics.average_precision_score(hits[:r], -np.arange(r)) if any(hits[:r]) else 0
        )
        average.append(top * hits[:r].mean())
    assert found["recall_at_5"] == pytest.approx(np.mean(recall))
    assert found["r_precision"] == pytest.approx(np.mean(precision))
    assert found["map_at_r"] == pytest.approx(np.mean(average))


def test_few_of_many_queries_ask_the_whole_gallery(monkeypatch):
    rng = np.random.default_rng(2)
    labels = np.repeat(np.arange(50), 4)
    monkeypatch.setattr(retrieval, "MOST_PAIRS", 200 * 60)
    found = retrieve(rng.normal(labels[:, None], 0.1, (200, 1)), labels)
    assert (found.queries, found.left_out) == (60, 0)


def test_intervals_of_classes_are_wider_where_classes_differ():
    rng = np.random.default_rng(3)
    labels = np.repeat(np.arange(20), 30)
    spread = np.where(labels < 10, 0.01, 3)  # ten classes are never missed, ten often are
    embeddings = rng.normal(labels[:, None], spread[:, None], (600, 1))
    (images, classes) = (retrieve(embeddings, labels, units=u) for u in ("images", "classes"))
    (images, classes) = (images.recall_at_1, classes.recall_at_1)
    assert classes.high - classes.low > 2 * (images.high - images.low)
    assert images.low < images.value == classes.value < images.high
    few = retrieve(embeddings[:270], labels[:270], units="classes")
    assert (few.recall_at_1.low, few.recall_at_1.high) == (None, None)  # nine classes
    json.dumps(few.as_dict())


def test_images_that_are_each_others_nearest_are_drawn_together():
    # 0 and 1 are; 3 is nearest to 1, but not the other way round; 5 asks nothing
    couples = retrieval._couples(np.array([0, 1, 2, 3]), np.array([1, 0, 5, 1]), 6)
    assert couples.tolist() == [0, 0, 2, 3]


def test_the_interval_of_a_mean_holds_the_truth_and_never_closes():
    # without an error among 100: 0.05^(1 / 100) = exp(-0.02996)
    assert mean_figure(np.ones(100), np.arange(100)).low == pytest.approx(0.9705, abs=1e-4)
    # 40 classes whose rates are drawn uniformly from 0.5 to 1, 20 images each: the mean is 0.75
    rng = np.random.default_rng(4)
    units, hits = np.repeat(np.arange(40), 20), 0
    for _ in range(200):
        scores = rng.random(800) < rng.uniform(0.5, 1, 40)[units]
        figure = mean_figure(scores, units)
        hits += figure.low <= 0.75 <= figure.high
    assert hits >= 0.92 * 200


@pytest.mark.parametrize("name", ["euclidean", "cosine"])
def test_matrices_give_what_the_distances_of_pairs_give(name):
    rng = np.random.default_rng(5)
    (a, b) = (rng.normal(size=(n, 6)).astype(np.float32) for n in (7, 9))
    b[3] = a[2]
    matrix = {"euclidean": euclidean_matrix, "cosine": cosine_matrix}[name]
    of_pairs = matrix_of(utils.DISTANCES[name])(a, b)
    assert matrix(a, b) == pytest.approx(of_pairs, abs=1e-6)
    assert matrix(a, b).dtype == np.float32 and of_pairs.shape == (7, 9)


def test_matrix_of_calls_in_blocks(monkeypatch):
    monkeypatch.setattr("pyimagesearch.evaluation.distances.PAIRS_AT_ONCE", 8)
    sizes = []

    def distance(pair):
        sizes.append(len(pair[0]))
        return np.abs(pair[0] - pair[1]).sum(axis=1)

    (a, b) = (line(1, 2, 3), line(*range(5)))
    assert matrix_of(distance)(a, b) == pytest.approx(np.abs(a - b.T))
    assert max(sizes) <= 8


def test_what_cannot_be_ranked_is_refused():
    with pytest.raises(InputError, match=r"finite.*1 of 3"):
        retrieve(line(0, np.nan, 1), np.array([0, 0, 0]))
    with pytest.raises(InputError, match=r"label for each"):
        retrieve(line(0, 1), np.array([0]))
