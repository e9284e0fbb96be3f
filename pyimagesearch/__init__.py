"""Siamese networks with contrastive loss: pairs, networks, losses, thresholds.

    from pyimagesearch import SiameseModel

What a program needs by name is here, and loaded when it is asked for: importing the package
alone imports neither TensorFlow nor anything else.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # for editors and type checkers
    from pyimagesearch.inference.model import SiameseModel
    from pyimagesearch.metrics import contrastive_loss
    from pyimagesearch.siamese_network import build_siamese_model
    from pyimagesearch.utils import euclidean_distance, make_pairs

PLACES = {
    "SiameseModel": "inference.model",
    "build_siamese_model": "siamese_network",
    "contrastive_loss": "metrics",
    "euclidean_distance": "utils",
    "make_pairs": "utils",
}

__all__ = [
    "SiameseModel",
    "build_siamese_model",
    "contrastive_loss",
    "euclidean_distance",
    "make_pairs",
]


def __getattr__(name: str) -> object:
    if name not in PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{PLACES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *PLACES})
