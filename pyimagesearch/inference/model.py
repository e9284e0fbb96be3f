"""What a trained model answers, whichever engine runs its graph; NumPy and OpenCV alone."""

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pyimagesearch.data import images
from pyimagesearch.data.rows import Rows, in_batches
from pyimagesearch.data.sets import BLOCK_BYTES
from pyimagesearch.evaluation.distances import angular_similarity
from pyimagesearch.evaluation.verification import called_same
from pyimagesearch.inference import settings as stored
from pyimagesearch.inference.arrays import checked_images
from pyimagesearch.system.errors import InputError


class TrainedModel(ABC):
    """An encoder with its distance and its settings; SiameseModel is one.

    path: the SavedModel's directory. settings: what siamese.json holds. image_shape: (H, W, C)
    of the images it takes; of three channels, red comes first. threshold: two images are the
    same where their distance is below it. digest: of weights and graph.
    """

    path: Path
    settings: dict[str, Any]
    image_shape: tuple[int, int, int]
    threshold: float
    digest: str
    embedding_dim: int
    _trained_on: np.ndarray

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
        return in_batches(self._embed, images, batch_size)

    def _read_settings(self, directory: Path) -> None:
        self.settings = stored.read_settings(directory)
        self.image_shape = stored.shape_of(self.settings)
        self.threshold = self.settings["threshold"]
        self.digest = stored.digest(directory)
        self._trained_on = stored.read_trained_on(directory)

    @abstractmethod
    def _embed(self, batch: np.ndarray) -> np.ndarray:
        """uint8 (B, H, W, C) -> float32 (B, D); from several threads at a time."""

    @abstractmethod
    def distance(self, vectors: Sequence[np.ndarray]) -> np.ndarray:
        """(feats_a, feats_b), each float (B, D) -> float32 (B,); smaller = more alike.

        Raises InputError for anything else.
        """

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
            f"{', not enough pairs' if fmr in map(float, points) else ''}. "
            "evaluate DIR --calibrate stores more rates where DIR has images enough."
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
            return angular_similarity(distances)
        return np.exp2(-np.asarray(distances, dtype=np.float64) / max(threshold, 1e-12))
