"""A model whose encoder `export` has written as .tflite beside it: embedded without TensorFlow.

Importing TensorFlow takes seconds and 600 MB, which a question about two images does not need.
The SavedModel stays what counts: its weights' digest stands in the file's settings, and a file
of another model is not used.
"""

import hashlib
import json
import logging
import os
import threading
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from pyimagesearch.evaluation.distances import NUMPY_DISTANCES
from pyimagesearch.inference.arrays import checked_embeddings
from pyimagesearch.inference.model import TrainedModel
from pyimagesearch.system.errors import InputError, first_line
from pyimagesearch.system.files import read_whole
from pyimagesearch.system.errors import printable
from pyimagesearch.system.terminal import quiet
from pyimagesearch.system.terminal import at_once

log = logging.getLogger(__name__)

ENCODER = "encoder.tflite"  # beside the SavedModel's directory


class LiteModel(TrainedModel):
    """A SavedModel's settings with the encoder run by LiteRT.

    Its embeddings are the SavedModel's to within what export found: 4e-7 or less with every
    recipe of this project. TensorFlow's own differ by 1e-7 with the size of the batch, so the
    cache keeps both under the same digest. The distance, and the head where there is one, are
    computed here, in NumPy.
    """

    def __init__(self, path: str | Path):
        """Raises InputError where path is no SavedModel that save wrote; OSError, ValueError and
        others, saying why, where no encoder.tflite of this very model lies beside it.
        """
        self.path = Path(os.path.realpath(path))
        read_whole(self.path, self._load)

    def _load(self, directory: Path) -> None:
        self._read_settings(directory)
        file = self.path.parent / ENCODER
        exported = json.loads(Path(f"{file}.json").read_text(encoding="utf-8"))
        content = file.read_bytes()
        if not self.digest or exported["export"].get("model") != self.digest:
            raise ValueError("it is of another model, or an older version has exported it")
        if exported["export"]["sha256"] != hashlib.sha256(content).hexdigest():
            raise ValueError("it is not the file that its settings speak of")
        self._apart = NUMPY_DISTANCES[self.settings.get("distance") or "euclidean"]
        self._head = None
        if self.settings.get("head") not in (None, "none"):
            self._head = tuple(float(exported["head_parameters"][k]) for k in ("weight", "bias"))
        self._interpreter = _interpreter(content)
        self._turn = threading.Lock()
        (_, self.embedding_dim) = self._embed(np.zeros((1, *self.image_shape), np.uint8)).shape

    def _embed(self, batch: np.ndarray) -> np.ndarray:
        # one batch at a time, which has a thread on each core: 2,000 of MNIST's images take as long
        # as in TensorFlow, and one interpreter for each thread is no faster
        with self._turn:
            (entry,) = self._interpreter.get_input_details()
            if tuple(entry["shape"]) != batch.shape:
                self._interpreter.resize_tensor_input(entry["index"], batch.shape)
                self._interpreter.allocate_tensors()
            self._interpreter.set_tensor(entry["index"], batch)
            self._interpreter.invoke()
            (out,) = self._interpreter.get_output_details()
            return self._interpreter.get_tensor(out["index"])

    def distance(self, vectors: Sequence[np.ndarray]) -> np.ndarray:
        """(feats_a, feats_b), each float (B, D) -> float32 (B,); smaller = more alike.

        Raises InputError for anything else.
        """
        distances = self._apart(*checked_embeddings(vectors, self.embedding_dim))
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


def _interpreter(content: bytes) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    with quiet():  # its C++ says that it has made a delegate
        interpreter = Interpreter(model_content=content, num_threads=at_once())
        interpreter.allocate_tensors()
    return interpreter
