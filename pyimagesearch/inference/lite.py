"""A model without TensorFlow, whose import takes seconds and 600 MB: LiteRT runs its encoder."""

import hashlib
import json
import threading
from pathlib import Path
from typing import Any

import numpy as np

from pyimagesearch.evaluation.distances import Distance
from pyimagesearch.system.terminal import at_once, quiet

ENCODER = "encoder.tflite"  # beside the SavedModel's directory


class Encoder:
    """The SavedModel's endpoints embed and distance, by the encoder.tflite beside it.

    The embeddings are the SavedModel's to within 4e-7; TensorFlow's differ by 1e-7 with the size
    of the batch, so the cache keeps both under one digest.
    """

    def __init__(self, model: Path, digest: str, settings: dict[str, Any]):
        """Raises ValueError and others, saying why, where no encoder of this model is there."""
        from ai_edge_litert.interpreter import Interpreter

        file = model.parent / ENCODER
        exported = json.loads(Path(f"{file}.json").read_text(encoding="utf-8"))["export"]
        content = file.read_bytes()
        known = {"model": digest, "sha256": hashlib.sha256(content).hexdigest()}
        if exported | known != exported:
            raise ValueError("it is damaged, of another model, or of an older version")
        head = None
        if settings.get("head") not in (None, "none"):
            (weight, bias) = (settings["head_parameters"][name] for name in ("weight", "bias"))
            head = (float(weight), float(bias))
        self._measure = Distance(settings.get("distance") or "euclidean", head)
        with quiet():  # its C++ says that it has made a delegate
            self._interpreter = Interpreter(model_content=content, num_threads=at_once())
            self._interpreter.allocate_tensors()
        self._turn = threading.Lock()  # an interpreter for each thread is no faster
        self.signatures = {"embed": self.embed}

    def embed(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """uint8 (B, H, W, C) -> {"embedding"} float32 (B, D)."""
        with self._turn:
            return {"embedding": run(self._interpreter, images)}

    def distance(self, vectors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """{"embedding_a", "embedding_b"}, float32 (B, D) -> {"distance"} float32 (B, 1)."""
        distances = self._measure.rows(vectors["embedding_a"], vectors["embedding_b"])
        return {"distance": self._measure.output(distances)[:, np.newaxis].astype(np.float32)}


def run(interpreter: Any, batch: np.ndarray) -> np.ndarray:
    """What an interpreter of one input and one output makes of a batch of any size."""
    (entry,) = interpreter.get_input_details()
    if tuple(entry["shape"]) != batch.shape:
        interpreter.resize_tensor_input(entry["index"], batch.shape)
        interpreter.allocate_tensors()
    interpreter.set_tensor(entry["index"], batch)
    interpreter.invoke()
    (out,) = interpreter.get_output_details()
    return interpreter.get_tensor(out["index"])
