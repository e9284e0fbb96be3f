"""The encoder as a file that programs without TensorFlow run: LiteRT (.tflite) or ONNX.

It takes uint8 (B, H, W, C), any B, of the model's image_shape, and gives float32 (B, D). Two
images are the same where the distance of their embeddings, made into what the model puts out by
its head where there is one, is below the threshold: the JSON file beside it says all of this.
Commands run encoder.tflite themselves: importing TensorFlow takes seconds and 600 MB.
"""

import hashlib
import json
import logging
import threading
import warnings
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from pyimagesearch.evaluation.distances import NUMPY_DISTANCES
from pyimagesearch.inference.model import SiameseModel, plain_path
from pyimagesearch.system.errors import InputError, counted, first_line, printable
from pyimagesearch.system.files import whole_file
from pyimagesearch.system.terminal import at_once, quiet

ENCODER = "encoder.tflite"  # beside the SavedModel's directory
TOLERANCE = 1e-4  # of an embedding's numbers, where none of them is larger than 1

Run = Callable[[np.ndarray], np.ndarray]  # uint8 (B, H, W, C) -> float32 (B, D)

log = logging.getLogger(__name__)


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
    with whole_file(path) as new, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what only TensorFlow and tf2onnx can change
        try:
            run = FORMATS[Path(path).suffix](model, new)
        except (OSError, InputError):
            raise
        except Exception as error:  # a converter raises all kinds for what it does not know
            network = f"a network of which {Path(path).suffix} knows all operations"
            received = first_line(error)[:200]
            raise InputError(f"Expected {network}. Received: {received}.") from None
        found = np.concatenate([run(images[:1]), run(images)])
        limit = TOLERANCE * max(float(np.abs(wanted).max()), 1)
        fits = found.dtype == np.float32 and found.shape == wanted.shape
        difference = float(np.abs(found - wanted).max()) if fits else np.inf
        if not difference <= limit:  # nor NaN
            received = f"{difference:.2g} off from {printable(path)}: nothing is kept."
            raise InputError(
                f"Expected the model's embeddings to {limit:.1g}. Received: {received}"
            )
        exported = {
            "file": Path(path).name,
            "model": model.digest,
            "sha256": hashlib.sha256(Path(new).read_bytes()).hexdigest(),
            "input": {"dtype": "uint8", "shape": [None, *model.image_shape]},
            "output": {"dtype": "float32", "shape": [None, model.embedding_dim]},
            "difference": difference,
            "images_checked": len(images),
        }
        with whole_file(f"{path}.json") as text:
            settings = json.dumps(model.settings | {"export": exported}, indent=2)
            Path(text).write_text(settings + "\n", encoding="utf-8")
    alike = f"{difference:.1g} on {counted(len(images), 'image')}"
    log.info("%s: as the model to within %s", printable(path), alike)
    return exported


def _to_tflite(model: SiameseModel, path: str) -> Run:
    import tensorflow as tf

    with plain_path(model.path) as plain, quiet():
        converter = tf.lite.TFLiteConverter.from_saved_model(plain, signature_keys=["embed"])
        # LiteRT's own operations alone: others would want TensorFlow's where it runs
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        content = converter.convert()
        interpreter = tf.lite.Interpreter(model_content=content)
        interpreter.allocate_tensors()
    Path(path).write_bytes(content)
    return partial(_run, interpreter)


def _to_onnx(model: SiameseModel, path: str) -> Run:
    if not all(find_spec(name) for name in ("tf2onnx", "onnx", "onnxruntime")):
        advice = "pip install tf2onnx onnxruntime, or take --format tflite."
        raise InputError(f"Expected tf2onnx for ONNX. Received: none installed. {advice}")
    import onnxruntime
    import tensorflow as tf
    import tf2onnx

    embed = tf.function(lambda images: model.archive.embed(images)["embedding"])
    images = tf.TensorSpec((None, *model.image_shape), tf.uint8, "images")
    tf2onnx.convert.from_function(embed, [images], output_path=path)
    session = onnxruntime.InferenceSession(Path(path).read_bytes())
    return lambda images: session.run(None, {"images": images})[0]


FORMATS = {".tflite": _to_tflite, ".onnx": _to_onnx}


class Encoder:
    """The SavedModel's endpoints embed and distance, by the encoder.tflite beside it.

    The embeddings are the SavedModel's to within 4e-7; TensorFlow's differ by 1e-7 with the size
    of the batch, so the cache keeps both under one digest.
    """

    def __init__(self, model: Path, digest: str, settings: dict[str, Any]):
        """Raises ValueError and others, saying why, where no encoder of this model is there."""
        from ai_edge_litert.interpreter import Interpreter

        file = model.parent / ENCODER
        beside = json.loads(Path(f"{file}.json").read_text(encoding="utf-8"))
        content = file.read_bytes()
        if not digest or beside["export"].get("model") != digest:
            raise ValueError("it is of another model, or an older version has exported it")
        if beside["export"]["sha256"] != hashlib.sha256(content).hexdigest():
            raise ValueError("it is not the file that its settings speak of")
        self._rows = NUMPY_DISTANCES[settings.get("distance") or "euclidean"]
        self._head = None
        if settings.get("head") not in (None, "none"):
            self._head = [float(beside["head_parameters"][name]) for name in ("weight", "bias")]
        with quiet():  # its C++ says that it has made a delegate
            self._interpreter = Interpreter(model_content=content, num_threads=at_once())
            self._interpreter.allocate_tensors()
        self._turn = threading.Lock()  # an interpreter for each thread is no faster
        self.signatures = {"embed": self.embed}

    def embed(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """uint8 (B, H, W, C) -> {"embedding"} float32 (B, D)."""
        with self._turn:
            return {"embedding": _run(self._interpreter, images)}

    def distance(self, vectors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """{"embedding_a", "embedding_b"}, float32 (B, D) -> {"distance"} float32 (B, 1)."""
        distances = self._rows(vectors["embedding_a"], vectors["embedding_b"])[:, np.newaxis]
        if self._head:
            (weight, bias) = self._head
            distances = 1 / (1 + np.exp(-(weight * distances.astype(np.float64) + bias)))
        return {"distance": distances.astype(np.float32)}


def _run(interpreter: Any, batch: np.ndarray) -> np.ndarray:
    (entry,) = interpreter.get_input_details()
    if tuple(entry["shape"]) != batch.shape:
        interpreter.resize_tensor_input(entry["index"], batch.shape)
        interpreter.allocate_tensors()
    interpreter.set_tensor(entry["index"], batch)
    interpreter.invoke()
    (out,) = interpreter.get_output_details()
    return interpreter.get_tensor(out["index"])
