"""Siamese networks with contrastive loss: pairs, networks, losses, thresholds.

    from pyimagesearch import SiameseModel, fit

What a program needs by name is here, and imported when it is asked for: TensorFlow takes seconds.
"""

import os
import sys
from importlib import import_module

__version__ = "1.24.0"
PLACES = {
    "fit": "training.run", "SiameseModel": "inference.model",
    "build_siamese_model": "siamese_network", "contrastive_loss": "metrics",
    "euclidean_distance": "utils", "make_pairs": "utils",
}  # fmt: skip
__all__ = list(PLACES)


def __getattr__(name: str) -> object:
    if name not in PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pyimagesearch.system.terminal import InputError, quiet

    InputError.in_python = True
    os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever keras.json says
    with quiet():  # TensorFlow's start-up lines, also those of its look for a GPU
        found = getattr(import_module(f"{__name__}.{PLACES[name]}"), name)
        if "tensorflow" in sys.modules:
            sys.modules["tensorflow"].config.list_physical_devices()
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *PLACES})
