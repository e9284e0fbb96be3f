"""Losses and the distance, against values worked out by hand and plain loops."""

import doctest

import numpy as np
import pytest
import tensorflow as tf

from pyimagesearch import metrics
from pyimagesearch.data import batches
from pyimagesearch.utils import cosine_distance, euclidean_distance


@pytest.mark.parametrize("module", [metrics, batches])
def test_the_examples_in_the_docstrings(module):
    (failed, attempted) = doctest.testmod(module)[:2]
    assert failed == 0 < attempted


@pytest.mark.parametrize("y_shape", [(4,), (4, 1)])
@pytest.mark.parametrize("d_shape", [(4,), (4, 1)])
@pytest.mark.parametrize("dtype", ["int32", "bool", "float32", "float64", "uint8"])
def test_contrastive_loss_by_hand(y_shape, d_shape, dtype):
    # same at 0.9: 0.9^2 = 0.81; same at 0.3: 0.09; different at 0.4: (1 - 0.4)^2 = 0.36;
    # different at 1.7: beyond the margin, 0. With margin 2: 1.6^2 = 2.56 and 0.3^2 = 0.09
    y = np.array([1, 1, 0, 0], dtype).reshape(y_shape)
    d = np.array([0.9, 0.3, 0.4, 1.7], "float32").reshape(d_shape)
    assert float(metrics.contrastive_loss(y, d)) == pytest.approx((0.81 + 0.09 + 0.36 + 0) / 4)
    of_two = (0.81 + 0.09 + 2.56 + 0.09) / 4
    assert float(metrics.contrastive_loss(y, d, margin=2)) == pytest.approx(of_two)


def test_bfloat16_is_computed_in_float32():
    d = tf.constant([[0.5], [0.25]], tf.bfloat16)  # both exact in bfloat16
    loss = metrics.contrastive_loss(np.array([[1], [0]]), d)
    assert loss.dtype == tf.float32 and float(loss) == 0.40625


def test_labels_that_are_not_one_to_one_are_refused():
    with pytest.raises(ValueError, match=r"labels \(3,\), distances \(4, 1\)"):
        metrics.contrastive_loss(np.ones(3), np.ones((4, 1)))


def test_batch_contrastive_loss_by_hand():
    # on a line: class 0 at 0 and 0.6, class 1 at 0.8; pairs: same at 0.6 (0.36),
    # different at 0.8 and 0.2 (0.2^2 = 0.04 and 0.8^2 = 0.64)
    loss = metrics.batch_contrastive_loss([0, 0, 1], np.array([[0.0], [0.6], [0.8]]))
    assert float(loss) == pytest.approx((0.36 + (0.04 + 0.64) / 2) / 2)


def test_members_are_judged_each_by_itself():
    rng = np.random.default_rng(0)
    labels, members = rng.integers(0, 3, 12), rng.normal(0, 0.4, (5, 12, 4)).astype("float32")
    expected = np.mean([float(metrics.batch_contrastive_loss(labels, m, 0.7)) for m in members])
    together = np.concatenate(list(members), axis=1) / 5**0.5
    got = float(metrics.members_contrastive_loss(labels, together, 0.7))
    assert got == pytest.approx(expected, rel=1e-5)


def test_euclidean_distance_by_hand():
    # a 3-4-5 triangle, and the floor sqrt(1e-7) where both are equal
    a, b = np.array([[0.0, 0], [1, 1]]), np.array([[3.0, 4], [1, 1]])
    d = np.asarray(euclidean_distance([a, b]))
    assert d.shape == (2, 1) and d.dtype == np.float32
    np.testing.assert_allclose(d, [[5], [1e-7**0.5]], rtol=1e-6)


def test_gradients_are_finite_where_vectors_are_equal():
    a = tf.Variable([[1.0, 2.0], [0.0, 1.0]])
    with tf.GradientTape(persistent=True) as tape:
        loss = metrics.contrastive_loss([1, 0], euclidean_distance([a, a + 0.0]))
        batch_loss = metrics.batch_contrastive_loss([0, 1, 1], tf.concat([a, a[:1]], 0))
    assert np.isfinite([tape.gradient(value, a) for value in (loss, batch_loss)]).all()


def test_cosine_distance_by_hand():
    # the same direction, a right angle, opposite directions, 60 degrees, and no direction
    a = np.array([[1.0, 0], [1, 0], [1, 0], [1, 0], [0, 0]])
    b = np.array([[3.0, 0], [0, 2], [-1, 0], [0.5, 3**0.5 / 2], [1, 0]])
    d = np.asarray(cosine_distance([a, b]))
    np.testing.assert_allclose(d, [[0], [1], [2], [0.5], [1]], atol=1e-6)


def test_other_losses_by_hand():
    # positive at 0.5, negative at 0.8, margin 0.4: 0.5 - 0.8 + 0.4 = 0.1, the negative pair first
    assert float(metrics.triplet_loss([0, 1], [0.8, 0.5], margin=0.4)) == pytest.approx(0.1)
    # a head that is quite wrong and quite sure of it: -ln(1e-7) = 16.1, and finite
    assert float(metrics.binary_cross_entropy([0], [0.0])) == pytest.approx(16.118, abs=0.01)
    assert float(metrics.supervised_contrastive_loss([0, 1, 2], np.eye(3, dtype="float32"))) == 0
    # right: same at 0.4, different at 0.5 and 0.9; wrong: same at 0.6
    assert float(metrics.pair_accuracy([1, 0, 0, 1], [0.4, 0.5, 0.9, 0.6])) == 0.75
