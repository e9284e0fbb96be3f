"""An encoder and its settings -> a SavedModel directory that needs nothing of this package."""

import errno
import json
import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pyimagesearch.data.sets import TRAINED_ON
from pyimagesearch.evaluation.report import versions
from pyimagesearch.inference.model import FORMAT_VERSION, SETTINGS, SiameseModel, digest, plain_path
from pyimagesearch.system.errors import InputError, first_line, printable
from pyimagesearch.system.files import whole_directory, whole_file

log = logging.getLogger(__name__)


def save(
    path: str | Path,
    encoder: keras.Model,
    comparison: keras.Model,
    settings: dict[str, Any],
    trained_on: np.ndarray | None = None,
) -> None:
    """Write the SavedModel directory `path`, replacing an older one, and encoder.keras beside it.

    Both are written whole before either takes its name. encoder.keras is the encoder alone as
    Keras keeps it, to train on from.

    encoder: a float32 Model, uint8 (B, H, W, C) -> (B, D).
    comparison: a Model of two (B, D) -> (B, 1), see siamese_network.build_comparison.
    settings: for assets.extra/siamese.json, above all image_shape and threshold; a head's two
    numbers are added. trained_on: uint64 (N,), data.sets.pixel_digests of these images.
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

    def embed(images):
        return {"embedding": encoder(images, training=False)}

    def distance(inputs):
        vectors = [inputs["embedding_a"], inputs["embedding_b"]]
        return {"distance": comparison(vectors, training=False)}

    def serve(inputs):
        return distance({f"embedding_{k}": embed(inputs[f"image_{k}"])["embedding"] for k in "ab"})

    def pair(shape, dtype, name):
        # the names are those of the signature's arguments, too
        return {key: tf.TensorSpec(shape, dtype, key) for key in (f"{name}_a", f"{name}_b")}

    archive = keras.export.ExportArchive()
    images = tf.TensorSpec(encoder.input_shape, tf.uint8, "images")
    both = pair(encoder.input_shape, tf.uint8, "image")
    # both as endpoints: of a signature alone Keras' TFSMLayer cannot pass the dictionary on
    endpoints = {"serve": (serve, both), "serving_default": (serve, both), "embed": (embed, images)}
    for name, (function, spec) in endpoints.items():
        # with an input_signature it would make uint8 of NumPy's floats, all black, without a word,
        # and after a call that it refuses other threads would wait for ever
        traced = tf.function(function)
        traced.get_concrete_function(spec)
        archive.add_endpoint(name, traced)
    feats = pair(encoder.output_shape, tf.float32, "embedding")
    archive.add_endpoint("distance", distance, [feats])
    header = {"format_version": FORMAT_VERSION, "versions": versions()}
    # TensorFlow's saver logs through absl, which gives a root logger without handlers one: then
    # each message of the program around this would appear twice
    logging.root.addHandler(handler := logging.NullHandler())
    try:
        with whole_file(path.parent / "encoder.keras") as file, whole_directory(path) as new:
            encoder.save(file)
            os.makedirs(new, exist_ok=True)
            with plain_path(new) as plain:
                archive.write_out(plain, verbose=False)
            (Path(new) / SETTINGS).parent.mkdir(exist_ok=True)
            _write(Path(new) / SETTINGS, header | settings | _head_parameters(comparison))
            if trained_on is not None:
                np.save(Path(new) / TRAINED_ON, np.unique(trained_on.astype(np.uint64)))
    except tf.errors.OpError as error:  # a full disk, in TensorFlow's words
        raise OSError(errno.EIO, first_line(error), str(path)) from None
    finally:
        logging.root.removeHandler(handler)


def write_settings(model: SiameseModel, settings: dict[str, Any]) -> None:
    """Rewrite the settings of a loaded model, and those of its exported files beside it.

    Raises InputError where its directory now holds another model than the one that was loaded:
    the settings belong to that one.
    """
    try:
        if digest(model.path) != model.digest:
            raise FileNotFoundError
        # in a folder inside the model's, which goes with it where it is replaced now
        with whole_file(model.path / SETTINGS) as new:
            _write(Path(new), settings)
    except FileNotFoundError:
        raise InputError(
            f"Expected the model that was loaded from {printable(model.path)}. Received: "
            "another; the model was replaced while it was measured: run again."
        ) from None
    for file in model.path.parent.glob("*.json"):
        with suppress(ValueError, LookupError, TypeError, AttributeError):  # of another program
            exported = json.loads(file.read_text(encoding="utf-8"))["export"]
            if exported["model"] == model.digest:
                with whole_file(file) as new:
                    _write(Path(new), settings | {"export": exported})
                log.info("the settings of %s are rewritten, too", printable(exported["file"]))


def _write(file: Path, settings: dict[str, Any]) -> None:
    file.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def _head_parameters(comparison: keras.Model) -> dict[str, Any]:
    """{"head_parameters": {"weight": w, "bias": b}} of a comparison with a head, else {}.

    Of a distance d it puts out 1 / (1 + exp(-(w d + b))).
    """
    (weight, bias, has_head) = (1.0, 0.0, False)
    for layer in comparison.layers:
        numbers = [float(np.ravel(array)[0]) for array in layer.get_weights()]
        if isinstance(layer, keras.layers.BatchNormalization):
            (gamma, beta, mean, variance) = numbers
            scale = gamma / (variance + layer.epsilon) ** 0.5
            (weight, bias) = (scale * weight, scale * (bias - mean) + beta)
        elif isinstance(layer, keras.layers.Dense):
            (factor, offset) = numbers
            (weight, bias, has_head) = (factor * weight, factor * bias + offset, True)
    return {"head_parameters": {"weight": weight, "bias": bias}} if has_head else {}
