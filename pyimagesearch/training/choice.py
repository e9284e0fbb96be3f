"""Ways to embed held-out images come in; the one that tells them apart best goes out."""

import time
from typing import Any

import keras
import numpy as np

from pyimagesearch.data.rows import evenly
from pyimagesearch.data.sets import ImageSet
from pyimagesearch.evaluation import verification

MOST_COMPARED = 2_500  # held-out images that the ways are compared on


class Choice:
    """The best of the ways so far, by what it makes of the held-out images.

    new_classes: whether none of these images' classes was trained on. How sure a difference is
    follows then from the classes, which differ more than chance lets images differ.
    """

    def __init__(self, held: ImageSet, new_classes: bool = False):
        self.new_classes = new_classes
        self.some = evenly(len(held), MOST_COMPARED)
        self.labels = np.asarray(held.labels)[self.some]
        self.found: dict[str, dict[str, float]] = {}  # way: its AUC and seconds
        self.kept = ""
        self.encoder: Any = None  # a Keras Model
        self.own = np.zeros(0)  # the AUC of each held-out image against the others, see areas
        self.start()

    def start(self) -> None:
        """A way begins: its time counts from here."""
        self.mark = time.monotonic()

    def add(self, way: str, encoder: keras.Model, embeddings: np.ndarray, doubt: float = 1) -> None:
        """A way with its embeddings of the held-out images, (N, D): kept where it is better.

        Better: its AUC is larger than the best so far by more than doubt standard errors of the
        difference. With -1 it may be smaller by one, and stays where both are alike.
        """
        embeddings = embeddings[self.some]
        (area, own) = (0.0, np.zeros(len(self.own)))
        if np.isfinite(embeddings).all():
            (area, own) = areas(embeddings, self.labels)
        self.found[way] = {"auc": area, "seconds": time.monotonic() - self.mark}
        if self.kept:
            gain = own - self.own
            if self.new_classes:
                of = self.labels[np.bincount(self.labels)[self.labels] > 1]
                gain = np.array([gain[of == c].mean() for c in np.unique(of)])
            error = gain.std() / len(gain) ** 0.5
            ahead = area - self.found[self.kept]["auc"] - doubt * error
            if not area or ahead < 0 or (ahead == 0 and doubt >= 0):
                return
        (self.kept, self.encoder, self.own) = (way, encoder, own)

    def __str__(self) -> str:
        figures = ", ".join(f"{way} {found['auc']:.3f}" for way, found in self.found.items())
        return f"held-out AUC: {figures}"


def areas(embeddings: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    """The AUC over all pairs of images, and each image's own AUC against all others, (M,).

    embeddings: (N, D). labels: int (N,). The own ones are of the M images that have another of
    their class and one of another: how these differ between two ways says how sure the
    difference of the whole is, its standard error being theirs / sqrt(M).
    """
    squares = np.square(embeddings).sum(axis=1)
    squared = squares[:, np.newaxis] + squares - 2 * embeddings @ embeddings.T
    same = labels[:, np.newaxis] == labels
    (a, b) = np.triu_indices(len(labels), 1)
    whole = float(verification.area_under_curve(squared[a, b], same[a, b].astype(int)))

    np.fill_diagonal(squared, -np.inf)  # itself, the first in each row
    order = np.argsort(squared, axis=1)[:, 1:]
    sorted_same = np.take_along_axis(same, order, axis=1)
    further = np.cumsum(~sorted_same[:, ::-1], axis=1)[:, ::-1]  # of other classes, from here on
    pairs = sorted_same.sum(axis=1) * (~sorted_same).sum(axis=1)
    known = pairs > 0
    return whole, (sorted_same * further).sum(axis=1)[known] / pairs[known]
