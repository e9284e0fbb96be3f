"""The encoder as a file that programs without TensorFlow run: LiteRT (.tflite) or ONNX.

It takes uint8 (B, H, W, C), any B, of the model's image_shape, and gives float32 (B, D). Two
images are the same where the distance of their embeddings, made into what the model puts out by
its head where there is one, is below the threshold: the JSON file beside it says all of this.
"""

import hashlib
import json
import logging
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from pyimagesearch.inference.model import SiameseModel, plain_path
from pyimagesearch.system.errors import InputError, first_line, printable
from pyimagesearch.system.files import whole_file
from pyimagesearch.system.terminal import quiet

log = logging.getLogger(__name__)

TOLERANCE = 1e-4  # of an embedding's numbers, where none of them is larger than 1


def export(model: SiameseModel, path: str | Path, images: np.ndarray) -> dict[str, Any]:
    """Write a model's encoder, and its settings beside it; both whole or not at all.

    path: NAME.tflite or NAME.onnx; the settings are NAME.tflite.json or NAME.onnx.json.
    images: uint8 (N, H, W, C), real ones, one at least. Before the file takes its name it is run
    on one of them and on all, and must give what model.embed gives.
    Returns what the settings say of the file under "export".
    Raises InputError where it differs by more than 1e-4 (of the largest number, where that is
    above 1), or a package is missing, or the network cannot be converted.
    """
    formats = {".tflite": (_to_tflite, _run_tflite), ".onnx": (_to_onnx, _run_onnx)}
    if (ending := Path(path).suffix) not in formats:
        raise InputError(
            f"Expected a file that ends with {' or '.join(formats)}. Received: {printable(path)}."
        )
    (convert, run) = formats[ending]
    wanted = model.embed(images)
    settings = dict(model.settings)
    if settings.get("head", "none") != "none" and "head_parameters" not in settings:
        log.info("an older version saved this model without its head's two numbers: the file "
            "beside the encoder lacks them")  # fmt: skip
    with whole_file(path) as new, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what only TensorFlow and tf2onnx can change
        try:
            convert(model, new)
        except (OSError, InputError):
            raise
        except Exception as error:  # a converter raises all kinds for what it does not know
            raise InputError(
                f"Expected a network of which {ending} knows all operations. "
                f"Received: {first_line(error)[:200]}."
            ) from None
        content = Path(new).read_bytes()
        found = run(content, [images[:1], images])
        wanted = np.concatenate([wanted[:1], wanted])
        limit = TOLERANCE * max(float(np.abs(wanted).max()), 1)
        alike = found.dtype == np.float32 and found.shape == wanted.shape
        difference = float(np.abs(found - wanted).max()) if alike else np.inf
        if not difference <= limit:  # nor NaN
            raise InputError(
                f"Expected embeddings as the model's to within {limit:.1g}. Received: a "
                f"difference of {difference:.2g} from {printable(path)}: nothing is kept."
            )
        settings["export"] = {
            "file": Path(path).name,
            "model": model.digest,
            "sha256": hashlib.sha256(content).hexdigest(),
            "input": {"dtype": "uint8", "shape": [None, *model.image_shape]},
            "output": {"dtype": "float32", "shape": [None, model.embedding_dim]},
            "difference": difference,
            "images_checked": len(images),
        }
        with whole_file(f"{path}.json") as text:
            Path(text).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    log.info(
        "%s: as the model to within %.1g on %d images", printable(path), difference, len(images)
    )
    return settings["export"]


def _to_tflite(model: SiameseModel, path: str) -> None:
    with plain_path(model.path) as plain, quiet():
        converter = tf.lite.TFLiteConverter.from_saved_model(plain, signature_keys=["embed"])
        # LiteRT's own operations alone: others would want TensorFlow's where it runs
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        content = converter.convert()
    Path(path).write_bytes(content)


def _run_tflite(content: bytes, batches: list[np.ndarray]) -> np.ndarray:
    with quiet():  # its C++ says that it has made a delegate
        interpreter = tf.lite.Interpreter(model_content=content)
        interpreter.allocate_tensors()
    (entry,) = interpreter.get_input_details()
    (out,) = interpreter.get_output_details()
    found = []
    for images in batches:
        interpreter.resize_tensor_input(entry["index"], images.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(entry["index"], images)
        interpreter.invoke()
        found.append(interpreter.get_tensor(out["index"]))
    return np.concatenate(found)


def _to_onnx(model: SiameseModel, path: str) -> None:
    if not all(find_spec(name) for name in ("tf2onnx", "onnx", "onnxruntime")):
        raise InputError(
            "Expected tf2onnx for ONNX. Received: none installed. "
            "pip install tf2onnx onnxruntime, or take --format tflite."
        )
    import tf2onnx

    embed = tf.function(lambda images: model._archive.embed(images)["embedding"])
    images = tf.TensorSpec((None, *model.image_shape), tf.uint8, "images")
    tf2onnx.convert.from_function(embed, [images], output_path=path)


def _run_onnx(content: bytes, batches: list[np.ndarray]) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(content)
    (entry,) = session.get_inputs()
    return np.concatenate([session.run(None, {entry.name: images})[0] for images in batches])
