"""An encoder and its settings as a SavedModel directory, and back.

Loading a SavedModel runs its graph: a model from a stranger is a program from a stranger.
"""

# import the necessary packages
import errno
import json
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from pyimagesearch import utils
from pyimagesearch.evaluation.embeddings import in_batches
from pyimagesearch.system.errors import InputError
from pyimagesearch.system.files import find_directory, whole_directory, whole_file
from pyimagesearch.system.terminal import first_line
from pyimagesearch.system.versions import versions

FORMAT_VERSION = 1
SETTINGS = Path("assets.extra", "siamese.json")  # TensorFlow's loader ignores this folder


def save(path, encoder, comparison, settings):
    """Write the SavedModel directory `path`, whole or not at all, replacing an older one.

    Beside it encoder.keras, the encoder alone as Keras keeps it, to train on from.

    encoder: a float32 Model, uint8 (B, H, W, C) -> (B, D).
    comparison: a Model of two (B, D) -> (B, 1), see siamese_network.build_comparison.
    settings: what goes into assets.extra/siamese.json, above all threshold.
    Endpoints, all for any B:
      serve (also serving_default)  {"image_a", "image_b"} uint8 (B, H, W, C)
                                    -> {"distance"} float32 (B, 1), smaller = more alike
      embed                         uint8 (B, H, W, C) -> {"embedding"} float32 (B, D)
      distance                      {"embedding_a", "embedding_b"} float32 (B, D)
                                    -> {"distance"} float32 (B, 1)
    The distance is what the comparison gives: with a head, how different they are, 0 to 1.
    """

    def distance(inputs):
        vectors = [inputs["embedding_a"], inputs["embedding_b"]]
        return {"distance": comparison(vectors, training=False)}

    def embed(images):
        return {"embedding": encoder(images, training=False)}

    def serve(inputs):
        vectors = [embed(inputs[name])["embedding"] for name in ("image_a", "image_b")]
        return {"distance": comparison(vectors, training=False)}

    def pair(shape, dtype, name):
        # the names are those of serving_default's arguments, too
        return {key: tf.TensorSpec(shape, dtype, key) for key in (f"{name}_a", f"{name}_b")}

    images = tf.TensorSpec(encoder.input_shape, tf.uint8, "images")
    archive = keras.export.ExportArchive()
    archive.add_endpoint("serve", serve, [pair(encoder.input_shape, tf.uint8, "image")])
    archive.add_endpoint("embed", embed, [images])
    archive.add_endpoint(
        "distance", distance, [pair(encoder.output_shape, tf.float32, "embedding")]
    )

    with whole_file(Path(path).parent / "encoder.keras") as new:
        encoder.save(new)
    with whole_directory(path) as new:
        try:
            archive.write_out(new, verbose=False)
        except tf.errors.OpError as error:  # a full disk, in TensorFlow's words
            raise OSError(errno.EIO, first_line(error)) from None
        file = Path(new) / SETTINGS
        file.parent.mkdir(parents=True, exist_ok=True)
        header = {"format_version": FORMAT_VERSION, "versions": versions()}
        file.write_text(json.dumps(header | settings, indent=2) + "\n")


