"""The encoder as a file that programs without TensorFlow run: LiteRT (.tflite) or ONNX.

It takes uint8 (B, H, W, C), any B, of the model's image_shape, and gives float32 (B, D). Two
images are the same where the distance of their embeddings, made into what the model puts out by
its head where there is one, is below the threshold: the JSON file beside it says all of this.
"""

import hashlib
import json
import logging
import warnings
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from pyimagesearch.inference import lite_model
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
    Returns what the settings say of the file under "export". Raises InputError where it differs by
    more than 1e-4 (of the largest number, where that is above 1), a package is missing, or the
    network cannot be converted.
    """
    wanted = np.concatenate([model.embed(images[:1]), model.embed(images)])
    settings = dict(model.settings)
    with whole_file(path) as new, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what only TensorFlow and tf2onnx can change
        try:
            run = FORMATS[Path(path).suffix](model, new)
        except (OSError, InputError):
            raise
        except Exception as error:  # a converter raises all kinds for what it does not know
            raise InputError(
                f"Expected a network of which {Path(path).suffix} knows all operations. "
                f"Received: {first_line(error)[:200]}."
            ) from None
        found = np.concatenate([run(images[:1]), run(images)])
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
            "sha256": hashlib.sha256(Path(new).read_bytes()).hexdigest(),
            "input": {"dtype": "uint8", "shape": [None, *model.image_shape]},
            "output": {"dtype": "float32", "shape": [None, model.embedding_dim]},
            "difference": difference,
            "images_checked": len(images),
        }
        with whole_file(f"{path}.json") as text:
            Path(text).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    sentence = f"as the model to within {difference:.1g} on {len(images)} images"
    log.info("%s: %s", printable(path), sentence)
    return settings["export"]


Run = Callable[[np.ndarray], np.ndarray]


def _to_tflite(model: SiameseModel, path: str) -> Run:
    with plain_path(model.path) as plain, quiet():
        converter = tf.lite.TFLiteConverter.from_saved_model(plain, signature_keys=["embed"])
        # LiteRT's own operations alone: others would want TensorFlow's where it runs
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        content = converter.convert()
        interpreter = tf.lite.Interpreter(model_content=content)
        interpreter.allocate_tensors()
    Path(path).write_bytes(content)
    return partial(lite_model.run, interpreter)


def _to_onnx(model: SiameseModel, path: str) -> Run:
    if not all(find_spec(name) for name in ("tf2onnx", "onnx", "onnxruntime")):
        raise InputError(
            "Expected tf2onnx for ONNX. Received: none installed. "
            "pip install tf2onnx onnxruntime, or take --format tflite."
        )
    import onnxruntime
    import tf2onnx

    embed = tf.function(lambda images: model._archive.embed(images)["embedding"])
    images = tf.TensorSpec((None, *model.image_shape), tf.uint8, "images")
    tf2onnx.convert.from_function(embed, [images], output_path=path)
    session = onnxruntime.InferenceSession(Path(path).read_bytes())
    return lambda images: session.run(None, {"images": images})[0]


FORMATS = {".tflite": _to_tflite, ".onnx": _to_onnx}
