"""The encoder that `export` has written as .tflite beside a model, run without TensorFlow.

Importing TensorFlow takes seconds and 600 MB, which a question about two images does not need.
"""

import hashlib
import json
import threading
from pathlib import Path
from typing import Any

import numpy as np

from pyimagesearch.evaluation.distances import NUMPY_DISTANCES
from pyimagesearch.system.terminal import at_once, quiet

ENCODER = "encoder.tflite"  # beside the SavedModel's directory


class Endpoints:
    """The SavedModel's endpoints embed and distance: the encoder by LiteRT, the distance in NumPy.

    The embeddings are the SavedModel's to within 4e-7 with every recipe of this project.
    TensorFlow's differ by 1e-7 with the size of the batch, so the cache keeps both under one
    digest.
    """

    def __init__(self, model: Path, digest: str, settings: dict[str, Any]):
        """model: the SavedModel's directory. digest, settings: its own.

        Raises ValueError and others, saying why, where no encoder of this very model is there.
        """
        from ai_edge_litert.interpreter import Interpreter

        file = model.parent / ENCODER
        beside = json.loads(Path(f"{file}.json").read_text(encoding="utf-8"))
        content = file.read_bytes()
        if not digest or beside["export"].get("model") != digest:
            raise ValueError("it is of another model, or an older version has exported it")
        if beside["export"]["sha256"] != hashlib.sha256(content).hexdigest():
            raise ValueError("it is not the file that its settings speak of")
        self._apart = NUMPY_DISTANCES[settings.get("distance") or "euclidean"]
        self._head = None
        if settings.get("head") not in (None, "none"):
            numbers = beside["head_parameters"]
            self._head = (float(numbers["weight"]), float(numbers["bias"]))
        with quiet():  # its C++ says that it has made a delegate
            self._interpreter = Interpreter(model_content=content, num_threads=at_once())
            self._interpreter.allocate_tensors()
        self._turn = threading.Lock()  # an interpreter for each thread is no faster

    def embed(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        """uint8 (B, H, W, C) -> {"embedding"} float32 (B, D)."""
        with self._turn:
            return {"embedding": run(self._interpreter, batch)}

    def distance(self, vectors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """{"embedding_a", "embedding_b"}, float32 (B, D) -> {"distance"} float32 (B, 1)."""
        distances = self._apart(vectors["embedding_a"], vectors["embedding_b"])
        if self._head is not None:
            (weight, bias) = self._head
            distances = 1 / (1 + np.exp(-(weight * distances.astype(np.float64) + bias)))
        return {"distance": distances.astype(np.float32)[:, np.newaxis]}


def run(interpreter: Any, batch: np.ndarray) -> np.ndarray:
    """uint8 (B, H, W, C) -> float32 (B, D). interpreter: LiteRT's, its tensors allocated."""
    (entry,) = interpreter.get_input_details()
    if tuple(entry["shape"]) != batch.shape:
        interpreter.resize_tensor_input(entry["index"], batch.shape)
        interpreter.allocate_tensors()
    interpreter.set_tensor(entry["index"], batch)
    interpreter.invoke()
    (out,) = interpreter.get_output_details()
    return interpreter.get_tensor(out["index"])
