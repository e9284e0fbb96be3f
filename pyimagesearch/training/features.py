"""What a network with frozen weights sees of images, kept between runs, and a linear map of it."""

import hashlib

import keras
import numpy as np
import tensorflow as tf

from pyimagesearch.config import Recipe
from pyimagesearch.data.augmentation import DRAWN, MOVES, moved
from pyimagesearch.data.cache import cached
from pyimagesearch.data.sets import Rows, pixel_digests
from pyimagesearch.evaluation.embeddings import embed

SHRUNK = 0.3  # classes towards round ones: few images say little of 256 directions


def features_of(
    network: keras.Model,
    images: np.ndarray | Rows,
    recipe: Recipe | None = None,
    view: tuple[int, int] = (0, 0),
) -> np.ndarray:
    """What a network puts out for each image, from the cache where it is known: float16 (N, D).

    images: uint8 (N, H, W, C). recipe: moves each image first, see data.augmentation.moved, at
    random by its pixels and the view (seed, number) alone; None: as they are.
    """
    digest = hashlib.blake2b(str(network.input_shape).encode(), digest_size=8)
    for weight in network.get_weights():
        digest.update(weight.tobytes())
    store = f"features {digest.hexdigest()}"
    if recipe:
        asked = [float(getattr(recipe.training, move)) for move in MOVES]
        store += f" moved {asked} seed {view[0]} view {view[1]}"

    digests = pixel_digests(images)

    def compute(places, progress):
        pixels = images[np.array(places)]
        if recipe:
            draws = [
                np.random.default_rng([key, *view]).uniform(-1, 1, DRAWN) for key in digests[places]
            ]
            pixels = moved(tf.constant(pixels), recipe, draws=np.transpose(draws)).numpy()
        progress.add(len(places))
        features = np.asarray(embed(network, pixels), np.float16)
        return {place: feature.tobytes() for place, feature in zip(places, features)}

    keys = {place: digest.tobytes() for place, digest in enumerate(digests)}
    return cached(store, keys, compute, "images looked at")[1].view(np.float16)


def whitening(
    features: np.ndarray, labels: np.ndarray, most: int = 256, shrunk: float = SHRUNK
) -> tuple[np.ndarray, np.ndarray]:
    """Kernel (D, k) and bias (k,) of one Dense layer after which classes are round.

    features: (N, D). labels: int (N,). Each feature is standardised, z = (f - mean) / s; the
    k = min(most, N - 1) directions in which z spreads most are kept; there the covariance inside
    classes, W, is shrunk to (1 - shrunk) W + shrunk tr(W) / k I and made the identity. The whole
    has mean variance 1. All three steps are linear, so that one kernel and bias hold them.

    s is the standard deviation plus a hundredth of their mean: what hardly varies stays small.
    """
    features = np.asarray(features, np.float32)
    mean, spread = features.mean(axis=0), features.std(axis=0)
    scale = 1 / (spread + 0.01 * spread.mean() + 1e-9)
    z = (features - mean) * scale
    directions = principal(z, min(most, len(z) - 1))

    projected = z @ directions
    classes, of = np.unique(labels, return_inverse=True)
    means = np.stack([projected[of == c].mean(axis=0) for c in range(len(classes))])
    inside = projected - means[of]
    covariance = inside.T @ inside / len(inside)
    k = len(covariance)
    covariance = (1 - shrunk) * covariance + shrunk * np.trace(covariance) / k * np.eye(k)
    (values, vectors) = np.linalg.eigh(covariance)
    floor = max(values.max() * 1e-6, 1e-12)  # classes of one image, or of equal ones
    turned = directions @ (vectors / np.sqrt(np.maximum(values, floor)))

    turned = scale[:, np.newaxis] * turned
    turned /= np.sqrt(((features - mean) @ turned).var(axis=0).mean())
    return turned.astype(np.float32), (-mean @ turned).astype(np.float32)


def principal(z: np.ndarray, k: int) -> np.ndarray:
    """The k directions in which z (N, D), of mean 0, spreads most: (D, k), orthonormal.

    By a random projection and four power iterations, which is exact to what matters here and
    takes a second where the whole decomposition takes a minute. Source: Halko, Martinsson,
    Tropp, "Finding Structure with Randomness", 2011.
    """
    rng = np.random.default_rng(0)
    basis = rng.normal(size=(z.shape[1], min(k + 30, *z.shape))).astype(z.dtype)
    for _ in range(5):
        basis = np.linalg.qr(z.T @ (z @ basis))[0]
    return basis @ np.linalg.svd(z @ basis, full_matrices=False)[2][:k].T
