"""Retrieval figures on points of a line, whose order a reader sees."""

import numpy as np
import pytest

from pyimagesearch.evaluation import all_pairs, retrieval
from pyimagesearch.evaluation.intervals import Figure
from tests.evaluation.known import image_pairs


def retrieve(embeddings, labels, **how):
    return retrieval.Retrieval(image_pairs(embeddings, labels, **how))


def values(result):
    return {name: f.value for name, f in vars(result).items() if isinstance(f, Figure)}


def test_five_points_by_hand(monkeypatch):
    monkeypatch.setattr(all_pairs, "BLOCK", 10)  # two queries at a time
    # a at 0, 1, 6; b at 3.4, 10. Ranks of the images of the query's own class:
    # a 0: 1 and 3 (b at 3.4 between); a 1: 1 and 3; a 6: 3 and 4; b 3.4: 4; b 10: 2
    found = retrieve([0, 1, 6, 3.4, 10], [0, 0, 0, 1, 1])
    assert found.queries == 5
    # mAP@R: one of the two nearest for the two a on the left; R = 1 for each b: none
    expected = {"recall_at_1": 2 / 5, "recall_at_5": 1, "recall_at_10": 1, "map_at_r": 1 / 5}
    assert values(found) == pytest.approx(expected)
    # seven of b stand between the two of a: the other a has rank 8
    found = values(retrieve([-0.5, 8.5, 1, 2, 3, 4, 5, 6, 7], [0, 0, *[1] * 7]))
    assert [found[f"recall_at_{k}"] for k in (1, 5, 10)] == [7 / 9, 7 / 9, 1]


def test_images_at_one_distance_count_for_the_other_classes_first():
    # each a has an a and a b at distance 1: the b comes first; a collapsed network gets 0
    assert values(retrieve(np.ones((4, 2)), [0, 0, 1, 1]))["recall_at_1"] == 0
    same = 1 + np.random.default_rng(0).normal(0, 1e-6, (40, 8))
    assert values(retrieve(same, np.arange(40) % 4))["recall_at_1"] == 0


def test_labels_that_are_probably_wrong_by_hand():
    # six of a at 0 to 0.5, and one at 9.1 among six of b at 9 to 9.5
    at = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 9.1, 9, 9.1, 9.2, 9.3, 9.4, 9.5]
    pairs = image_pairs(at, [0] * 7 + [1] * 6)
    found = retrieval.Retrieval(pairs, 2.0).doubtful
    assert found == [{"file": 6, "class": "0", "like": "1"}]
    # where all are the same, and where none is, no label is called into doubt
    assert not retrieval.Retrieval(pairs, 9.0).doubtful + retrieval.Retrieval(pairs, 0.1).doubtful


def test_the_query_itself_is_never_found_loners_are_left_out_and_many_thinned_out(monkeypatch):
    found = retrieve([0, 0.1, 5, 9], [0, 0, 1, 2])
    assert (found.queries, values(found)["recall_at_1"]) == (2, 1)
    monkeypatch.setattr(retrieval, "MOST_PAIRS", 3 * 4)
    assert retrieve([0, 0.1, 5, 9], [0, 0, 1, 1]).queries == 3


@pytest.fixture
def seen(monkeypatch):
    """What the intervals are made of: each figure with one unit after another left out."""
    found = []
    monkeypatch.setattr(retrieval, "interval", lambda x, rest, _: found.append(rest) or Figure(x))
    return found


@pytest.mark.parametrize("classes, each, new", [(6, 5, False), (12, 4, True)])
def test_a_unit_leaves_queries_and_of_recall_the_gallery(seen, classes, each, new):
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(classes), each)
    embeddings = rng.normal(size=(classes, 4))[labels] + 0.7 * rng.normal(size=(len(labels), 4))
    units = labels if new else np.arange(len(labels))
    retrieve(embeddings, labels, new_classes=new)
    anew = [retrieve(embeddings[units != u], labels[units != u]) for u in np.unique(units)]
    np.testing.assert_allclose(seen[0], [found.recall_at_1.value for found in anew])


def test_a_unit_that_is_nearest_as_a_whole_leaves_the_next_image(seen):
    # b, twelve images, between two of a: without b these find each other
    retrieve([0, 100, *np.linspace(1, 1.1, 12)], [0] * 2 + [1] * 12, new_classes=True)
    assert seen[0].tolist() == [1, 1]  # without a, without b
