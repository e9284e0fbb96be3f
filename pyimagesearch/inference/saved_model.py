"""A SavedModel directory that `save` wrote, loaded.

Loading a SavedModel runs its graph: a model from a stranger is a program from a stranger.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from pyimagesearch import utils
from pyimagesearch.data import images
from pyimagesearch.data.rows import Rows
from pyimagesearch.data.sets import BLOCK_BYTES
from pyimagesearch.evaluation.embeddings import in_batches
from pyimagesearch.evaluation.verification import called_same
from pyimagesearch.inference import settings as stored
from pyimagesearch.inference.arrays import checked_embeddings, checked_images
from pyimagesearch.inference.saving import save
from pyimagesearch.system.errors import InputError, first_line
from pyimagesearch.system.files import read_whole
from pyimagesearch.system.names import printable
from pyimagesearch.system.plain_paths import plain_path

__all__ = ["SiameseModel", "save"]

# what TensorFlow's loader raises for a damaged file, found by damaging files in many ways
DAMAGED = (OSError, ValueError, LookupError, AttributeError, TypeError, tf.errors.OpError)


class SiameseModel:
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
        self.settings = stored.read_settings(directory)
        self.image_shape = stored.shape_of(self.settings)
        self.threshold = self.settings["threshold"]
        self.digest = stored.digest(directory)
        self._trained_on = stored.read_trained_on(directory)
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

    def read(self, paths: Sequence[str | Path]) -> np.ndarray:
        """Image files as training reads them: uint8 (N, H, W, C), in the order of the paths.

        Raises InputError, naming the files, where some cannot be read.
        """
        if isinstance(paths, str | bytes | Path):
            raise InputError("Expected a list of paths. Received: one path. Write [path].")
        (_, pixels, bad) = images.read_images([os.fspath(path) for path in paths], self.image_shape)
        if bad:
            more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
            raise InputError(f"Expected readable images. Received: {'; '.join(bad[:3])}{more}.")
        return pixels

    def embed_files(self, paths: Sequence[str | Path]) -> np.ndarray:
        """Image files, read as training reads them, -> float32 (N, D), in the order of the paths.

        Raises InputError, naming the files, where some cannot be read.
        """
        if isinstance(paths, str | bytes | Path):
            self.read(paths)
        size = max(BLOCK_BYTES // int(np.prod(self.image_shape)), 1)
        parts = [self.embed(self.read(paths[k : k + size])) for k in range(0, len(paths), size)]
        return np.concatenate([np.zeros((0, self.embedding_dim), np.float32), *parts])

    def embed(self, images: np.ndarray | Rows, batch_size: int | None = None) -> np.ndarray:
        """uint8 (N, H, W, C) -> float32 (N, D), batch by batch.

        images: of the model's image_shape, values from 0 to 255; three channels are red, green,
        blue in this order (OpenCV reads them the other way round: images[..., ::-1]).
        Raises InputError for anything else, with how to mend it.
        """
        images = checked_images(images, self.image_shape)
        if not len(images):
            return np.zeros((0, self.embedding_dim), np.float32)
        return in_batches(
            lambda batch: self._archive.embed(batch)["embedding"].numpy(), images, batch_size
        )

    def distance(self, vectors: Sequence[np.ndarray]) -> np.ndarray:
        """(feats_a, feats_b), each float (B, D) -> float32 (B,); smaller = more alike.

        Raises InputError for anything else.
        """
        (feats_a, feats_b) = checked_embeddings(vectors, self.embedding_dim)
        inputs = {"embedding_a": tf.constant(feats_a), "embedding_b": tf.constant(feats_b)}
        return self._archive.distance(inputs)["distance"].numpy()[:, 0]

    def distance_to_all(
        self, feats: np.ndarray, gallery: np.ndarray, block: int = 10_000
    ) -> np.ndarray:
        """One embedding (D,) and many, (N, D) -> float32 (N,)."""
        parts = [gallery[i : i + block] for i in range(0, len(gallery), block)]
        return np.concatenate([self.distance([np.tile(feats, (len(p), 1)), p]) for p in parts])

    def is_same(self, distances: np.ndarray | float, threshold: float | None = None) -> np.ndarray:
        """Whether distances call two images the same: where they are below the threshold."""
        return called_same(distances, self.threshold if threshold is None else threshold)

    def trained_on(self) -> np.ndarray:
        """Digests of the pixels it was trained on: uint64 (N,), sorted; none where unknown."""
        return self._trained_on

    def threshold_for(self, fmr: float | None = None) -> float:
        """The calibrated threshold, or the one stored for a false match rate such as 0.001.

        Raises InputError where the calibration had not enough pairs for that rate.
        """
        if fmr is None:
            return self.threshold
        points = self.operating_points()
        for rate, threshold in points.items():
            if float(rate) == fmr and threshold is not None:
                return threshold
        known = [rate for rate, threshold in points.items() if threshold is not None]
        raise InputError(
            f"Expected a false match rate that this model is calibrated for: "
            f"{', '.join(known) or 'none'}. Received: {fmr:g}"
            f"{', not enough pairs' if fmr in map(float, points) else ''}."
        )

    def operating_points(self) -> dict[str, float | None]:
        """The threshold for each false match rate, "0.01" and the like; None: not enough pairs."""
        points = self.settings.get("operating_points")
        return {
            rate: threshold if type(threshold) in (int, float) else None
            for rate, threshold in (points if isinstance(points, dict) else {}).items()
            if re.fullmatch(r"[0-9]*\.?[0-9]+", rate)  # settings are untrusted text
        }

    def similarity(self, distances: np.ndarray | float, threshold: float) -> np.ndarray:
        """From 1 for a distance of 0 downwards: 2^(-distance / threshold), 0.5 at the threshold.

        Of a cosine distance the angular similarity, 1 - arccos(1 - distance) / pi.
        """
        if self.settings.get("distance") == "cosine":
            return utils.angular_similarity(distances)
        return np.exp2(-np.asarray(distances, dtype=np.float64) / max(threshold, 1e-12))
