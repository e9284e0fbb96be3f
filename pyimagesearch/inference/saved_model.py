"""An encoder and its settings as a SavedModel directory, and back.

Loading a SavedModel runs its graph: a model from a stranger is a program from a stranger.
"""

import errno
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pyimagesearch import utils
from pyimagesearch.data import images
from pyimagesearch.data.rows import Rows
from pyimagesearch.evaluation.embeddings import in_batches
from pyimagesearch.inference import settings as stored
from pyimagesearch.inference.arrays import checked_embeddings, checked_images
from pyimagesearch.system.errors import InputError, first_line
from pyimagesearch.system.files import plain_path, read_whole, whole_directory, whole_file
from pyimagesearch.system.names import printable
from pyimagesearch.system.versions import versions

# what TensorFlow's loader raises for a damaged file, found by damaging files in many ways
DAMAGED = (OSError, ValueError, LookupError, AttributeError, TypeError, tf.errors.OpError)
BLOCK = 2**26  # bytes of pixels of files that are in memory at a time


def save(
    path: str | Path,
    encoder: keras.Model,
    comparison: keras.Model,
    settings: dict[str, Any],
    trained_on: np.ndarray | None = None,
) -> None:
    """Write the SavedModel directory `path`, whole or not at all, replacing an older one.

    Beside it encoder.keras, the encoder alone as Keras keeps it, to train on from.

    encoder: a float32 Model, uint8 (B, H, W, C) -> (B, D).
    comparison: a Model of two (B, D) -> (B, 1), see siamese_network.build_comparison.
    settings: what goes into assets.extra/siamese.json, above all image_shape and threshold.
    trained_on: uint64 (N,), data.sets.pixel_digests of the images that were trained on; kept
    in assets.extra/trained_on.npy.
    Endpoints, all for any B:
      serve, serving_default  {"image_a", "image_b"} uint8 (B, H, W, C)
                              -> {"distance"} float32 (B, 1), smaller = more alike
      embed                   uint8 (B, H, W, C) -> {"embedding"} float32 (B, D)
      distance                {"embedding_a", "embedding_b"} float32 (B, D)
                              -> {"distance"} float32 (B, 1)
    The distance is what the comparison gives: with a head, how different they are, 0 to 1.
    Raises OSError where the disk is full or may not be written to.
    """
    path = Path(os.path.abspath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    archive = _endpoints(encoder, comparison)
    with (
        whole_file(path.parent / "encoder.keras") as new,
        plain_path(os.path.dirname(new)) as place,
    ):
        encoder.save(os.path.join(place, "encoder.keras"))
    with whole_directory(path) as new:
        os.makedirs(new, exist_ok=True)
        try:
            with plain_path(new) as plain, _no_new_log_handler():
                archive.write_out(plain, verbose=False)
        except tf.errors.OpError as error:  # a full disk, in TensorFlow's words
            raise OSError(errno.EIO, first_line(error)) from None
        (Path(new) / stored.SETTINGS).parent.mkdir(exist_ok=True)
        header = {"format_version": stored.FORMAT_VERSION, "versions": versions()}
        stored.write(Path(new) / stored.SETTINGS, header | settings)
        if trained_on is not None:
            np.save(Path(new) / stored.TRAINED_ON, np.unique(trained_on.astype(np.uint64)))


def _endpoints(encoder: keras.Model, comparison: keras.Model) -> keras.export.ExportArchive:
    def distance(inputs):
        vectors = [inputs["embedding_a"], inputs["embedding_b"]]
        return {"distance": comparison(vectors, training=False)}

    def embed(images):
        return {"embedding": encoder(images, training=False)}

    def serve(inputs):
        vectors = [embed(inputs[name])["embedding"] for name in ("image_a", "image_b")]
        return {"distance": comparison(vectors, training=False)}

    def pair(shape, dtype, name):
        # the names are those of the signature's arguments, too
        return {key: tf.TensorSpec(shape, dtype, key) for key in (f"{name}_a", f"{name}_b")}

    archive = keras.export.ExportArchive()
    # both as endpoints: of a signature alone Keras' TFSMLayer cannot pass the dictionary on
    for name in ("serve", "serving_default"):
        archive.add_endpoint(name, serve, [pair(encoder.input_shape, tf.uint8, "image")])
    archive.add_endpoint("embed", embed, [tf.TensorSpec(encoder.input_shape, tf.uint8, "images")])
    archive.add_endpoint(
        "distance", distance, [pair(encoder.output_shape, tf.float32, "embedding")]
    )
    return archive


@contextmanager
def _no_new_log_handler() -> Iterator[None]:
    # TensorFlow's saver logs through absl, which gives a root logger without handlers one: then
    # each message of the program around this would appear twice
    handler = logging.NullHandler()
    logging.root.addHandler(handler)
    try:
        yield
    finally:
        logging.root.removeHandler(handler)


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
        self.image_shape = tuple(self.settings["image_shape"])
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
        size = max(BLOCK // int(np.prod(self.image_shape)), 1)
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
        """(featsA, featsB), each float (B, D) -> float32 (B,); smaller = more alike.

        Raises InputError for anything else.
        """
        (featsA, featsB) = checked_embeddings(vectors, self.embedding_dim)
        inputs = {"embedding_a": tf.constant(featsA), "embedding_b": tf.constant(featsB)}
        return self._archive.distance(inputs)["distance"].numpy()[:, 0]

    def distance_to_all(
        self, feats: np.ndarray, gallery: np.ndarray, block: int = 10_000
    ) -> np.ndarray:
        """One embedding (D,) and many, (N, D) -> float32 (N,)."""
        parts = [gallery[i : i + block] for i in range(0, len(gallery), block)]
        return np.concatenate([self.distance([np.tile(feats, (len(p), 1)), p]) for p in parts])

    def is_same(self, distances: np.ndarray | float, threshold: float | None = None) -> np.ndarray:
        """Whether distances call two images the same: where they are below the threshold."""
        return np.asarray(distances) < (self.threshold if threshold is None else threshold)

    def trained_on(self) -> np.ndarray:
        """Digests of the pixels it was trained on: uint64 (N,), sorted; none where unknown."""
        return self._trained_on

    def threshold_for(self, fmr: float | None = None) -> float:
        """The calibrated threshold, or the one stored for a false match rate such as 0.001.

        Raises InputError where the calibration had not enough pairs for that rate.
        """
        if fmr is None:
            return self.threshold
        points = self.settings.get("operating_points")
        points = points if isinstance(points, dict) else {}
        known = {k: t for k, t in points.items() if type(t) in (int, float)}
        for rate, threshold in known.items():
            if float(rate) == fmr:
                return threshold
        raise InputError(
            f"Expected a false match rate that this model is calibrated for: "
            f"{', '.join(known) or 'none'}. Received: {fmr:g}"
            f"{', not enough pairs' if fmr in map(float, points) else ''}."
        )

    def similarity(self, distances: np.ndarray | float, threshold: float) -> np.ndarray:
        """From 1 for a distance of 0 downwards: 2^(-distance / threshold), 0.5 at the threshold.

        Of a cosine distance the angular similarity, 1 - arccos(1 - distance) / pi.
        """
        if self.settings.get("distance") == "cosine":
            return utils.angular_similarity(distances)
        return np.exp2(-np.asarray(distances, dtype=np.float64) / max(threshold, 1e-12))
