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
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pyimagesearch.inference import head
from pyimagesearch.system.errors import InputError
from pyimagesearch.system.files import whole_file
from pyimagesearch.system.errors import printable
from pyimagesearch.system.terminal import quiet

log = logging.getLogger(__name__)

TOLERANCE = 1e-4  # of an embedding's numbers, where none of them is larger than 1
Embed = Callable[[np.ndarray], np.ndarray]  # uint8 (B, H, W, C) -> float32 (B, D)


@dataclass(frozen=True)
class Exported:
    """What export has written."""

    path: Path  # the encoder
    settings: Path  # the JSON file beside it
    difference: float  # the largest one of any number of an embedding, on the images checked


def export(
    encoder: keras.Model | str | Path,
    settings: dict[str, Any],
    path: str | Path,
    check_images: np.ndarray,
    format: str | None = None,
    reference: Embed | None = None,
    distance: Callable | None = None,
    model: str = "",
) -> Exported:
    """Write the encoder for LiteRT or ONNX, and its settings beside it; both whole or not at all.

    NAME.tflite and NAME.tflite.json, or NAME.onnx and NAME.onnx.json.

    encoder: a Model, uint8 (B, H, W, C) -> (B, D), or the file encoder.keras beside a SavedModel.
    settings: those of siamese.json. path: ends with .tflite or .onnx. format: "tflite" or "onnx",
    by default what the ending says. check_images: uint8 (N, H, W, C), real ones, one at least.
    reference: what the file must agree with, SiameseModel.embed; by default the encoder itself.
    distance: SiameseModel.distance, from which the head's numbers are taken where the settings
    name a head. model: SiameseModel.digest, which inference.lite_model asks for.
    Before the file takes its name it is run, on one image and on all of them.
    Raises InputError where it differs from the reference by more than 1e-4 (of the largest
    number, where that is above 1), or a package is missing, or the network cannot be converted.
    """
    (convert, runner) = FORMATS[_format(path, format)]
    if isinstance(encoder, str | Path):
        encoder = _load(encoder)
    images = _checked(check_images, encoder.input_shape[1:])
    described = settings | head.parameters(settings, distance, encoder.output_shape[1])
    wanted = (reference or (lambda batch: encoder(batch, training=False).numpy()))(images)

    beside = Path(f"{path}.json")
    with whole_file(path) as new:
        # TensorFlow and tf2onnx warn of what only those who made them can change
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            convert(encoder, new)
            content = Path(new).read_bytes()
            run = runner(content)
        found = np.concatenate([run(images[:1]), run(images)])
        difference = _difference(found, np.concatenate([wanted[:1], wanted]), path)
        written = {
            "file": Path(path).name,
            "model": model,
            "sha256": hashlib.sha256(content).hexdigest(),
            "input": {"dtype": "uint8", "shape": [None, *encoder.input_shape[1:]]},
            "output": {"dtype": "float32", "shape": [None, encoder.output_shape[1]]},
            "difference": difference,
            "images_checked": len(images),
        }
        with whole_file(beside) as text:
            lines = json.dumps(described | {"export": written}, indent=2) + "\n"
            Path(text).write_text(lines, encoding="utf-8")
    log.info(
        "%s: as the model to within %.1g on %d images", printable(path), difference, len(images)
    )
    return Exported(Path(path), beside, difference)


def _to_tflite(encoder: keras.Model, path: str) -> None:
    # LiteRT's own operations alone: others would want TensorFlow's where it runs
    only = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}
    _convert(encoder, path, "litert", target_spec=only)


def _to_onnx(encoder: keras.Model, path: str) -> None:
    if not (find_spec("tf2onnx") and find_spec("onnx")):
        raise InputError(
            "Expected tf2onnx for ONNX. Received: none installed. "
            "pip install tf2onnx onnxruntime, or take --format tflite."
        )
    _convert(encoder, path, "onnx")


def _convert(encoder: keras.Model, path: str, format: str, **options: Any) -> None:
    images = tf.TensorSpec(encoder.input_shape, tf.uint8, "images")
    try:
        encoder.export(path, format=format, verbose=False, input_signature=[images], **options)
    except OSError:
        raise
    except Exception as error:  # a converter raises all kinds for a layer that it does not know
        (line, *_) = str(error).strip().splitlines() or [type(error).__name__]
        raise InputError(
            f"Expected a network that {format} has all operations for. Received: one without "
            f"({line[:200]}). Take the other --format."
        ) from error


def _run_tflite(content: bytes) -> Embed:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        Interpreter = tf.lite.Interpreter
    with quiet():  # its C++ says that it has made a delegate
        interpreter = Interpreter(model_content=content)
        interpreter.allocate_tensors()
    (entry,) = interpreter.get_input_details()
    (out,) = interpreter.get_output_details()

    def run(images: np.ndarray) -> np.ndarray:
        interpreter.resize_tensor_input(entry["index"], images.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(entry["index"], images)
        interpreter.invoke()
        return interpreter.get_tensor(out["index"])

    return run


def _run_onnx(content: bytes) -> Embed:
    try:
        import onnxruntime
    except ImportError:
        raise InputError(
            "Expected onnxruntime, which the file is tried with. Received: none installed. "
            "pip install onnxruntime."
        ) from None
    session = onnxruntime.InferenceSession(content)
    (entry,) = session.get_inputs()
    return lambda images: session.run(None, {entry.name: images})[0]


FORMATS: dict[str, tuple[Callable[[keras.Model, str], None], Callable[[bytes], Embed]]] = {
    "tflite": (_to_tflite, _run_tflite),
    "onnx": (_to_onnx, _run_onnx),
}


def _format(path: str | Path, format: str | None) -> str:
    ending = Path(path).suffix.lstrip(".")
    if ending not in FORMATS or format not in (None, ending):
        wanted = f".{format}" if format in FORMATS else " or ".join(f".{name}" for name in FORMATS)
        raise InputError(f"Expected a file that ends with {wanted}. Received: {printable(path)}.")
    return ending


def _load(path: str | Path) -> keras.Model:
    try:
        return keras.models.load_model(path, compile=False)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        (line, *_) = str(error).strip().splitlines() or [type(error).__name__]
        raise InputError(
            f"Expected the encoder in {printable(path)}, which a training writes beside its "
            f"model. Received: {line[:200]}. Train the model again."
        ) from None


def _checked(images: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.shape[1:] != shape or not len(images):
        raise InputError(
            f"Expected uint8 images (N, {', '.join(map(str, shape))}), one at least, to check the "
            f"file with. Received: {images.dtype} {images.shape}."
        )
    return images


def _difference(found: np.ndarray, wanted: np.ndarray, path: str | Path) -> float:
    """The largest difference of two (B, D); InputError where it is too large, or not a number."""
    if found.dtype != np.float32 or found.shape != wanted.shape:
        raise InputError(
            f"Expected float32 {wanted.shape} from {printable(path)}. Received: {found.dtype} "
            f"{found.shape}: nothing is kept. Is encoder.keras the model's?"
        )
    difference = float(np.abs(found - wanted).max())
    limit = TOLERANCE * max(float(np.abs(wanted).max()), 1)
    if not difference <= limit:  # nor NaN
        raise InputError(
            f"Expected embeddings as the model's to within {limit:.1g} from {printable(path)}. "
            f"Received: a difference of {difference:.2g}: nothing is kept. Is encoder.keras the "
            "model's?"
        )
    return difference
