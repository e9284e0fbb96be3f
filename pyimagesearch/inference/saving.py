"""A model as files that need nothing of this package: a SavedModel, LiteRT (.tflite) or ONNX."""

import errno
import hashlib
import json
import logging
import os
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import keras
import numpy as np
import tensorflow as tf

from pyimagesearch.data.sets import TRAINED_ON
from pyimagesearch.evaluation.measure import forward
from pyimagesearch.evaluation.report import versions
from pyimagesearch.inference.model import SiameseModel
from pyimagesearch.inference.settings import FORMAT, SETTINGS, read_exported
from pyimagesearch.system.files import plain_path, whole_directory, whole_file
from pyimagesearch.system.terminal import InputError, first_line, printable, quiet, say

TOLERANCE = 1e-4  # of an embedding's numbers, where none of them is larger than 1


def save(
    path: str | Path,
    encoder: keras.Model,
    comparison: keras.Model,
    settings: dict[str, Any],
    trained_on: np.ndarray | None = None,
) -> None:
    """Write the SavedModel directory `path`, replacing an older one, and encoder.keras beside it.

    Both are written whole before either takes its name. encoder.keras is for training on from it.

    encoder: float32, uint8 (B, H, W, C) -> (B, D). comparison: two (B, D) -> (B, 1), see
    siamese_network.build_comparison. settings: for assets.extra/siamese.json, above all
    image_shape and threshold. trained_on: uint64 (N,), data.sets.ImageSet.digests.
    Endpoints, all for any B:
      serve, serving_default  {"image_a", "image_b"} uint8 (B, H, W, C) -> {"distance"}
      embed                   uint8 (B, H, W, C) -> {"embedding"} float32 (B, D)
      distance                {"embedding_a", "embedding_b"} float32 (B, D) -> {"distance"}
    The distance, float32 (B, 1), is what the comparison gives: smaller = more alike.
    Raises OSError where the disk is full or may not be written to.
    """
    path = Path(os.path.abspath(path))
    compiled = forward(encoder)  # as it was measured

    # without an input_signature, which would make uint8 of NumPy's floats, all black, in silence
    @tf.function
    def embed(images):
        return {"embedding": compiled(images)}

    def distance(inputs):
        vectors = [inputs["embedding_a"], inputs["embedding_b"]]
        return {"distance": comparison(vectors, training=False)}

    @tf.function
    def serve(inputs):
        return distance({f"embedding_{k}": embed(inputs[f"image_{k}"])["embedding"] for k in "ab"})

    archive = keras.export.ExportArchive()
    (shape, feats) = (encoder.input_shape, encoder.output_shape)
    images = {k: tf.TensorSpec(shape, tf.uint8, k) for k in ("images", "image_a", "image_b")}
    vectors = {k: tf.TensorSpec(feats, tf.float32, k) for k in ("embedding_a", "embedding_b")}
    embed.get_concrete_function(images.pop("images"))
    serve.get_concrete_function(images)
    # both as endpoints: of a signature alone Keras' TFSMLayer cannot pass the dictionary on
    for name, function in (("serve", serve), ("serving_default", serve), ("embed", embed)):
        archive.add_endpoint(name, function)
    archive.add_endpoint("distance", distance, [vectors])
    settings = {"format_version": FORMAT, "versions": versions()} | settings
    # TensorFlow's saver gives a root logger without handlers one: messages would appear twice
    logging.root.addHandler(handler := logging.NullHandler())
    try:
        with whole_file(path.parent / "encoder.keras") as file, whole_directory(path) as new:
            encoder.save(file)
            (Path(new) / SETTINGS).parent.mkdir(parents=True)
            with plain_path(new) as plain:
                archive.write_out(plain, verbose=False)
            _write(Path(new) / SETTINGS, settings)
            if trained_on is not None:
                np.save(Path(new) / TRAINED_ON, np.unique(trained_on.astype(np.uint64)))
    except tf.errors.OpError as error:  # a full disk, in TensorFlow's words
        raise OSError(errno.EIO, first_line(error), str(path)) from None
    finally:
        logging.root.removeHandler(handler)


