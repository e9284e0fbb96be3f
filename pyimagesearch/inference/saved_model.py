"""A SavedModel directory that `save` wrote, loaded.

Loading a SavedModel runs its graph: a model from a stranger is a program from a stranger.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from pyimagesearch.inference.arrays import checked_embeddings
from pyimagesearch.inference.model import TrainedModel
from pyimagesearch.inference.saving import save
from pyimagesearch.system.errors import InputError, first_line
from pyimagesearch.system.files import read_whole
from pyimagesearch.system.errors import printable
from pyimagesearch.system.plain_paths import plain_path

__all__ = ["SiameseModel", "save"]

# what TensorFlow's loader raises for a damaged file, found by damaging files in many ways
DAMAGED = (OSError, ValueError, LookupError, AttributeError, TypeError, tf.errors.OpError)


class SiameseModel(TrainedModel):
    """A loaded SavedModel: embed, distance, and its settings.

    path: its directory. settings: what siamese.json holds. image_shape: (H, W, C) of the images
    it takes; of three channels, red comes first. threshold: two images are the same where their
    distance is below it. digest: of weights and graph.
    """

    def __init__(self, path: str | Path):
        """Raises InputError where path is no SavedModel that save wrote.

        Where a training puts another model there in the meantime, one of the two is loaded.
        """
        self.path = Path(os.path.realpath(path))
        read_whole(self.path, self._load)

    def _load(self, directory: Path) -> None:
        self._read_settings(directory)
        try:
            with plain_path(directory) as plain:
                self._archive = tf.saved_model.load(plain)
            # one black image: do the graph and the settings speak of the same shape?
            feats = self._archive.embed(np.zeros((1, *self.image_shape), np.uint8))["embedding"]
            self._archive.distance({"embedding_a": feats, "embedding_b": feats})["distance"]
            (_, self.embedding_dim) = feats.shape
        except DAMAGED as error:
            raise InputError(
                f"Expected a SavedModel that loads. Received: {printable(directory)} "
                f"({first_line(error)}). Train it again with train_contrastive_siamese_network.py."
            ) from None

    def _embed(self, batch: np.ndarray) -> np.ndarray:
        return self._archive.embed(batch)["embedding"].numpy()

    def distance(self, vectors: Sequence[np.ndarray]) -> np.ndarray:
        """(feats_a, feats_b), each float (B, D) -> float32 (B,); smaller = more alike.

        Raises InputError for anything else.
        """
        (feats_a, feats_b) = checked_embeddings(vectors, self.embedding_dim)
        inputs = {"embedding_a": tf.constant(feats_a), "embedding_b": tf.constant(feats_b)}
        return self._archive.distance(inputs)["distance"].numpy()[:, 0]
