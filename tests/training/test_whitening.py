"""Whitening, against what can be worked out by hand and two plain steps."""

import numpy as np
import pytest

from pyimagesearch.training.whitening import principal, whitening


def test_classes_are_round_afterwards():
    """Without shrinking, the covariance inside classes becomes a multiple of the identity."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 50)
    centres = rng.normal(0, 3, (4, 6))
    features = centres[labels] + rng.normal(size=(200, 6)) * [1, 2, 0.5, 3, 1, 1]
    (kernel, bias) = whitening(features, labels, shrunk=0)
    out = features @ kernel + bias
    inside = out - np.stack([out[labels == c].mean(axis=0) for c in range(4)])[labels]
    covariance = inside.T @ inside / 200
    np.testing.assert_allclose(covariance / covariance[0, 0], np.eye(6), atol=1e-3)
    np.testing.assert_allclose(out.mean(axis=0), 0, atol=1e-4)
    assert out.var(axis=0).mean() == pytest.approx(1, abs=1e-4)


def test_one_feature_by_hand():
    """Two classes at 0 and 2, 10 and 12: whatever the scale, mean 0 and variance 1."""
    features, labels = np.array([[0.0], [2], [10], [12]]), np.array([0, 0, 1, 1])
    (kernel, bias) = whitening(features, labels, shrunk=0.3)
    # mean 6, variance (36 + 16 + 16 + 36) / 4 = 26
    expected = (features - 6) / 26**0.5
    out = features @ kernel + bias
    np.testing.assert_allclose(out * np.sign(out[-1]), expected, atol=1e-5)


def test_the_folded_kernel_equals_the_steps_one_by_one():
    rng = np.random.default_rng(1)
    (features, labels) = (rng.normal(5, 2, (40, 8)) * np.arange(1, 9), np.repeat([0, 1, 2, 3], 10))
    (kernel, bias) = whitening(features, labels, most=3)
    spread = features.std(axis=0)
    z = (features - features.mean(axis=0)) / (spread + 0.01 * spread.mean())
    kept = z @ principal(z, 3)
    inside = kept - np.stack([kept[labels == c].mean(axis=0) for c in range(4)])[labels]
    covariance = inside.T @ inside / 40
    shrunk = 0.7 * covariance + 0.3 * np.trace(covariance) / 3 * np.eye(3)
    (values, vectors) = np.linalg.eigh(shrunk)
    steps = kept @ vectors / np.sqrt(values)
    steps /= np.sqrt(steps.var(axis=0).mean())
    out = features @ kernel + bias
    # each direction may point either way
    np.testing.assert_allclose(np.abs(out), np.abs(steps), atol=1e-3)


def test_the_directions_are_those_of_the_whole_decomposition():
    rng = np.random.default_rng(2)
    z = rng.normal(size=(300, 100)) * 0.95 ** np.arange(100)
    z -= z.mean(axis=0)
    whole = np.linalg.svd(z, full_matrices=False)[2][:5].T
    np.testing.assert_allclose(np.abs(whole.T @ principal(z, 5)), np.eye(5), atol=1e-3)


@pytest.mark.parametrize("labels", [[0, 1, 2, 3], [0, 0, 1, 1]])
def test_few_images_and_equal_ones_stay_finite(labels):
    features = np.array([[1.0, 5, 0], [1, 5, 0], [2, 7, 0], [2, 7, 0]])
    (kernel, bias) = whitening(features, np.array(labels))
    assert kernel.shape == (3, 3) and np.isfinite(features @ kernel + bias).all()