def write_settings(model: SiameseModel, settings: dict, trained_on: Any = None) -> None:
    """Rewrite the settings of a loaded model, those of its exported files, and its trained_on.

    Raises InputError where its directory now holds another model: the settings are not its.
    """
    with ExitStack() as both:
        if trained_on is not None and len(model.trained_on):  # else more than these are unknown
            new = both.enter_context(whole_file(model.path / TRAINED_ON))
            with open(new, "wb") as f:
                np.save(f, trained_on)
        new = both.enter_context(whole_file(model.path / SETTINGS))
        _write(Path(new), settings)
        # the new file lies inside the model's folder: what is looked at now is what is written into
        model.check_unchanged(model.path)
    model.__dict__.pop("trained_on", None)  # it is read again
    (model.settings, model.threshold) = (settings, settings["threshold"])
    model.operating_points = settings.get("operating_points") or {}
    for file in [*model.path.parent.glob("*.tflite"), *model.path.parent.glob("*.onnx")]:
        try:
            (network, known) = read_exported(file)
            if (exported := known["export"])["model"] == model.digest:
                _write_exported(file, network, settings | {"export": exported})
                say(f"the settings of {printable(file.name)} are rewritten, too")
        except Exception as error:  # a foreign or damaged file, or onnx is not installed
            say(f"{printable(file.name)} keeps its settings ({first_line(error)}): export it again")


def _write(file: Path, settings: dict[str, Any]) -> None:
    file.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def _write_exported(path: Path, network: bytes, settings: dict[str, Any]) -> None:
    """Write an exported encoder with its settings inside, and these beside it as well.

    LiteRT's go into a ZIP archive behind the network, where its own metadata tools put files, too.
    """
    text = json.dumps(settings)
    if path.suffix.lower() == ".onnx":
        import onnx

        graph = onnx.load_model_from_string(network)
        onnx.helper.set_model_props(graph, {SETTINGS.name: text})
        network = graph.SerializeToString()
    with whole_file(path) as new, whole_file(f"{path}.json") as beside:
        Path(new).write_bytes(network)
        if path.suffix.lower() != ".onnx":
            with ZipFile(new, "a") as archive:
                archive.writestr(SETTINGS.name, text)
        _write(Path(beside), settings)


def export(model: SiameseModel, path: str | Path, images: np.ndarray) -> dict[str, Any]:
    """Write a model's encoder, uint8 (B, H, W, C), any B, -> float32 (B, D).

    path: NAME.tflite or NAME.onnx. images: uint8 (N, H, W, C), one at least. The encoder is run on
    one of them and on all, and must give what model.embed gives, or no file is written.
    Returns what the settings say of the file under "export". Raises InputError where it differs by
    more than 1e-4 (of a largest number above 1), a package is missing, or nothing converts it.
    """
    suffix = Path(path).suffix.lower()
    wanted = np.concatenate([model.embed(images[:1]), model.embed(images)])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what only TensorFlow and tf2onnx can change
            (content, embed) = (_to_onnx if suffix == ".onnx" else _to_tflite)(model)
        found = np.concatenate([embed(images[:1]), embed(images)])
        difference = float(np.abs(found - wanted).max())
    except ImportError:
        packages = "tf2onnx for ONNX (pip install tf2onnx onnx onnxruntime), or --format tflite"
        raise InputError(packages, "none") from None
    except Exception as error:  # a converter raises all kinds for what it does not know
        received = first_line(error)[:200]
        raise InputError(f"a network of which {suffix} knows all operations", received) from None
    limit = TOLERANCE * max(float(np.abs(wanted).max()), 1)
    if not difference <= limit:  # nor NaN
        received = f"{difference:.2g} off from {printable(path)}: nothing is kept."
        raise InputError(f"embeddings to within {limit:.1g}", received)
    exported = {"file": Path(path).name, "model": model.digest, "difference": difference}
    exported |= {"sha256": hashlib.sha256(content).hexdigest(), "images_checked": len(images)}
    _write_exported(Path(path), content, model.settings | {"export": exported})
    return exported


# each gives a file's content, and what runs it: uint8 (B, H, W, C) -> float32 (B, D)
def _to_tflite(model: SiameseModel) -> tuple[bytes, Callable]:
    with plain_path(model.path) as plain, quiet():
        converter = tf.lite.TFLiteConverter.from_saved_model(plain, signature_keys=["embed"])
        # LiteRT's own operations alone: others would want TensorFlow's where it runs
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        content = converter.convert()
        interpreter = tf.lite.Interpreter(model_content=content)
        interpreter.allocate_tensors()
    run = interpreter.get_signature_runner("embed")
    return content, lambda images: run(images=images)["embedding"]


def _to_onnx(model: SiameseModel) -> tuple[bytes, Callable]:
    import onnxruntime
    import tf2onnx

    embed = tf.function(lambda images: model.network(images=images)["embedding"])
    images = tf.TensorSpec((None, *model.image_shape), tf.uint8, "images")
    content = tf2onnx.convert.from_function(embed, [images])[0].SerializeToString()
    session = onnxruntime.InferenceSession(content)
    return content, lambda images: session.run(None, {"images": images})[0]
