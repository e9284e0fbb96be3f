"""What a training computes on, and with what numbers."""

import os
from collections.abc import Iterator

import keras
import tensorflow as tf

from pyimagesearch.system import machines


def let_memory_grow() -> None:
    """Let TensorFlow take a GPU's memory as it needs it, not all of it at once.

    To be called before the first tensor; where TensorFlow has begun, its way stays.
    """
    for gpu in tf.config.list_physical_devices("GPU"):
        try:
            tf.config.experimental.set_memory_growth(gpu, True)
        except RuntimeError:
            return


def describe(model: keras.Model) -> dict[str, str]:
    """The device and the precision that a model is trained with, for people and for JSON.

    {"device": "2 CPU cores", "precision": "bfloat16 with float32 weights"}
    """
    gpus = tf.config.list_physical_devices("GPU")
    names = [tf.config.experimental.get_device_details(g).get("device_name", "GPU") for g in gpus]
    cores = os.cpu_count() or 1
    device = ", ".join(names) or f"{cores} CPU core{'s' if cores > 1 else ''}"
    if machines.count() > 1:
        device = f"{machines.count()} machines with {device} each"
    types = {layer.compute_dtype for layer in _layers(model)} - {"uint8", "float32"}
    precision = f"{' and '.join(sorted(types))} with float32 weights" if types else "float32"
    return {"device": device, "precision": precision}


def _layers(layer: keras.layers.Layer) -> Iterator[keras.layers.Layer]:
    yield layer
    inner = [*getattr(layer, "layers", []), getattr(layer, "network", None)]
    for part in inner:
        if isinstance(part, keras.layers.Layer):
            yield from _layers(part)