class SiameseModel:
    """A loaded SavedModel: embed, distance, and its settings."""

    def __init__(self, path):
        """Raises ValueError where path is no SavedModel that save wrote."""
        self.path = path = find_directory(path)
        self.settings = read_settings(path)
        self.image_shape = tuple(self.settings["image_shape"])
        self.threshold = self.settings["threshold"]
        try:
            self._archive = tf.saved_model.load(str(path))
            # one black image: do the graph and the settings speak of the same shape?
            feats = self.embed(np.zeros((1, *self.image_shape), np.uint8))
            self.distance([feats, feats])
        except Exception as error:  # whatever TensorFlow raises for a damaged file
            raise InputError(
                f"Expected a SavedModel that loads. Received: {path} ({first_line(error)}). "
                "Train it again with train_contrastive_siamese_network.py."
            ) from None

    def embed(self, images, batch_size=None):
        """uint8 (N, H, W, C) -> float32 (N, D), batch by batch."""
        images = np.asarray(images, dtype=np.uint8)
        return in_batches(
            lambda batch: self._archive.embed(batch)["embedding"].numpy(), images, batch_size
        )

    def distance(self, vectors):
        """(featsA, featsB), each float32 (B, D) -> float32 (B,); smaller = more alike."""
        (featsA, featsB) = vectors
        inputs = {"embedding_a": tf.constant(featsA), "embedding_b": tf.constant(featsB)}
        return self._archive.distance(inputs)["distance"].numpy()[:, 0]

    def distance_to_all(self, feats, gallery, block=10_000):
        """One embedding (D,) and many, (N, D) -> float32 (N,)."""
        parts = [gallery[i : i + block] for i in range(0, len(gallery), block)]
        return np.concatenate([self.distance([np.tile(feats, (len(p), 1)), p]) for p in parts])

    def threshold_for(self, fmr=None):
        """The calibrated threshold, or the one stored for a false match rate such as "0.001".

        Raises ValueError where the calibration had not enough pairs for that rate.
        """
        if fmr is None:
            return self.threshold
        points = self.settings.get("operating_points")
        points = points if isinstance(points, dict) else {}
        stored = {k: t for k, t in points.items() if type(t) in (int, float)}
        for rate, threshold in stored.items():
            if float(rate) == fmr:
                return threshold
        raise InputError(
            f"Expected a false match rate that this model is calibrated for: "
            f"{', '.join(stored) or 'none'}. Received: {fmr:g}"
            f"{', not enough pairs' if fmr in map(float, points) else ''}."
        )

    def similarity(self, distances, threshold):
        """From 1 for a distance of 0 downwards: 2^(-distance / threshold), 0.5 at the threshold.

        Of a cosine distance the angular similarity, 1 - arccos(1 - distance) / pi.
        """
        if self.settings.get("distance") == "cosine":
            return utils.angular_similarity(distances)
        return np.exp2(-np.asarray(distances, dtype=np.float64) / max(threshold, 1e-12))


def write_settings(path, settings):
    """Rewrite the settings of a SavedModel directory alone, whole or not at all."""
    with whole_file(Path(path) / SETTINGS) as new:
        Path(new).write_text(json.dumps(settings, indent=2) + "\n")


def read_settings(path):
    """The settings of a SavedModel directory, read as untrusted text, without TensorFlow.

    Raises ValueError where there are none, or they are damaged or of a newer format.
    """
    advice = "Train one with train_contrastive_siamese_network.py, or name another with --model."
    path = Path(path)
    if not path.is_dir():
        raise InputError(f"Expected a model directory. Received: {path}, not there. {advice}")
    if not (path / "saved_model.pb").is_file() or not (path / SETTINGS).is_file():
        raise InputError(
            f"Expected a model directory with saved_model.pb and {SETTINGS}. "
            f"Received: {path} without. {advice}"
        )
    try:
        settings = json.loads((path / SETTINGS).read_text())
        version = settings["format_version"]
        if type(version) is int and version > FORMAT_VERSION:
            raise InputError(
                f"Expected settings of format {FORMAT_VERSION} or older. Received: {version} "
                f"in {path}. Take a newer version of this project."
            )
        shape, threshold = settings["image_shape"], settings["threshold"]
        whole = all(type(n) is int and 0 < n < 2**16 for n in shape)
        number = type(threshold) in (int, float) and np.isfinite(threshold)
        if len(shape) != 3 or not whole or not number:
            raise TypeError("image_shape or threshold")
    except (TypeError, KeyError, RecursionError, json.JSONDecodeError, UnicodeError):
        raise InputError(
            f"Expected whole settings in {path / SETTINGS}: damaged. {advice}"
        ) from None
    return settings
