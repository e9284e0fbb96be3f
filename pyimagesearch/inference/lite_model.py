"""A model whose encoder `export` has written as .tflite beside it: embedded without TensorFlow.

Importing TensorFlow takes seconds and 600 MB, which a question about two images does not need.
"""

import hashlib
import json
import logging
import os
import threading
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from pyimagesearch.evaluation.distances import NUMPY_DISTANCES
from pyimagesearch.inference.model import SiameseModel
from pyimagesearch.system.errors import InputError, first_line, printable
from pyimagesearch.system.terminal import at_once, quiet

log = logging.getLogger(__name__)

ENCODER = "encoder.tflite"  # beside the SavedModel's directory


class LiteModel(SiameseModel):
    """A SavedModel's settings with the encoder run by LiteRT; the distance in NumPy.

    Its embeddings are the SavedModel's to within 4e-7 with every recipe of this project.
    TensorFlow's differ by 1e-7 with the size of the batch, so the cache keeps both under one
    digest.
    """

    def _open(self) -> None:
        # ValueError and others, saying why, where no encoder.tflite of this very model is there
        from ai_edge_litert.interpreter import Interpreter

        file = self.path.parent / ENCODER
        settings = json.loads(Path(f"{file}.json").read_text(encoding="utf-8"))
        content = file.read_bytes()
        if not self.digest or settings["export"].get("model") != self.digest:
            raise ValueError("it is of another model, or an older version has exported it")
        if settings["export"]["sha256"] != hashlib.sha256(content).hexdigest():
            raise ValueError("it is not the file that its settings speak of")
        self._apart = NUMPY_DISTANCES[self.settings.get("distance") or "euclidean"]
        self._head = None
        if self.settings.get("head") not in (None, "none"):
            numbers = settings["head_parameters"]
            self._head = (float(numbers["weight"]), float(numbers["bias"]))
        with quiet():  # its C++ says that it has made a delegate
            self._interpreter = Interpreter(model_content=content, num_threads=at_once())
            self._interpreter.allocate_tensors()
        self._turn = threading.Lock()
        (_, self.embedding_dim) = self._embed(np.zeros((1, *self.image_shape), np.uint8)).shape

    def _embed(self, batch: np.ndarray) -> np.ndarray:
        # one batch at a time, which has a thread on each core: an interpreter for each thread is
        # no faster
        with self._turn:
            (entry,) = self._interpreter.get_input_details()
            if tuple(entry["shape"]) != batch.shape:
                self._interpreter.resize_tensor_input(entry["index"], batch.shape)
                self._interpreter.allocate_tensors()
            self._interpreter.set_tensor(entry["index"], batch)
            self._interpreter.invoke()
            (out,) = self._interpreter.get_output_details()
            return self._interpreter.get_tensor(out["index"])

    def _distance(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        distances = self._apart(a, b)
        if self._head is not None:
            (weight, bias) = self._head
            distances = 1 / (1 + np.exp(-(weight * distances.astype(np.float64) + bias)))
        return distances.astype(np.float32)


def open_lite(path: str | Path) -> LiteModel | None:
    """The model run by LiteRT; None where the SavedModel is to be loaded.

    That is where no encoder.tflite lies beside it, ai-edge-litert is not installed, or, which
    is said, the file is another model's, damaged, or cannot be run here.
    """
    file = Path(os.path.realpath(path)).parent / ENCODER
    if not file.is_file() or not find_spec("ai_edge_litert"):
        return None
    try:
        return LiteModel(path)
    except InputError:  # of the model itself
        raise
    except (ValueError, LookupError, OSError, RuntimeError, TypeError, AttributeError,
            ImportError) as error:  # fmt: skip
        why = printable(first_line(error))
        log.info("%s is not used (%s): TensorFlow is; export it again", printable(file), why)
        return None
