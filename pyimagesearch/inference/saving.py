"""An encoder and its settings -> a SavedModel directory that needs nothing of this package."""

import errno
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pyimagesearch.data.sets import TRAINED_ON
from pyimagesearch.inference import settings as stored
from pyimagesearch.system.errors import first_line
from pyimagesearch.system.files import whole_directory, whole_file
from pyimagesearch.system.plain_paths import plain_path
from pyimagesearch.system.versions import versions


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
            np.save(Path(new) / TRAINED_ON, np.unique(trained_on.astype(np.uint64)))


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
